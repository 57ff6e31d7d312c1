//! Queues in memory, for the whole product in one process. They behave like SQS, with fair queues and dead letters, and
//! deliver a message within microseconds.
//!
//! Nothing polls. Of the receivers that wait on a queue, at least one has its timer set to the next hidden message. A
//! receiver that stops waiting wakes another one to take over the timer.

use std::{
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    time::Duration,
};

use tokio::{
    sync::Notify,
    time::{Instant, sleep_until},
};

use super::{
    Dead, Depth, QueueDelivery, Receipt,
    limits::{FAR, Limits},
    message::{Handle, Outgoing, read},
    queue_state::{QueueState, ReceivedMessage},
};
use crate::platform::queue::job::{Job, QueueName};

/// The queues of one process. Clones share them.
#[derive(Clone, Debug)]
pub struct MemoryQueue {
    queues: Arc<[WatchedQueue; QueueName::ALL.len()]>,
}

impl Default for MemoryQueue {
    fn default() -> Self {
        Self::new(Limits::default())
    }
}

impl MemoryQueue {
    pub fn new(limits: Limits) -> Self {
        Self { queues: Arc::new(QueueName::ALL.map(|queue_name| WatchedQueue::new(queue_name, limits))) }
    }

    /// Whether no message is ready, delayed or in flight, apart from dead letters. For tests that wait for the end.
    pub fn is_idle(&self) -> bool {
        self.queues.iter().all(|queue_name| queue_name.lock_state().is_empty())
    }

    /// Drops every message of a queue, as the loss of a process would. For tests that lose messages.
    pub fn drain(&self, queue_name: QueueName) -> Vec<Job> {
        let bodies = self.find_queue(queue_name).lock_state().drain_messages();
        bodies.iter().filter_map(|body| read(queue_name, body).ok()).collect()
    }

    pub(super) fn put_messages(&self, messages: Vec<Outgoing>) {
        let now = Instant::now();
        for message in messages {
            let queue_name = self.find_queue(message.queue_name);
            queue_name.lock_state().add_message(message.tenant_id, message.body.into(), message.after, now);
            queue_name.changed.notify_one();
        }
    }

    pub(super) async fn receive(&self, queue_name: QueueName, max: usize, wait: Duration) -> Vec<QueueDelivery> {
        let taken = self.find_queue(queue_name).take_until(max.max(1), Instant::now() + wait.min(FAR)).await;
        taken.iter().map(|taken| delivery_of(queue_name, taken)).collect()
    }

    pub(super) fn delete(&self, receipt: &Receipt) {
        if let Handle::Memory { id, count } = receipt.handle {
            self.find_queue(receipt.queue_name).lock_state().delete(id, count);
        }
    }

    pub(super) fn retry_after(&self, receipt: &Receipt, after: Duration) {
        if let Handle::Memory { id, count } = receipt.handle {
            let queue_name = self.find_queue(receipt.queue_name);
            queue_name.lock_state().retry_after(id, count, after, Instant::now());
            queue_name.changed.notify_one();
        }
    }

    pub(super) fn dead_letter(&self, delivery: &QueueDelivery, reason: &str) {
        if let Handle::Memory { id, count } = delivery.receipt.handle {
            self.find_queue(delivery.receipt.queue_name).lock_state().dead_letter(id, count, reason);
        }
    }

    pub(super) fn depth(&self, queue_name: QueueName) -> Depth {
        self.find_queue(queue_name).lock_state().measure_depth(Instant::now())
    }

    pub(super) fn list_dead_letters(&self, queue_name: QueueName, max: usize) -> Vec<Dead> {
        self.find_queue(queue_name).lock_state().list_dead_letters(max, Instant::now())
    }

    pub(super) fn redrive_dead_letters(&self, queue_name: QueueName) -> usize {
        let queue_name = self.find_queue(queue_name);
        let count = queue_name.lock_state().redrive_dead_letters(Instant::now());
        queue_name.changed.notify_one();
        count
    }

    fn find_queue(&self, queue_name: QueueName) -> &WatchedQueue {
        &self.queues[queue_name as usize]
    }
}

fn delivery_of(queue_name: QueueName, taken: &ReceivedMessage) -> QueueDelivery {
    QueueDelivery {
        job: read(queue_name, &taken.body),
        receipt: Receipt { queue_name, handle: Handle::Memory { id: taken.id, count: taken.receive_count } },
        receive_count: taken.receive_count,
        tenant_id: taken.tenant_id,
    }
}

/// A queue and its waiting receivers.
#[derive(Debug)]
struct WatchedQueue {
    state: Mutex<QueueState>,
    /// One permit for each change that a waiting receiver should check.
    changed: Notify,
}

impl WatchedQueue {
    fn new(queue_name: QueueName, limits: Limits) -> Self {
        Self { state: Mutex::new(QueueState::new(queue_name, limits)), changed: Notify::new() }
    }

    /// No code that may panic runs under this lock, so a poisoned lock still holds valid data.
    fn lock_state(&self) -> MutexGuard<'_, QueueState> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    async fn take_until(&self, max: usize, deadline: Instant) -> Vec<ReceivedMessage> {
        let _baton = Baton(self);
        loop {
            let changed = self.changed.notified();
            let now = Instant::now();
            let (taken, next_due) = {
                let mut state = self.lock_state();
                (state.take_due(max, now), state.next_due())
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

/// Held by a waiting receiver. It passes the timer of the next hidden message to another receiver when it is dropped.
struct Baton<'a>(&'a WatchedQueue);

impl Drop for Baton<'_> {
    fn drop(&mut self) {
        let state = self.0.lock_state();
        if state.has_ready() || state.next_due().is_some() {
            self.0.changed.notify_one();
        }
    }
}
