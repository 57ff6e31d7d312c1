//! Events that belong to no session: what agents, training, models and the system itself do for a tenant.
//!
//! `tx.tell(TenantEvent::new(..))` writes one in the transaction of the change that it tells, and `app.tell_tenant(tenant_id)`
//! after it rings for those who watch. Forgetting the bell only makes it late.

use chrono::TimeDelta;
use serde::Serialize;
use serde_json::Value;
use utoipa::ToSchema;

use crate::{
    auth::Actor,
    clock::Time,
    id::{EventId, TenantId},
};

/// How long they are kept.
pub const KEPT_FOR: TimeDelta = TimeDelta::days(7);

/// What belongs together: who watches it gets all of its events.
#[derive(Clone, Copy, Debug, Eq, Hash, Ord, PartialEq, PartialOrd)]
pub enum Subject {
    Agents,
    Tuning,
    System,
}

impl Subject {
    pub const ALL: [Self; 3] = [Self::Agents, Self::Tuning, Self::System];

    /// As the column `tenant_events.topic` has it.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Agents => "agents",
            Self::Tuning => "tuning",
            Self::System => "system",
        }
    }
}

macro_rules! kinds {
    ($($(#[$doc:meta])* $name:ident $word:literal $subject:ident)+) => {
        /// What such an event tells.
        #[derive(Clone, Copy, Debug, Eq, Hash, PartialEq, Serialize, ToSchema)]
        pub enum Kind {
            $($(#[$doc])* #[serde(rename = $word)] $name,)+
        }

        impl Kind {
            pub const ALL: &[Self] = &[$(Self::$name),+];

            /// As it stands on the wire.
            pub const fn name(self) -> &'static str {
                match self { $(Self::$name => $word,)+ }
            }

            pub const fn subject(self) -> Subject {
                match self { $(Self::$name => Subject::$subject,)+ }
            }
        }
    };
}

kinds! {
    /// `{agent_id, name, kind, agent_type}`
    AgentRegistered "agent.registered" Agents
    /// `{agent_id, name}`
    AgentDeregistered "agent.deregistered" Agents
    /// `{agent_id, status, load, tasks}`; one that says what the last one said is not told again.
    AgentHeartbeat "agent.heartbeat" Agents
    /// `{agent_id, state, liveness}`
    AgentStatusChanged "agent.status_changed" Agents
    /// `{agent_id, session_id, run}`
    AgentTaskAssigned "agent.task_assigned" Agents
    /// `{agent_id, session_id, run, status}`
    AgentTaskCompleted "agent.task_completed" Agents
    /// `{job_id, from, to}`
    TrainingStatusChanged "training.status_changed" Tuning
    /// `{job_id, ..}`
    TrainingProgress "training.progress" Tuning
    /// `{job_id, ..}`
    TrainingCompleted "training.completed" Tuning
    /// `{name, version, ..}`
    ModelRegistered "model.registered" Tuning
    /// `{name, alias, version, ..}`
    ModelAliasChanged "model.alias_changed" Tuning
    /// `{component, healthy}`: `redis`, `queue`, or `agent:<name>` of the platform. Written by `component_seen` for all tenants.
    SystemHealthChanged "system.health_changed" System
}

/// An event that is about to be written.
#[derive(Clone, Debug, PartialEq)]
pub struct TenantEvent {
    pub id: EventId,
    pub kind: Kind,
    pub actor: Actor,
    pub at: Time,
    /// An object.
    pub payload: Value,
}

impl TenantEvent {
    /// `payload` is an object, as the kind's description has it.
    pub fn new(kind: Kind, actor: Actor, at: Time, payload: Value) -> Self {
        Self { id: EventId::new(), kind, actor, at, payload }
    }
}

/// An event as it stands in the table.
#[derive(Clone, Debug, Serialize, ToSchema)]
pub struct Told {
    pub id: EventId,
    /// Such as `agent.registered`.
    #[serde(rename = "type")]
    pub kind: String,
    pub tenant_id: TenantId,
    pub actor: Actor,
    #[schema(value_type = String, format = DateTime)]
    pub at: Time,
    #[schema(value_type = Object)]
    pub payload: Value,
}
