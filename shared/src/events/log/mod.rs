//! Events: the log of each session, and the tenant events that belong to no session ([`tenant`]).
//!
//! An event is appended in the transaction of the change that it records. The events of a session are numbered without
//! gaps.

pub mod store;
pub mod tenant;

use serde::{Deserialize, Serialize};
use serde_json::Value;
use utoipa::ToSchema;

use crate::{
    kernel::{
        actor::Actor,
        clock::Time,
        id::{EventId, SessionId, TenantId},
    },
    platform::postgres::{DeferredClass, Tx},
};

/// Publishes an event of a tenant in the transaction of the change that it records. It is written with the last
/// statements of the transaction.
pub fn publish(tx: &mut Tx, event: tenant::TenantEvent) {
    tx.defer(DeferredClass::WithLast, store::append_event(event));
}

/// The type of a session event. Its name on the wire is `session.<word>`.
#[derive(Clone, Copy, Debug, Eq, Hash, PartialEq, Serialize, Deserialize, ToSchema)]
pub enum EventType {
    #[serde(rename = "session.created")]
    Created,
    /// `{from, to, reason, pause_reason?}`
    #[serde(rename = "session.status_changed")]
    StatusChanged,
    /// `{changed: {field: value}}`
    #[serde(rename = "session.updated")]
    Updated,
    /// `{level, message}`
    #[serde(rename = "session.log")]
    Log,
    /// `{role, text, part}`
    #[serde(rename = "session.message")]
    Message,
    /// `{tool, state, title, input?, output?, part}`
    #[serde(rename = "session.tool")]
    Tool,
    /// `{path}`
    #[serde(rename = "session.file_changed")]
    FileChanged,
    /// `{tokens_*, cost_usd}`
    #[serde(rename = "session.usage")]
    Usage,
    /// `{sequence, cause}`
    #[serde(rename = "session.checkpoint_created")]
    CheckpointCreated,
    /// `{question_id, kind, text, options, details}`
    #[serde(rename = "session.question")]
    Question,
    /// `{id, path, mime_type, size, sha256}`
    #[serde(rename = "session.artifact")]
    Artifact,
    /// The outcome.
    #[serde(rename = "session.completed")]
    Completed,
    /// The outcome.
    #[serde(rename = "session.failed")]
    Failed,
}

impl EventType {
    /// Whether the payload may contain text that an agent produced.
    pub const fn may_quote_an_agent(self) -> bool {
        matches!(
            self,
            Self::Log
                | Self::Message
                | Self::Tool
                | Self::Question
                | Self::Completed
                | Self::Failed
                | Self::StatusChanged
        )
    }

    pub const fn name(self) -> &'static str {
        match self {
            Self::Created => "session.created",
            Self::StatusChanged => "session.status_changed",
            Self::Updated => "session.updated",
            Self::Log => "session.log",
            Self::Message => "session.message",
            Self::Tool => "session.tool",
            Self::FileChanged => "session.file_changed",
            Self::Usage => "session.usage",
            Self::CheckpointCreated => "session.checkpoint_created",
            Self::Question => "session.question",
            Self::Artifact => "session.artifact",
            Self::Completed => "session.completed",
            Self::Failed => "session.failed",
        }
    }
}

/// A session event that is not stored yet.
#[derive(Clone, Debug, PartialEq)]
pub struct NewEvent {
    pub kind: EventType,
    pub actor: Actor,
    pub payload: Value,
}

/// An event of a session's log.
#[derive(Clone, Debug, Serialize, ToSchema)]
pub struct Event {
    /// The id of the event.
    pub id: EventId,
    /// The position in the session's log, from 1 without gaps.
    pub seq: i64,
    /// The type of the event; it determines the payload.
    #[serde(rename = "type")]
    pub kind: String,
    /// The tenant.
    pub tenant_id: TenantId,
    /// The session.
    pub session_id: SessionId,
    /// The actor that caused the event.
    pub actor: Actor,
    /// When the event was recorded.
    #[schema(value_type = String, format = DateTime)]
    pub at: Time,
    /// The details of the event; their form depends on `type`.
    #[schema(value_type = Object)]
    pub payload: Value,
}
