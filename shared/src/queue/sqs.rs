//! SQS: standard queues with the tenant as message group, which makes their turns fair without making one message wait
//! for another (docs/adr/0004-queue.md).
//!
//! The client is made at the first call, because reading the root certificates costs most of a cold start and a function
//! may never need it. Its credentials come from the variables that Lambda sets and every AWS tool reads, and from nowhere
//! else: looking for them at other places would make a quarter of every function's size.

use std::{sync::Arc, time::Duration};

use aws_config::{
    BehaviorVersion, Region, environment::EnvironmentVariableCredentialsProvider, timeout::TimeoutConfig,
};
use aws_sdk_sqs::{
    Client, Config,
    error::{DisplayErrorContext, ProvideErrorMetadata},
    types::{
        BatchResultErrorEntry, ChangeMessageVisibilityBatchRequestEntry, Message, MessageAttributeValue,
        MessageSystemAttributeName, QueueAttributeName, SendMessageBatchRequestEntry,
    },
};
use futures_util::future::try_join_all;
use tokio::{
    sync::OnceCell,
    time::{sleep, timeout},
};

use super::{
    Dead, Delivery, Depth, MAX_DELAY, Receipt,
    message::{Handle, Outgoing, read},
};
use crate::{
    error::{Error, Result},
    job::Lane,
};

/// SQS takes and gives at most ten messages per call.
const BATCH: usize = 10;
/// How often the refused part of a batch is sent.
const ATTEMPTS: u32 = 4;
/// How long a call may take; a caller that rings a doorbell has something better to do.
const CALL: Duration = Duration::from_secs(5);
const LONGEST_WAIT: Duration = Duration::from_secs(20);
const LONGEST_VISIBILITY: Duration = Duration::from_hours(12);
/// How long dead letters are kept from others while they are listed or sent back.
const LOOKING: i32 = 30;
/// The message attribute that says why a job was given up.
const REASON: &str = "reason";

/// The addresses of the queues. [`Lane::Sweep`] has none: on AWS a schedule calls its function.
#[derive(Clone, Debug, Default, Eq, PartialEq)]
pub struct Settings {
    pub dispatch_url: String,
    pub dispatch_dead_url: String,
    pub observe_url: String,
    pub observe_dead_url: String,
    pub broadcast_url: String,
    pub broadcast_dead_url: String,
    pub poll_url: String,
    pub poll_dead_url: String,
    pub train_url: String,
    pub train_dead_url: String,
    pub region: String,
    /// Where SQS answers, if not at its usual place.
    pub endpoint: Option<String>,
}

impl Settings {
    fn url(&self, lane: Lane) -> Result<&str> {
        self.urls(lane).map(|(url, _)| url)
    }

    fn dead_url(&self, lane: Lane) -> Result<&str> {
        self.urls(lane).map(|(_, dead)| dead)
    }

    fn urls(&self, lane: Lane) -> Result<(&str, &str)> {
        match lane {
            Lane::Dispatch => Ok((&self.dispatch_url, &self.dispatch_dead_url)),
            Lane::Observe => Ok((&self.observe_url, &self.observe_dead_url)),
            Lane::Broadcast => Ok((&self.broadcast_url, &self.broadcast_dead_url)),
            Lane::Poll => Ok((&self.poll_url, &self.poll_dead_url)),
            Lane::Train => Ok((&self.train_url, &self.train_dead_url)),
            Lane::Sweep => Err(Error::internal("the sweep has no queue on SQS: a schedule calls it")),
        }
    }
}

/// The queues of one deployment. Clones share one client.
#[derive(Clone, Debug)]
pub struct Sqs {
    settings: Arc<Settings>,
    client: Arc<OnceCell<Client>>,
}

impl Sqs {
    pub fn new(settings: Settings) -> Self {
        Self { settings: Arc::new(settings), client: Arc::default() }
    }

    /// With a client made elsewhere, such as one for a test's own server.
    pub fn with_client(settings: Settings, client: Client) -> Self {
        Self { settings: Arc::new(settings), client: Arc::new(OnceCell::new_with(Some(client))) }
    }

