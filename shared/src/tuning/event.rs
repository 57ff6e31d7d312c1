//! The log of a training job: appended in the transaction of the change that it tells, numbered without gaps.

use serde::{Deserialize, Serialize};
use serde_json::Value;
use utoipa::ToSchema;

use crate::{
    auth::Actor,
    clock::Time,
    event::tenant::Kind,
    id::{EventId, TenantId, TrainingJobId},
};

/// What an event tells.
#[derive(Clone, Copy, Debug, Eq, Hash, PartialEq, Serialize, Deserialize)]
pub enum EventType {
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

impl EventType {
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

    /// What those who watch the tenant are told of such an event; none where the job's own log is enough.
    pub const fn for_tenants(self) -> Option<Kind> {
        match self {
            Self::StatusChanged => Some(Kind::TrainingStatusChanged),
            Self::Progress => Some(Kind::TrainingProgress),
            Self::Completed => Some(Kind::TrainingCompleted),
            Self::Created | Self::Log | Self::Failed => None,
        }
    }
}

/// An event that is about to be written.
#[derive(Clone, Debug, PartialEq)]
pub struct NewEvent {
    pub kind: EventType,
    pub payload: Value,
}

/// One entry of a training job's log.
#[derive(Clone, Debug, Serialize, ToSchema)]
#[schema(as = TrainingEvent)]
pub struct Event {
    pub id: EventId,
    /// From 1, without gaps within the job.
    pub seq: i64,
    /// Such as `training.status_changed`.
    #[serde(rename = "type")]
    pub kind: String,
    pub tenant_id: TenantId,
    pub job_id: TrainingJobId,
    pub actor: Actor,
    #[schema(value_type = String, format = DateTime)]
    pub at: Time,
    #[schema(value_type = Object)]
    pub payload: Value,
}
