//! Messages of a client: subscribe, unsubscribe and pong.

use std::collections::BTreeSet;

use serde::{Deserialize, Serialize};

use crate::kernel::{
    error::{Code, Error, Result},
    id::SessionId,
};

use super::{Cursor, Topic, cursor::CursorCipher, frame::StreamEvent};

/// The largest message of a client in bytes.
pub const MAX_MESSAGE: usize = 8 * 1024;

/// How many topics one connection may subscribe to at once.
pub const MAX_TOPICS: usize = 50;

/// How many values each list of a filter may have.
const MAX_FILTER_VALUES: usize = 50;

#[derive(Deserialize)]
#[serde(tag = "action", rename_all = "snake_case", deny_unknown_fields)]
enum ClientMessageInput {
    Subscribe { topic: String, after: Option<String>, filter: Option<FilterInput> },
    Unsubscribe { topic: String },
    Pong {},
}

#[derive(Default, Deserialize)]
#[serde(deny_unknown_fields)]
struct FilterInput {
    #[serde(default)]
    types: Vec<String>,
    #[serde(default)]
    session_ids: Vec<SessionId>,
}

/// A parsed message.
#[derive(Clone, Debug, PartialEq)]
pub enum ClientMessage {
    /// Starts after the cursor, or, without one, at the head of the topic.
    Subscribe {
        topic: Topic,
        after: Option<Cursor>,
        filter: EventFilter,
    },
    Unsubscribe(Topic),
    Pong,
}

/// Selects events of a topic. An empty list selects all.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct EventFilter {
    /// Event types such as `session.status_changed`, or a whole family such as `session.*`.
    pub types: Vec<String>,
    pub sessions: BTreeSet<SessionId>,
}

impl EventFilter {
    pub fn matches(&self, event: &StreamEvent) -> bool {
        let of_type = |wanted: &String| match wanted.strip_suffix('*') {
            Some(family) => event.kind.starts_with(family),
            None => event.kind == *wanted,
        };
        (self.types.is_empty() || self.types.iter().any(of_type))
            && (self.sessions.is_empty() || event.session_id.is_some_and(|id| self.sessions.contains(&id)))
    }

    fn parse(sent: FilterInput) -> Result<Self> {
        for (field, count) in [("filter.types", sent.types.len()), ("filter.session_ids", sent.session_ids.len())] {
            if count > MAX_FILTER_VALUES {
                return Err(Error::invalid_field(field, format!("must be at most {MAX_FILTER_VALUES}")));
            }
        }
        for (at, word) in sent.types.iter().enumerate() {
            let name = word.strip_suffix(".*").unwrap_or(word);
            let good = (1..=60).contains(&name.len())
                && name.bytes().all(|b| b.is_ascii_lowercase() || b == b'_' || b == b'.');
            if !good {
                let why = "must be an event type such as session.log, or a family of types such as session.*";
                return Err(Error::invalid_field(format!("filter.types[{at}]"), why));
            }
        }
        Ok(Self { types: sent.types, sessions: sent.session_ids.into_iter().collect() })
    }
}

/// Parses the name of a topic.
pub fn parse_topic(text: &str) -> Result<Topic> {
    text.parse().map_err(|why| Error::invalid_field("topic", why))
}

/// Parses the cursor of a topic.
pub fn parse_cursor(cursors: &CursorCipher, topic: Topic, text: &str) -> Result<Cursor> {
    let cursor = cursors.read_cursor(topic, text);
    cursor.ok_or_else(|| Error::invalid_field("after", "is not a cursor of this topic"))
}

impl ClientMessage {
    pub fn parse(cursors: &CursorCipher, text: &str) -> Result<Self> {
        if text.len() > MAX_MESSAGE {
            return Err(Error::new(Code::PayloadTooLarge, "A message may have at most 8 KiB."));
        }
        let sent: ClientMessageInput = serde_json::from_str(text).map_err(|error| {
            Error::new(Code::BodyMalformed, "The message must be a subscribe, unsubscribe or pong action.")
                .caused_by(error.to_string())
        })?;
        Ok(match sent {
            ClientMessageInput::Subscribe { topic: named, after: from, filter } => {
                let named = parse_topic(&named)?;
                let from = from.map(|from| parse_cursor(cursors, named, &from)).transpose()?;
                Self::Subscribe { topic: named, after: from, filter: EventFilter::parse(filter.unwrap_or_default())? }
            }
            ClientMessageInput::Unsubscribe { topic: named } => Self::Unsubscribe(parse_topic(&named)?),
            ClientMessageInput::Pong {} => Self::Pong,
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::kernel::encryption::Pepper;

    #[test]
    fn valid_messages_are_parsed_and_invalid_ones_are_refused() {
        let cursors = CursorCipher::new(&Pepper(vec![7; 32])).unwrap();
        let read = |text: &str| ClientMessage::parse(&cursors, text).map_err(|error| error.code());
        assert_eq!(read(r#"{"action": "pong"}"#), Ok(ClientMessage::Pong));
        assert_eq!(
            read(r#"{"action": "unsubscribe", "topic": "/ws/agents"}"#),
            Ok(ClientMessage::Unsubscribe(Topic::Agents))
        );
        let subscribed =
            read(r#"{"action": "subscribe", "topic": "/ws/sessions", "filter": {"types": ["session.*"]}}"#);
        let filter = EventFilter { types: vec!["session.*".to_owned()], ..EventFilter::default() };
        assert_eq!(subscribed, Ok(ClientMessage::Subscribe { topic: Topic::Sessions, after: None, filter }));
        for (text, code) in [
            ("", Code::BodyMalformed),
            (r#"{"action": "shout"}"#, Code::BodyMalformed),
            (r#"{"action": "pong", "x": 1}"#, Code::BodyMalformed),
            (r#"{"action": "subscribe", "topic": "/ws/tasks"}"#, Code::ValidationFailed),
            (r#"{"action": "subscribe", "topic": "/ws/agents", "after": "7"}"#, Code::ValidationFailed),
            (r#"{"action": "subscribe", "topic": "/ws/agents", "filter": {"types": ["A"]}}"#, Code::ValidationFailed),
        ] {
            assert_eq!(read(text), Err(code), "{text}");
        }
        assert_eq!(read(&" ".repeat(MAX_MESSAGE + 1)), Err(Code::PayloadTooLarge));
    }
}