    async fn client(&self) -> &Client {
        self.client
            .get_or_init(|| async {
                let timeouts = TimeoutConfig::builder().connect_timeout(Duration::from_secs(2)).operation_timeout(CALL);
                let mut config = Config::builder()
                    .behavior_version(BehaviorVersion::latest())
                    .credentials_provider(EnvironmentVariableCredentialsProvider::new())
                    .region(Region::new(self.settings.region.clone()))
                    .timeout_config(timeouts.build());
                config.set_endpoint_url(self.settings.endpoint.clone());
                Client::from_conf(config.build())
            })
            .await
    }

    pub(super) async fn put(&self, messages: Vec<Outgoing>) -> Result<()> {
        for lane in Lane::ALL {
            let entries: Vec<_> = messages.iter().filter(|message| message.lane == lane).collect();
            for batch in entries.chunks(BATCH) {
                let entries = batch.iter().enumerate().map(|(index, message)| entry(index, message));
                self.send_batch(self.settings.url(lane)?, entries.collect::<Result<_>>()?).await?;
            }
        }
        Ok(())
    }

    /// Sends a batch, and the part of it that SQS refused for the moment again after a rest.
    async fn send_batch(&self, url: &str, mut entries: Vec<SendMessageBatchRequestEntry>) -> Result<()> {
        for attempt in 1..=ATTEMPTS {
            let call = self.client().await.send_message_batch().queue_url(url);
            let failed = call.set_entries(Some(entries.clone())).send().await.map_err(unavailable)?.failed;
            if failed.is_empty() {
                return Ok(());
            }
            let reason = failed.iter().map(|f| f.message().unwrap_or(f.code())).collect::<Vec<_>>().join("; ");
            if attempt == ATTEMPTS || failed.iter().any(BatchResultErrorEntry::sender_fault) {
                return Err(Error::unavailable("The queue", format!("refused {} messages: {reason}", failed.len())));
            }
            entries.retain(|entry| failed.iter().any(|failure| failure.id() == entry.id()));
            sleep(Duration::from_millis(50 << attempt)).await;
        }
        Ok(())
    }

    pub(super) async fn receive(&self, lane: Lane, max: usize, wait: Duration) -> Result<Vec<Delivery>> {
        let wait = wait.min(LONGEST_WAIT);
        let timeouts = TimeoutConfig::builder().operation_timeout(wait + CALL).build();
        let call = self
            .client()
            .await
            .receive_message()
            .queue_url(self.settings.url(lane)?)
            .max_number_of_messages(i32::try_from(max.clamp(1, BATCH)).unwrap_or(1))
            .wait_time_seconds(seconds(wait))
            .message_system_attribute_names(MessageSystemAttributeName::ApproximateReceiveCount)
            .message_system_attribute_names(MessageSystemAttributeName::MessageGroupId);
        let config = aws_sdk_sqs::config::Builder::new().timeout_config(timeouts);
        let received = call.customize().config_override(config).send().await.map_err(unavailable)?;
        Ok(received.messages.unwrap_or_default().iter().map(|message| delivery(lane, message)).collect())
    }

    pub(super) async fn delete(&self, receipt: &Receipt) -> Result<()> {
        let Handle::Sqs(handle) = &receipt.handle else { return Ok(()) };
        let call = self.client().await.delete_message().queue_url(self.settings.url(receipt.lane)?);
        match call.receipt_handle(handle).send().await {
            Err(error) if !is_void(error.code()) => Err(unavailable(error)),
            _ => Ok(()),
        }
    }

    pub(super) async fn retry_after(&self, receipt: &Receipt, after: Duration) -> Result<()> {
        let Handle::Sqs(handle) = &receipt.handle else { return Ok(()) };
        let call = self.client().await.change_message_visibility().queue_url(self.settings.url(receipt.lane)?);
        let after = seconds(after.min(LONGEST_VISIBILITY));
        match call.receipt_handle(handle).visibility_timeout(after).send().await {
            Err(error) if !is_void(error.code()) => Err(unavailable(error)),
            _ => Ok(()),
        }
    }

