//! The fair lock: one holder per resource, a queue by priority and then arrival, and a fence that grows with every grant.
//!
//! Acquiring never waits: one who is not granted holds a ticket, goes away, and is called by the doorbell that it left.
//! The lock is a hint that keeps work from clashing; what makes a clash harmless is the fence, which the holder stores
//! with all it writes. See `docs/adr/0003-fair-lock.md`.

mod hold;
mod resource;
pub mod script;
mod waiting;

use std::time::Duration;

use tokio::time::Instant;

pub use self::{
    hold::{Held, Lost},
    resource::Resource,
};
use crate::{cache::Cache, error::Result};

/// The fencing number: of two grants on one resource, the later has the greater.
pub type Fence = i64;

/// The locks on everything. A call is one script and one round trip; an outage of Redis is the caller's to judge.
#[derive(Clone, Debug)]
pub struct Locks {
    cache: Cache,
    turn: Duration,
}

/// One contender's wish.
#[derive(Clone, Debug)]
pub struct Ask {
    /// Who asks: one name per contender and not per machine, such as the id of a request or a run.
    pub owner: String,
    /// 0 goes first.
    pub priority: u8,
    /// How long the grant lasts unless renewed.
    pub lease: Duration,
    /// How long the place in the queue is kept without asking again.
    pub ticket: Duration,
    /// What to hand to the one who is to wake this contender; without it, it must keep asking.
    pub doorbell: Option<String>,
}

impl Ask {
    pub const LEASE: Duration = Duration::from_secs(30);
    /// The ticket of one who keeps asking.
    pub const AWAKE: Duration = Duration::from_secs(5);
    /// The ticket of one who sleeps until its doorbell rings. When called, it has [`Locks::TURN`] all the same.
    pub const ASLEEP: Duration = Duration::from_mins(5);
    /// No lease and no ticket is longer: what Redis keeps of a resource outlives both.
    pub const LONGEST: Duration = Duration::from_hours(1);

    /// One who keeps asking until granted.
    pub fn new(owner: impl Into<String>) -> Self {
        Self { owner: owner.into(), priority: 2, lease: Self::LEASE, ticket: Self::AWAKE, doorbell: None }
    }

    /// One who goes away and is called.
    pub fn with_doorbell(owner: impl Into<String>, doorbell: impl Into<String>) -> Self {
        Self { ticket: Self::ASLEEP, doorbell: Some(doorbell.into()), ..Self::new(owner) }
    }
}

/// The answer to [`Locks::acquire`].
#[derive(Clone, Debug)]
pub enum Acquired {
    Granted(Grant),
    Queued {
        /// 1 is next.
        place: usize,
        /// The lock turned out to be free with another first in the queue, who sleeps: ring this.
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
    /// The end of the lease by this process's clock, counted from before the server was asked: never too late.
    ends: Instant,
}

/// The answer to [`Locks::release`].
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct Released {
    /// Whether the grant had held until now.
    pub held: bool,
    /// The doorbell of the one whose turn it is now, for the caller to ring.
    pub next: Option<String>,
}

/// How things stand with a resource.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct Standing {
    pub holder: Option<Holder>,
    /// How many live tickets there are.
    pub waiting: usize,
    /// The place of the owner asked about, if it has a ticket; 1 is next.
    pub place: Option<usize>,
}

/// Who holds a resource.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct Holder {
    pub owner: String,
    pub fence: Fence,
    /// What is left of its lease.
    pub left: Duration,
}

impl Locks {
    /// How long a free resource is kept for the one whose turn it is and who was called.
    pub const TURN: Duration = Duration::from_secs(5);

    pub fn new(cache: Cache) -> Self {
        Self { cache, turn: Self::TURN }
    }

    /// The same locks with another turn; all who share a resource should agree on it.
    #[must_use]
    pub fn with_turn(self, turn: Duration) -> Self {
        Self { turn, ..self }
    }

    /// Asks for the resource: granted when it is free and nobody alive comes first, else queued.
    ///
    /// Asking again keeps the arrival, renews the ticket and takes over the priority and the doorbell of this call. A
    /// holder who asks queues up behind itself: the lock is not re-entrant.
    pub async fn acquire(&self, resource: &Resource, ask: &Ask) -> Result<Acquired> {
        let asked = Instant::now();
        let lease = bounded(ask.lease);
        let mut call = script::ACQUIRING.prepare_invoke();
        call.key(&resource.keys()).arg(&ask.owner).arg(ask.priority).arg(millis(lease)).arg(millis(ask.ticket));
        call.arg(millis(self.turn)).arg(ask.doorbell.as_deref().unwrap_or_default());
        let (fence, place, next) = self.cache.eval(&call).await?;
        if place > 0 {
            return Ok(Acquired::Queued { place, next });
        }
        let (resource, owner) = (resource.clone(), ask.owner.clone());
        Ok(Acquired::Granted(Grant { resource, owner, fence, lease, ends: asked + lease }))
    }

    /// Begins the lease anew; false when the grant is lost, and then for good.
    pub async fn renew(&self, grant: &mut Grant) -> Result<bool> {
        let asked = Instant::now();
        let lease = bounded(grant.lease);
        let [holder, ..] = grant.resource.keys();
        let mut call = script::RENEWING.key(holder);
        call.arg(&grant.owner).arg(grant.fence).arg(millis(lease));
        let held = self.cache.eval(&call).await?;
        if held {
            grant.ends = asked + lease;
        }
        Ok(held)
    }

    /// Renews a grant that an earlier step wrote down; `None` when it is lost.
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

    /// Gives the resource back and makes it the next one's turn. A grant that is no more changes nothing for its
    /// successor.
    pub async fn release(&self, grant: &Grant) -> Result<Released> {
        let mut call = script::RELEASING.key(&grant.resource.keys());
        call.arg(&grant.owner).arg(grant.fence).arg(millis(self.turn));
        let (held, next) = self.cache.eval(&call).await?;
        Ok(Released { held, next })
    }

    /// Leaves the queue; answers the doorbell to ring when that makes it another's turn.
    pub async fn cancel(&self, resource: &Resource, owner: &str) -> Result<Option<String>> {
        let mut call = script::CANCELLING.key(&resource.keys());
        self.cache.eval(call.arg(owner).arg(millis(self.turn))).await
    }

    /// Who holds the resource, how many wait, and which place `owner` has.
    pub async fn inspect(&self, resource: &Resource, owner: &str) -> Result<Standing> {
        let mut call = script::INSPECTING.key(&resource.keys());
        let (holder, fence, left, waiting, place): (String, _, _, _, usize) = self.cache.eval(call.arg(owner)).await?;
        let left = Duration::from_millis(left);
        let holder = (!left.is_zero()).then_some(Holder { owner: holder, fence, left });
        Ok(Standing { holder, waiting, place: (place > 0).then_some(place) })
    }
}

fn bounded(time: Duration) -> Duration {
    time.clamp(Duration::from_millis(1), Ask::LONGEST)
}

fn millis(time: Duration) -> u64 {
    u64::try_from(bounded(time).as_millis()).expect("an hour of milliseconds fits")
}
