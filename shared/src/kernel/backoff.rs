//! Exponential back-off: the pauses before the retries of something that failed.

use std::time::Duration;

/// A pause doubles with each retry, from the initial one to the longest.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub struct RetryPolicy {
    pub backoff_initial: Duration,
    pub backoff_max: Duration,
}

impl RetryPolicy {
    pub const fn new(backoff_initial: Duration, backoff_max: Duration) -> Self {
        Self { backoff_initial, backoff_max }
    }

    /// The pause before a retry, the first of which is number 1: `min(max, initial * 2^(retry - 1))`.
    pub fn retry_delay(&self, retry: i32) -> Duration {
        let doublings = u32::try_from(retry.saturating_sub(1)).unwrap_or(0).min(20);
        self.backoff_initial.saturating_mul(2_u32.pow(doublings)).min(self.backoff_max)
    }

    /// A random share of the pause, so that those who failed together do not retry together ("full jitter" of the AWS
    /// Architecture Blog, "Exponential Backoff And Jitter"). `jitter` is a random number from 0 to 1.
    pub fn jittered_delay(&self, retry: i32, jitter: f64) -> Duration {
        self.retry_delay(retry).mul_f64(jitter.clamp(0.0, 1.0))
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    const POLICY: RetryPolicy = RetryPolicy::new(Duration::from_secs(2), Duration::from_mins(5));

    #[test]
    fn pauses_double_from_the_initial_to_the_longest() {
        let pauses = [i32::MIN, 0, 1, 2, 3, 8, 9, i32::MAX].map(|retry| POLICY.retry_delay(retry).as_secs());
        assert_eq!(pauses, [2, 2, 2, 4, 8, 256, 300, 300]);
    }

    proptest! {
        #[test]
        fn a_jittered_pause_lies_within_its_doubling_ceiling(retry in 0..100_i32, jitter in 0.0..=1.0_f64) {
            let pause = POLICY.jittered_delay(retry, jitter);
            let ceiling = 2.0 * f64::powi(2.0, retry.max(1) - 1);
            prop_assert!(pause.as_secs_f64() <= ceiling.min(300.0) + 1e-6);
        }
    }
}
