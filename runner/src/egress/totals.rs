//! What the connections of a session came to.

use std::sync::atomic::{AtomicU64, Ordering};

/// The sums since the start of a proxy.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct EgressTotals {
    /// Connections that were made to servers.
    pub connections: u64,
    /// Requests that the policy or the address refused.
    pub denied: u64,
    /// Bytes from the agent to servers.
    pub sent_bytes: u64,
    /// Bytes from servers to the agent.
    pub received_bytes: u64,
}

/// The sums while they grow.
#[derive(Debug, Default)]
pub(super) struct EgressCounters {
    pub(super) connections: AtomicU64,
    pub(super) denied: AtomicU64,
    pub(super) sent_bytes: AtomicU64,
    pub(super) received_bytes: AtomicU64,
}

impl EgressCounters {
    pub(super) fn read(&self) -> EgressTotals {
        let value = |counter: &AtomicU64| counter.load(Ordering::Relaxed);
        EgressTotals {
            connections: value(&self.connections),
            denied: value(&self.denied),
            sent_bytes: value(&self.sent_bytes),
            received_bytes: value(&self.received_bytes),
        }
    }
}
