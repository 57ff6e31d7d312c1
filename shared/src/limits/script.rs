//! The one script of the limits, and what it is asked and answers.

use std::{sync::LazyLock, time::Duration};

use redis::Script;

use super::WINDOW;
use crate::{
    cache::Cache,
    error::{Error, Result},
};

static TAKE: LazyLock<Script> = LazyLock::new(|| Script::new(include_str!("take.lua")));

/// One bucket: where it stands in Redis, and how many calls a minute fill it.
#[derive(Debug)]
pub(super) struct Bucket {
    pub key: String,
    pub per_minute: u32,
    /// How many calls it holds when it is full.
    pub holds: u32,
}

impl Bucket {
    pub(super) fn new(key: String, per_minute: u32, burst: Duration) -> Self {
        let share = burst.as_secs_f64() / WINDOW.as_secs_f64();
        #[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "it saturates")]
        let holds = (f64::from(per_minute) * share).round() as u32;
        Self { key, per_minute, holds: holds.max(1) }
    }

    fn every_us(&self) -> f64 {
        WINDOW.as_secs_f64() * 1e6 / f64::from(self.per_minute)
    }
}

/// How things stand with a bucket.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(super) struct Level {
    pub left: u32,
    pub full_in: Duration,
}

/// What the script answers.
pub(super) struct Taken {
    /// How long to wait, when nothing was taken.
    pub wait: Option<Duration>,
    /// Of each bucket, in their order.
    pub levels: Vec<Level>,
}

/// Takes `calls` out of all buckets, or out of none.
pub(super) async fn take(cache: &Cache, buckets: &[Bucket], calls: u32) -> Result<Taken> {
    let mut call = TAKE.prepare_invoke();
    call.arg(calls);
    for bucket in buckets {
        let every = bucket.every_us();
        call.key(&bucket.key).arg(every).arg(every * f64::from(bucket.holds));
    }
    let answer: Vec<i64> = cache.eval(&call).await?;
    let [taken, wait, levels @ ..] = answer.as_slice() else { return Err(Error::internal("a short answer")) };
    let micros = |number: &i64| Duration::from_micros(u64::try_from(*number).unwrap_or(0));
    let read = |pair: &[i64]| Level { left: u32::try_from(pair[0]).unwrap_or(0), full_in: micros(&pair[1]) };
    Ok(Taken { wait: (*taken == 0).then(|| micros(wait)), levels: levels.chunks_exact(2).map(read).collect() })
}
