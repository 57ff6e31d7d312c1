//! SQS: standard queues with the tenant as message group. Queues are fair between tenants, and no message waits for
//! another (docs/adr/0004-queue.md).
//!
//! The client is made at the first call, because reading the root certificates costs most of a cold start and a
//! function may never need it. Its credentials come from the variables that Lambda sets and every AWS tool reads, and
//! from nowhere else: the code for other sources would be a quarter of each function's size.

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
    Dead, Depth, QueueDelivery, Receipt,
    limits::MAX_DELAY,
    message::{Handle, Outgoing, read},
};
use crate::{
    kernel::error::{Error, Result},
    platform::queue::job::QueueName,
};

/// SQS accepts and returns at most ten messages per call.
const BATCH: usize = 10;
/// How often the refused part of a batch is sent again.
const ATTEMPTS: u32 = 4;
/// The timeout of a call.
const CALL: Duration = Duration::from_secs(5);
const LONGEST_WAIT: Duration = Duration::from_secs(20);
const LONGEST_VISIBILITY: Duration = Duration::from_hours(12);
/// How long dead letters stay hidden while they are listed or redriven.
const LOOKING: i32 = 30;
/// The message attribute with the reason why a job was discarded.
const REASON: &str = "reason";

/// The addresses of the queues. [`QueueName::Reconcile`] has none: on AWS a schedule calls its function.
#[derive(Clone, Debug, Default, Eq, PartialEq)]
pub struct SqsSettings {
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
    /// The endpoint of SQS, if it is not the regional one.
    pub endpoint: Option<String>,
}

impl SqsSettings {
    fn queue_url(&self, queue_name: QueueName) -> Result<&str> {
        self.queue_urls(queue_name).map(|(url, _)| url)
    }

    fn dead_url(&self, queue_name: QueueName) -> Result<&str> {
        self.queue_urls(queue_name).map(|(_, dead)| dead)
    }

    fn queue_urls(&self, queue_name: QueueName) -> Result<(&str, &str)> {
        match queue_name {
            QueueName::Dispatch => Ok((&self.dispatch_url, &self.dispatch_dead_url)),
            QueueName::Observe => Ok((&self.observe_url, &self.observe_dead_url)),
            QueueName::Broadcast => Ok((&self.broadcast_url, &self.broadcast_dead_url)),
            QueueName::Poll => Ok((&self.poll_url, &self.poll_dead_url)),
            QueueName::Train => Ok((&self.train_url, &self.train_dead_url)),
            QueueName::Reconcile => Err(Error::internal("the reconciler has no queue on SQS: a schedule calls it")),
        }
    }
}

/// The queues of one deployment. Clones share one client.
#[derive(Clone, Debug)]
pub struct Sqs {
    settings: Arc<SqsSettings>,
    client: Arc<OnceCell<Client>>,
}

impl Sqs {
    pub fn new(settings: SqsSettings) -> Self {
        Self { settings: Arc::new(settings), client: Arc::default() }
    }

    /// Uses a given client, such as one for the server of a test.
    pub fn with_client(settings: SqsSettings, client: Client) -> Self {
        Self { settings: Arc::new(settings), client: Arc::new(OnceCell::new_with(Some(client))) }
    }

