//! Lanes in memory, for the whole product in one process. They behave as SQS does, fair turns and dead letters
//! included, and hand a message over within microseconds.
//!
//! Nothing polls. Of those who wait on a lane at least one always has its timer set to the next hidden message: whoever
//! stops waiting, for whatever reason, wakes another to take that over.

use std::{
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    time::Duration,
};

use tokio::{
    sync::Notify,
    time::{Instant, sleep_until},
};

use super::{
    Dead, Delivery, Depth, MAX_RECEIVES, Receipt, VISIBILITY,
    lane::{FAR, LaneState, Taken},
    message::{Handle, Outgoing, read},
};
use crate::job::{Job, Lane};

/// The lanes of one process. Clones share them.
#[derive(Clone, Debug)]
pub struct Memory {
    lanes: Arc<[Waited; Lane::ALL.len()]>,
}

/// What SQS keeps as attributes of a queue.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub struct Limits {
    /// How long a received message stays hidden.
    pub visibility: Duration,
    /// How often a message is handed out before it is put aside.
    pub max_receives: u32,
}

impl Default for Limits {
    fn default() -> Self {
        Self { visibility: VISIBILITY, max_receives: MAX_RECEIVES }
    }
}

impl Default for Memory {
    fn default() -> Self {
        Self::new(Limits::default())
    }
}

impl Memory {
    pub fn new(limits: Limits) -> Self {
        Self { lanes: Arc::new(Lane::ALL.map(|lane| Waited::new(lane, limits))) }
    }

    /// Whether no message waits, is delayed or is being worked on, dead letters apart. For tests that wait for the end.
    pub fn is_idle(&self) -> bool {
        self.lanes.iter().all(|lane| lane.lock().is_empty())
    }

    /// Takes every message of a lane out and away, as a lost process would. For tests that lose messages.
    pub fn drain(&self, lane: Lane) -> Vec<Job> {
        let bodies = self.lane(lane).lock().drain();
        bodies.iter().filter_map(|body| read(lane, body).ok()).collect()
    }

    pub(super) fn put(&self, messages: Vec<Outgoing>) {
        let now = Instant::now();
        for message in messages {
            let lane = self.lane(message.lane);
            lane.lock().add(message.tenant_id, message.body.into(), message.after, now);
            lane.changed.notify_one();
        }
    }

    pub(super) async fn receive(&self, lane: Lane, max: usize, wait: Duration) -> Vec<Delivery> {
        let taken = self.lane(lane).take(max.max(1), Instant::now() + wait.min(FAR)).await;
        taken.iter().map(|taken| delivery(lane, taken)).collect()
    }

    pub(super) fn delete(&self, receipt: &Receipt) {
        if let Handle::Memory { id, count } = receipt.handle {
            self.lane(receipt.lane).lock().delete(id, count);
        }
    }

    pub(super) fn retry_after(&self, receipt: &Receipt, after: Duration) {
        if let Handle::Memory { id, count } = receipt.handle {
            let lane = self.lane(receipt.lane);
            lane.lock().retry_after(id, count, after, Instant::now());
            lane.changed.notify_one();
        }
    }

    pub(super) fn bury(&self, delivery: &Delivery, reason: &str) {
        if let Handle::Memory { id, count } = delivery.receipt.handle {
            self.lane(delivery.receipt.lane).lock().bury(id, count, reason);
        }
    }

    pub(super) fn depth(&self, lane: Lane) -> Depth {
        self.lane(lane).lock().depth(Instant::now())
    }

    pub(super) fn dead(&self, lane: Lane, max: usize) -> Vec<Dead> {
        self.lane(lane).lock().dead(max, Instant::now())
    }

    pub(super) fn redrive(&self, lane: Lane) -> usize {
        let lane = self.lane(lane);
        let count = lane.lock().redrive(Instant::now());
        lane.changed.notify_one();
        count
    }

    fn lane(&self, lane: Lane) -> &Waited {
        &self.lanes[lane as usize]
    }
}

fn delivery(lane: Lane, taken: &Taken) -> Delivery {
    Delivery {
        job: read(lane, &taken.body),
        receipt: Receipt { lane, handle: Handle::Memory { id: taken.id, count: taken.receive_count } },
        receive_count: taken.receive_count,
        tenant_id: taken.tenant_id,
    }
}

/// A lane and those who wait for it.
#[derive(Debug)]
struct Waited {
    state: Mutex<LaneState>,
    /// One permit for each change that somebody who waits should look at.
    changed: Notify,
}

impl Waited {
    fn new(lane: Lane, limits: Limits) -> Self {
        Self { state: Mutex::new(LaneState::new(lane, limits)), changed: Notify::new() }
    }

    /// No code that may panic runs while the lock is held, so a poisoned one is still whole.
    fn lock(&self) -> MutexGuard<'_, LaneState> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    async fn take(&self, max: usize, deadline: Instant) -> Vec<Taken> {
        let _baton = Baton(self);
        loop {
            let changed = self.changed.notified();
            let now = Instant::now();
            let (taken, next_due) = {
                let mut state = self.lock();
                (state.take(max, now), state.next_due())
            };
            if !taken.is_empty() || now >= deadline {
                return taken;
            }
            tokio::select! {
                () = changed => {}
                () = sleep_until(next_due.map_or(deadline, |due| due.min(deadline))) => {}
            }
        }
    }
}

/// Held by one who waits; passes the watch over the next hidden message on when they stop, also when they are dropped.
struct Baton<'a>(&'a Waited);

impl Drop for Baton<'_> {
    fn drop(&mut self) {
        let state = self.0.lock();
        if state.has_ready() || state.next_due().is_some() {
            self.0.changed.notify_one();
        }
    }
}
