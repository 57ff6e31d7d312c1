//! Cursors: up to where somebody has been told of a topic.
//!
//! They are texts that a client sends back as it got them. Within a topic they are in the order of its events, which is how
//! many who stand at different places are served from one reading.

use std::fmt;

use serde::{Deserialize, Serialize};
use uuid::Uuid;

use crate::{clock::Time, event::tenant::KEPT_FOR};

use super::topic::Topic;

/// A place in a topic: everything up to it was told.
#[derive(Clone, Copy, Debug, Eq, Hash, Ord, PartialEq, PartialOrd, Serialize, Deserialize)]
pub enum Cursor {
    /// In the log of one session: its `seq`.
    Seq(i64),
    /// Among the events of all sessions.
    Sessions { position: u64, session: Uuid, seq: i64 },
    /// Among those of no session; `at`, in seconds since 1970, tells whether what came after it is still kept.
    Told { position: u64, id: Uuid, at: i64 },
}

impl Cursor {
    /// Before everything that there is.
    pub const fn beginning(topic: Topic) -> Self {
        match topic {
            Topic::Session(_) => Self::Seq(0),
            Topic::Sessions => Self::Sessions { position: 0, session: Uuid::nil(), seq: 0 },
            // Of what is no longer kept nothing was promised to whoever begins there.
            Topic::Agents | Topic::Tuning | Topic::System => Self::Told { position: 0, id: Uuid::nil(), at: i64::MAX },
        }
    }

    /// After everything below a position, and before all else.
    pub fn below(topic: Topic, horizon: u64, now: Time) -> Self {
        let position = horizon.saturating_sub(1);
        match topic {
            Topic::Session(_) => Self::Seq(0),
            Topic::Sessions => Self::Sessions { position, session: Uuid::max(), seq: i64::MAX },
            Topic::Agents | Topic::Tuning | Topic::System => {
                Self::Told { position, id: Uuid::max(), at: now.timestamp() }
            }
        }
    }

    /// Reads what a client sent back.
    pub fn parse(topic: Topic, text: &str) -> Option<Self> {
        if matches!(topic, Topic::Session(_)) {
            return text.parse().ok().filter(|seq| *seq >= 0).map(Self::Seq);
        }
        let mut parts = text.split('.');
        let (position, id, last) = (parts.next()?, parts.next()?, parts.next()?);
        if parts.next().is_some() {
            return None;
        }
        let (position, id, last) = (position.parse().ok()?, Uuid::try_parse(id).ok()?, last.parse().ok()?);
        Some(match topic {
            Topic::Sessions => Self::Sessions { position, session: id, seq: last },
            _ => Self::Told { position, id, at: last },
        })
    }

    /// The position of the transaction that it stands at; none within one session.
    pub const fn position(self) -> Option<u64> {
        match self {
            Self::Seq(_) => None,
            Self::Sessions { position, .. } | Self::Told { position, .. } => Some(position),
        }
    }

    /// Whether what came right after it may have been removed since.
    pub fn is_expired(self, now: Time) -> bool {
        matches!(self, Self::Told { at, .. } if at < (now - KEPT_FOR).timestamp())
    }
}

impl fmt::Display for Cursor {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Seq(seq) => write!(f, "{seq}"),
            Self::Sessions { position, session: id, seq: last } | Self::Told { position, id, at: last } => {
                write!(f, "{position}.{}.{last}", id.simple())
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::id::SessionId;

    #[test]
    fn every_cursor_reads_back_as_it_is_written() {
        let session = Topic::Session(SessionId::new());
        for (topic, cursor) in [
            (session, Cursor::Seq(7)),
            (Topic::Sessions, Cursor::Sessions { position: u64::MAX, session: Uuid::max(), seq: i64::MAX }),
            (Topic::Agents, Cursor::Told { position: 1, id: Uuid::nil(), at: 12 }),
        ] {
            assert_eq!(Cursor::parse(topic, &cursor.to_string()), Some(cursor));
        }
        for wrong in ["", "x", "1", "1.2", "1.2.3", "-1", "1.2.3.4", "18446744073709551616.0.1"] {
            assert_eq!(Cursor::parse(Topic::Sessions, wrong), None, "{wrong}");
        }
        assert_eq!(Cursor::parse(session, "-1"), None);
    }

    #[test]
    fn a_cursor_expires_with_what_came_after_it_and_one_among_sessions_never() {
        let now = crate::clock::Clock::System.now();
        let told = |at: Time| Cursor::Told { position: 1, id: Uuid::nil(), at: at.timestamp() };
        assert!(!told(now).is_expired(now));
        assert!(told(now - KEPT_FOR - chrono::TimeDelta::seconds(2)).is_expired(now));
        assert!(!Cursor::beginning(Topic::Agents).is_expired(now));
        assert!(!Cursor::beginning(Topic::Sessions).is_expired(now));
    }
}
