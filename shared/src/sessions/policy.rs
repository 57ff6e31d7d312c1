//! How often a run is observed, and how soon a run that failed for the moment is retried.

use std::time::Duration;

use crate::kernel::backoff::RetryPolicy;

use super::usage_claims::UsageBounds;

/// How often a run is observed.
#[derive(Clone, Copy, Debug)]
pub struct PollPolicy {
    /// The pause after an observation that showed something new.
    pub interval_min: Duration,
    /// The longest pause. A pause grows by half at each observation that showed nothing new.
    pub interval_max: Duration,
    /// How long an agent may be unreachable before its sessions fail or move to another agent.
    pub agent_offline: Duration,
}

impl Default for PollPolicy {
    fn default() -> Self {
        Self {
            interval_min: Duration::from_secs(1),
            interval_max: Duration::from_secs(30),
            agent_offline: Duration::from_mins(2),
        }
    }
}

/// How what is observed of a run is recorded, and when it is observed again.
#[derive(Clone, Copy, Debug)]
pub struct ObservationPolicy {
    pub poll: PollPolicy,
    /// The bounds of what the run books on the word of its agent; `None`: the platform runs the agent itself.
    pub usage_bounds: Option<UsageBounds>,
    /// How many events a log holds before entries of the agent are left out.
    pub max_events: i64,
}

/// The size of a session's log, unless it is configured: many times what a run of a day writes.
pub const DEFAULT_MAX_EVENTS: i64 = 200_000;

/// The pauses between automatic retries, unless they are configured.
pub const DEFAULT_RETRY: RetryPolicy = RetryPolicy::new(Duration::from_secs(2), Duration::from_mins(5));

/// The longest pause between two attempts to hand a session over.
pub const HANDOVER_PAUSE_MAX: Duration = Duration::from_secs(10);

/// How long a pulling agent has to claim a session that is offered to it, unless it is configured.
pub const DEFAULT_OFFER_TIMEOUT: Duration = Duration::from_secs(45);

/// How often something that failed for the moment is retried automatically.
pub const MAX_ATTEMPTS: i32 = 3;
