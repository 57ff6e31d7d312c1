//! The Redis script of the rate limits, with its arguments and its response.

use std::{sync::LazyLock, time::Duration};

use redis::Script;

use super::bucket::{BucketLevel, TakeResult, TokenBucket};
use crate::{
    kernel::error::{Error, Result},
    platform::redis::cache::Cache,
};

static TAKE_SCRIPT: LazyLock<Script> = LazyLock::new(|| Script::new(include_str!("take.lua")));

/// Takes `calls` from all buckets or from none; 0 only reads their levels.
pub(super) async fn take_from_buckets(cache: &Cache, buckets: &[TokenBucket], calls: u32) -> Result<TakeResult> {
    let mut call = TAKE_SCRIPT.prepare_invoke();
    call.arg(calls);
    for bucket in buckets {
        call.key(&bucket.key).arg(bucket.micros_per_call()).arg(bucket.micros_to_fill());
    }
    let answer: Vec<i64> = cache.eval(&call).await?;
    let [taken, wait, levels @ ..] = answer.as_slice() else {
        return Err(Error::internal("the rate limit script answered too few values"));
    };
    let micros = |number: &i64| Duration::from_micros(u64::try_from(*number).unwrap_or(0));
    let read = |pair: &[i64]| BucketLevel { left: u32::try_from(pair[0]).unwrap_or(0), full_in: micros(&pair[1]) };
    Ok(TakeResult { wait: (*taken == 0).then(|| micros(wait)), levels: levels.chunks_exact(2).map(read).collect() })
}
