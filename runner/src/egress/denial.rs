//! What is reported of refused connections: each host once, and of a bounded number of hosts.

use std::{
    collections::BTreeSet,
    fmt,
    sync::{Mutex, PoisonError},
};

use tokio::sync::mpsc::UnboundedSender;

use super::destination::Destination;

/// An agent can invent any number of hosts.
const MOST_HOSTS: usize = 100;

/// Why a connection was refused.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum DenialReason {
    /// The policy of the session does not admit the host or the port.
    Policy,
    /// The host has no address on the public internet or among those that the runner permits.
    Address,
}

/// A connection that was refused.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct DeniedConnection {
    /// The name or address that the agent asked for.
    pub host: String,
    /// The port.
    pub port: u16,
    /// Why.
    pub reason: DenialReason,
}

impl DeniedConnection {
    /// The stable code of the refusal.
    pub const CODE: &'static str = "EGRESS_DENIED";

    pub(super) fn new(destination: &Destination, reason: DenialReason) -> Self {
        Self { host: destination.host.clone(), port: destination.port, reason }
    }
}

impl fmt::Display for DeniedConnection {
    /// With the code, the reason and the remedy.
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        let destination = Destination { host: self.host.clone(), port: self.port };
        let reason = match self.reason {
            DenialReason::Policy => {
                "is not in the network of this session; the person who starts one can name it in agent_config.network"
            }
            DenialReason::Address => {
                "has no address on the public internet; the owner of the runner can permit it by --egress-address"
            }
        };
        write!(formatter, "{}: {destination} {reason}.", Self::CODE)
    }
}

/// Reports refusals.
#[derive(Debug)]
pub(super) struct DenialReporter {
    sender: UnboundedSender<DeniedConnection>,
    reported: Mutex<BTreeSet<String>>,
}

impl DenialReporter {
    pub(super) fn new(sender: UnboundedSender<DeniedConnection>) -> Self {
        Self { sender, reported: Mutex::default() }
    }

    /// Reports the first refusal of a host.
    pub(super) fn report(&self, denied: &DeniedConnection) {
        let mut reported = self.reported.lock().unwrap_or_else(PoisonError::into_inner);
        if reported.len() < MOST_HOSTS && reported.insert(denied.host.clone()) {
            // The receiver is gone when the session has ended.
            let _ = self.sender.send(denied.clone());
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_host_is_reported_once_and_a_flood_of_hosts_is_bounded() {
        let (sender, mut received) = tokio::sync::mpsc::unbounded_channel();
        let reporter = DenialReporter::new(sender);
        for number in 0..1000 {
            let destination = Destination { host: format!("h{}", number / 2), port: 80 };
            reporter.report(&DeniedConnection::new(&destination, DenialReason::Policy));
        }
        assert_eq!(received.len(), MOST_HOSTS);
        assert_eq!((received.try_recv().unwrap().host, received.try_recv().unwrap().host), ("h0".into(), "h1".into()));
    }
}
