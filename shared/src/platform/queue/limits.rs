//! The limits of the queues, the same on SQS and in memory.

use std::time::Duration;

/// The visibility timeout of a received message: six times the timeout of a worker function, as AWS advises.
pub const VISIBILITY: Duration = Duration::from_mins(15);

/// How often a message is delivered before it moves to the dead-letter queue.
pub const MAX_RECEIVES: u32 = 5;

/// The longest delay of SQS. A job that is due later arrives early, and its handler delays it again.
pub const MAX_DELAY: Duration = Duration::from_mins(15);

/// Longer than the life of a process, and short enough to be added to a clock.
pub(super) const FAR: Duration = Duration::from_hours(365 * 24);

/// The settings that SQS keeps as queue attributes.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub struct Limits {
    /// How long a received message stays hidden.
    pub visibility: Duration,
    /// How often a message is delivered before it moves to the dead-letter queue.
    pub max_receives: u32,
}

impl Default for Limits {
    fn default() -> Self {
        Self { visibility: VISIBILITY, max_receives: MAX_RECEIVES }
    }
}
