//! Token buckets: their rates and levels, and counting in this process.
//!
//! The process counts every call before Redis does, with the same rule (GCRA) as the script there. A flood that exceeds
//! a limit is refused without a round trip, and while Redis is away the limits stay in force.

use std::{collections::HashMap, time::Duration};

/// The window of the limits: they are numbers of calls per minute.
pub const WINDOW: Duration = Duration::from_mins(1);

/// The smallest number of buckets at which full ones are removed.
const MIN_PRUNE_AT: usize = 1024;

/// A token bucket: its key, its rate and its capacity.
#[derive(Debug)]
pub(super) struct TokenBucket {
    pub key: String,
    pub per_minute: u32,
    /// The number of calls in a full bucket.
    pub capacity: u32,
}

impl TokenBucket {
    pub(super) fn new(key: String, per_minute: u32, burst: Duration) -> Self {
        let share = burst.as_secs_f64() / WINDOW.as_secs_f64();
        #[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "it saturates")]
        let capacity = (f64::from(per_minute) * share).round() as u32;
        Self { key, per_minute, capacity: capacity.max(1) }
    }

    pub(super) fn micros_per_call(&self) -> f64 {
        WINDOW.as_secs_f64() * 1e6 / f64::from(self.per_minute)
    }

    /// The microseconds in which the empty bucket fills up.
    pub(super) fn micros_to_fill(&self) -> f64 {
        self.micros_per_call() * f64::from(self.capacity)
    }
}

/// The fill level of a bucket.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(super) struct BucketLevel {
    pub left: u32,
    pub full_in: Duration,
}

/// The result of taking calls from buckets.
#[derive(Debug)]
pub(super) struct TakeResult {
    /// How long to wait, if the calls were not taken.
    pub wait: Option<Duration>,
    /// The level of each bucket, in the order of the request.
    pub levels: Vec<BucketLevel>,
}

/// The levels of the buckets that this process has counted in.
#[derive(Debug, Default)]
pub(super) struct LocalBuckets {
    /// When each bucket will be full, in microseconds of the process's own clock; absent = it is full.
    full_at: HashMap<String, f64>,
    prune_at: usize,
}

impl LocalBuckets {
    /// Takes `calls` from all buckets or from none; 0 only reads their levels. `now` is in microseconds.
    pub(super) fn take(&mut self, now: f64, buckets: &[TokenBucket], calls: u32) -> TakeResult {
        let cost = |bucket: &TokenBucket| f64::from(calls) * bucket.micros_per_call();
        let full_at: Vec<f64> = buckets.iter().map(|bucket| self.level_of(now, bucket)).collect();
        let waits = buckets.iter().zip(&full_at);
        let wait = waits.map(|(bucket, full)| full + cost(bucket) - now - bucket.micros_to_fill()).fold(0.0, f64::max);
        // The tolerance keeps rounding errors from refusing a call for less than a microsecond.
        let is_taken = wait < 1.0;
        let mut levels = Vec::with_capacity(buckets.len());
        for (bucket, mut full) in buckets.iter().zip(full_at) {
            if is_taken && calls > 0 {
                full += cost(bucket);
                self.full_at.insert(bucket.key.clone(), full);
            }
            levels.push(level(now, bucket, full));
        }
        self.remove_full_buckets(now);
        TakeResult { wait: (!is_taken).then(|| duration_of_micros(wait.ceil())), levels }
    }

    /// Returns calls that were taken here and then refused elsewhere.
    pub(super) fn put_back(&mut self, buckets: &[TokenBucket], calls: u32) {
        for bucket in buckets {
            if let Some(full) = self.full_at.get_mut(&bucket.key) {
                *full -= f64::from(calls) * bucket.micros_per_call();
            }
        }
    }

    /// Counts what other processes took: a bucket is at most as full as reported.
    pub(super) fn apply_reported_levels(&mut self, now: f64, buckets: &[TokenBucket], reported: &[BucketLevel]) {
        for (bucket, level) in buckets.iter().zip(reported) {
            let full = now + level.full_in.as_secs_f64() * 1e6;
            if full > self.level_of(now, bucket) {
                self.full_at.insert(bucket.key.clone(), full);
            }
        }
    }

    /// When a bucket will be full, clamped to an empty bucket in case its limit was lowered.
    fn level_of(&self, now: f64, bucket: &TokenBucket) -> f64 {
        let was = self.full_at.get(&bucket.key).copied().unwrap_or(now);
        was.clamp(now, now + bucket.micros_to_fill())
    }

