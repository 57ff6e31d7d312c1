//! Agents: what they are, what they can do, how they do, and whether they may get work. The rules here are pure.

pub mod capability;
pub mod draft;
pub mod liveness;
pub mod market;
mod platform;
pub mod route;
pub mod secret;
pub mod service;
pub mod standing;
pub mod store;

use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};
use utoipa::ToSchema;

use crate::{
    auth::Actor,
    clock::Time,
    id::{AgentId, TenantId},
};

use self::standing::{BREAKER_PAUSE, Figures, LoadLevel, Tier};
pub use self::{
    capability::Capability,
    platform::{Agents, PlatformAgent, register},
};

/// Sessions at once when nothing else is said, and the most.
pub const DEFAULT_CAPACITY: i32 = 5;
pub const MAX_CAPACITY: i32 = 50;

macro_rules! words {
    ($(#[$about:meta])* $name:ident { $($(#[$variant_doc:meta])* $variant:ident $word:tt)+ }) => {
        #[derive(Clone, Copy, Debug, Eq, Hash, Ord, PartialEq, PartialOrd, Serialize, Deserialize, ToSchema)]
        $(#[$about])*
        pub enum $name { $($(#[$variant_doc])* #[serde(rename = $word)] $variant),+ }

        impl $name {
            pub const ALL: &[Self] = &[$(Self::$variant),+];

            pub const fn name(self) -> &'static str {
                match self { $(Self::$variant => $word),+ }
            }

            pub fn parse(text: &str) -> Option<Self> {
                Self::ALL.iter().copied().find(|one| one.name() == text)
            }
        }
    };
}
pub(crate) use words;

words! {
    /// How we speak to an agent.
    #[schema(as = AgentKind)]
    Kind {
        /// An OpenCode server that we call.
        OpenCode "opencode"
        /// Plays a script; of the platform alone.
        Scripted "scripted"
        /// Nobody: the session is driven through the API; of the platform alone.
        Manual "manual"
        /// Speaks our External Agent Protocol, pushed to or pulling.
        Eap "eap"
        /// Speaks the `Agent2Agent` protocol.
        A2a "a2a"
    }
}

words! {
    /// What an agent is good for, in one word.
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

words! {
    /// What its owner decided of an agent.
    #[schema(as = AgentState)]
    State {
        /// It gets work.
        Active "active"
        /// It finishes what it has and gets nothing new; then it is deregistered.
        Draining "draining"
        /// It gets nothing new until its owner says otherwise.
        Maintenance "maintenance"
        /// It is gone; its row stays for what refers to it.
        Deregistered "deregistered"
    }
}

words! {
    /// What the heartbeats of an agent tell.
    Liveness {
        Alive "alive"
        /// Two beats were missed: no new work.
        Suspect "suspect"
        /// Four beats were missed: its work goes elsewhere.
        Offline "offline"
    }
}

words! {
    /// How an agent is shown.
    #[schema(as = AgentStatus)]
    Status {
        Healthy "healthy"
        Degraded "degraded"
        Busy "busy"
        Offline "offline"
    }
}

/// An agent, as its row stands, with how many sessions it works on.
#[derive(Clone, Debug, PartialEq)]
pub struct Agent {
    pub id: AgentId,
    /// `None` = the platform's own, which serves every tenant.
    pub tenant_id: Option<TenantId>,
    pub name: String,
    pub kind: Kind,
    pub agent_type: AgentType,
    pub description: Option<String>,
    pub capabilities: Vec<String>,
    pub skills: Vec<String>,
    /// Sessions at once over all tenants; `None` = any number.
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
    pub figures: Figures,
    pub last_result_at: Option<Time>,
    pub breaker_opened_at: Option<Time>,
    pub shared_with_all: bool,
    pub version: i64,
    pub created_by: Actor,
    pub created_at: Time,
    pub updated_at: Time,
    /// Sessions of all tenants that it works on.
    pub running: i64,
}

/// Where the breaker of an agent stands.
#[derive(Clone, Copy, Debug, Eq, PartialEq, Serialize, ToSchema)]
#[serde(rename_all = "snake_case")]
pub enum Breaker {
    /// It gets work.
    Closed,
    /// It failed too often and gets none for a while.
    Open,
    /// It gets one session at a time, until one succeeds.
    HalfOpen,
}

impl Agent {
    /// A name for logs and reasons: what its owner called it.
    pub fn is_of_platform(&self) -> bool {
        self.tenant_id.is_none()
    }

    pub fn breaker(&self, now: Time) -> Breaker {
        match self.breaker_opened_at {
            None => Breaker::Closed,
            Some(opened) if now < opened + BREAKER_PAUSE => Breaker::Open,
            Some(_) => Breaker::HalfOpen,
        }
    }

    /// Sessions at once that it may have now; `None` = any number.
    pub fn room(&self, now: Time) -> Option<i64> {
        match self.breaker(now) {
            Breaker::Closed => self.capacity.map(i64::from),
            Breaker::Open => Some(0),
            Breaker::HalfOpen => Some(1),
        }
    }

    /// Whether another session fits.
    pub fn has_room(&self, now: Time) -> bool {
        self.room(now).is_none_or(|room| self.running < room)
    }

    /// 0..1 and beyond: the higher of sessions per capacity and what the agent reports.
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

    /// How it is shown: what is known of its life first, then what it reports, then its room.
    pub fn status(&self) -> Status {
        let full = self.capacity.is_some_and(|capacity| self.running >= i64::from(capacity));
        match (self.liveness, self.reported_status) {
            _ if self.state == State::Deregistered => Status::Offline,
            (Liveness::Offline, _) | (_, Some(Status::Offline)) => Status::Offline,
            (Liveness::Suspect, _) | (_, Some(Status::Degraded)) => Status::Degraded,
            (_, Some(Status::Busy)) => Status::Busy,
            _ if full => Status::Busy,
            _ => Status::Healthy,
        }
    }
}

words! {
    /// Whether an agent gets new work.
    Availability {
        Available "available"
        /// It has all that it may have.
        Busy "busy"
        /// Its owner, its silence or its failures keep it from new work.
        Unavailable "unavailable"
    }
}

impl Agent {
    /// Whether it gets new work now.
    pub fn availability(&self, now: Time) -> Availability {
        match self.status() {
            _ if self.state != State::Active || self.breaker(now) == Breaker::Open => Availability::Unavailable,
            Status::Offline | Status::Degraded => Availability::Unavailable,
            Status::Healthy | Status::Busy if self.has_room(now) => Availability::Available,
            Status::Healthy | Status::Busy => Availability::Busy,
        }
    }
}

/// What a runtime needs to know of the agent that it speaks to.
#[derive(Clone, Debug, PartialEq)]
pub struct Contact {
    pub id: AgentId,
    /// Whose it is; `None` = the platform's.
    pub tenant_id: Option<TenantId>,
    pub name: String,
    pub kind: Kind,
    pub endpoint_url: Option<String>,
    /// As it is stored: sealed.
    pub endpoint_secret: Option<Vec<u8>>,
}
