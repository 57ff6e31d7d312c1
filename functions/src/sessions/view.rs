//! The representation of a session.

use serde::Serialize;
use serde_json::{Map, Value};
use shared::{
    agents::{
        contract::{Question, workspace::Workspace},
        environments::SessionEnvironment,
    },
    app::App,
    kernel::{
        actor::Actor,
        clock::Time,
        id::{SessionId, TenantId},
        session_type::SessionType,
        usage::{Usage, format_usd},
    },
    models::registry::ResolvedModel,
    sessions::{
        AgentRef, ForkedFrom, IntentVerb, QueuePosition, SessionUsage, UsageAmount,
        outcome::Outcome,
        status::{PauseReason, Status},
        store::FoundSession,
    },
};
use utoipa::ToSchema;

use crate::http::version::Versioned;

/// A coding session.
#[derive(Serialize, ToSchema)]
#[schema(as = Session)]
pub(crate) struct SessionView {
    /// The id of the session.
    pub id: SessionId,
    /// The tenant of the session.
    tenant_id: TenantId,
    /// A short description of the task.
    title: String,
    /// A description for people.
    description: Option<String>,
    /// The kind of work.
    session_type: SessionType,
    /// The priority: `critical`, `high`, `medium`, `low` or `deferred`.
    priority: &'static str,
    /// The priority from 0 (critical) to 4 (deferred).
    priority_level: i16,
    /// The prompt for the agent.
    initial_prompt: String,
    /// The model that was requested; null means the default of the agent.
    model_identifier: Option<String>,
    /// The version that a model of the registry was resolved to at dispatch; null otherwise.
    resolved_model: Option<ResolvedModel>,
    /// Configuration for the agent; `agent` names the agent.
    #[schema(value_type = Object)]
    agent_config: Map<String, Value>,
    /// The place where the agent works; null if the agent chooses it.
    workspace: Option<Workspace>,
    /// The version of the environment that the session works in; null for none.
    environment: Option<SessionEnvironment>,
    /// The largest time in the states running and degraded, in seconds.
    max_duration_seconds: i32,
    /// The largest number of CPUs; null means the default.
    cpu_limit: Option<f64>,
    /// The largest amount of memory in MiB; null means the default.
    memory_limit_mb: Option<i32>,
    /// The parent session; null for a root session.
    parent_id: Option<SessionId>,
    /// The root of the session's tree.
    root_id: SessionId,
    /// The depth in the tree; 1 for a root session.
    depth: i16,
    /// The number of child sessions.
    child_count: i32,
    /// The session and the checkpoint that this session was forked from; null otherwise.
    forked_from: Option<ForkedFrom>,
    /// Tags for filtering.
    tags: Vec<String>,
    /// Free-form data of the creator.
    #[schema(value_type = Object)]
    metadata: Map<String, Value>,
    /// The status of the session.
    pub status: Status,
    /// When the status last changed.
    #[schema(value_type = String, format = DateTime)]
    status_changed_at: Time,
    /// The statuses that the session can change to.
    allowed_transitions: &'static [Status],
    /// A command that takes effect once the agent has acted; null otherwise.
    #[schema(value_type = Option<String>)]
    pending_action: Option<IntentVerb>,
    /// Why the session is paused; null otherwise.
    pause_reason: Option<PauseReason>,
    /// The details of the pause; null unless the session is paused.
    pause: Option<Pause>,
    /// The position in the queue; null unless the session is queued.
    queue: Option<QueuePosition>,
    /// The agent that the session was assigned to; null before.
    agent: Option<AgentRef>,
    /// The outcome; null until the session ends.
    outcome: Option<Outcome>,
    /// The number of retries.
    retry_count: i32,
    /// Whether a retry is possible.
    recoverable: bool,
    /// The health of the session, 0 to 1.
    health_score: f64,
    /// The tokens and the cost so far.
    usage: UsageView,
    /// The number of checkpoints.
    checkpoint_count: i32,
    /// The `seq` of the newest event.
    last_event_seq: i64,
    /// The version of the session without telemetry, which is also its `ETag`.
    pub version: i64,
    /// The actor that created the session.
    created_by: Actor,
    /// When the session was created.
    #[schema(value_type = String, format = DateTime)]
    created_at: Time,
    /// When the session was last changed.
    #[schema(value_type = String, format = DateTime)]
    updated_at: Time,
    /// When the session first started to run; null before.
    #[schema(value_type = Option<String>, format = DateTime)]
    started_at: Option<Time>,
    /// When the session ended; null before.
    #[schema(value_type = Option<String>, format = DateTime)]
    ended_at: Option<Time>,
}

