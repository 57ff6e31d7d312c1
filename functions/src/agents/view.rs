//! What an agent looks like on the wire. What only its owner is to know is left out for everybody else.

use serde::Serialize;
use serde_json::{Map, Value};
use shared::{
    agent::{
        AgentType, Breaker, Kind, State, Status,
        route::Owner,
        service::Shown,
        standing::{Figures, LoadLevel, Tier},
    },
    auth::Actor,
    clock::Time,
    id::AgentId,
    session::usage::usd,
};
use utoipa::ToSchema;

use crate::version::Object;

/// An agent.
#[derive(Serialize, ToSchema)]
#[schema(as = Agent)]
pub(crate) struct AgentView {
    pub(crate) id: AgentId,
    name: String,
    kind: Kind,
    agent_type: AgentType,
    description: Option<String>,
    capabilities: Vec<String>,
    skills: Vec<String>,
    /// Sessions at once, of all tenants together; null = any number.
    capacity: Option<i32>,
    /// How it does.
    status: Status,
    /// What its owner decided.
    state: State,
    tier: Tier,
    /// 0..1 and beyond.
    load: f64,
    load_level: LoadLevel,
    /// Sessions that it works on, of all tenants together.
    tasks_in_progress: i64,
    reported: Reported,
    #[schema(value_type = Option<String>, format = DateTime)]
    last_heartbeat_at: Option<Time>,
    breaker: BreakerView,
    figures: FiguresView,
    /// Of its software, as its owner or it says.
    version: Option<String>,
    /// As the caller's tenant sees it.
    owner: Owner,
    /// The name of the tenant that offers it; of shared ones alone.
    #[serde(skip_serializing_if = "Option::is_none")]
    publisher: Option<String>,
    /// Where we call it; told to its owner alone.
    #[serde(skip_serializing_if = "Option::is_none")]
    endpoint_url: Option<String>,
    /// Told to its owner alone.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(value_type = Option<Object>)]
    metadata: Option<Map<String, Value>>,
    /// Told to its owner alone.
    #[serde(skip_serializing_if = "Option::is_none")]
    created_by: Option<Actor>,
    #[schema(value_type = String, format = DateTime)]
    created_at: Time,
    #[schema(value_type = String, format = DateTime)]
    updated_at: Time,
    #[serde(skip)]
    row_version: i64,
}

/// What its last heartbeat said.
#[derive(Serialize, ToSchema)]
struct Reported {
    status: Option<Status>,
    /// 0..1.
    load: Option<f64>,
    tasks: Option<i32>,
}

/// What keeps an agent that failed too often from new work.
#[derive(Serialize, ToSchema)]
#[schema(as = BreakerOfAgent)]
struct BreakerView {
    state: Breaker,
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(value_type = Option<String>, format = DateTime)]
    opened_at: Option<Time>,
}

/// What came of its work; a mean counts only the results that had the value.
#[derive(Serialize, ToSchema)]
#[schema(as = FiguresOfAgent)]
pub(crate) struct FiguresView {
    finished: i64,
    /// 0..1; a partial success is half of one.
    success_rate: Option<f64>,
    /// 0..1.
    quality: Option<f64>,
    mean_duration_ms: Option<f64>,
    /// In dollars, as decimal text.
    cost_per_success_usd: Option<String>,
}

impl From<Figures> for FiguresView {
    fn from(figures: Figures) -> Self {
        Self {
            finished: figures.finished,
            success_rate: figures.success_rate(),
            quality: figures.quality(),
            mean_duration_ms: figures.mean_duration_ms(),
            cost_per_success_usd: figures.cost_per_success().map(dollars),
        }
    }
}

/// A mean of micro-dollars, as dollars.
#[expect(clippy::cast_possible_truncation, reason = "costs are far below what an i64 holds")]
pub(crate) fn dollars(micros: f64) -> String {
    usd(micros.round() as i64)
}

impl From<Shown> for AgentView {
    fn from(Shown { agent, owner, publisher, now }: Shown) -> Self {
        let (status, load, load_level, tier) = (agent.status(), agent.load(), agent.load_level(), agent.tier());
        let breaker = BreakerView { state: agent.breaker(now), opened_at: agent.breaker_opened_at };
        let is_own = owner == Owner::Own;
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
            reported: Reported {
                status: agent.reported_status,
                load: agent.reported_load,
                tasks: agent.reported_tasks,
            },
            last_heartbeat_at: agent.last_heartbeat_at,
            breaker,
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

impl Object for AgentView {
    fn place(&self) -> String {
        format!("/api/v1/agents/{}", self.id)
    }

    fn version(&self) -> Option<i64> {
        Some(self.row_version)
    }
}