    /// Sends a copy to the dead letters before it deletes the original: a crash between the two doubles, never loses.
    pub(super) async fn bury(&self, delivery: &Delivery, reason: String) -> Result<()> {
        let text = MessageAttributeValue::builder()
            .data_type("String")
            // SQS takes no empty attribute.
            .string_value(if reason.is_empty() { "unknown".to_owned() } else { reason })
            .build()
            .map_err(Error::internal)?;
        let call = self.client().await.send_message().queue_url(self.settings.dead_url(delivery.receipt.lane)?);
        call.message_body(delivery.body())
            .set_message_group_id(delivery.tenant_id.map(|id| id.to_string()))
            .message_attributes(REASON, text)
            .send()
            .await
            .map_err(unavailable)?;
        self.delete(&delivery.receipt).await
    }

    pub(super) async fn ping(&self) -> Result<()> {
        let client = self.client().await;
        let settings = &self.settings;
        let urls = [&settings.dispatch_url, &settings.observe_url, &settings.poll_url, &settings.train_url];
        let asked = urls.map(|url| async move {
            let name = QueueAttributeName::QueueArn;
            client.get_queue_attributes().queue_url(url).attribute_names(name).send().await
        });
        match timeout(Duration::from_secs(1), try_join_all(asked)).await {
            Ok(answer) => answer.map(drop).map_err(unavailable),
            Err(elapsed) => Err(Error::unavailable("The queue", elapsed)),
        }
    }

    pub(super) async fn depth(&self, lane: Lane) -> Result<Depth> {
        let (url, dead_url) = self.settings.urls(lane)?;
        let (live, dead) = tokio::try_join!(self.counts(url), self.counts(dead_url))?;
        let [ready, delayed, in_flight] = live;
        Ok(Depth { ready, delayed, in_flight, dead: dead.iter().sum() })
    }

    /// About how many messages are ready, delayed and in flight.
    async fn counts(&self, url: &str) -> Result<[usize; 3]> {
        let names = [
            QueueAttributeName::ApproximateNumberOfMessages,
            QueueAttributeName::ApproximateNumberOfMessagesDelayed,
            QueueAttributeName::ApproximateNumberOfMessagesNotVisible,
        ];
        let call = self.client().await.get_queue_attributes().queue_url(url);
        let answer = call.set_attribute_names(Some(names.to_vec())).send().await.map_err(unavailable)?;
        let count = |name| answer.attributes().and_then(|all| all.get(&name)?.parse().ok()).unwrap_or(0);
        Ok(names.map(count))
    }

    pub(super) async fn dead(&self, lane: Lane, max: usize) -> Result<Vec<Dead>> {
        let url = self.settings.dead_url(lane)?;
        let mut seen = Vec::new();
        while seen.len() < max {
            let batch = self.receive_dead(url, max - seen.len()).await?;
            if batch.is_empty() {
                break;
            }
            seen.extend(batch);
        }
        for batch in seen.chunks(BATCH) {
            self.show_again(url, batch).await?;
        }
        Ok(seen.iter().map(|message| dead(lane, message)).collect())
    }

    pub(super) async fn redrive(&self, lane: Lane) -> Result<usize> {
        let (url, dead_url) = self.settings.urls(lane)?;
        let mut count = 0;
        loop {
            let batch = self.receive_dead(dead_url, BATCH).await?;
            if batch.is_empty() {
                return Ok(count);
            }
            let entries = batch.iter().enumerate().map(|(index, message)| resent(index, message));
            self.send_batch(url, entries.collect::<Result<_>>()?).await?;
            for message in &batch {
                let call = self.client().await.delete_message().queue_url(dead_url);
                call.set_receipt_handle(message.receipt_handle.clone()).send().await.map_err(unavailable)?;
            }
            count += batch.len();
        }
    }

    async fn receive_dead(&self, url: &str, max: usize) -> Result<Vec<Message>> {
        let call = self
            .client()
            .await
            .receive_message()
            .queue_url(url)
            .max_number_of_messages(i32::try_from(max.clamp(1, BATCH)).unwrap_or(1))
            // A wait makes SQS ask all of its servers, so that an empty answer means an empty queue.
            .wait_time_seconds(1)
            .visibility_timeout(LOOKING)
            .message_attribute_names(REASON)
            .message_system_attribute_names(MessageSystemAttributeName::MessageGroupId);
        Ok(call.send().await.map_err(unavailable)?.messages.unwrap_or_default())
    }

