//! The fair lock: one holder per resource, a queue by priority and then arrival, and a fence that grows with every
//! grant.
//!
//! Acquiring never waits: a waiter that is not granted keeps a ticket and is notified by the wake token that it left.
//! The lock is a hint that avoids duplicate work; the fence, which the holder stores with everything it writes, makes
//! duplicates harmless. See `docs/adr/0003-fair-lock.md`.

mod hold;
mod resource;
pub mod script;
mod waiting;

use std::time::Duration;

use tokio::time::Instant;

pub use self::{
    hold::{HeldOutcome, LostLock},
    resource::Resource,
};
use crate::{kernel::error::Result, platform::redis::cache::Cache};

/// The fencing number: the later of two grants on one resource has the greater number.
pub type Fence = i64;

/// The fair locks. A call is one script and one round trip. The caller decides what an outage of Redis means.
#[derive(Clone, Debug)]
pub struct Locks {
    cache: Cache,
    handoff_window: Duration,
}

/// How a contender acquires a lock.
#[derive(Clone, Debug)]
pub struct AcquireOptions {
    /// The contender: one name per contender, not per machine, such as the id of a request or a run.
    pub owner: String,
    /// 0 goes first.
    pub priority: u8,
    /// How long the grant lasts unless renewed.
    pub lease: Duration,
    /// How long the place in the queue is kept without another call.
    pub ticket: Duration,
    /// The token to wake this contender with. A contender without one must poll.
    pub wake_token: Option<String>,
}

impl AcquireOptions {
    pub const LEASE: Duration = Duration::from_secs(30);
    /// The lease of the ticket of a polling contender.
    pub const POLLING_TICKET: Duration = Duration::from_secs(5);
    /// The lease of the ticket of a parked contender. After its notification it still has [`Locks::HANDOFF_WINDOW`].
    pub const PARKED_TICKET: Duration = Duration::from_mins(5);
    /// The longest lease and ticket: the Redis keys of a resource outlive both.
    pub const LONGEST: Duration = Duration::from_hours(1);

    /// A contender that polls until it is granted.
    pub fn new(owner: impl Into<String>) -> Self {
        Self { owner: owner.into(), priority: 2, lease: Self::LEASE, ticket: Self::POLLING_TICKET, wake_token: None }
    }

    /// A contender that is notified at its turn.
    pub fn parked(owner: impl Into<String>, wake_token: impl Into<String>) -> Self {
        Self { ticket: Self::PARKED_TICKET, wake_token: Some(wake_token.into()), ..Self::new(owner) }
    }
}

/// The answer to [`Locks::acquire`].
#[derive(Clone, Debug)]
pub enum AcquireOutcome {
    Granted(Grant),
    Queued {
        /// 1 is next.
        place: usize,
        /// The lock is free and a parked contender is first in the queue: notify this token.
        next: Option<String>,
    },
}

/// The right to work on a resource until the lease ends.
#[derive(Clone, Debug)]
pub struct Grant {
    pub resource: Resource,
    pub owner: String,
    pub fence: Fence,
    pub lease: Duration,
    /// The end of the lease by this process's clock, counted from before the call, so it is never too late.
    ends: Instant,
}

/// The answer to [`Locks::release`].
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct ReleaseOutcome {
    /// Whether the grant was valid until now.
    pub held: bool,
    /// The wake token of the next contender, which the caller notifies.
    pub next: Option<String>,
}

/// The state of a resource.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct LockState {
    pub holder: Option<Holder>,
    /// The number of live tickets.
    pub waiting: usize,
    /// The place of the owner asked about, if it has a ticket; 1 is next.
    pub place: Option<usize>,
}

/// Who holds a resource.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct Holder {
    pub owner: String,
    pub fence: Fence,
    /// The rest of its lease.
    pub left: Duration,
}

impl Locks {
    /// How long a free resource is reserved for the notified contender.
    pub const HANDOFF_WINDOW: Duration = Duration::from_secs(5);

    pub fn new(cache: Cache) -> Self {
        Self { cache, handoff_window: Self::HANDOFF_WINDOW }
    }

