//! Tenant events: events of agents, training, models and the system, which belong to no session.
//!
//! `log::publish(&mut tx, TenantEvent::new(..))` writes one in the transaction of the change that it records. After the
//! commit, `services.notify_tenant(tenant_id)` notifies subscribers; a missing notification only delays delivery.

use chrono::TimeDelta;
use serde::Serialize;
use serde_json::Value;
use utoipa::ToSchema;

use crate::kernel::{
    actor::Actor,
    clock::Time,
    id::{EventId, TenantId},
};

/// How long tenant events are kept.
pub const RETENTION: TimeDelta = TimeDelta::days(7);

/// A group of event types. A subscriber to the group receives all of its events.
#[derive(Clone, Copy, Debug, Eq, Hash, Ord, PartialEq, PartialOrd)]
pub enum TenantTopic {
    Agents,
    FineTuning,
    System,
}

impl TenantTopic {
    pub const ALL: [Self; 3] = [Self::Agents, Self::FineTuning, Self::System];

    /// The value of the column `tenant_events.topic`.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Agents => "agents",
            Self::FineTuning => "tuning",
            Self::System => "system",
        }
    }
}

macro_rules! tenant_event_types {
    ($($(#[$doc:meta])* $name:ident $word:literal $topic:ident)+) => {
        /// The type of a tenant event.
        #[derive(Clone, Copy, Debug, Eq, Hash, PartialEq, Serialize, ToSchema)]
        pub enum TenantEventType {
            $($(#[$doc])* #[serde(rename = $word)] $name,)+
        }

        impl TenantEventType {
            pub const ALL: &[Self] = &[$(Self::$name),+];

            /// The name on the wire.
            pub const fn name(self) -> &'static str {
                match self { $(Self::$name => $word,)+ }
            }

            pub const fn topic(self) -> TenantTopic {
                match self { $(Self::$name => TenantTopic::$topic,)+ }
            }
        }
    };
}

tenant_event_types! {
    /// `{agent_id, name, kind, agent_type}`
    AgentRegistered "agent.registered" Agents
    /// `{agent_id, name}`
    AgentDeregistered "agent.deregistered" Agents
    /// `{agent_id, status, load, tasks}`; not published if it repeats the previous heartbeat.
    AgentHeartbeat "agent.heartbeat" Agents
    /// `{agent_id, state, liveness}`
    AgentStatusChanged "agent.status_changed" Agents
    /// `{agent_id, session_id, run}`
    AgentTaskAssigned "agent.task_assigned" Agents
    /// `{agent_id, session_id, run, status}`
    AgentTaskCompleted "agent.task_completed" Agents
    /// `{runner_id, name, pool, state}`
    RunnerRegistered "runner.registered" Agents
    /// `{runner_id, name, pool, state}`
    RunnerStatusChanged "runner.status_changed" Agents
    /// `{runner_id, name, pool, state}`
    RunnerRemoved "runner.removed" Agents
    /// `{job_id, from, to}`
    TrainingStatusChanged "training.status_changed" FineTuning
    /// `{job_id, ..}`
    TrainingProgress "training.progress" FineTuning
    /// `{job_id, ..}`
    TrainingCompleted "training.completed" FineTuning
    /// `{name, version, ..}`
    ModelRegistered "model.registered" FineTuning
    /// `{name, alias, version, ..}`
    ModelAliasChanged "model.alias_changed" FineTuning
    /// `{component, healthy}`: `redis`, `queue`, or `agent:<name>` of the platform. `record_component_health` writes it
    /// for all tenants.
    SystemHealthChanged "system.health_changed" System
}

/// A tenant event that is not stored yet.
#[derive(Clone, Debug, PartialEq)]
pub struct TenantEvent {
    pub id: EventId,
    pub kind: TenantEventType,
    pub actor: Actor,
    pub at: Time,
    /// A JSON object with the fields that the event type documents.
    pub payload: Value,
}

impl TenantEvent {
    /// `payload` is an object with the fields that the event type documents.
    pub fn new(kind: TenantEventType, actor: Actor, at: Time, payload: Value) -> Self {
        Self { id: EventId::new(), kind, actor, at, payload }
    }
}

/// A stored tenant event.
#[derive(Clone, Debug, Serialize, ToSchema)]
pub struct TenantEventRecord {
    pub id: EventId,
    /// The type of the event, such as `agent.registered`.
    #[serde(rename = "type")]
    pub kind: String,
    pub tenant_id: TenantId,
    pub actor: Actor,
    #[schema(value_type = String, format = DateTime)]
    pub at: Time,
    #[schema(value_type = Object)]
    pub payload: Value,
}