    /// Best effort: what stays hidden shows itself after [`LOOKING`] seconds.
    async fn show_again(&self, url: &str, messages: &[Message]) -> Result<()> {
        let entries = messages.iter().enumerate().map(|(index, message)| {
            ChangeMessageVisibilityBatchRequestEntry::builder()
                .id(index.to_string())
                .set_receipt_handle(message.receipt_handle.clone())
                .visibility_timeout(0)
                .build()
                .map_err(Error::internal)
        });
        let call = self.client().await.change_message_visibility_batch().queue_url(url);
        call.set_entries(Some(entries.collect::<Result<_>>()?)).send().await.map_err(unavailable)?;
        Ok(())
    }
}

fn entry(index: usize, message: &Outgoing) -> Result<SendMessageBatchRequestEntry> {
    SendMessageBatchRequestEntry::builder()
        .id(index.to_string())
        .message_body(&message.body)
        .delay_seconds(seconds(message.after.min(MAX_DELAY)))
        .set_message_group_id(message.tenant_id.map(|id| id.to_string()))
        .build()
        .map_err(Error::internal)
}

/// A dead letter as it goes back, body and message group as they were.
fn resent(index: usize, message: &Message) -> Result<SendMessageBatchRequestEntry> {
    SendMessageBatchRequestEntry::builder()
        .id(index.to_string())
        .message_body(message.body().unwrap_or_default())
        .set_message_group_id(attribute(message, &MessageSystemAttributeName::MessageGroupId).map(str::to_owned))
        .build()
        .map_err(Error::internal)
}

fn delivery(lane: Lane, message: &Message) -> Delivery {
    let count = attribute(message, &MessageSystemAttributeName::ApproximateReceiveCount);
    Delivery {
        job: read(lane, message.body().unwrap_or_default()),
        receipt: Receipt::of_event(lane, message.receipt_handle().unwrap_or_default()),
        receive_count: count.and_then(|count| count.parse().ok()).unwrap_or(1),
        tenant_id: attribute(message, &MessageSystemAttributeName::MessageGroupId).and_then(|id| id.parse().ok()),
    }
}

fn dead(lane: Lane, message: &Message) -> Dead {
    let reason = message.message_attributes().and_then(|all| all.get(REASON)?.string_value().map(str::to_owned));
    Dead {
        job: read(lane, message.body().unwrap_or_default()),
        tenant_id: attribute(message, &MessageSystemAttributeName::MessageGroupId).and_then(|id| id.parse().ok()),
        reason,
    }
}

fn attribute<'a>(message: &'a Message, name: &MessageSystemAttributeName) -> Option<&'a str> {
    message.attributes().and_then(|all| all.get(name)).map(String::as_str)
}

/// Whole seconds, rounded up: a doorbell may ring late, and would have to be put off again if it rang early.
fn seconds(duration: Duration) -> i32 {
    let whole = duration.as_secs() + u64::from(duration.subsec_nanos() > 0);
    i32::try_from(whole).unwrap_or(i32::MAX)
}

/// Whether the receipt is no longer the message's last, so that the message is somebody else's by now.
fn is_void(code: Option<&str>) -> bool {
    matches!(code, Some(code) if code.contains("ReceiptHandleIsInvalid") || code.contains("MessageNotInflight"))
}

fn unavailable<E: std::error::Error + Send + Sync + 'static>(error: E) -> Error {
    Error::unavailable("The queue", DisplayErrorContext(error).to_string())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_delay_becomes_whole_seconds_that_are_never_too_few() {
        for (millis, whole) in [(0, 0), (1, 1), (1000, 1), (1001, 2), (899_999, 900)] {
            assert_eq!(seconds(Duration::from_millis(millis)), whole, "{millis} ms");
        }
    }

    #[test]
    fn the_sweep_has_no_queue() {
        assert!(Settings::default().url(Lane::Sweep).is_err());
        assert!(Settings::default().url(Lane::Observe).is_ok());
    }
}
