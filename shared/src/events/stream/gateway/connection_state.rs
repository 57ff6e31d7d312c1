//! The state in Redis of a connection at API Gateway.

use serde::{Deserialize, Serialize};

use crate::{events::stream::connection::Connection, kernel::clock::Time};

#[derive(Clone, Debug, Serialize, Deserialize)]
pub(super) struct StoredConnection {
    pub(super) connection: Connection,
    /// Whether `connection.established` was sent. Nothing can be sent before API Gateway has answered the opening.
    pub(super) is_established: bool,
    /// The subscription that the URL of the connection asked for. It is handled right after the greeting.
    pub(super) initial_message: Option<String>,
    pub(super) seen_at: Time,
    pub(super) heartbeat_at: Time,
}

impl StoredConnection {
    pub(super) fn new(connection: Connection, initial_message: Option<String>) -> Self {
        let at = connection.opened_at;
        Self { connection, is_established: false, initial_message, seen_at: at, heartbeat_at: at }
    }
}
