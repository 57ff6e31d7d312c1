//! Limits on how many calls come: of one key or person, and of all of a tenant together.
//!
//! Both are buckets that fill steadily (GCRA), kept in Redis by the server's own clock, and asked in one script. Redis is
//! a hint here as everywhere: while it does not answer, calls go through.

mod script;
pub mod service;
mod store;

use std::{
    sync::{Mutex, PoisonError},
    time::Duration,
};

use moka::sync::Cache;
use tokio::time::Instant;

use crate::id::TenantId;

/// What is measured over.
pub const WINDOW: Duration = Duration::from_mins(1);

/// How long Redis is left alone after it did not answer.
pub const REST: Duration = Duration::from_secs(1);

/// The most calls per minute that can be set.
pub const MOST: u32 = 10_000_000;

/// What the platform allows.
#[derive(Clone, Copy, Debug)]
pub struct RateLimits {
    /// Calls per minute of one key or person; 0 = unlimited.
    pub per_key: u32,
    /// Calls per minute of a tenant that has no limit of its own; 0 = unlimited.
    pub per_tenant: u32,
    /// How much of what an idle caller saved up may be spent at once: the calls of this long.
    pub burst: Duration,
    /// How long a call waits for Redis at most.
    pub patience: Duration,
}

impl Default for RateLimits {
    fn default() -> Self {
        Self { per_key: 600, per_tenant: 6000, burst: WINDOW, patience: Duration::from_millis(50) }
    }
}

impl RateLimits {
    /// As many calls as like to come.
    pub fn unlimited() -> Self {
        Self { per_key: 0, per_tenant: 0, ..Self::default() }
    }
}

/// What this process knows beside Redis: the tenants' own limits, and whether Redis answers.
pub(crate) struct Limiter {
    tenants: Cache<TenantId, Option<u32>>,
    /// Until when Redis is left alone, while it does not answer.
    resting: Mutex<Option<Instant>>,
}

impl Default for Limiter {
    fn default() -> Self {
        let tenants = Cache::builder().max_capacity(10_000).time_to_live(service::KNOWN_FOR).build();
        Self { tenants, resting: Mutex::new(None) }
    }
}

impl Limiter {
    /// Forgets the tenants' own limits, after a change to one.
    pub(crate) fn forget(&self) {
        self.tenants.invalidate_all();
    }

    fn may_ask(&self) -> bool {
        self.resting().is_none_or(|until| until <= Instant::now())
    }

    /// Redis did not answer; true when it did before.
    fn failed(&self) -> bool {
        self.set_resting(Some(Instant::now() + REST)).is_none()
    }

    /// Redis answered; true when it did not before.
    fn answered(&self) -> bool {
        self.resting().is_some() && self.set_resting(None).is_some()
    }

    fn resting(&self) -> Option<Instant> {
        *self.resting.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn set_resting(&self, until: Option<Instant>) -> Option<Instant> {
        std::mem::replace(&mut *self.resting.lock().unwrap_or_else(PoisonError::into_inner), until)
    }
}
