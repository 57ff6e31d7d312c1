//! Events: what a session's log holds, and what a tenant is told of beside its sessions ([`tenant`]). Appended in the
//! transaction of the change they tell; a session's are numbered without gaps.

pub mod store;
pub mod tenant;

use serde::{Deserialize, Serialize};
use serde_json::Value;
use utoipa::ToSchema;

use crate::{
    auth::Actor,
    clock::Time,
    id::{EventId, SessionId, TenantId},
};

/// What an event tells. The name on the wire is `session.<word>`.
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
    /// Whether it repeats what an agent printed.
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

/// An event that is about to be written.
#[derive(Clone, Debug, PartialEq)]
pub struct NewEvent {
    pub kind: EventType,
    pub actor: Actor,
    pub payload: Value,
}

/// One entry of a session's log.
#[derive(Clone, Debug, Serialize, ToSchema)]
pub struct Event {
    pub id: EventId,
    /// From 1, without gaps within the session.
    pub seq: i64,
    /// Such as `session.status_changed`.
    #[serde(rename = "type")]
    pub kind: String,
    pub tenant_id: TenantId,
    pub session_id: SessionId,
    pub actor: Actor,
    #[schema(value_type = String, format = DateTime)]
    pub at: Time,
    #[schema(value_type = Object)]
    pub payload: Value,
}
