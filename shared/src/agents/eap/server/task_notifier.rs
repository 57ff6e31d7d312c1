//! Signals about tasks, to the claims that wait and to the connections of runners. A lost signal only delays, because
//! both poll.

use crate::{
    events::stream::ConnectionBackend,
    kernel::error::Result,
    platform::{notification::RunnerSignal, queue::Queue, redis::cache::Cache},
};

/// The channel in Redis on which every process receives the signals.
pub(super) const CHANNEL: &str = "external:tasks";

/// Sends signals. Clones share its handles.
#[derive(Clone)]
pub struct TaskNotifier {
    pub cache: Cache,
    pub queue: Queue,
    pub backend: ConnectionBackend,
}

impl TaskNotifier {
    /// Sends a signal. To be called after the commit of what it is about.
    pub async fn send_signal(&self, signal: RunnerSignal) {
        if let Err(error) = self.publish(signal).await {
            tracing::debug!(?error, ?signal, "a signal was not published; claims and runners poll");
        }
        if let ConnectionBackend::ApiGateway(gateway) = &self.backend {
            gateway.signal_runners(&self.cache, &self.queue, signal).await;
        }
    }

    async fn publish(&self, signal: RunnerSignal) -> Result<()> {
        let text = serde_json::to_string(&signal)?;
        self.cache.query(redis::cmd("PUBLISH").arg(CHANNEL).arg(text)).await
    }
}
