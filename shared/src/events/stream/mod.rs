//! The live stream: a subscriber receives each event of a topic once and in order, and resumes where it left off.
//!
//! Postgres is the source of truth. A connection stores a [`cursor`] for each topic; the process that serves it reads
//! the events after the cursor ([`store`]) and sends them as frames ([`frame`]). Notifications only make delivery
//! prompt: a lost one delays it by a second. The local host keeps connections in its own process ([`hub`]). On AWS, API
//! Gateway holds them and their state is in Redis ([`gateway`]).

pub mod authorization;
pub mod connection;
pub mod connection_backend;
pub mod cursor;
pub mod frame;
pub mod gateway;
pub mod hub;
pub mod message;
pub mod service;
pub mod services;
pub mod store;
pub mod ticket;
pub mod topic;

use std::time::Duration;

use crate::kernel::error::{Code, Error, Result};

pub use self::{
    connection::Subscriber, connection_backend::ConnectionBackend, cursor::Cursor, hub::ConnectionHub, topic::Topic,
};

/// The timings of connections.
#[derive(Clone, Copy, Debug)]
pub struct StreamTimings {
    /// The interval between heartbeats.
    pub heartbeat: Duration,
    /// How long a client may be silent before its connection is considered dead.
    pub dead_after: Duration,
    /// How often the credential of a subscriber is checked again: the longest that a revoked key stays connected, apart
    /// from the check itself.
    pub recheck: Duration,
    /// How often topics are polled, and so how late an event may arrive whose notification was lost.
    pub poll: Duration,
    /// How long a reader may be stalled before superseded events are left out for it.
    pub coalesce_after: Duration,
    /// How long a reader may be stalled before its subscriptions end and it has to read the log by itself.
    pub resync_after: Duration,
    /// The longest lifetime of a connection. API Gateway ends each after two hours.
    pub longest: Duration,
}

impl Default for StreamTimings {
    fn default() -> Self {
        Self {
            heartbeat: Duration::from_secs(30),
            dead_after: Duration::from_secs(75),
            recheck: Duration::from_secs(3),
            poll: Duration::from_secs(1),
            coalesce_after: Duration::from_secs(5),
            resync_after: Duration::from_secs(20),
            longest: Duration::from_mins(115),
        }
    }
}

/// The most connections to the live stream and event streams that are open at once.
#[derive(Clone, Copy, Debug)]
pub struct StreamLimits {
    /// For one key or user.
    pub per_credential: usize,
    pub per_tenant: usize,
}

impl Default for StreamLimits {
    fn default() -> Self {
        Self { per_credential: 200, per_tenant: 5_000 }
    }
}

impl StreamLimits {
    /// Refuses a further stream of a credential that has `own` of the `all` that its tenant has.
    pub fn check(self, own: usize, all: usize) -> Result<()> {
        let refuse = |whose: &str, most: usize| {
            Err(Error::new(Code::TooManyStreams, format!("{whose} already has {most} open streams.")))
        };
        if all >= self.per_tenant {
            return refuse("The tenant", self.per_tenant);
        }
        if own >= self.per_credential {
            return refuse("This credential", self.per_credential);
        }
        Ok(())
    }
}

/// The shortest and the longest time, in milliseconds, that a client waits before it reconnects: random and doubled
/// with each failure, so that clients that lost their connections together do not reconnect together.
pub const RECONNECT_MS: [u32; 2] = [500, 30_000];
