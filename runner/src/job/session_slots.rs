//! The slots of a runner: how many agents have a process at once. A session that waits for a person lends its slot; it
//! gives it back when another session needs one.

use std::{
    collections::VecDeque,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
};

use tokio::sync::{Notify, OwnedSemaphorePermit, Semaphore};
use tokio_util::sync::CancellationToken;

/// The slots that all programs of a runner share.
#[derive(Debug)]
pub struct SessionSlots {
    permits: Arc<Semaphore>,
    demand: Mutex<SlotDemand>,
    /// Notified when a slot has become free, or can be had.
    changed: Notify,
}

#[derive(Debug, Default)]
struct SlotDemand {
    /// How many sessions wait for a slot.
    waiting: usize,
    /// The sessions that give up theirs on demand, the longest idle first.
    offers: VecDeque<(u64, CancellationToken)>,
    next_offer: u64,
}

impl SessionSlots {
    pub fn new(slots: usize) -> Arc<Self> {
        let permits = Arc::new(Semaphore::new(slots));
        Arc::new(Self { permits, demand: Mutex::default(), changed: Notify::new() })
    }

    /// Waits until a slot is free, or held by a session that gives it up on demand.
    pub async fn wait_for_room(&self) {
        loop {
            // Created before the check, so that no change in between is missed.
            let changed = self.changed.notified();
            if self.permits.available_permits() > 0 || !self.demand().offers.is_empty() {
                return;
            }
            changed.await;
        }
    }

    /// Takes a free slot, or demands one from the session that has been idle for the longest time and waits for it.
    async fn acquire(self: &Arc<Self>) -> SessionSlot {
        let permit = if let Ok(permit) = self.permits.clone().try_acquire_owned() {
            Some(permit)
        } else {
            let _request = SlotRequest::register(self);
            // Never closed.
            self.permits.clone().acquire_owned().await.ok()
        };
        SessionSlot { permit, slots: self.clone() }
    }

    fn demand(&self) -> MutexGuard<'_, SlotDemand> {
        self.demand.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// A session that waits for a slot.
struct SlotRequest<'a>(&'a SessionSlots);

impl<'a> SlotRequest<'a> {
    fn register(slots: &'a SessionSlots) -> Self {
        let mut demand = slots.demand();
        demand.waiting += 1;
        if let Some((_, wanted)) = demand.offers.pop_front() {
            wanted.cancel();
        }
        Self(slots)
    }
}

impl Drop for SlotRequest<'_> {
    fn drop(&mut self) {
        self.0.demand().waiting -= 1;
    }
}

#[derive(Debug)]
struct SessionSlot {
    permit: Option<OwnedSemaphorePermit>,
    slots: Arc<SessionSlots>,
}

impl Drop for SessionSlot {
    fn drop(&mut self) {
        drop(self.permit.take());
        self.slots.changed.notify_waiters();
    }
}

/// The slot of one session, which it gives up and takes again.
#[derive(Debug)]
pub struct SlotHolder {
    slots: Arc<SessionSlots>,
    slot: Option<SessionSlot>,
}

impl SlotHolder {
    /// A session without a slot.
    pub fn new(slots: &Arc<SessionSlots>) -> Self {
        Self { slots: slots.clone(), slot: None }
    }

    /// Whether a slot can be had at once.
    pub fn is_free(&self) -> bool {
        self.slot.is_some() || self.slots.permits.available_permits() > 0
    }

    /// Waits for a slot, unless the session has one. Can be dropped while it waits.
    pub async fn take(&mut self) {
        if self.slot.is_none() {
            self.slot = Some(self.slots.acquire().await);
        }
    }

    pub fn release(&mut self) {
        self.slot = None;
    }

    /// Offers the slot to sessions that need one, until the offer is dropped.
    pub fn offer(&self) -> SlotOffer {
        let wanted = CancellationToken::new();
        let mut demand = self.slots.demand();
        let id = demand.next_offer;
        demand.next_offer += 1;
        if demand.waiting > 0 {
            wanted.cancel();
        } else {
            demand.offers.push_back((id, wanted.clone()));
            self.slots.changed.notify_waiters();
        }
        drop(demand);
        SlotOffer { slots: self.slots.clone(), id, wanted }
    }
}

/// The offer of a session that needs no slot while it waits.
#[derive(Debug)]
pub struct SlotOffer {
    slots: Arc<SessionSlots>,
    id: u64,
    wanted: CancellationToken,
}

impl SlotOffer {
    /// Waits until another session needs the slot.
    pub async fn accepted(&self) {
        self.wanted.cancelled().await;
    }
}

impl Drop for SlotOffer {
    fn drop(&mut self) {
        self.slots.demand().offers.retain(|(id, _)| *id != self.id);
    }
}

#[cfg(test)]
mod tests {
    use futures_util::FutureExt;

    use super::*;

    async fn holder(slots: &Arc<SessionSlots>) -> SlotHolder {
        let mut holder = SlotHolder::new(slots);
        holder.take().await;
        holder
    }

    #[tokio::test]
    async fn a_slot_is_demanded_from_the_session_that_has_been_idle_for_the_longest_time() {
        let slots = SessionSlots::new(2);
        let (mut first, second) = (holder(&slots).await, holder(&slots).await);
        assert!(slots.wait_for_room().now_or_never().is_none());
        let (offer, later) = (first.offer(), second.offer());
        assert!(slots.wait_for_room().now_or_never().is_some());
        let mut third = SlotHolder::new(&slots);
        let mut taking = Box::pin(third.take());
        assert!(taking.as_mut().now_or_never().is_none());
        assert!(offer.accepted().now_or_never().is_some() && later.accepted().now_or_never().is_none());
        first.release();
        assert!(taking.as_mut().now_or_never().is_some());
    }

    #[tokio::test]
    async fn an_offer_that_ends_is_not_accepted_any_more() {
        let slots = SessionSlots::new(1);
        let first = holder(&slots).await;
        drop(first.offer());
        assert!(slots.wait_for_room().now_or_never().is_none());
    }

    #[tokio::test]
    async fn a_session_that_becomes_idle_while_others_wait_is_asked_for_its_slot_at_once() {
        let slots = SessionSlots::new(1);
        let first = holder(&slots).await;
        let mut second = SlotHolder::new(&slots);
        let mut taking = Box::pin(second.take());
        assert!(taking.as_mut().now_or_never().is_none());
        assert!(first.offer().accepted().now_or_never().is_some());
        drop(taking);
        assert!(first.offer().accepted().now_or_never().is_none(), "nobody waits any more");
    }

    #[tokio::test]
    async fn a_slot_that_is_released_makes_room() {
        let slots = SessionSlots::new(1);
        let first = holder(&slots).await;
        let mut room = Box::pin(slots.wait_for_room());
        assert!(room.as_mut().now_or_never().is_none());
        drop(first);
        room.await;
    }
}
