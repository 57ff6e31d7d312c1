//! A session as it is shown.

use serde::Serialize;
use serde_json::{Map, Value};
use shared::{
    app::App,
    auth::Actor,
    clock::Time,
    id::{SessionId, TenantId},
    model::ResolvedModel,
    runtime::Question,
    session::{
        AgentRef, ForkedFrom, IntentVerb, SessionType, WaitingFor,
        outcome::Outcome,
        status::{PauseReason, Status},
        store::Found,
        usage::usd,
        workspace::Workspace,
    },
};
use utoipa::ToSchema;

/// A coding session.
#[derive(Serialize, ToSchema)]
#[schema(as = Session)]
pub(crate) struct SessionView {
    pub id: SessionId,
    tenant_id: TenantId,
    title: String,
    description: Option<String>,
    session_type: SessionType,
    /// critical, high, medium, low or deferred.
    priority: &'static str,
    /// 0 (critical) to 4 (deferred).
    priority_level: i16,
    initial_prompt: String,
    model_identifier: Option<String>,
    /// What the agent really runs on where `model_identifier` names a model of the registry; from the dispatch on.
    resolved_model: Option<ResolvedModel>,
    #[schema(value_type = Object)]
    agent_config: Map<String, Value>,
    workspace: Option<Workspace>,
    max_duration_seconds: i32,
    cpu_limit: Option<f64>,
    memory_limit_mb: Option<i32>,
    parent_id: Option<SessionId>,
    root_id: SessionId,
    /// 1 for a session without a parent.
    depth: i16,
    child_count: i32,
    forked_from: Option<ForkedFrom>,
    tags: Vec<String>,
    #[schema(value_type = Object)]
    metadata: Map<String, Value>,
    pub status: Status,
    #[schema(value_type = String, format = DateTime)]
    status_changed_at: Time,
    allowed_transitions: &'static [Status],
    /// Asked for, and not carried out yet because the agent must act first.
    #[schema(value_type = Option<String>)]
    pending_action: Option<IntentVerb>,
    pause_reason: Option<PauseReason>,
    pause: Option<Pause>,
    queue: Option<Queue>,
    agent: Option<AgentRef>,
    outcome: Option<Outcome>,
    retry_count: i32,
    recoverable: bool,
    /// 0..1.
    health_score: f64,
    usage: UsageView,
    checkpoint_count: i32,
    last_event_seq: i64,
    /// Counts the changes of everything but telemetry; also the `ETag`.
    pub version: i64,
    created_by: Actor,
    #[schema(value_type = String, format = DateTime)]
    created_at: Time,
    #[schema(value_type = String, format = DateTime)]
    updated_at: Time,
    #[schema(value_type = Option<String>, format = DateTime)]
    started_at: Option<Time>,
    #[schema(value_type = Option<String>, format = DateTime)]
    ended_at: Option<Time>,
}

/// Why it is held, and until when.
#[derive(Serialize, ToSchema)]
struct Pause {
    reason: PauseReason,
    #[schema(value_type = Option<String>, format = DateTime)]
    resume_at: Option<Time>,
    question: Option<Question>,
}

/// Where it stands in the queue.
#[derive(Serialize, ToSchema)]
struct Queue {
    /// 1 = the tenant's next on this agent.
    place: i64,
    waiting_for: WaitingFor,
}

/// What it spent so far.
#[derive(Serialize, ToSchema)]
struct UsageView {
    tokens_input: i64,
    tokens_output: i64,
    tokens_reasoning: i64,
    tokens_cached: i64,
    /// Decimal text with six places.
    cost_usd: String,
}

impl SessionView {
    pub(crate) fn of(app: &App, found: Found) -> Self {
        let s = found.session;
        let now = app.clock.now();
        let agent = s.agent_id.zip(found.agent).map(|(id, (name, kind))| AgentRef { id, name, kind });
        Self {
            health_score: s.health_score(now),
            recoverable: s.recoverable(),
            checkpoint_count: s.checkpoint_count(),
            pause: s.pause_reason.map(|reason| Pause { reason, resume_at: s.resume_at, question: s.pause_question }),
            queue: found.place.map(|(place, waiting_for)| Queue { place, waiting_for }),
            usage: UsageView {
                tokens_input: s.usage.tokens_input,
                tokens_output: s.usage.tokens_output,
                tokens_reasoning: s.usage.tokens_reasoning,
                tokens_cached: s.usage.tokens_cached,
                cost_usd: usd(s.usage.cost_micros),
            },
            agent,
            id: s.id,
            tenant_id: s.tenant_id,
            title: s.title,
            description: s.description,
            session_type: s.session_type,
            priority: s.priority.word(),
            priority_level: s.priority.level(),
            initial_prompt: s.initial_prompt,
            model_identifier: s.model_identifier,
            resolved_model: s.resolved_model,
            agent_config: s.agent_config,
            workspace: s.workspace,
            max_duration_seconds: s.max_duration_seconds,
            cpu_limit: s.cpu_limit,
            memory_limit_mb: s.memory_limit_mb,
            parent_id: s.parent_id,
            root_id: s.root_id,
            depth: s.depth,
            child_count: s.child_count,
            forked_from: s.forked_from,
            tags: s.tags,
            metadata: s.metadata,
            status: s.status,
            status_changed_at: s.status_changed_at,
            allowed_transitions: s.status.next(),
            pending_action: s.intent.map(|intent| intent.verb),
            pause_reason: s.pause_reason,
            outcome: s.outcome,
            retry_count: s.retry_count,
            last_event_seq: s.last_event_seq,
            version: s.version,
            created_by: s.created_by,
            created_at: s.created_at,
            updated_at: s.updated_at,
            started_at: s.started_at,
            ended_at: s.ended_at,
        }
    }
}
