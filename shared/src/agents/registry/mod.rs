//! Agents: their kinds, capabilities, performance, and availability. The rules here are pure.

pub mod breaker;
pub mod capability;
pub mod draft;
pub mod exclusion;
pub mod liveness;
pub mod performance;
mod platform;
pub mod requirements;
pub mod route;
mod runtimes;
pub mod secret;
pub mod service;
pub mod store;
mod string_enum;
pub mod trust;

use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};
use utoipa::ToSchema;

use crate::kernel::{
    actor::Actor,
    clock::Time,
    id::{AgentId, TenantId},
};

pub(crate) use self::string_enum::string_enum;
pub use self::{
    breaker::Breaker,
    capability::Capability,
    platform::register_platform_agents,
    runtimes::{PlatformAgent, Runtimes},
};
use self::{
    breaker::BreakerRecord,
    performance::{LoadLevel, PerformanceStats, Tier},
    trust::{MAX_CANARIES, PROOF_SUCCESSES, TrustRecord},
};

/// The default and the largest number of concurrent sessions.
pub const DEFAULT_CAPACITY: i32 = 5;
pub const MAX_CAPACITY: i32 = 50;

string_enum! {
    /// The protocol of an agent.
    #[schema(as = AgentKind)]
    Kind {
        /// Plays a script; of the platform alone.
        Scripted "scripted"
        /// The session is driven through the API; of the platform alone.
        Manual "manual"
        /// Speaks our External Agent Protocol, by push or pull.
        Eap "eap"
        /// Speaks the `Agent2Agent` protocol.
        A2a "a2a"
    }
}

string_enum! {
    /// The specialization of an agent.
    AgentType {
        Architect "architect"
        Implementer "implementer"
        Reviewer "reviewer"
        Debugger "debugger"
        Integrator "integrator"
        Orchestrator "orchestrator"
        Analyst "analyst"
        Optimizer "optimizer"
    }
}

string_enum! {
    /// The state that the owner of an agent set.
    #[schema(as = AgentState)]
    State {
        /// It gets work.
        Active "active"
        /// It finishes its sessions and gets no new ones; then it is deregistered.
        Draining "draining"
        /// It gets no new sessions until its owner activates it.
        Maintenance "maintenance"
        /// It was removed; its row remains for references to it.
        Deregistered "deregistered"
    }
}

string_enum! {
    /// The liveness of an agent, from its heartbeats.
    Liveness {
        Alive "alive"
        /// Two heartbeats were missed: no new work.
        Suspect "suspect"
        /// Four heartbeats were missed: its work is reassigned.
        Offline "offline"
    }
}

string_enum! {
    /// The status of an agent, as shown to users.
    #[schema(as = AgentStatus)]
    Status {
        Healthy "healthy"
        Degraded "degraded"
        Busy "busy"
        Offline "offline"
    }
}

/// An agent row, with the number of its running sessions.
#[derive(Clone, Debug, PartialEq)]
pub struct Agent {
    pub id: AgentId,
    /// `None` for an agent of the platform, which serves every tenant.
    pub tenant_id: Option<TenantId>,
    pub name: String,
    pub kind: Kind,
    pub agent_type: AgentType,
    pub description: Option<String>,
    pub capabilities: Vec<String>,
    pub skills: Vec<String>,
    /// The most concurrent sessions over all tenants; `None` = unlimited.
    pub capacity: Option<i32>,
    pub endpoint_url: Option<String>,
    pub software_version: Option<String>,
    pub metadata: Map<String, Value>,
    pub routable: bool,
    pub state: State,
    pub deregistered_at: Option<Time>,
    pub liveness: Liveness,
    pub last_heartbeat_at: Option<Time>,
    pub reported_status: Option<Status>,
    pub reported_load: Option<f64>,
    pub reported_tasks: Option<i32>,
    pub metrics: Value,
    pub figures: PerformanceStats,
    pub last_result_at: Option<Time>,
    pub breakers: BreakerRecord,
    pub trust: TrustRecord,
    /// Since when it has let offers pass: it gets no further ones until its next claim.
    pub offers_ignored_since: Option<Time>,
    /// The pool of runners that work as this agent; `None` for other agents.
    pub pool: Option<PoolProgram>,
    pub shared_with_all: bool,
    pub version: i64,
    pub created_by: Actor,
    pub created_at: Time,
    pub updated_at: Time,
    /// Its running sessions, of all tenants.
    pub running: i64,
    /// Its running sessions of the tenant that sees it.
    pub tenant_running: i64,
}

