//! What is kept in Redis of a connection at API Gateway.

use serde::{Deserialize, Serialize};

use crate::{clock::Time, live::connection::Connection};

#[derive(Clone, Debug, Serialize, Deserialize)]
pub(super) struct Kept {
    pub(super) connection: Connection,
    /// Whether it was told that it is there; only once its opening was answered can anything be sent to it.
    pub(super) greeted: bool,
    /// What it asked for with its address: heard right after the greeting.
    pub(super) first: Option<String>,
    pub(super) seen_at: Time,
    pub(super) beat_at: Time,
}

impl Kept {
    pub(super) fn new(connection: Connection, first: Option<String>) -> Self {
        let at = connection.opened_at;
        Self { connection, greeted: false, first, seen_at: at, beat_at: at }
    }
}
