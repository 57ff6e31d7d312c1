//! Rate limits: on the calls of one key or user, and on all calls of a tenant together.
//!
//! Both are token buckets (GCRA). Each process counts the calls that it receives, and Redis those of all processes, in
//! one script and by the clock of its server. Redis is only a hint here as everywhere: while it does not respond, the
//! count of the process decides alone.

mod bucket;
mod script;
pub mod service;
mod store;

use std::{
    sync::{Mutex, PoisonError},
    time::Duration,
};

use tokio::time::Instant;

use crate::{
    identity::concurrent_calls::ConcurrentCalls,
    identity::tenants::quotas::{QuotaOverrides, StoredAmounts},
    kernel::id::TenantId,
    platform::cached_reads::CachedReads,
};

use bucket::LocalBuckets;
pub use bucket::WINDOW;

/// How long Redis is not asked after it failed to respond.
pub const REDIS_PAUSE: Duration = Duration::from_secs(1);

/// How long a tenant's own limit stays cached.
pub const LIMIT_CACHE_TTL: Duration = Duration::from_secs(5);

/// The highest limit that can be set, in calls per minute.
pub const MAX_CALLS_PER_MINUTE: u32 = 10_000_000;

/// The limits of a tenant of its own, and what it stores, as they are cached for [`LIMIT_CACHE_TTL`].
#[derive(Clone, Copy, Debug, Default)]
pub struct TenantState {
    /// Calls per minute, if the tenant has a limit of its own; 0 = unlimited.
    pub calls_per_minute: Option<u32>,
    pub quotas: QuotaOverrides,
    pub stored: StoredAmounts,
}

/// The rate limits of the platform.
#[derive(Clone, Copy, Debug)]
pub struct RateLimits {
    /// Calls per minute of one key or user; 0 = unlimited.
    pub per_key: u32,
    /// Calls per minute of a tenant without a limit of its own; 0 = unlimited.
    pub per_tenant: u32,
    /// The capacity of a bucket, as the time in which an empty one fills up: the calls of that time may come at once.
    pub burst: Duration,
    /// How long a call waits for Redis.
    pub patience: Duration,
    /// Calls of one key or user that are processed at once; 0 = unlimited.
    pub concurrent_per_key: u32,
    /// How long a call waits for its turn while that many are.
    pub turn_patience: Duration,
}

impl Default for RateLimits {
    fn default() -> Self {
        Self {
            per_key: 600,
            per_tenant: 6000,
            burst: WINDOW,
            patience: Duration::from_millis(50),
            concurrent_per_key: 100,
            turn_patience: Duration::from_secs(5),
        }
    }
}

impl RateLimits {
    /// No limits.
    pub fn unlimited() -> Self {
        Self { per_key: 0, per_tenant: 0, concurrent_per_key: 0, ..Self::default() }
    }
}

/// The state of this process: a cache of the state of tenants, its own count, and whether Redis responds.
pub struct RateLimiter {
    tenants: CachedReads<TenantId, TenantState>,
    started: Instant,
    local: Mutex<LocalBuckets>,
    concurrent: ConcurrentCalls,
    /// Until when Redis is not asked, while it does not respond.
    paused_until: Mutex<Option<Instant>>,
}

impl Default for RateLimiter {
    fn default() -> Self {
        let tenants = CachedReads::new(10_000, LIMIT_CACHE_TTL);
        Self {
            tenants,
            started: Instant::now(),
            local: Mutex::default(),
            concurrent: ConcurrentCalls::default(),
            paused_until: Mutex::new(None),
        }
    }
}

impl RateLimiter {
    /// Clears the cache of the tenants' own limits, after a change to one.
    pub(crate) fn invalidate(&self) {
        self.tenants.invalidate();
    }

    /// Runs `work` on the count of this process, with the present time in microseconds.
    fn with_local<T>(&self, work: impl FnOnce(&mut LocalBuckets, f64) -> T) -> T {
        let mut local = self.local.lock().unwrap_or_else(PoisonError::into_inner);
        work(&mut local, self.started.elapsed().as_secs_f64() * 1e6)
    }

    fn is_redis_available(&self) -> bool {
        self.paused_until().is_none_or(|until| until <= Instant::now())
    }

    /// Records that Redis did not respond; true if it did before.
    fn record_failure(&self) -> bool {
        self.set_paused_until(Some(Instant::now() + REDIS_PAUSE)).is_none()
    }

    /// Records that Redis responded; true if it did not before.
    fn record_success(&self) -> bool {
        self.paused_until().is_some() && self.set_paused_until(None).is_some()
    }

    fn paused_until(&self) -> Option<Instant> {
        *self.paused_until.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn set_paused_until(&self, until: Option<Instant>) -> Option<Instant> {
        std::mem::replace(&mut *self.paused_until.lock().unwrap_or_else(PoisonError::into_inner), until)
    }
}