/// What an agent of a pool stands for: one program on all runners of the pool.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct PoolProgram {
    pub pool: String,
    pub program: String,
}

impl Agent {
    /// Whether it is an agent of the platform.
    pub fn is_of_platform(&self) -> bool {
        self.tenant_id.is_none()
    }

    pub fn breaker(&self, now: Time) -> Breaker {
        self.breakers.status(now).state
    }

    /// Whether it may get another session of the tenant that sees it.
    pub fn has_capacity(&self, now: Time) -> bool {
        let has_place = self.capacity.is_none_or(|capacity| self.running < capacity.into());
        match self.breaker(now) {
            Breaker::Closed => has_place,
            Breaker::Open => false,
            Breaker::HalfOpen => has_place && self.tenant_running == 0,
        }
    }

    /// Its load, 0..1 or more: the higher of running sessions per capacity and the load that it reports.
    pub fn load(&self) -> f64 {
        #[expect(clippy::cast_precision_loss, reason = "a number of sessions at once")]
        let by_sessions = self.capacity.map_or(0.0, |capacity| self.running as f64 / f64::from(capacity.max(1)));
        by_sessions.max(self.reported_load.unwrap_or(0.0))
    }

    pub fn load_level(&self) -> LoadLevel {
        LoadLevel::of(self.load())
    }

    pub fn tier(&self) -> Tier {
        self.figures.tier()
    }

    /// Its status: from its liveness and its server first, then from what it reports, then from its capacity.
    pub fn status(&self) -> Status {
        let full = self.capacity.is_some_and(|capacity| self.running >= i64::from(capacity));
        match (self.liveness, self.reported_status) {
            _ if self.state == State::Deregistered => Status::Offline,
            _ if self.breakers.server_down_since.is_some() => Status::Offline,
            (Liveness::Offline, _) | (_, Some(Status::Offline)) => Status::Offline,
            (Liveness::Suspect, _) | (_, Some(Status::Degraded)) => Status::Degraded,
            (_, Some(Status::Busy)) => Status::Busy,
            _ if full => Status::Busy,
            _ => Status::Healthy,
        }
    }
}

impl Agent {
    /// Whether it is on probation: too few of its runs succeeded, and nobody trusts it.
    pub fn is_on_probation(&self) -> bool {
        !self.trust.trusted && self.figures.succeeded < PROOF_SUCCESSES
    }

    /// Whether it may get another session of the tenant that names no agent, as far as its probation decides that.
    pub fn may_take_unnamed(&self) -> bool {
        !self.trust.lacks_conformance && (!self.is_on_probation() || self.trust.unnamed_running < MAX_CANARIES)
    }
}

string_enum! {
    /// Whether an agent gets new work.
    Availability {
        Available "available"
        /// It has no free capacity.
        Busy "busy"
        /// Its state, its liveness or its circuit breaker prevents new work.
        Unavailable "unavailable"
    }
}

impl Agent {
    /// Whether it gets new work now.
    pub fn availability(&self, now: Time) -> Availability {
        match self.status() {
            _ if self.state != State::Active || self.breaker(now) == Breaker::Open => Availability::Unavailable,
            _ if self.offers_ignored_since.is_some() => Availability::Unavailable,
            Status::Offline | Status::Degraded => Availability::Unavailable,
            Status::Healthy | Status::Busy if self.has_capacity(now) => Availability::Available,
            Status::Healthy | Status::Busy => Availability::Busy,
        }
    }
}

/// What a runtime needs to call an agent.
#[derive(Clone, Debug, PartialEq)]
pub struct AgentEndpoint {
    pub id: AgentId,
    /// The owner; `None` for an agent of the platform.
    pub tenant_id: Option<TenantId>,
    pub name: String,
    pub kind: Kind,
    pub endpoint_url: Option<String>,
    /// The secret, encrypted as stored.
    pub endpoint_secret: Option<Vec<u8>>,
}