/// The pause of a session.
#[derive(Serialize, ToSchema)]
struct Pause {
    /// Why the session is paused.
    reason: PauseReason,
    /// When the session resumes by itself; null if it does not.
    #[schema(value_type = Option<String>, format = DateTime)]
    resume_at: Option<Time>,
    /// The question that the session waits for; null without one.
    question: Option<Question>,
}

/// The usage of a session.
#[derive(Serialize, ToSchema)]
struct UsageView {
    /// The number of input tokens.
    tokens_input: i64,
    /// The number of output tokens.
    tokens_output: i64,
    /// The number of reasoning tokens.
    tokens_reasoning: i64,
    /// The number of cached input tokens.
    tokens_cached: i64,
    /// The cost in US dollars, as decimal text with six places.
    cost_usd: String,
    /// What the agent reported beyond what a run may book; absent if everything reported is booked.
    #[serde(skip_serializing_if = "Option::is_none")]
    claimed: Option<ClaimedUsage>,
}

/// Usage that an agent reported, and that is booked nowhere.
#[derive(Serialize, ToSchema)]
struct ClaimedUsage {
    /// The number of tokens of all kinds.
    tokens: i64,
    /// The cost in US dollars, as decimal text with six places.
    cost_usd: String,
}

impl From<SessionUsage> for UsageView {
    fn from(usage: SessionUsage) -> Self {
        let claimed = usage.claimed();
        let Usage { tokens_input, tokens_output, tokens_reasoning, tokens_cached, cost_micros } = usage.total;
        Self {
            tokens_input,
            tokens_output,
            tokens_reasoning,
            tokens_cached,
            cost_usd: format_usd(cost_micros),
            claimed: claimed
                .map(|UsageAmount { tokens, cost_micros }| ClaimedUsage { tokens, cost_usd: format_usd(cost_micros) }),
        }
    }
}

/// Builds a view from computed fields, and from fields that it copies from parts of a row under the same name.
macro_rules! copy_fields {
    ($view:ident { $($computed:ident: $value:expr),+; $($part:expr => [$($copied:ident)+]),+ }) => {
        $view { $($computed: $value,)+ $($($copied: $part.$copied,)+)+ }
    };
}

impl SessionView {
    /// The names of all fields, as a list may select them.
    pub(crate) const FIELDS: [&'static str; 44] = [
        "id",
        "tenant_id",
        "title",
        "description",
        "session_type",
        "priority",
        "priority_level",
        "initial_prompt",
        "model_identifier",
        "resolved_model",
        "agent_config",
        "workspace",
        "environment",
        "max_duration_seconds",
        "cpu_limit",
        "memory_limit_mb",
        "parent_id",
        "root_id",
        "depth",
        "child_count",
        "forked_from",
        "tags",
        "metadata",
        "status",
        "status_changed_at",
        "allowed_transitions",
        "pending_action",
        "pause_reason",
        "pause",
        "queue",
        "agent",
        "outcome",
        "retry_count",
        "recoverable",
        "health_score",
        "usage",
        "checkpoint_count",
        "last_event_seq",
        "version",
        "created_by",
        "created_at",
        "updated_at",
        "started_at",
        "ended_at",
    ];

    pub(crate) fn of(app: &App, found: FoundSession) -> Self {
        let s = found.session;
        let now = app.clock.now();
        let (reason, resume_at, question) = (s.pause.reason, s.pause.resume_at, s.pause.question.clone());
        copy_fields!(Self {
            health_score: s.health_score(now),
            recoverable: s.is_recoverable(),
            checkpoint_count: s.checkpoint_count(),
            pause: reason.map(|reason| Pause { reason, resume_at, question }),
            pause_reason: reason,
            queue: found.queue,
            usage: UsageView::from(s.usage),
            agent: s.run.agent_id.zip(found.agent).map(|(id, (name, kind))| AgentRef { id, name, kind }),
            priority: s.spec.priority.word(),
            priority_level: s.spec.priority.level(),
            allowed_transitions: s.status.next(),
            pending_action: s.intent.map(|intent| intent.verb);
            s => [id tenant_id status outcome retry_count last_event_seq version created_by],
            s.spec => [title description session_type initial_prompt model_identifier agent_config workspace environment
                max_duration_seconds cpu_limit memory_limit_mb tags metadata],
            s.run => [resolved_model],
            s.lineage => [parent_id root_id depth child_count forked_from],
            s.clock => [status_changed_at created_at updated_at started_at ended_at]
        })
    }
}

impl Versioned for SessionView {
    fn location(&self) -> String {
        format!("/api/v1/sessions/{}", self.id)
    }

    fn version(&self) -> Option<i64> {
        Some(self.version)
    }
}
