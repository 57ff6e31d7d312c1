//! Frames: the JSON texts, each below 32 KiB, that a subscriber receives.

use serde::Serialize;
use serde_json::{Value, json};

use crate::kernel::{
    actor::Actor,
    clock::Time,
    error::Error,
    id::{EventId, SessionId},
};

use super::{Cursor, RECONNECT_MS, StreamTimings, Topic, cursor::CursorCipher};

/// The largest frame in bytes: API Gateway accepts no larger ones.
pub const MAX_FRAME: usize = 32 * 1024 - 1;

/// One event of a topic, as the stream reads it.
#[derive(Clone, Debug)]
pub struct StreamEvent {
    pub cursor: Cursor,
    pub id: EventId,
    pub kind: String,
    pub session_id: Option<SessionId>,
    pub seq: Option<i64>,
    pub actor: Actor,
    pub at: Time,
    pub payload: Value,
}

#[derive(Serialize)]
struct Frame<'a> {
    #[serde(rename = "type")]
    kind: &'a str,
    topic: Topic,
    id: EventId,
    #[serde(skip_serializing_if = "Option::is_none")]
    session_id: Option<SessionId>,
    #[serde(skip_serializing_if = "Option::is_none")]
    seq: Option<i64>,
    actor: &'a Actor,
    timestamp: Time,
    payload: &'a Value,
    #[serde(skip_serializing_if = "std::ops::Not::not")]
    truncated: bool,
    cursor: &'a str,
}

impl StreamEvent {
    /// The frame of the event, with a truncated payload if the whole one would be too large.
    pub fn to_frame(&self, topic: Topic, cursors: &CursorCipher) -> String {
        let cursor = cursors.write_cursor(self.cursor);
        let serialize = |payload: &Value, truncated| self.serialize((topic, &cursor), payload, truncated);
        let whole = serialize(&self.payload, false);
        if whole.len() <= MAX_FRAME {
            return whole;
        }
        for most in [8192, 2048, 512, 128, 32] {
            let cut = serialize(&truncate_value(&self.payload, most), true);
            if cut.len() <= MAX_FRAME {
                return cut;
            }
        }
        serialize(&json!({}), true)
    }

    fn serialize(&self, (topic, cursor): (Topic, &str), payload: &Value, truncated: bool) -> String {
        let frame = Frame {
            kind: &self.kind,
            topic,
            id: self.id,
            session_id: self.session_id,
            seq: self.seq,
            actor: &self.actor,
            timestamp: self.at,
            payload,
            truncated,
            cursor,
        };
        serde_json::to_string(&frame).unwrap_or_default()
    }

    /// The object whose whole state the event reports, if any: a later event with the same key replaces it.
    pub fn coalescing_key(&self) -> Option<String> {
        match self.kind.as_str() {
            "session.usage" => self.session_id.map(|id| id.to_string()),
            "agent.heartbeat" => self.payload["agent_id"].as_str().map(str::to_owned),
            "training.progress" => self.payload["job_id"].as_str().map(str::to_owned),
            _ => None,
        }
    }
}

/// The value with strings of at most `most` bytes, and with at most a sixteenth as many entries per list and object.
fn truncate_value(value: &Value, most: usize) -> Value {
    let entries = (most / 16).max(1);
    match value {
        Value::String(text) if text.len() > most => {
            let end = (0..=most).rev().find(|at| text.is_char_boundary(*at)).unwrap_or(0);
            Value::String(format!("{}…", &text[..end]))
        }
        Value::Array(list) => list.iter().take(entries).map(|one| truncate_value(one, most)).collect(),
        Value::Object(map) => {
            let short = map.iter().filter(|(name, _)| name.len() <= most).take(entries);
            Value::Object(short.map(|(name, one)| (name.clone(), truncate_value(one, most))).collect())
        }
        other => other.clone(),
    }
}

fn control_frame(kind: &str, now: Time, payload: &Value) -> String {
    json!({"type": kind, "payload": payload, "timestamp": now}).to_string()
}

/// The first frame of a connection.
pub fn connection_established(
    connection: &str,
    tenant: crate::kernel::id::TenantId,
    timings: &StreamTimings,
    opened: Time,
) -> String {
    let lasts = chrono::TimeDelta::from_std(timings.longest).unwrap_or_default();
    let payload = json!({
        "connection_id": connection, "tenant_id": tenant, "heartbeat_seconds": timings.heartbeat.as_secs_f64(),
        "ends_at": opened + lasts, "reconnect_after_ms": RECONNECT_MS,
    });
    control_frame("connection.established", opened, &payload)
}

/// Confirms a subscription: events after the cursor follow.
pub fn subscription_confirmed(topic: Topic, cursor: &str, now: Time) -> String {
    json!({"type": "subscription.confirmed", "topic": topic, "payload": {"topic": topic}, "timestamp": now,
        "cursor": cursor})
    .to_string()
}

