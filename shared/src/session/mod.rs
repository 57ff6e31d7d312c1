//! A coding session: a prompt given to an agent, run to an end, with everything it did on record.
//!
//! [`status`] is the table of states, [`draft`] parses what callers send, [`verbs`] and [`progress`] decide what a call
//! or an observation changes (pure), [`store`] is the SQL, [`service`] the use cases.

pub mod change;
pub mod draft;
pub mod outcome;
pub mod pace;
pub mod progress;
pub mod service;
pub mod status;
pub mod store;
pub mod stranded;
pub mod suspension;
pub mod usage;
pub mod verbs;
pub mod workspace;

use std::collections::BTreeMap;

use chrono::TimeDelta;
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};
use utoipa::ToSchema;

use crate::{
    auth::Actor,
    clock::Time,
    id::{AgentId, SessionId, TenantId},
    model::ResolvedModel,
    runtime::{Question, RunState},
};

use self::{
    outcome::Outcome,
    status::{PauseReason, Status},
    usage::Usage,
    workspace::Workspace,
};

/// How many times a session may be retried.
pub const MAX_RETRIES: i32 = 3;
/// How many checkpoints of a session are kept.
pub const MAX_CHECKPOINTS: i32 = 100;
/// How deep a tree of sessions may be, its root counted.
pub const MAX_DEPTH: i16 = 10;
/// How many sessions a tree may have.
pub const MAX_TREE: i32 = 500;

/// What kind of work a session is.
#[derive(Clone, Copy, Debug, Default, Eq, Hash, PartialEq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "snake_case")]
pub enum SessionType {
    Planning,
    #[default]
    Execution,
    Review,
    Debug,
    Integration,
}

impl SessionType {
    pub const ALL: [Self; 5] = [Self::Planning, Self::Execution, Self::Review, Self::Debug, Self::Integration];

    pub const fn name(self) -> &'static str {
        match self {
            Self::Planning => "planning",
            Self::Execution => "execution",
            Self::Review => "review",
            Self::Debug => "debug",
            Self::Integration => "integration",
        }
    }

    pub fn parse(text: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|kind| kind.name() == text)
    }
}

/// How urgent a session is: 0 is the most urgent.
#[derive(Clone, Copy, Debug, Eq, Hash, PartialEq)]
pub struct Priority(i16);

impl Default for Priority {
    fn default() -> Self {
        Self(2)
    }
}

impl Priority {
    pub const WORDS: [&str; 5] = ["critical", "high", "medium", "low", "deferred"];

    pub fn from_level(level: i64) -> Option<Self> {
        i16::try_from(level).ok().filter(|level| (0..=4).contains(level)).map(Self)
    }

    /// Reads a word or a number.
    pub fn parse(text: &str) -> Option<Self> {
        let word = Self::WORDS.iter().position(|word| *word == text);
        word.and_then(|level| i64::try_from(level).ok()).or_else(|| text.parse().ok()).and_then(Self::from_level)
    }

    pub fn level(self) -> i16 {
        self.0
    }

    pub fn word(self) -> &'static str {
        usize::try_from(self.0).ok().and_then(|level| Self::WORDS.get(level)).copied().unwrap_or("medium")
    }
}

/// What a person asked of a running session; carried out by its next step, because the agent must act first.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Intent {
    pub verb: IntentVerb,
    pub reason: Option<String>,
    pub pause_reason: Option<PauseReason>,
    pub resume_at: Option<Time>,
    pub actor: Actor,
}

#[derive(Clone, Copy, Debug, Eq, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum IntentVerb {
    Pause,
    Stop,
}

/// How the next run begins, as the row remembers it until the handover is done.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(tag = "from", rename_all = "snake_case")]
pub enum Handover {
    Start,
    /// Where it was held. `ask`: the agent is to be told to go on.
    Resume {
        ask: bool,
    },
    /// From a checkpoint of `session_id`: this session, or the one it was forked from.
    Checkpoint {
        session_id: SessionId,
        sequence: i32,
    },
}

/// Where a fork came from.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, ToSchema)]
pub struct ForkedFrom {
    pub session_id: SessionId,
    pub checkpoint: Option<i32>,
}

/// The agent that a session was given to.
#[derive(Clone, Debug, PartialEq, Serialize, ToSchema)]
pub struct AgentRef {
    pub id: AgentId,
    pub name: String,
    pub kind: String,
}

/// What a queued session waits for.
#[derive(Clone, Copy, Debug, Eq, PartialEq, Serialize, ToSchema)]
#[serde(rename_all = "snake_case")]
pub enum WaitingFor {
    /// One of the tenant's slots.
    Slot,
    /// Another session works in the same workspace.
    Workspace,
    /// The agent is at its capacity.
    Agent,
    /// The tenant's tokens of the month are spent.
    Tokens,
}

