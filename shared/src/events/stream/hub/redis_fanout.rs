//! Notifications between processes over Redis: an event written by one process reaches subscribers of another at once.
//! Without Redis, polling delivers it a second later.

use std::{sync::PoisonError, time::Duration};

use tokio::time::sleep;

use crate::{events::stream::services::StreamServices, platform::notification::TenantNotification};

use super::ConnectionHub;

const CHANNEL: &str = "live:notifications";
const PAUSE: Duration = Duration::from_secs(1);
/// How many notifications go into one message.
const MAX_PER_MESSAGE: usize = 500;

/// Publishes the notifications of this process.
pub(super) async fn publish_all(hub: &ConnectionHub, services: &StreamServices) {
    loop {
        hub.0.outgoing_changed.notified().await;
        let mut outgoing = std::mem::take(&mut *hub.0.outgoing.lock().unwrap_or_else(PoisonError::into_inner));
        while !outgoing.is_empty() {
            let batch: Vec<_> = (0..MAX_PER_MESSAGE)
                .map_while(|_| outgoing.pop_first())
                .map(|notification| notification.to_string())
                .collect();
            let text = format!("{} {}", hub.0.id, batch.join(" "));
            if let Err(error) = services.cache.query::<()>(redis::cmd("PUBLISH").arg(CHANNEL).arg(text)).await {
                tracing::debug!(
                    ?error,
                    "notifications were not published; other processes will find the events by polling"
                );
                sleep(PAUSE).await;
                break;
            }
        }
    }
}

/// Receives the notifications of other processes.
pub(super) async fn receive_all(hub: &ConnectionHub, services: &StreamServices) {
    loop {
        match services.cache.listen(CHANNEL).await {
            Ok(mut listener) => {
                while let Some(text) = listener.next_message().await {
                    receive_message(hub, &text);
                }
            }
            Err(error) => {
                tracing::debug!(
                    ?error,
                    "notifications of other processes cannot be received; their events arrive by polling"
                );
            }
        }
        sleep(PAUSE).await;
    }
}

fn receive_message(hub: &ConnectionHub, text: &str) {
    let mut words = text.split(' ');
    if words.next() == Some(hub.0.id.to_string().as_str()) {
        return;
    }
    for notification in words.filter_map(|word| word.parse::<TenantNotification>().ok()) {
        hub.notify_local(notification);
    }
}
