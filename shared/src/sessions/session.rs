//! The session as its row stands, grouped by who changes which part of it.

use chrono::TimeDelta;
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use crate::{
    agents::contract::{Question, RunState},
    kernel::{
        actor::Actor,
        clock::Time,
        id::{AgentId, SessionId, TenantId},
    },
    models::registry::ResolvedModel,
};

use super::{
    outcome::Outcome,
    spec::SessionSpec,
    status::{PauseReason, Status},
    usage_claims::SessionUsage,
};

/// How many times a session may be retried.
pub const MAX_RETRIES: i32 = 3;
/// How many checkpoints of a session are kept.
pub const MAX_CHECKPOINTS: i32 = 100;
/// How deep a tree of sessions may be, its root counted.
pub const MAX_DEPTH: i16 = 10;
/// How many sessions a tree may have.
pub const MAX_TREE: i32 = 500;

/// The key of a session's row.
#[derive(Clone, Copy, Debug, Eq, Hash, Ord, PartialEq, PartialOrd)]
pub struct SessionKey {
    pub tenant_id: TenantId,
    pub id: SessionId,
}

impl SessionKey {
    pub const fn new(tenant_id: TenantId, id: SessionId) -> Self {
        Self { tenant_id, id }
    }
}

/// A session, as its row stands.
#[derive(Clone, Debug, PartialEq)]
pub struct Session {
    pub tenant_id: TenantId,
    pub id: SessionId,
    pub spec: SessionSpec,
    pub lineage: SessionLineage,
    pub status: Status,
    pub pause: PauseState,
    pub outcome: Option<Outcome>,
    /// How often a person retried the session.
    pub retry_count: i32,
    pub intent: Option<Intent>,
    pub run: SessionRun,
    pub schedule: StepSchedule,
    pub usage: SessionUsage,
    pub clock: SessionClock,
    pub last_event_seq: i64,
    pub last_checkpoint: i32,
    /// Counts the changes of everything but telemetry.
    pub version: i64,
    pub created_by: Actor,
}

/// The place of a session in its tree, and the session that it was forked from.
#[derive(Clone, Debug, PartialEq)]
pub struct SessionLineage {
    pub parent_id: Option<SessionId>,
    pub root_id: SessionId,
    /// 1 for a root.
    pub depth: i16,
    pub child_count: i32,
    pub forked_from: Option<ForkedFrom>,
}

/// The place in a tree that a new session takes.
#[derive(Clone, Debug, PartialEq)]
pub struct NewLineage {
    pub parent_id: Option<SessionId>,
    /// `None` for a root, which is its own.
    pub root_id: Option<SessionId>,
    pub depth: i16,
    pub forked_from: Option<ForkedFrom>,
}

impl NewLineage {
    /// The lineage of a session without a parent.
    pub fn root_lineage(forked_from: Option<ForkedFrom>) -> Self {
        Self { parent_id: None, root_id: None, depth: 1, forked_from }
    }
}

/// The origin of a forked session.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, ToSchema)]
pub struct ForkedFrom {
    /// The source session.
    pub session_id: SessionId,
    /// The checkpoint of the source session; null for its beginning.
    pub checkpoint: Option<i32>,
}

/// Why a session is paused, and until when. All of it is empty while the session is not paused, except for `suspended`.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct PauseState {
    pub reason: Option<PauseReason>,
    pub question: Option<Question>,
    pub resume_at: Option<Time>,
    /// The deactivation of the tenant requested the pause, or keeps the session paused.
    pub suspended: bool,
}

/// A pause or stop that is requested of a running session. The next step carries it out, because the agent must act
/// first.
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

/// How the agent is to begin; stored until the agent has the work.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(tag = "from", rename_all = "snake_case")]
pub enum Handover {
    Start,
    /// At the point where the session was paused. `ask`: the agent gets a message to continue.
    Resume {
        ask: bool,
    },
    /// From a checkpoint of `session_id`: this session, or the session that it was forked from.
    Checkpoint {
        session_id: SessionId,
        sequence: i32,
    },
}

/// The current run of a session, or the last one: the agent, and what the runtime remembers of the work.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct SessionRun {
    pub agent_id: Option<AgentId>,
    /// The agent that lost the session in this run. A session moves to another agent once at most.
    pub lost_agent_id: Option<AgentId>,
    /// The model that `model_identifier` resolves to when it is a reference; set at the dispatch.
    pub resolved_model: Option<ResolvedModel>,
    /// How the agent is to begin; `None` once the agent has the work.
    pub handover: Option<Handover>,
    /// Until when the agent may take a queued session that is offered to it; `None`: it is not offered.
    pub offered_until: Option<Time>,
    /// What an offer that waits to be claimed handed over; restored if the offer is withdrawn.
    pub offered_handover: Option<Handover>,
    /// Counts the runs of the session. Part of every identifier that the agent sees.
    pub number: i32,
    pub started_at: Option<Time>,
    pub state: Option<RunState>,
    pub turns_with_changes: i32,
    /// Consecutive failed observations, or the attempts that the provider reports.
    pub attempts: i32,
    /// How often this run was retried without a person.
    pub auto_retries: i32,
    pub unreachable_since: Option<Time>,
    /// How often the work could not be read since it was last read.
    pub failed_collections: i32,
}

impl SessionRun {
    /// Ends an offer. Returns whether there was one.
    pub(super) fn end_offer(&mut self) -> bool {
        self.offered_handover = None;
        self.offered_until.take().is_some()
    }
}

