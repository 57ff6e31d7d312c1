//! The representation of an agent. Fields that concern only its owner are absent for other tenants.

use serde::Serialize;
use serde_json::{Map, Value};
use shared::{
    agents::registry::{
        Agent, AgentType, Breaker, Kind, State, Status,
        breaker::BreakerCause,
        performance::{LoadLevel, PerformanceStats, Tier},
        route::Owner,
        service::{AgentDetails, ProbeReport},
    },
    kernel::{actor::Actor, clock::Time, id::AgentId, usage::format_mean_usd},
};
use utoipa::ToSchema;

use crate::http::version::Versioned;

/// An agent that works on sessions.
#[derive(Serialize, ToSchema)]
#[schema(as = Agent)]
pub(crate) struct AgentView {
    /// The id of the agent.
    pub(crate) id: AgentId,
    /// The name of the agent.
    name: String,
    /// The protocol that the agent speaks.
    kind: Kind,
    /// The kind of work that the agent is made for.
    agent_type: AgentType,
    /// A description for people.
    description: Option<String>,
    /// The capabilities of the agent.
    capabilities: Vec<String>,
    /// Further skills of the agent, as free words.
    skills: Vec<String>,
    /// The largest number of concurrent sessions over all tenants; null means unlimited.
    capacity: Option<i32>,
    /// The observed health of the agent.
    status: Status,
    /// The state that the owner of the agent chose.
    state: State,
    /// The performance tier of the agent.
    tier: Tier,
    /// The load of the agent: 0 is idle, 1 is full, and more is overloaded.
    load: f64,
    /// The load as a level.
    load_level: LoadLevel,
    /// The number of sessions that the agent works on, over all tenants.
    tasks_in_progress: i64,
    /// The values of the last heartbeat.
    reported: LastHeartbeat,
    /// When the last heartbeat arrived; null without one.
    #[schema(value_type = Option<String>, format = DateTime)]
    last_heartbeat_at: Option<Time>,
    /// The pool of runners that work as this agent; null for other agents. Its capacity is the sum of their slots.
    pool: Option<String>,
    /// The program that the agent stands for on the runners of its pool; null for other agents.
    program: Option<String>,
    /// The circuit breaker that keeps new work from an agent that fails too often.
    breaker: BreakerView,
    /// The trust in the agent.
    #[serde(flatten)]
    trust: TrustView,
    /// The performance of the agent.
    figures: FiguresView,
    /// The version of the agent's software, as its owner or the agent states it.
    version: Option<String>,
    /// The relation of the agent to the caller's tenant.
    owner: Owner,
    /// The name of the tenant that shares the agent. Only for shared agents.
    #[serde(skip_serializing_if = "Option::is_none")]
    publisher: Option<String>,
    /// The URL at which the platform calls the agent. Only for the owner.
    #[serde(skip_serializing_if = "Option::is_none")]
    endpoint_url: Option<String>,
    /// Free-form data of the owner. Only for the owner.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(value_type = Option<Object>)]
    metadata: Option<Map<String, Value>>,
    /// The creator of the agent. Only for the owner.
    #[serde(skip_serializing_if = "Option::is_none")]
    created_by: Option<Actor>,
    /// When the agent was created.
    #[schema(value_type = String, format = DateTime)]
    created_at: Time,
    /// When the agent was last changed.
    #[schema(value_type = String, format = DateTime)]
    updated_at: Time,
    #[serde(skip)]
    row_version: i64,
}

/// The values of an agent's last heartbeat.
#[derive(Serialize, ToSchema)]
struct LastHeartbeat {
    /// The health that the agent reported.
    status: Option<Status>,
    /// The load that the agent reported, 0 to 1.
    load: Option<f64>,
    /// The number of tasks that the agent reported.
    tasks: Option<i32>,
}

impl LastHeartbeat {
    fn of(agent: &Agent) -> Self {
        Self { status: agent.reported_status, load: agent.reported_load, tasks: agent.reported_tasks }
    }
}

/// The circuit breaker of an agent, for the tenant that sees it.
#[derive(Serialize, ToSchema)]
#[schema(as = BreakerOfAgent)]
struct BreakerView {
    /// The state of the circuit breaker.
    state: Breaker,
    /// Why the circuit breaker opened; absent while it is closed.
    #[serde(skip_serializing_if = "Option::is_none")]
    cause: Option<BreakerCause>,
    /// When the circuit breaker opened; absent while it is closed.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(value_type = Option<String>, format = DateTime)]
    opened_at: Option<Time>,
    /// When the agent is tried next; absent unless it is open.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(value_type = Option<String>, format = DateTime)]
    until: Option<Time>,
    /// The failures behind it; absent while it is closed.
    #[serde(skip_serializing_if = "Option::is_none")]
    failures: Option<i64>,
    /// The same in words; absent while it is closed.
    #[serde(skip_serializing_if = "Option::is_none")]
    detail: Option<String>,
}

