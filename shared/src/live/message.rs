//! What a client says: subscribe, unsubscribe, pong.

use std::collections::BTreeSet;

use serde::{Deserialize, Serialize};

use crate::{
    error::{Code, Error, Result},
    id::SessionId,
};

use super::{Cursor, Topic, frame::Item};

/// The largest message of a client, in bytes.
pub const MAX_MESSAGE: usize = 8 * 1024;

/// How many topics one connection may watch at once.
pub const MAX_TOPICS: usize = 50;

/// How many words a filter may have of each kind.
const MAX_WORDS: usize = 50;

#[derive(Deserialize)]
#[serde(tag = "action", rename_all = "snake_case", deny_unknown_fields)]
enum Sent {
    Subscribe { topic: String, after: Option<String>, filter: Option<SentFilter> },
    Unsubscribe { topic: String },
    Pong {},
}

#[derive(Default, Deserialize)]
#[serde(deny_unknown_fields)]
struct SentFilter {
    #[serde(default)]
    types: Vec<String>,
    #[serde(default)]
    session_ids: Vec<SessionId>,
}

/// A message that was understood.
#[derive(Clone, Debug, PartialEq)]
pub enum Message {
    /// From there on; without a place from now on.
    Subscribe {
        topic: Topic,
        after: Option<Cursor>,
        filter: Filter,
    },
    Unsubscribe(Topic),
    Pong,
}

/// Which events of a topic are wanted; what is empty leaves none out.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct Filter {
    /// `session.status_changed`, or `session.*` for all of a kind.
    pub types: Vec<String>,
    pub sessions: BTreeSet<SessionId>,
}

impl Filter {
    pub fn passes(&self, item: &Item) -> bool {
        let of_type = |wanted: &String| match wanted.strip_suffix('*') {
            Some(family) => item.kind.starts_with(family),
            None => item.kind == *wanted,
        };
        (self.types.is_empty() || self.types.iter().any(of_type))
            && (self.sessions.is_empty() || item.session_id.is_some_and(|id| self.sessions.contains(&id)))
    }

    fn parse(sent: SentFilter) -> Result<Self> {
        for (field, count) in [("filter.types", sent.types.len()), ("filter.session_ids", sent.session_ids.len())] {
            if count > MAX_WORDS {
                return Err(Error::field(field, format!("must be at most {MAX_WORDS}")));
            }
        }
        for (at, word) in sent.types.iter().enumerate() {
            let name = word.strip_suffix(".*").unwrap_or(word);
            let good = (1..=60).contains(&name.len())
                && name.bytes().all(|b| b.is_ascii_lowercase() || b == b'_' || b == b'.');
            if !good {
                let why = "is neither the type of an event, such as session.log, nor all of a kind, such as session.*";
                return Err(Error::field(format!("filter.types[{at}]"), why));
            }
        }
        Ok(Self { types: sent.types, sessions: sent.session_ids.into_iter().collect() })
    }
}

/// A topic by its name.
pub fn topic(text: &str) -> Result<Topic> {
    text.parse().map_err(|why| Error::field("topic", why))
}

/// A place in a topic, as a client got it.
pub fn after(topic: Topic, text: &str) -> Result<Cursor> {
    Cursor::parse(topic, text).ok_or_else(|| Error::field("after", "is not a cursor of this topic"))
}

impl Message {
    pub fn parse(text: &str) -> Result<Self> {
        if text.len() > MAX_MESSAGE {
            return Err(Error::new(Code::PayloadTooLarge, "A message has 8 KiB at most."));
        }
        let sent: Sent = serde_json::from_str(text).map_err(|error| {
            Error::new(Code::BodyMalformed, "The message is none of subscribe, unsubscribe and pong.")
                .caused_by(error.to_string())
        })?;
        Ok(match sent {
            Sent::Subscribe { topic: named, after: from, filter } => {
                let named = topic(&named)?;
                let from = from.map(|from| after(named, &from)).transpose()?;
                Self::Subscribe { topic: named, after: from, filter: Filter::parse(filter.unwrap_or_default())? }
            }
            Sent::Unsubscribe { topic: named } => Self::Unsubscribe(topic(&named)?),
            Sent::Pong {} => Self::Pong,
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn messages_are_read_and_what_is_wrong_is_named() {
        let read = |text: &str| Message::parse(text).map_err(|error| error.code());
        assert_eq!(read(r#"{"action": "pong"}"#), Ok(Message::Pong));
        assert_eq!(
            read(r#"{"action": "unsubscribe", "topic": "/ws/agents"}"#),
            Ok(Message::Unsubscribe(Topic::Agents))
        );
        let subscribed =
            read(r#"{"action": "subscribe", "topic": "/ws/sessions", "filter": {"types": ["session.*"]}}"#);
        let filter = Filter { types: vec!["session.*".to_owned()], ..Filter::default() };
        assert_eq!(subscribed, Ok(Message::Subscribe { topic: Topic::Sessions, after: None, filter }));
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
