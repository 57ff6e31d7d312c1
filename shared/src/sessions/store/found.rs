//! A session as it is read for people.

use super::super::{queue::QueuePosition, session::Session};

/// A session with its computed fields.
#[derive(Clone, Debug)]
pub struct FoundSession {
    pub session: Session,
    /// The name and kind of its agent.
    pub agent: Option<(String, String)>,
    /// Its position in the queue and what it waits for; `None` unless it is queued.
    pub queue: Option<QueuePosition>,
}
