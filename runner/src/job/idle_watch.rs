//! When the process of a session that waits for a person ends: once another session needs its slot, and after some time
//! in any case. The session goes on in another process.

use std::time::Duration;

use tokio::time::{Instant, sleep_until};

use super::session_slots::{SlotHolder, SlotOffer};

/// How long nothing may have happened before the slot is offered: an agent may ask and go on with something else.
const QUIET: Duration = Duration::from_secs(3);
/// How long a process is kept while a person is asked and no other session needs its slot.
const LONGEST_WAIT: Duration = Duration::from_mins(10);

/// Observes a session that waits.
#[derive(Debug)]
pub(super) struct IdleWatch {
    active_at: Instant,
    offer: Option<SlotOffer>,
}

impl IdleWatch {
    pub(super) fn new() -> Self {
        Self { active_at: Instant::now(), offer: None }
    }

    /// Something has happened in the session.
    pub(super) fn record_activity(&mut self) {
        *self = Self::new();
    }

    /// Waits until the process is to end. Can be dropped and called again.
    pub(super) async fn wait_until_due(&mut self, slot: &SlotHolder) {
        sleep_until(self.active_at + QUIET).await;
        let offer = self.offer.get_or_insert_with(|| slot.offer());
        tokio::select! {
            () = offer.accepted() => {}
            () = sleep_until(self.active_at + LONGEST_WAIT) => {}
        }
    }
}

#[cfg(test)]
mod tests {
    use super::{super::session_slots::SessionSlots, *};

    #[tokio::test(start_paused = true)]
    async fn a_process_is_kept_for_ten_minutes_where_nobody_needs_its_slot() {
        let slots = SessionSlots::new(1);
        let mut slot = SlotHolder::new(&slots);
        slot.take().await;
        let (mut watch, begun) = (IdleWatch::new(), Instant::now());
        watch.wait_until_due(&slot).await;
        assert_eq!(begun.elapsed().as_secs(), 600);
    }

    #[tokio::test(start_paused = true)]
    async fn a_process_that_another_session_waits_for_ends_once_it_has_been_quiet() {
        let slots = SessionSlots::new(1);
        let mut slot = SlotHolder::new(&slots);
        slot.take().await;
        let mut other = SlotHolder::new(&slots);
        let (mut watch, begun) = (IdleWatch::new(), Instant::now());
        tokio::select! {
            () = watch.wait_until_due(&slot) => {}
            () = other.take() => unreachable!("the slot is held"),
        }
        assert_eq!(begun.elapsed().as_secs(), 3);
    }
}
