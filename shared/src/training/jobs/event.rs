//! The event log of a training job: appended in the transaction of the change, numbered without gaps.

use serde::{Deserialize, Serialize};
use serde_json::Value;
use utoipa::ToSchema;

use crate::{
    events::log::tenant::TenantEventType,
    kernel::{
        actor::Actor,
        clock::Time,
        id::{EventId, TenantId, TrainingJobId},
    },
};

/// The type of an event.
#[derive(Clone, Copy, Debug, Eq, Hash, PartialEq, Serialize, Deserialize)]
pub enum TrainingEventType {
    #[serde(rename = "training.created")]
    Created,
    /// `{from, to, reason, attempt}`
    #[serde(rename = "training.status_changed")]
    StatusChanged,
    /// `{progress, step?, loss?}`
    #[serde(rename = "training.progress")]
    Progress,
    /// `{level, message}`
    #[serde(rename = "training.log")]
    Log,
    /// `{model, version, metrics}`
    #[serde(rename = "training.completed")]
    Completed,
    /// The error.
    #[serde(rename = "training.failed")]
    Failed,
}

impl TrainingEventType {
    pub const fn name(self) -> &'static str {
        match self {
            Self::Created => "training.created",
            Self::StatusChanged => "training.status_changed",
            Self::Progress => "training.progress",
            Self::Log => "training.log",
            Self::Completed => "training.completed",
            Self::Failed => "training.failed",
        }
    }

    /// The event of the tenant's topic, if this event has one.
    pub const fn for_tenants(self) -> Option<TenantEventType> {
        match self {
            Self::StatusChanged => Some(TenantEventType::TrainingStatusChanged),
            Self::Progress => Some(TenantEventType::TrainingProgress),
            Self::Completed => Some(TenantEventType::TrainingCompleted),
            Self::Created | Self::Log | Self::Failed => None,
        }
    }
}

/// An event to append.
#[derive(Clone, Debug, PartialEq)]
pub struct NewTrainingEvent {
    pub kind: TrainingEventType,
    pub payload: Value,
}

/// An event of a training job's log.
#[derive(Clone, Debug, Serialize, ToSchema)]
#[schema(as = TrainingEvent)]
pub struct TrainingEvent {
    /// The id of the event.
    pub id: EventId,
    /// The position in the job's log, from 1 without gaps.
    pub seq: i64,
    /// The type of the event; it determines the payload.
    #[serde(rename = "type")]
    pub kind: String,
    /// The tenant.
    pub tenant_id: TenantId,
    /// The training job.
    pub job_id: TrainingJobId,
    /// The actor that caused the event.
    pub actor: Actor,
    /// When the event was recorded.
    #[schema(value_type = String, format = DateTime)]
    pub at: Time,
    /// The details of the event; their form depends on `type`.
    #[schema(value_type = Object)]
    pub payload: Value,
}