/// Confirms that a subscription ended because the client asked for it.
pub fn subscription_ended(topic: Topic, now: Time) -> String {
    json!({"type": "subscription.ended", "topic": topic, "payload": {"topic": topic}, "timestamp": now}).to_string()
}

/// A heartbeat with the cursor of each topic, from which the client may resume.
pub fn heartbeat_frame(topics: impl Iterator<Item = (Topic, Cursor)>, cursors: &CursorCipher, now: Time) -> String {
    let texts: serde_json::Map<_, _> =
        topics.map(|(topic, cursor)| (topic.to_string(), Value::String(cursors.write_cursor(cursor)))).collect();
    control_frame("heartbeat", now, &json!({"cursors": texts}))
}

/// Why a client has to read the log by itself.
#[derive(Clone, Copy, Debug, Eq, PartialEq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum ResyncReason {
    /// It did not read its frames in time.
    TooSlow,
    /// Events after its cursor were deleted.
    CursorExpired,
    /// The cursor belongs to another database.
    CursorUnknown,
    /// Its cursor is too many events behind.
    TooFarBehind,
    /// It is unknown which of the last frames arrived.
    Interrupted,
    /// The session was deleted.
    Gone,
}

/// Ends a subscription: the client reads the log from `after` on, then subscribes after the last event that it read.
pub fn resync_frame(topic: Topic, reason: ResyncReason, after: Option<&str>, now: Time) -> String {
    let read = if let Topic::Session(id) = topic {
        format!("/api/v1/sessions/{id}/events?after={}", after.unwrap_or("0"))
    } else {
        let from = after.map(|after| format!("&after={after}")).unwrap_or_default();
        format!("/api/v1/live/events?topic={topic}{from}")
    };
    json!({"type": "resync", "topic": topic, "timestamp": now, "cursor": after,
        "payload": {"topic": topic, "reason": reason, "read": read}})
    .to_string()
}

/// Reports that a message of the client was refused.
pub fn error_frame(error: &Error, now: Time) -> String {
    let fields = error.fields();
    let payload =
        json!({"code": error.code(), "detail": error.detail(), "remedy": error.code().remedy(), "errors": fields});
    control_frame("error", now, &payload)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::kernel::{clock::Clock, encryption::Pepper};

    fn event(payload: Value) -> StreamEvent {
        StreamEvent {
            cursor: Cursor::Seq(1),
            id: EventId::new(),
            kind: "session.tool".to_owned(),
            session_id: Some(SessionId::new()),
            seq: Some(1),
            actor: Actor::system_part("test"),
            at: Clock::System.now(),
            payload,
        }
    }

    fn read(payload: Value) -> (usize, Value) {
        let cursors = CursorCipher::new(&Pepper(vec![7; 32])).unwrap();
        let text = event(payload).to_frame(Topic::Sessions, &cursors);
        (text.len(), serde_json::from_str(&text).unwrap())
    }

    #[test]
    fn a_small_payload_is_sent_whole_and_a_large_one_is_marked_as_truncated() {
        let (_, frame) = read(json!({"text": "x".repeat(30_000)}));
        assert_eq!((&frame["truncated"], frame["payload"]["text"].as_str().unwrap().len()), (&Value::Null, 30_000));
        let (bytes, frame) = read(json!({"text": "ü".repeat(30_000), "tool": "bash"}));
        assert!(bytes <= MAX_FRAME);
        assert_eq!((&frame["truncated"], &frame["payload"]["tool"]), (&json!(true), &json!("bash")));
        assert!(frame["payload"]["text"].as_str().unwrap().starts_with("üüü"));
        let (bytes, frame) = read(json!({"x".repeat(40_000): 1, "many": vec!["\u{1}".repeat(100); 5000]}));
        assert!(bytes <= MAX_FRAME && frame["truncated"] == true);
    }

    fn value() -> impl Strategy<Value = Value> {
        let leaf = prop_oneof![any::<i64>().prop_map(Value::from), "\\PC{0,3000}".prop_map(Value::from)];
        leaf.prop_recursive(5, 200, 40, |inner| {
            prop_oneof![
                prop::collection::vec(inner.clone(), 0..40).prop_map(Value::from),
                prop::collection::btree_map("[a-z]{1,60}", inner, 0..40)
                    .prop_map(|map| Value::Object(map.into_iter().collect())),
            ]
        })
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(64))]
        #[test]
        fn every_frame_is_small_enough_and_valid_json(payload in value()) {
            let (bytes, frame) = read(payload.clone());
            prop_assert!(bytes <= MAX_FRAME);
            prop_assert!(frame["truncated"] == true || frame["payload"] == payload);
        }
    }
}