impl BreakerView {
    fn of(agent: &Agent, now: Time) -> Self {
        let status = agent.breakers.status(now);
        Self {
            state: status.state,
            cause: status.cause,
            opened_at: status.opened_at,
            until: status.until,
            failures: status.cause.map(|_| status.failures),
            detail: status.describe(&agent.name),
        }
    }
}

/// The trust in an agent.
#[derive(Serialize, ToSchema)]
#[schema(as = TrustInAgent)]
struct TrustView {
    /// Whether the agent is on probation: until three of its runs succeeded, it gets one session at a time that names
    /// no agent, unless a lead trusts it.
    on_probation: bool,
    /// Whether a lead trusts the agent, or the operator configured it.
    trusted: bool,
    /// Whether the agent takes only the sessions of whoever registered it, until a lead trusts it.
    restricted: bool,
    /// When the agent passed the conformance suite, as a lead recorded; null if it did not.
    #[schema(value_type = Option<String>, format = DateTime)]
    conformance_passed_at: Option<Time>,
}

impl TrustView {
    fn of(agent: &Agent) -> Self {
        Self {
            on_probation: agent.is_on_probation(),
            trusted: agent.trust.trusted,
            restricted: agent.trust.restricted && !agent.trust.trusted,
            conformance_passed_at: agent.trust.conformance_passed_at,
        }
    }
}

/// What the first probe of an agent's server showed.
#[derive(Serialize, ToSchema)]
#[schema(as = ProbeOfAgent)]
pub(crate) struct ProbeView {
    /// Whether the server answered; null if it is tried within seconds. Until it answers, the agent is offline.
    ok: Option<bool>,
    /// The same in words, with the reason of a failure.
    detail: String,
}

impl From<ProbeReport> for ProbeView {
    fn from(ProbeReport { ok, detail }: ProbeReport) -> Self {
        Self { ok, detail }
    }
}

/// The performance of an agent. Means cover only the results that have the value.
#[derive(Serialize, ToSchema)]
#[schema(as = FiguresOfAgent)]
pub(crate) struct FiguresView {
    /// The number of finished tasks.
    finished: i64,
    /// The success rate, 0 to 1; a partial success counts half.
    success_rate: Option<f64>,
    /// The mean quality, 0 to 1; null if unknown.
    quality: Option<f64>,
    /// The mean duration of a task in milliseconds; null if unknown.
    mean_duration_ms: Option<f64>,
    /// The cost per success in US dollars, as decimal text; null without a success.
    cost_per_success_usd: Option<String>,
}

impl From<PerformanceStats> for FiguresView {
    fn from(figures: PerformanceStats) -> Self {
        Self {
            finished: figures.finished,
            success_rate: figures.success_rate(),
            quality: figures.quality(),
            mean_duration_ms: figures.mean_duration_ms(),
            cost_per_success_usd: figures.cost_per_success().map(format_mean_usd),
        }
    }
}

impl From<AgentDetails> for AgentView {
    fn from(AgentDetails { agent, owner, publisher, now }: AgentDetails) -> Self {
        let (status, load, load_level, tier) = (agent.status(), agent.load(), agent.load_level(), agent.tier());
        let (breaker, trust) = (BreakerView::of(&agent, now), TrustView::of(&agent));
        let is_own = owner == Owner::Own;
        let reported = LastHeartbeat::of(&agent);
        let (pool, program) = agent.pool.map(|of| (of.pool, of.program)).unzip();
        Self {
            id: agent.id,
            name: agent.name,
            kind: agent.kind,
            agent_type: agent.agent_type,
            description: agent.description,
            capabilities: agent.capabilities,
            skills: agent.skills,
            capacity: agent.capacity,
            status,
            state: agent.state,
            tier,
            load,
            load_level,
            tasks_in_progress: agent.running,
            reported,
            last_heartbeat_at: agent.last_heartbeat_at,
            pool,
            program,
            breaker,
            trust,
            figures: agent.figures.into(),
            version: agent.software_version,
            owner,
            publisher,
            endpoint_url: agent.endpoint_url.filter(|_| is_own),
            metadata: is_own.then_some(agent.metadata),
            created_by: is_own.then_some(agent.created_by),
            created_at: agent.created_at,
            updated_at: agent.updated_at,
            row_version: agent.version,
        }
    }
}

impl Versioned for AgentView {
    fn location(&self) -> String {
        format!("/api/v1/agents/{}", self.id)
    }

    fn version(&self) -> Option<i64> {
        Some(self.row_version)
    }
}
