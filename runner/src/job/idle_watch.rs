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
    quiet: Duration,
    longest: Duration,
    active_at: Instant,
    offer: Option<SlotOffer>,
}

impl IdleWatch {
    pub(super) fn new() -> Self {
        Self::with_times(QUIET, LONGEST_WAIT)
    }

    fn with_times(quiet: Duration, longest: Duration) -> Self {
        Self { quiet, longest, active_at: Instant::now(), offer: None }
    }

    /// Something has happened in the session.
    pub(super) fn record_activity(&mut self) {
        (self.active_at, self.offer) = (Instant::now(), None);
    }

    /// Waits until the process is to end. Can be dropped and called again.
    pub(super) async fn wait_until_due(&mut self, slot: &SlotHolder) {
        sleep_until(self.active_at + self.quiet).await;
        let offer = self.offer.get_or_insert_with(|| slot.offer());
        tokio::select! {
            () = offer.accepted() => {}
            () = sleep_until(self.active_at + self.longest) => {}
        }
    }
}

#[cfg(test)]
mod tests {
    use futures_util::FutureExt;

    use super::{super::session_slots::SessionSlots, *};

    const NEVER: Duration = Duration::from_hours(1);

    async fn slot() -> SlotHolder {
        let mut slot = SlotHolder::new(&SessionSlots::new(1));
        slot.take().await;
        slot
    }

    #[tokio::test]
    async fn a_process_that_nobody_needs_ends_after_the_longest_wait() {
        let slot = slot().await;
        IdleWatch::with_times(Duration::ZERO, Duration::from_millis(10)).wait_until_due(&slot).await;
        assert!(IdleWatch::with_times(Duration::ZERO, NEVER).wait_until_due(&slot).now_or_never().is_none());
    }

    #[tokio::test]
    async fn a_slot_is_offered_once_the_session_has_been_quiet() {
        let slots = SessionSlots::new(1);
        let (mut slot, mut other) = (SlotHolder::new(&slots), SlotHolder::new(&slots));
        slot.take().await;
        let mut taking = Box::pin(other.take());
        assert!(taking.as_mut().now_or_never().is_none());
        assert!(IdleWatch::with_times(NEVER, NEVER).wait_until_due(&slot).now_or_never().is_none());
        IdleWatch::with_times(Duration::ZERO, NEVER).wait_until_due(&slot).await;
    }
}
