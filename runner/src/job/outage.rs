//! Times in which the control plane is out of reach.

use std::time::Duration;

/// How long the control plane may be out of reach.
#[derive(Clone, Copy, Debug)]
pub struct OutageLimits {
    /// Until the process of the agent ends. With the time between two reports it is the time of a lease, after which
    /// another runner may have the task.
    pub suspend_after: Duration,
    /// Until the task counts as lost. Before, it goes on if no other runner has it.
    pub give_up_after: Duration,
}
