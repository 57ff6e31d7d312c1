//! The clock. Nothing else in the workspace reads the system clock, so a test can fix the time.

use std::sync::{
    Arc,
    atomic::{AtomicI64, Ordering},
};

use chrono::{DateTime, TimeDelta, Utc};

/// A moment in UTC, with the microsecond precision that Postgres keeps.
pub type Time = DateTime<Utc>;

/// The source of the time.
#[derive(Clone, Debug, Default)]
pub enum Clock {
    /// The system clock.
    #[default]
    System,
    /// A clock that only [`Clock::advance`] moves. It holds microseconds since the epoch.
    Fixed(Arc<AtomicI64>),
}

impl Clock {
    /// A clock that stands at `time` until [`Clock::advance`] moves it.
    pub fn fixed(time: Time) -> Self {
        Self::Fixed(Arc::new(AtomicI64::new(time.timestamp_micros())))
    }

    /// The current time, truncated to microseconds so that a value read from Postgres equals the one written.
    #[expect(clippy::disallowed_methods, reason = "this is the one place that asks the system")]
    pub fn now(&self) -> Time {
        let micros = match self {
            Self::System => Utc::now().timestamp_micros(),
            Self::Fixed(micros) => micros.load(Ordering::SeqCst),
        };
        DateTime::from_timestamp_micros(micros).unwrap_or_default()
    }

    /// Moves a fixed clock forward. It does not change the system clock.
    pub fn advance(&self, by: TimeDelta) {
        if let Self::Fixed(micros) = self {
            micros.fetch_add(by.num_microseconds().unwrap_or(0), Ordering::SeqCst);
        }
    }
}
