//! The queue between the reader of an agent's output and whatever takes the updates: bounded by number and by bytes.

use std::sync::Arc;

use tokio::sync::{OwnedSemaphorePermit, Semaphore, mpsc};

use super::update::AgentUpdate;

/// The updates of one agent, in order.
///
/// Take them in a task of its own, or beside every call of the connection: while the queue is full nothing more is read
/// from the agent, answers to requests included.
#[derive(Debug)]
pub struct AgentUpdates {
    receiver: mpsc::Receiver<QueuedUpdate>,
}

#[derive(Debug)]
struct QueuedUpdate {
    update: AgentUpdate,
    _share: OwnedSemaphorePermit,
}

impl AgentUpdates {
    /// The next update, or `None` after the last one of a connection that has ended.
    pub async fn next(&mut self) -> Option<AgentUpdate> {
        self.receiver.recv().await.map(|queued| queued.update)
    }

    /// The next update if one is waiting. When [`prompt`](super::AgentConnection::prompt) has returned, all updates of
    /// that turn are waiting or taken.
    pub fn try_next(&mut self) -> Option<AgentUpdate> {
        self.receiver.try_recv().ok().map(|queued| queued.update)
    }
}

/// The end of the queue where updates enter.
#[derive(Clone, Debug)]
pub(super) struct UpdateSender {
    sender: mpsc::Sender<QueuedUpdate>,
    bytes: Arc<Semaphore>,
    capacity: u32,
}

impl UpdateSender {
    /// Waits until the queue has space for an update that came in so many bytes. False when nobody takes updates any
    /// more.
    pub(super) async fn send(&self, update: AgentUpdate, bytes: usize) -> bool {
        let bytes = u32::try_from(bytes).unwrap_or(u32::MAX).clamp(1, self.capacity);
        let Ok(share) = self.bytes.clone().acquire_many_owned(bytes).await else { return false };
        self.sender.send(QueuedUpdate { update, _share: share }).await.is_ok()
    }
}

/// A queue for so many updates that came in so many bytes together.
pub(super) fn create_queue(updates: usize, bytes: u32) -> (UpdateSender, AgentUpdates) {
    let (sender, receiver) = mpsc::channel(updates.max(1));
    let capacity = bytes.max(1);
    let bytes = Arc::new(Semaphore::new(capacity as usize));
    (UpdateSender { sender, bytes, capacity }, AgentUpdates { receiver })
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use tokio::time::timeout;

    use super::*;

    fn message() -> AgentUpdate {
        AgentUpdate::Message { message_id: None, text: "x".into() }
    }

    #[tokio::test]
    async fn a_queue_that_is_full_by_bytes_waits_until_an_update_is_taken() {
        let (sender, mut updates) = create_queue(100, 1000);
        assert!(sender.send(message(), 600).await);
        let full = timeout(Duration::from_millis(50), sender.send(message(), 600)).await;
        assert!(full.is_err(), "it waits");
        assert!(updates.try_next().is_some());
        assert!(sender.send(message(), 600).await);
    }

    #[tokio::test]
    async fn an_update_of_more_bytes_than_the_queue_holds_passes_alone() {
        let (sender, mut updates) = create_queue(100, 1000);
        assert!(sender.send(message(), 5000).await);
        assert!(updates.next().await.is_some());
    }
}