/// When the next step is due, and which worker has claimed it.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct StepSchedule {
    /// Grows with every claim; a write with an older fence is refused.
    pub fence: i64,
    pub lease_until: Option<Time>,
    pub next_step_at: Option<Time>,
    /// The pause between the last two observations, in milliseconds.
    pub poll_interval_ms: i32,
    /// Steps in a row that failed for a reason of their own, such as a panic.
    pub failed_steps: i32,
    /// Steps in a row that a crash or a time limit interrupted.
    pub interrupted_steps: i32,
}

/// The times of a session's life.
#[derive(Clone, Debug, PartialEq)]
pub struct SessionClock {
    pub created_at: Time,
    pub updated_at: Time,
    pub status_changed_at: Time,
    pub queued_at: Option<Time>,
    pub started_at: Option<Time>,
    pub ended_at: Option<Time>,
    /// Since when the session has held its slot; `None` while it holds none.
    pub active_since: Option<Time>,
    /// How long the session held a slot before `active_since`, in milliseconds.
    pub active_ms: i64,
}

impl SessionClock {
    /// The times of a session that is created now.
    pub fn starting_at(now: Time) -> Self {
        Self {
            created_at: now,
            updated_at: now,
            status_changed_at: now,
            queued_at: None,
            started_at: None,
            ended_at: None,
            active_since: None,
            active_ms: 0,
        }
    }
}

impl Session {
    /// A session that was just created: it waits in `pending`, and nothing has happened to it.
    pub fn new(tenant_id: TenantId, spec: SessionSpec, lineage: NewLineage, created_by: Actor, now: Time) -> Self {
        let id = SessionId::new();
        Self {
            tenant_id,
            id,
            spec,
            lineage: SessionLineage {
                parent_id: lineage.parent_id,
                root_id: lineage.root_id.unwrap_or(id),
                depth: lineage.depth,
                child_count: 0,
                forked_from: lineage.forked_from,
            },
            status: Status::Pending,
            pause: PauseState::default(),
            outcome: None,
            retry_count: 0,
            intent: None,
            run: SessionRun::default(),
            schedule: StepSchedule::default(),
            usage: SessionUsage::default(),
            clock: SessionClock::starting_at(now),
            last_event_seq: 0,
            last_checkpoint: 0,
            version: 1,
            created_by,
        }
    }

    pub const fn key(&self) -> SessionKey {
        SessionKey::new(self.tenant_id, self.id)
    }

    /// Failed, timed out or stopped, with a checkpoint to continue from and a retry left.
    pub fn is_recoverable(&self) -> bool {
        self.status.may_retry() && self.last_checkpoint > 0 && self.retry_count < MAX_RETRIES
    }

    /// Whether any suitable agent may run the session: it names none, and does not resume work at a certain one.
    pub fn is_routed(&self) -> bool {
        !self.spec.agent_config.contains_key("agent") && !matches!(self.run.handover, Some(Handover::Resume { .. }))
    }

    /// Whether the session may continue on another agent if its own is lost: it names none, and has not been moved
    /// before.
    pub fn can_fail_over(&self) -> bool {
        self.is_routed() && self.run.lost_agent_id.is_none()
    }

    /// Whether it is queued and offered to an agent, which has not taken it yet.
    pub const fn is_offered(&self) -> bool {
        self.run.offered_until.is_some()
    }

    /// Whether it takes up one of the tenant's slots, its workspace and a place at its agent: at work, or offered.
    pub const fn occupies_slot(&self) -> bool {
        self.status.holds_slot() || self.is_offered()
    }

    /// Whether its agent may have the work already, though no handover is recorded: a worker has claimed the handover,
    /// or an attempt failed on the way.
    pub const fn may_have_begun(&self) -> bool {
        self.run.handover.is_some()
            && (self.schedule.lease_until.is_some()
                || self.run.unreachable_since.is_some()
                || self.run.auto_retries > 0)
    }

    /// Whether its stop is requested; the next step carries it out.
    pub fn is_stopping(&self) -> bool {
        self.intent.as_ref().is_some_and(|intent| intent.verb == IntentVerb::Stop)
    }

    /// The same session as its agent sees it while it works: nothing is left to hand over.
    #[must_use]
    pub fn without_handover(&self) -> Self {
        let mut session = self.clone();
        session.run.handover = None;
        session
    }

    /// How many checkpoints are kept.
    pub fn checkpoint_count(&self) -> i32 {
        self.last_checkpoint.min(MAX_CHECKPOINTS)
    }

    /// How long the session has held a slot, including now.
    pub fn active_for(&self, now: Time) -> TimeDelta {
        let stretch = self.clock.active_since.map_or(TimeDelta::zero(), |since| (now - since).max(TimeDelta::zero()));
        TimeDelta::milliseconds(self.clock.active_ms) + stretch
    }

    /// When the session will have run for its maximal duration; `None` while it holds no slot.
    pub fn deadline(&self) -> Option<Time> {
        let left =
            TimeDelta::seconds(self.spec.max_duration_seconds.into()) - TimeDelta::milliseconds(self.clock.active_ms);
        self.clock.active_since.map(|since| since + left)
    }

    /// 0..1, see the table in `docs/architecture.md`.
    pub fn health_score(&self, now: Time) -> f64 {
        match self.status {
            Status::Completed => 1.0,
            Status::Failed | Status::Timeout => 0.0,
            Status::Degraded => 0.4,
            Status::Running => {
                let most = f64::from(self.spec.max_duration_seconds) * 1000.0;
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
