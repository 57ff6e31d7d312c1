//! Cursors: positions in the event sequence of a topic.
//!
//! A client treats a cursor as opaque text and sends it back unchanged. Within a topic, cursors are ordered like its
//! events, so that one read can serve many subscribers at different positions.

use std::fmt;

use serde::{Deserialize, Serialize};
use uuid::Uuid;

use crate::{events::log::tenant::RETENTION, kernel::clock::Time};

use super::topic::Topic;

/// A position in a topic: everything up to it was delivered.
#[derive(Clone, Copy, Debug, Eq, Hash, Ord, PartialEq, PartialOrd, Serialize, Deserialize)]
pub enum Cursor {
    /// In the log of one session: the `seq` of an event.
    Seq(i64),
    /// In the events of all sessions of a tenant.
    Sessions { position: u64, session: Uuid, seq: i64 },
    /// In the tenant events of a topic. `at`, in seconds since 1970, decides whether later events are still kept.
    TenantEvents { position: u64, id: Uuid, at: i64 },
}

impl Cursor {
    /// The position before the first event.
    pub const fn beginning(topic: Topic) -> Self {
        match topic {
            Topic::Session(_) => Self::Seq(0),
            Topic::Sessions => Self::Sessions { position: 0, session: Uuid::nil(), seq: 0 },
            // A subscriber that starts here was promised nothing about deleted events, so the cursor never expires.
            Topic::Agents | Topic::FineTuning | Topic::System => {
                Self::TenantEvents { position: 0, id: Uuid::nil(), at: i64::MAX }
            }
        }
    }

    /// The position after all events below `horizon` and before all others.
    pub fn just_below(topic: Topic, horizon: u64, now: Time) -> Self {
        let position = horizon.saturating_sub(1);
        match topic {
            Topic::Session(_) => Self::Seq(0),
            Topic::Sessions => Self::Sessions { position, session: Uuid::max(), seq: i64::MAX },
            Topic::Agents | Topic::FineTuning | Topic::System => {
                Self::TenantEvents { position, id: Uuid::max(), at: now.timestamp() }
            }
        }
    }

    /// Parses the text that a client sent back.
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
            _ => Self::TenantEvents { position, id, at: last },
        })
    }

    /// The transaction id of the position; `None` within the log of one session.
    pub const fn position(self) -> Option<u64> {
        match self {
            Self::Seq(_) => None,
            Self::Sessions { position, .. } | Self::TenantEvents { position, .. } => Some(position),
        }
    }

    /// Whether events right after the cursor may have been deleted.
    pub fn is_expired(self, now: Time) -> bool {
        matches!(self, Self::TenantEvents { at, .. } if at < (now - RETENTION).timestamp())
    }
}

impl fmt::Display for Cursor {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Seq(seq) => write!(f, "{seq}"),
            Self::Sessions { position, session: id, seq: last } | Self::TenantEvents { position, id, at: last } => {
                write!(f, "{position}.{}.{last}", id.simple())
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::kernel::id::SessionId;

    #[test]
    fn every_cursor_parses_back_to_itself() {
        let session = Topic::Session(SessionId::new());
        for (topic, cursor) in [
            (session, Cursor::Seq(7)),
            (Topic::Sessions, Cursor::Sessions { position: u64::MAX, session: Uuid::max(), seq: i64::MAX }),
            (Topic::Agents, Cursor::TenantEvents { position: 1, id: Uuid::nil(), at: 12 }),
        ] {
            assert_eq!(Cursor::parse(topic, &cursor.to_string()), Some(cursor));
        }
        for wrong in ["", "x", "1", "1.2", "1.2.3", "-1", "1.2.3.4", "18446744073709551616.0.1"] {
            assert_eq!(Cursor::parse(Topic::Sessions, wrong), None, "{wrong}");
        }
        assert_eq!(Cursor::parse(session, "-1"), None);
    }

    #[test]
    fn a_tenant_event_cursor_expires_and_a_session_cursor_never_does() {
        let now = crate::kernel::clock::Clock::System.now();
        let cursor_at = |at: Time| Cursor::TenantEvents { position: 1, id: Uuid::nil(), at: at.timestamp() };
        assert!(!cursor_at(now).is_expired(now));
        assert!(cursor_at(now - RETENTION - chrono::TimeDelta::seconds(2)).is_expired(now));
        assert!(!Cursor::beginning(Topic::Agents).is_expired(now));
        assert!(!Cursor::beginning(Topic::Sessions).is_expired(now));
    }
}
