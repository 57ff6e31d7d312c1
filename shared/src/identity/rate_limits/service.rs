//! The use cases of the rate limits: counting a call, and reading a tenant's usage.

use std::{pin::pin, time::Duration};

use futures_util::FutureExt;
use tokio::time::Instant;

use super::{
    TenantState,
    bucket::{BucketLevel, TakeResult, TokenBucket},
    script::take_from_buckets,
    store,
};
use crate::{
    identity::auth::CallerIdentity,
    identity::concurrent_calls::CallInProgress,
    identity::services::IdentityServices,
    kernel::{
        error::{Error, Result},
        id::TenantId,
    },
};

/// The decision on a call.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct RateDecision {
    /// How long to wait, if the call is refused.
    pub wait: Option<Duration>,
    /// The status of each limit.
    pub limits: Vec<LimitStatus>,
}

/// The status of one limit after a call.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct LimitStatus {
    /// `key` or `tenant`.
    pub name: &'static str,
    pub per_minute: u32,
    /// How many more calls are allowed now.
    pub left: u32,
    /// How long until the limit is fully available again, if no call comes.
    pub full_in: Duration,
}

/// The usage of a tenant's call limit.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct CallUsage {
    /// Calls per minute; `None` = unlimited.
    pub limit: Option<u32>,
    /// Calls that still count.
    pub used: u32,
    /// How long until none of them counts.
    pub resets_in: Duration,
}

/// Counts a call of an authenticated caller and decides on it.
pub async fn count_call(services: &IdentityServices, identity: &CallerIdentity) -> Result<RateDecision> {
    let (tenant_id, principal) = (identity.home_tenant_id(), identity.principal_key());
    let rate = services.rate_limits;
    let per_tenant = tenant_limit(services, tenant_id).await?;
    let mut names = Vec::with_capacity(2);
    let mut buckets = Vec::with_capacity(2);
    if rate.per_key > 0 {
        names.push("key");
        buckets.push(TokenBucket::new(format!("calls:{{{tenant_id}}}:{principal}"), rate.per_key, rate.burst));
    }
    if per_tenant > 0 {
        names.push("tenant");
        buckets.push(TokenBucket::new(tenant_key(tenant_id), per_tenant, rate.burst));
    }
    let TakeResult { wait, levels } = take_calls(services, &buckets, 1).await;
    let named_levels = names.into_iter().zip(&buckets).zip(levels);
    let limits = named_levels.map(|((name, bucket), BucketLevel { left, full_in })| LimitStatus {
        name,
        per_minute: bucket.per_minute,
        left,
        full_in,
    });
    Ok(RateDecision { wait, limits: limits.collect() })
}

/// Begins to process a call. It waits while as many calls of the same key or user are in progress as are allowed.
pub async fn begin_call(services: &IdentityServices, identity: &CallerIdentity) -> Result<CallInProgress> {
    let key = format!("{}:{}", identity.home_tenant_id(), identity.principal_key());
    let rate = &services.rate_limits;
    services.limiter.concurrent.begin(key, rate.concurrent_per_key, rate.turn_patience).await
}

/// Reads the usage of a tenant's call limit. This counts as no call.
pub async fn tenant_usage(services: &IdentityServices, tenant_id: TenantId) -> Result<CallUsage> {
    let limit = tenant_limit(services, tenant_id).await?;
    if limit == 0 {
        return Ok(CallUsage { limit: None, used: 0, resets_in: Duration::ZERO });
    }
    let bucket = TokenBucket::new(tenant_key(tenant_id), limit, services.rate_limits.burst);
    let taken = take_calls(services, std::slice::from_ref(&bucket), 0).await;
    let level = taken.levels.first();
    Ok(CallUsage {
        limit: Some(limit),
        used: level.map_or(0, |level| bucket.capacity.saturating_sub(level.left)),
        resets_in: level.map_or(Duration::ZERO, |level| level.full_in),
    })
}

/// Whether the calls of all processes are counted together now. They are not for a moment after Redis failed to
/// respond.
pub fn is_shared(services: &IdentityServices) -> bool {
    services.limiter.is_redis_available()
}

fn tenant_key(tenant_id: TenantId) -> String {
    format!("calls:{{{tenant_id}}}")
}

/// The calls per minute of a tenant: its own limit, or the platform's.
async fn tenant_limit(services: &IdentityServices, tenant_id: TenantId) -> Result<u32> {
    let own = tenant_state(services, tenant_id).await?.calls_per_minute;
    Ok(own.unwrap_or(services.rate_limits.per_tenant))
}

/// The limits of a tenant and what it stores, at most [`LIMIT_CACHE_TTL`](super::LIMIT_CACHE_TTL) old. Usually they
/// were read when the call was counted.
pub(crate) async fn tenant_state(services: &IdentityServices, tenant_id: TenantId) -> Result<TenantState> {
    let read = async { Ok(Some(store::read_tenant_state(&services.db, tenant_id).await?)) };
    Ok(services.limiter.tenants.find(&tenant_id, read).await?.unwrap_or_default())
}

/// Takes calls from buckets: first by the count of this process, then by that of all processes. If Redis does not
/// respond in time, or failed to a moment ago, the process's own count decides.
async fn take_calls(services: &IdentityServices, buckets: &[TokenBucket], calls: u32) -> TakeResult {
    let limiter = &services.limiter;
    let own = limiter.with_local(|local, now| local.take(now, buckets, calls));
    if buckets.is_empty() || own.wait.is_some() || !limiter.is_redis_available() {
        return own;
    }
    let Some(shared) = take_shared_calls(services, buckets, calls).await else { return own };
    limiter.with_local(|local, now| {
        if shared.wait.is_some() {
            local.put_back(buckets, calls);
        }
        local.apply_reported_levels(now, buckets, &shared.levels);
    });
    shared
}

/// Takes calls from buckets in Redis. `None` if it does not respond in time.
async fn take_shared_calls(services: &IdentityServices, buckets: &[TokenBucket], calls: u32) -> Option<TakeResult> {
    let (limiter, patience) = (&services.limiter, services.rate_limits.patience);
    let mut asked = pin!(take_from_buckets(&services.cache, buckets, calls));
    let until = Instant::now() + patience;
    let answer = match tokio::time::timeout_at(until, asked.as_mut()).await {
        Ok(answer) => answer,
        Err(late) => {
            let delay = scheduling_delay(until).await;
            match asked.now_or_never() {
                Some(answer) => answer,
                // This process is behind its own clock, so that says nothing about Redis.
                None if delay > patience / 5 => {
                    tracing::debug!(?delay, "this process is too busy to wait for Redis; it counts the call alone");
                    return None;
                }
                None => Err(Error::unavailable("Redis", late)),
            }
        }
    };
    match answer {
        Ok(taken) => {
            if limiter.record_success() {
                tracing::info!("Redis responds again; rate limits apply to all processes together");
            }
            Some(taken)
        }
        Err(error) => {
            if limiter.record_failure() {
                tracing::warn!(?error, "Redis does not respond; each process enforces the rate limits alone");
            }
            None
        }
    }
}

/// How late this process runs a task that became ready at `due`, and the next one.
async fn scheduling_delay(due: Instant) -> Duration {
    tokio::task::yield_now().await;
    due.elapsed()
}