    /// Bounds the memory: a bucket that is full again is like one that was never used.
    fn remove_full_buckets(&mut self, now: f64) {
        if self.full_at.len() >= self.prune_at.max(MIN_PRUNE_AT) {
            self.full_at.retain(|_, full| *full > now);
            self.prune_at = 2 * self.full_at.len();
        }
    }
}

fn level(now: f64, bucket: &TokenBucket, full: f64) -> BucketLevel {
    let left = (now + bucket.micros_to_fill() - full) / bucket.micros_per_call();
    // The tolerance keeps rounding errors from turning exactly one call into none.
    #[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "it saturates")]
    let left = (left + 0.001).floor() as u32;
    BucketLevel { left, full_in: duration_of_micros((full - now).ceil()) }
}

fn duration_of_micros(micros: f64) -> Duration {
    Duration::try_from_secs_f64(micros / 1e6).unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    const SECOND: f64 = 1e6;

    fn bucket(key: &str, per_minute: u32) -> TokenBucket {
        TokenBucket::new(key.to_owned(), per_minute, WINDOW)
    }

    #[test]
    fn a_flood_at_one_instant_passes_exactly_as_often_as_the_limit_allows() {
        let mut local = LocalBuckets::default();
        let buckets = [bucket("key", 600), bucket("tenant", 6000)];
        let passed = (0..6000).filter(|_| local.take(0.0, &buckets, 1).wait.is_none()).count();
        assert_eq!(passed, 600);
        let refused = local.take(0.0, &buckets, 1);
        assert_eq!(refused.wait, Some(Duration::from_millis(100)));
        assert_eq!((refused.levels[0].left, refused.levels[1].left), (0, 5400), "a refused call takes nothing");
        assert!(local.take(SECOND / 10.0, &buckets, 1).wait.is_none(), "one call every 100 ms");
        assert!(local.take(SECOND / 10.0, &buckets, 1).wait.is_some());
    }

    #[test]
    fn calls_that_others_took_count_and_refused_ones_do_not() {
        let mut local = LocalBuckets::default();
        let buckets = [bucket("key", 60)];
        assert_eq!(local.take(0.0, &buckets, 1).levels[0].left, 59);
        local.put_back(&buckets, 1);
        assert_eq!(local.take(0.0, &buckets, 0).levels[0].left, 60);
        let reported = [BucketLevel { left: 20, full_in: Duration::from_secs(40) }];
        local.apply_reported_levels(0.0, &buckets, &reported);
        assert_eq!(local.take(0.0, &buckets, 0).levels[0].left, 20);
        let stale = [BucketLevel { left: 60, full_in: Duration::ZERO }];
        local.apply_reported_levels(0.0, &buckets, &stale);
        assert_eq!(local.take(0.0, &buckets, 0).levels[0].left, 20, "a Redis that lost its data changes nothing");
    }

    #[test]
    fn buckets_that_are_full_again_use_no_memory() {
        let mut local = LocalBuckets::default();
        for n in 0..10_000 {
            local.take(f64::from(n) * SECOND, &[bucket(&n.to_string(), 60)], 1);
        }
        assert!(local.full_at.len() <= 2 * MIN_PRUNE_AT, "{}", local.full_at.len());
    }

    proptest! {
        #[test]
        fn no_window_passes_more_calls_than_its_burst_and_its_rate(
            per_minute in 1_u32..2000, pauses in prop::collection::vec(0_u32..2_000_000, 1..400)
        ) {
            let mut local = LocalBuckets::default();
            let buckets = [bucket("key", per_minute)];
            let (mut now, mut passed) = (0.0, Vec::new());
            for pause in pauses {
                now += f64::from(pause);
                if local.take(now, &buckets, 1).wait.is_none() {
                    passed.push(now);
                }
            }
            for (from, began) in passed.iter().enumerate() {
                for (to, ended) in passed.iter().enumerate().skip(from) {
                    let calls = u32::try_from(to - from + 1).unwrap();
                    let allowed = f64::from(per_minute) * (1.0 + (ended - began) / (60.0 * SECOND));
                    prop_assert!(f64::from(calls) <= allowed + 0.01, "{calls} calls, {allowed} allowed");
                }
            }
        }
    }
}
