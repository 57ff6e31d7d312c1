//! The live stream: who watches gets each event of a topic once and in order, and goes on where it broke off.
//!
//! Postgres is the truth here too. A connection knows for each topic up to where it has been told ([`cursor`]); whoever serves
//! it reads on from there ([`store`]) and sends frames ([`frame`]). Bells say that it is worth looking ([`bell`]); one that is
//! not heard costs a second. The local host keeps its connections in its own process ([`hub`]); on AWS API Gateway holds them,
//! and what we know of them lies in Redis ([`gateway`]).

pub mod bell;
pub mod connection;
pub mod cursor;
pub mod frame;
pub mod gateway;
pub mod hub;
pub mod message;
pub mod push;
pub mod service;
pub mod store;
pub mod ticket;
pub mod topic;

use std::time::Duration;

pub use self::{connection::Who, cursor::Cursor, hub::Hub, push::Push, topic::Topic};

/// What becomes of connections, and when.
#[derive(Clone, Copy, Debug)]
pub struct Pace {
    /// How often each is told that we are there.
    pub heartbeat: Duration,
    /// How long one may say nothing at all until it is taken for dead.
    pub dead_after: Duration,
    /// How often it is looked up whether those who watch still may; a revoked key is cut within this and the look itself.
    pub recheck: Duration,
    /// How late an event may be whose bell was not heard.
    pub poll: Duration,
    /// How long a reader may take nothing until what is overtaken is left out for it.
    pub coalesce_after: Duration,
    /// How long a reader may take nothing until it has to read on by itself.
    pub resync_after: Duration,
    /// How long one connection may last. API Gateway ends each after two hours.
    pub longest: Duration,
}

impl Default for Pace {
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

/// What a client that lost its connection is to wait before it comes back: a random time between these, doubled with each
/// failure, so that those who were cut at once do not come back at once.
pub const RECONNECT_MS: [u32; 2] = [500, 30_000];