    async fn sqs_client(&self) -> &Client {
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

    pub(super) async fn put_messages(&self, messages: Vec<Outgoing>) -> Result<()> {
        for queue_name in QueueName::ALL {
            let entries: Vec<_> = messages.iter().filter(|message| message.queue_name == queue_name).collect();
            for batch in entries.chunks(BATCH) {
                let entries = batch.iter().enumerate().map(|(index, message)| batch_entry(index, message));
                self.send_batch(self.settings.queue_url(queue_name)?, entries.collect::<Result<_>>()?).await?;
            }
        }
        Ok(())
    }

    /// Sends a batch, and retries the part that SQS refused for the moment.
    async fn send_batch(&self, url: &str, mut entries: Vec<SendMessageBatchRequestEntry>) -> Result<()> {
        for attempt in 1..=ATTEMPTS {
            let call = self.sqs_client().await.send_message_batch().queue_url(url);
            let failed = call.set_entries(Some(entries.clone())).send().await.map_err(queue_unavailable)?.failed;
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

    pub(super) async fn receive(
        &self,
        queue_name: QueueName,
        max: usize,
        wait: Duration,
    ) -> Result<Vec<QueueDelivery>> {
        let wait = wait.min(LONGEST_WAIT);
        let timeouts = TimeoutConfig::builder().operation_timeout(wait + CALL).build();
        let call = self
            .sqs_client()
            .await
            .receive_message()
            .queue_url(self.settings.queue_url(queue_name)?)
            .max_number_of_messages(i32::try_from(max.clamp(1, BATCH)).unwrap_or(1))
            .wait_time_seconds(whole_seconds(wait))
            .message_system_attribute_names(MessageSystemAttributeName::ApproximateReceiveCount)
            .message_system_attribute_names(MessageSystemAttributeName::MessageGroupId);
        let config = aws_sdk_sqs::config::Builder::new().timeout_config(timeouts);
        let received = call.customize().config_override(config).send().await.map_err(queue_unavailable)?;
        Ok(received.messages.unwrap_or_default().iter().map(|message| delivery_of(queue_name, message)).collect())
    }

    pub(super) async fn delete(&self, receipt: &Receipt) -> Result<()> {
        let Handle::Sqs(handle) = &receipt.handle else { return Ok(()) };
        let call = self.sqs_client().await.delete_message().queue_url(self.settings.queue_url(receipt.queue_name)?);
        match call.receipt_handle(handle).send().await {
            Err(error) if !is_void(error.code()) => Err(queue_unavailable(error)),
            _ => Ok(()),
        }
    }

    pub(super) async fn retry_after(&self, receipt: &Receipt, after: Duration) -> Result<()> {
        let Handle::Sqs(handle) = &receipt.handle else { return Ok(()) };
        let call =
            self.sqs_client().await.change_message_visibility().queue_url(self.settings.queue_url(receipt.queue_name)?);
        let after = whole_seconds(after.min(LONGEST_VISIBILITY));
        match call.receipt_handle(handle).visibility_timeout(after).send().await {
            Err(error) if !is_void(error.code()) => Err(queue_unavailable(error)),
            _ => Ok(()),
        }
    }

    /// Sends a copy to the dead-letter queue before it deletes the original: a crash in between duplicates it and never
    /// loses it.
    pub(super) async fn dead_letter(&self, delivery: &QueueDelivery, reason: String) -> Result<()> {
        let text = MessageAttributeValue::builder()
            .data_type("String")
            // SQS accepts no empty attribute.
            .string_value(if reason.is_empty() { "unknown".to_owned() } else { reason })
            .build()
            .map_err(Error::internal)?;
        let call =
            self.sqs_client().await.send_message().queue_url(self.settings.dead_url(delivery.receipt.queue_name)?);
        call.message_body(delivery.body())
            .set_message_group_id(delivery.tenant_id.map(|id| id.to_string()))
            .message_attributes(REASON, text)
            .send()
            .await
            .map_err(queue_unavailable)?;
        self.delete(&delivery.receipt).await
    }

    pub(super) async fn ping(&self) -> Result<()> {
        let client = self.sqs_client().await;
        let settings = &self.settings;
        let urls = [&settings.dispatch_url, &settings.observe_url, &settings.poll_url, &settings.train_url];
        let asked = urls.map(|url| async move {
            let name = QueueAttributeName::QueueArn;
            client.get_queue_attributes().queue_url(url).attribute_names(name).send().await
        });
        match timeout(Duration::from_secs(1), try_join_all(asked)).await {
            Ok(answer) => answer.map(drop).map_err(queue_unavailable),
            Err(elapsed) => Err(Error::unavailable("The queue", elapsed)),
        }
    }

    pub(super) async fn depth(&self, queue_name: QueueName) -> Result<Depth> {
        let (url, dead_url) = self.settings.queue_urls(queue_name)?;
        let (live, dead) = tokio::try_join!(self.count_messages(url), self.count_messages(dead_url))?;
        let [ready, delayed, in_flight] = live;
        Ok(Depth { ready, delayed, in_flight, dead: dead.iter().sum() })
    }

    /// The approximate number of messages that are ready, delayed and in flight.
    async fn count_messages(&self, url: &str) -> Result<[usize; 3]> {
        let names = [
            QueueAttributeName::ApproximateNumberOfMessages,
            QueueAttributeName::ApproximateNumberOfMessagesDelayed,
            QueueAttributeName::ApproximateNumberOfMessagesNotVisible,
        ];
        let call = self.sqs_client().await.get_queue_attributes().queue_url(url);
        let answer = call.set_attribute_names(Some(names.to_vec())).send().await.map_err(queue_unavailable)?;
        let count = |name| answer.attributes().and_then(|all| all.get(&name)?.parse().ok()).unwrap_or(0);
        Ok(names.map(count))
    }

    pub(super) async fn list_dead_letters(&self, queue_name: QueueName, max: usize) -> Result<Vec<Dead>> {
        let url = self.settings.dead_url(queue_name)?;
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
        Ok(seen.iter().map(|message| dead_letter_of(queue_name, message)).collect())
    }

    pub(super) async fn redrive_dead_letters(&self, queue_name: QueueName) -> Result<usize> {
        let (url, dead_url) = self.settings.queue_urls(queue_name)?;
        let mut count = 0;
        loop {
            let batch = self.receive_dead(dead_url, BATCH).await?;
            if batch.is_empty() {
                return Ok(count);
            }
            let entries = batch.iter().enumerate().map(|(index, message)| resent_entry(index, message));
            self.send_batch(url, entries.collect::<Result<_>>()?).await?;
            for message in &batch {
                let call = self.sqs_client().await.delete_message().queue_url(dead_url);
                call.set_receipt_handle(message.receipt_handle.clone()).send().await.map_err(queue_unavailable)?;
            }
            count += batch.len();
        }
    }

    async fn receive_dead(&self, url: &str, max: usize) -> Result<Vec<Message>> {
        let call = self
            .sqs_client()
            .await
            .receive_message()
            .queue_url(url)
            .max_number_of_messages(i32::try_from(max.clamp(1, BATCH)).unwrap_or(1))
            // With a wait SQS queries all its servers, so that an empty answer means an empty queue.
            .wait_time_seconds(1)
            .visibility_timeout(LOOKING)
            .message_attribute_names(REASON)
            .message_system_attribute_names(MessageSystemAttributeName::MessageGroupId);
        Ok(call.send().await.map_err(queue_unavailable)?.messages.unwrap_or_default())
    }

    /// Best effort: a letter that stays hidden becomes visible after [`LOOKING`] seconds.
    async fn show_again(&self, url: &str, messages: &[Message]) -> Result<()> {
        let entries = messages.iter().enumerate().map(|(index, message)| {
            ChangeMessageVisibilityBatchRequestEntry::builder()
                .id(index.to_string())
                .set_receipt_handle(message.receipt_handle.clone())
                .visibility_timeout(0)
                .build()
                .map_err(Error::internal)
        });
        let call = self.sqs_client().await.change_message_visibility_batch().queue_url(url);
        call.set_entries(Some(entries.collect::<Result<_>>()?)).send().await.map_err(queue_unavailable)?;
        Ok(())
    }
}

fn batch_entry(index: usize, message: &Outgoing) -> Result<SendMessageBatchRequestEntry> {
    SendMessageBatchRequestEntry::builder()
        .id(index.to_string())
        .message_body(&message.body)
        .delay_seconds(whole_seconds(message.after.min(MAX_DELAY)))
        .set_message_group_id(message.tenant_id.map(|id| id.to_string()))
        .build()
        .map_err(Error::internal)
}

/// A dead letter to redrive, with its body and message group unchanged.
fn resent_entry(index: usize, message: &Message) -> Result<SendMessageBatchRequestEntry> {
    SendMessageBatchRequestEntry::builder()
        .id(index.to_string())
        .message_body(message.body().unwrap_or_default())
        .set_message_group_id(find_attribute(message, &MessageSystemAttributeName::MessageGroupId).map(str::to_owned))
        .build()
        .map_err(Error::internal)
}

fn delivery_of(queue_name: QueueName, message: &Message) -> QueueDelivery {
    let count = find_attribute(message, &MessageSystemAttributeName::ApproximateReceiveCount);
    QueueDelivery {
        job: read(queue_name, message.body().unwrap_or_default()),
        receipt: Receipt::of_event(queue_name, message.receipt_handle().unwrap_or_default()),
        receive_count: count.and_then(|count| count.parse().ok()).unwrap_or(1),
        tenant_id: find_attribute(message, &MessageSystemAttributeName::MessageGroupId).and_then(|id| id.parse().ok()),
    }
}

fn dead_letter_of(queue_name: QueueName, message: &Message) -> Dead {
    let reason = message.message_attributes().and_then(|all| all.get(REASON)?.string_value().map(str::to_owned));
    Dead {
        job: read(queue_name, message.body().unwrap_or_default()),
        tenant_id: find_attribute(message, &MessageSystemAttributeName::MessageGroupId).and_then(|id| id.parse().ok()),
        reason,
    }
}

fn find_attribute<'a>(message: &'a Message, name: &MessageSystemAttributeName) -> Option<&'a str> {
    message.attributes().and_then(|all| all.get(name)).map(String::as_str)
}

/// Whole seconds, rounded up: a job may arrive late, and would have to be delayed again if it arrived early.
fn whole_seconds(duration: Duration) -> i32 {
    let whole = duration.as_secs() + u64::from(duration.subsec_nanos() > 0);
    i32::try_from(whole).unwrap_or(i32::MAX)
}

/// Whether a newer receipt exists, so that another receiver has the message.
fn is_void(code: Option<&str>) -> bool {
    matches!(code, Some(code) if code.contains("ReceiptHandleIsInvalid") || code.contains("MessageNotInflight"))
}

fn queue_unavailable<E: std::error::Error + Send + Sync + 'static>(error: E) -> Error {
    Error::unavailable("The queue", DisplayErrorContext(error).to_string())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_delay_becomes_whole_seconds_that_are_never_too_few() {
        for (millis, whole) in [(0, 0), (1, 1), (1000, 1), (1001, 2), (899_999, 900)] {
            assert_eq!(whole_seconds(Duration::from_millis(millis)), whole, "{millis} ms");
        }
    }

    #[test]
    fn the_reconciler_has_no_queue() {
        assert!(SqsSettings::default().queue_url(QueueName::Reconcile).is_err());
        assert!(SqsSettings::default().queue_url(QueueName::Observe).is_ok());
    }
}
