//! The frames of the WebSocket: those of events, and those that the stream itself sends.

use std::collections::BTreeMap;

use serde::Deserialize;
use shared::kernel::{
    actor::Actor,
    clock::Time,
    id::{EventId, SessionId, TenantId},
};
use utoipa::ToSchema;

/// An event of a topic, as the WebSocket sends it.
#[derive(ToSchema)]
#[expect(dead_code, reason = "only its schema is used")]
pub(crate) struct StreamFrame {
    /// The type of the frame; it determines the payload.
    r#type: String,
    /// The topic.
    topic: String,
    /// The id of the event.
    id: EventId,
    /// The session. Absent for events of other objects.
    #[schema(nullable = false)]
    session_id: Option<SessionId>,
    /// The position in the session's log. Absent for events of other objects.
    #[schema(nullable = false)]
    seq: Option<i64>,
    /// The actor that caused the event.
    actor: Actor,
    /// When the event was recorded.
    #[schema(value_type = String, format = DateTime)]
    timestamp: Time,
    /// The details of the event; their form depends on `type`.
    payload: BTreeMap<String, serde_json::Value>,
    /// Whether strings, lists and objects of the payload were truncated. The log has the whole payload.
    #[schema(nullable = false)]
    truncated: Option<bool>,
    /// The position in the topic, from which a subscription can continue.
    cursor: String,
}

/// A frame of the stream itself.
#[derive(ToSchema)]
#[expect(dead_code, reason = "only its schema is used")]
pub(crate) struct ControlFrame {
    /// The type of the frame; it determines the payload.
    r#type: String,
    /// The topic. Absent if the frame concerns the whole connection.
    #[schema(nullable = false)]
    topic: Option<String>,
    /// When the frame was sent.
    #[schema(value_type = String, format = DateTime)]
    timestamp: Time,
    /// The details of the frame; their form depends on `type`.
    payload: BTreeMap<String, serde_json::Value>,
    /// The position in the topic, from which a subscription can continue; null if it is unknown.
    cursor: Option<String>,
}

payload! {
    /// The connection was opened.
    EstablishedConnection {
        /// The id of the connection.
        connection_id: String,
        /// The tenant whose events the connection delivers.
        tenant_id: TenantId,
        /// The seconds between two heartbeats.
        heartbeat_seconds: f64,
        /// When the connection ends at the latest.
        #[schema(value_type = String, format = DateTime)]
        ends_at: chrono::DateTime<chrono::Utc>,
        /// The shortest and the longest delay before a reconnection, in milliseconds.
        reconnect_after_ms: Vec<u32>,
    }

    /// A subscription began or ended.
    SubscribedTopic {
        /// The topic.
        topic: String,
    }

    /// The connection is alive.
    TopicCursors {
        /// The position of each topic up to which everything was sent.
        cursors: BTreeMap<String, String>,
    }

    /// A subscription ended, and the client has to read the log by itself.
    ResyncRequest {
        /// The topic.
        topic: String,
        /// `too_slow`, `too_far_behind`, `cursor_expired`, `cursor_unknown`, `interrupted` or `gone`.
        reason: String,
        /// The URL of the first page to be read.
        read: String,
    }

    /// A message of the client was rejected.
    RejectedMessage {
        /// The code of the error.
        code: String,
        /// What went wrong, for people.
        detail: String,
        /// What the client can do about it.
        remedy: String,
        /// The rejected fields.
        errors: Vec<RejectedField>,
    }

    /// A rejected field of a message.
    RejectedField {
        /// The path of the field.
        field: String,
        /// Why the field was rejected.
        message: String,
    }
}