    /// The same locks with another reservation time. All processes that share a resource should use the same.
    #[must_use]
    pub fn with_handoff_window(self, handoff_window: Duration) -> Self {
        Self { handoff_window, ..self }
    }

    /// Acquires the resource: granted if it is free and no live contender comes first, else queued.
    ///
    /// A repeated call keeps the arrival, renews the ticket and takes the priority and wake token of this call. A
    /// holder that calls it queues behind itself: the lock is not re-entrant.
    pub async fn acquire(&self, resource: &Resource, ask: &AcquireOptions) -> Result<AcquireOutcome> {
        let asked = Instant::now();
        let lease = bounded_time(ask.lease);
        let mut call = script::ACQUIRING.prepare_invoke();
        call.key(&resource.keys()).arg(&ask.owner).arg(ask.priority).arg(millis(lease)).arg(millis(ask.ticket));
        call.arg(millis(self.handoff_window)).arg(ask.wake_token.as_deref().unwrap_or_default());
        let (fence, place, next) = self.cache.eval(&call).await?;
        if place > 0 {
            return Ok(AcquireOutcome::Queued { place, next });
        }
        let (resource, owner) = (resource.clone(), ask.owner.clone());
        Ok(AcquireOutcome::Granted(Grant { resource, owner, fence, lease, ends: asked + lease }))
    }

    /// Renews the lease; false if the grant is lost, which is final.
    pub async fn renew(&self, grant: &mut Grant) -> Result<bool> {
        let asked = Instant::now();
        let lease = bounded_time(grant.lease);
        let [holder, ..] = grant.resource.keys();
        let mut call = script::RENEWING.key(holder);
        call.arg(&grant.owner).arg(grant.fence).arg(millis(lease));
        let held = self.cache.eval(&call).await?;
        if held {
            grant.ends = asked + lease;
        }
        Ok(held)
    }

    /// Renews a grant that an earlier step stored; `None` if it is lost.
    pub async fn resume(
        &self,
        resource: &Resource,
        owner: &str,
        fence: Fence,
        lease: Duration,
    ) -> Result<Option<Grant>> {
        let (resource, owner) = (resource.clone(), owner.to_owned());
        let mut grant = Grant { resource, owner, fence, lease, ends: Instant::now() };
        Ok(self.renew(&mut grant).await?.then_some(grant))
    }

    /// Releases the resource to the next contender. An expired grant changes nothing for its successor.
    pub async fn release(&self, grant: &Grant) -> Result<ReleaseOutcome> {
        let mut call = script::RELEASING.key(&grant.resource.keys());
        call.arg(&grant.owner).arg(grant.fence).arg(millis(self.handoff_window));
        let (held, next) = self.cache.eval(&call).await?;
        Ok(ReleaseOutcome { held, next })
    }

    /// Leaves the queue. Returns the wake token to notify if it is another contender's turn now.
    pub async fn cancel(&self, resource: &Resource, owner: &str) -> Result<Option<String>> {
        let mut call = script::CANCELLING.key(&resource.keys());
        self.cache.eval(call.arg(owner).arg(millis(self.handoff_window))).await
    }

    /// The holder of the resource, the number of waiters, and the place of `owner`.
    pub async fn inspect(&self, resource: &Resource, owner: &str) -> Result<LockState> {
        let mut call = script::INSPECTING.key(&resource.keys());
        let (holder, fence, left, waiting, place): (String, _, _, _, usize) = self.cache.eval(call.arg(owner)).await?;
        let left = Duration::from_millis(left);
        let holder = (!left.is_zero()).then_some(Holder { owner: holder, fence, left });
        Ok(LockState { holder, waiting, place: (place > 0).then_some(place) })
    }
}

fn bounded_time(time: Duration) -> Duration {
    time.clamp(Duration::from_millis(1), AcquireOptions::LONGEST)
}

fn millis(time: Duration) -> u64 {
    u64::try_from(bounded_time(time).as_millis()).expect("an hour of milliseconds fits")
}
