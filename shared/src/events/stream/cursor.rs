//! Cursors: positions in the event sequence of a topic.
//!
//! A client treats a cursor as opaque text ([`CursorCipher`]) and sends it back unchanged. Within a topic, cursors are
//! ordered like its events, so that one read can serve many subscribers at different positions.

use std::sync::Arc;

use base64::{Engine, prelude::BASE64_URL_SAFE_NO_PAD};
use serde::{Deserialize, Serialize};
use uuid::Uuid;

use crate::{
    events::log::tenant::RETENTION,
    kernel::{
        clock::Time,
        encryption::{BLOCK, BlockCipher, Pepper, Purpose},
        error::Result,
    },
};

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

/// Writes and reads the texts of cursors.
///
/// A position counts the transactions of the whole server, so the difference of two would show how much all tenants
/// write. It is encrypted. Equal cursors have equal texts. A text that somebody changed, or of another pepper, is a
/// cursor of an arbitrary position: it gives access to nothing, because a read sees the events of one tenant.
#[derive(Clone)]
pub struct CursorCipher(Arc<BlockCipher>);

impl CursorCipher {
    pub fn new(pepper: &Pepper) -> Result<Self> {
        Ok(Self(Arc::new(BlockCipher::new(pepper, Purpose::StreamPosition)?)))
    }

    /// The text of a cursor. Within the log of one session it is the `seq`, which is no secret.
    pub fn write_cursor(&self, cursor: Cursor) -> String {
        let (position, id, last) = match cursor {
            Cursor::Seq(seq) => return seq.to_string(),
            Cursor::Sessions { position, session: id, seq: last } | Cursor::TenantEvents { position, id, at: last } => {
                (position, id, last)
            }
        };
        let mut block = [0; BLOCK];
        block[..8].copy_from_slice(&position.to_be_bytes());
        block[8..].copy_from_slice(&last.to_be_bytes());
        // A block of the right size is always encrypted.
        let sealed = self.0.encrypt_block(block).unwrap_or_default();
        BASE64_URL_SAFE_NO_PAD.encode([sealed.as_slice(), id.as_bytes()].concat())
    }

    /// Reads the text that a client sent back. `None` if it is no text of a cursor of this topic.
    pub fn read_cursor(&self, topic: Topic, text: &str) -> Option<Cursor> {
        if matches!(topic, Topic::Session(_)) {
            return text.parse().ok().filter(|seq| *seq >= 0).map(Cursor::Seq);
        }
        let bytes: [u8; 2 * BLOCK] = BASE64_URL_SAFE_NO_PAD.decode(text).ok()?.try_into().ok()?;
        let (sealed, id) = bytes.split_first_chunk::<BLOCK>()?;
        let block = self.0.decrypt_block(*sealed).ok()?;
        let (position, last) = block.split_first_chunk()?;
        let (position, last) = (u64::from_be_bytes(*position), i64::from_be_bytes(last.try_into().ok()?));
        let id = Uuid::from_slice(id).ok()?;
        Some(match topic {
            Topic::Sessions => Cursor::Sessions { position, session: id, seq: last },
            _ => Cursor::TenantEvents { position, id, at: last },
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::kernel::id::SessionId;

    #[test]
    fn every_cursor_is_read_back_from_its_text() {
        let session = Topic::Session(SessionId::new());
        let cipher = cipher(7);
        for (topic, cursor) in [
            (session, Cursor::Seq(7)),
            (Topic::Sessions, Cursor::Sessions { position: u64::MAX, session: Uuid::max(), seq: i64::MAX }),
            (Topic::Agents, Cursor::TenantEvents { position: 1, id: Uuid::nil(), at: 12 }),
        ] {
            let text = cipher.write_cursor(cursor);
            assert_eq!((cipher.read_cursor(topic, &text), cipher.write_cursor(cursor)), (Some(cursor), text));
        }
        for wrong in ["", "x", "1", "1.2.3", "-1", &"A".repeat(42), &"A".repeat(44), &"ä".repeat(43)] {
            assert_eq!(cipher.read_cursor(Topic::Sessions, wrong), None, "{wrong}");
        }
        assert_eq!(cipher.read_cursor(session, "-1"), None);
    }

    #[test]
    fn texts_of_neighbouring_positions_have_nothing_in_common() {
        let text =
            |pepper, position| cipher(pepper).write_cursor(Cursor::Sessions { position, session: Uuid::nil(), seq: 1 });
        let texts = [text(7, 1000), text(7, 1001), text(8, 1000)];
        let heads: Vec<_> =
            texts.iter().map(|text| BASE64_URL_SAFE_NO_PAD.decode(text).unwrap()[..BLOCK].to_vec()).collect();
        for (one, other) in [(0, 1), (0, 2), (1, 2)] {
            let equal_bits = heads[one].iter().zip(&heads[other]).map(|(a, b)| (a ^ b).count_zeros()).sum::<u32>();
            assert!((32..=96).contains(&equal_bits), "{equal_bits} of 128 bits are equal");
        }
    }

    fn cipher(pepper: u8) -> CursorCipher {
        CursorCipher::new(&Pepper(vec![pepper; 32])).unwrap()
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