/// A session, as its row stands.
#[derive(Clone, Debug, PartialEq)]
pub struct Session {
    pub tenant_id: TenantId,
    pub id: SessionId,
    pub title: String,
    pub description: Option<String>,
    pub session_type: SessionType,
    pub priority: Priority,
    pub initial_prompt: String,
    pub model_identifier: Option<String>,
    /// What that leads to where it is a reference, from the dispatch on.
    pub resolved_model: Option<ResolvedModel>,
    pub agent_config: Map<String, Value>,
    pub workspace: Option<Workspace>,
    pub max_duration_seconds: i32,
    pub cpu_limit: Option<f64>,
    pub memory_limit_mb: Option<i32>,
    pub tags: Vec<String>,
    pub metadata: Map<String, Value>,
    pub parent_id: Option<SessionId>,
    pub root_id: SessionId,
    pub depth: i16,
    pub child_count: i32,
    pub forked_from: Option<ForkedFrom>,
    pub status: Status,
    pub status_changed_at: Time,
    pub pause_reason: Option<PauseReason>,
    pub pause_question: Option<Question>,
    pub resume_at: Option<Time>,
    /// The deactivation of its tenant asked for its pause, or holds it.
    pub suspended: bool,
    pub outcome: Option<Outcome>,
    pub retry_count: i32,
    pub intent: Option<Intent>,
    pub agent_id: Option<AgentId>,
    /// The agent that it was taken from in this run; nobody takes it over a second time.
    pub lost_agent_id: Option<AgentId>,
    pub handover: Option<Handover>,
    pub run: i32,
    pub run_started_at: Option<Time>,
    pub run_state: Option<RunState>,
    pub turns_with_changes: i32,
    pub usage_by_scope: BTreeMap<String, Usage>,
    pub fence: i64,
    pub lease_until: Option<Time>,
    pub next_step_at: Option<Time>,
    pub step_pause_ms: i32,
    /// Failed looks at the agent in a row, or the provider's own attempts.
    pub attempts: i32,
    /// How often this run was tried again by itself.
    pub auto_retries: i32,
    pub unreachable_since: Option<Time>,
    pub usage: Usage,
    pub queued_at: Option<Time>,
    pub started_at: Option<Time>,
    pub ended_at: Option<Time>,
    pub active_since: Option<Time>,
    pub active_ms: i64,
    pub last_event_seq: i64,
    pub last_checkpoint: i32,
    pub version: i64,
    pub created_by: Actor,
    pub created_at: Time,
    pub updated_at: Time,
}

impl Session {
    /// Failed, timed out or stopped, with a checkpoint to go on from and a retry left.
    pub fn recoverable(&self) -> bool {
        self.status.may_retry() && self.last_checkpoint > 0 && self.retry_count < MAX_RETRIES
    }

    /// Whether any agent that suits may take it: it names none, and is not bound to one by what it did there.
    pub fn is_routed(&self) -> bool {
        !self.agent_config.contains_key("agent") && !matches!(self.handover, Some(Handover::Resume { .. }))
    }

    /// Whether somebody asked for its stop, which the next step carries out.
    pub fn stops(&self) -> bool {
        self.intent.as_ref().is_some_and(|intent| intent.verb == IntentVerb::Stop)
    }

    /// How many checkpoints are kept.
    pub fn checkpoint_count(&self) -> i32 {
        self.last_checkpoint.min(MAX_CHECKPOINTS)
    }

    /// How long it ran, the present stretch included.
    pub fn active_for(&self, now: Time) -> TimeDelta {
        let stretch = self.active_since.map_or(TimeDelta::zero(), |since| (now - since).max(TimeDelta::zero()));
        TimeDelta::milliseconds(self.active_ms) + stretch
    }

    /// When it will have run for its maximal duration; `None` while it does not run.
    pub fn deadline(&self) -> Option<Time> {
        let left = TimeDelta::seconds(self.max_duration_seconds.into()) - TimeDelta::milliseconds(self.active_ms);
        self.active_since.map(|since| since + left)
    }

    /// 0..1, see the table in `docs/architecture.md`.
    pub fn health_score(&self, now: Time) -> f64 {
        match self.status {
            Status::Completed => 1.0,
            Status::Failed | Status::Timeout => 0.0,
            Status::Degraded => 0.4,
            Status::Running => {
                let most = f64::from(self.max_duration_seconds) * 1000.0;
                #[expect(clippy::cast_precision_loss, reason = "a duration of at most some days in milliseconds")]
                let share = self.active_for(now).num_milliseconds() as f64 / most;
                match share {
                    share if share > 0.9 => 0.3,
                    share if share > 0.7 => 0.7,
                    _ => 0.9,
                }
            }
            _ => 0.8,
        }
    }
}
