//! An event of a topic, as the log and the event stream show it.

use serde::Serialize;
use shared::{
    events::stream::{cursor::CursorCipher, frame::StreamEvent},
    kernel::{
        actor::Actor,
        clock::Time,
        id::{EventId, SessionId},
    },
};
use utoipa::ToSchema;

/// An event of a topic.
#[derive(Serialize, ToSchema)]
pub(super) struct TopicEvent {
    /// The id of the event.
    id: EventId,
    /// The type of the event; it determines the payload.
    #[serde(rename = "type")]
    pub(super) kind: String,
    /// The session; null for events of other objects.
    session_id: Option<SessionId>,
    /// The position in the session's log; null for events of other objects.
    seq: Option<i64>,
    /// The actor that caused the event.
    actor: Actor,
    /// When the event was recorded.
    #[schema(value_type = String, format = DateTime)]
    at: Time,
    /// The details of the event; their form depends on `type`.
    #[schema(value_type = Object)]
    payload: serde_json::Value,
    /// The position in the topic.
    pub(super) cursor: String,
}

impl TopicEvent {
    pub(super) fn of(event: StreamEvent, cursors: &CursorCipher) -> Self {
        Self {
            id: event.id,
            kind: event.kind,
            session_id: event.session_id,
            seq: event.seq,
            actor: event.actor,
            at: event.at,
            payload: event.payload,
            cursor: cursors.write_cursor(event.cursor),
        }
    }
}
