//! How fast a run is looked at, and how soon what failed for the moment is tried again.

use std::time::Duration;

/// The pace of a run.
#[derive(Clone, Copy, Debug)]
pub struct Pace {
    /// The pause after an observation that showed something new.
    pub shortest: Duration,
    /// The longest pause, reached by growing by half at each observation that showed nothing.
    pub longest: Duration,
    /// How long an agent may be out of reach before its sessions are given up.
    pub agent_offline: Duration,
    /// The first and the longest pause before something that failed for the moment is tried again.
    pub retry_first: Duration,
    pub retry_longest: Duration,
}

impl Default for Pace {
    fn default() -> Self {
        Self {
            shortest: Duration::from_secs(1),
            longest: Duration::from_secs(30),
            agent_offline: Duration::from_mins(2),
            retry_first: Duration::from_secs(2),
            retry_longest: Duration::from_mins(5),
        }
    }
}

/// How often something that failed for the moment is tried again by itself.
pub const MAX_ATTEMPTS: i32 = 3;

/// Full jitter: a random share of a pause that doubles from the first to the longest.
pub fn back_off(attempt: i32, pace: &Pace, jitter: f64) -> Duration {
    let doublings = u32::try_from(attempt.saturating_sub(1)).unwrap_or(0).min(20);
    let ceiling = pace.retry_first.saturating_mul(2_u32.pow(doublings)).min(pace.retry_longest);
    ceiling.mul_f64(jitter.clamp(0.0, 1.0))
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    proptest! {
        #[test]
        fn a_pause_before_a_retry_lies_within_its_doubling_ceiling(attempt in 0..100_i32, jitter in 0.0..=1.0_f64) {
            let pace = Pace::default();
            let pause = back_off(attempt, &pace, jitter);
            prop_assert!(pause <= pace.retry_longest);
            let ceiling = 2.0 * f64::powi(2.0, attempt.max(1) - 1);
            prop_assert!(pause.as_secs_f64() <= ceiling.min(300.0) + 1e-6);
        }
    }
}
