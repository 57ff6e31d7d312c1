//! A batch of messages from SQS. Each message is processed on its own; only those that failed are reported for
//! redelivery.

use std::time::Duration;

use aws_lambda_events::event::sqs::{SqsBatchResponse, SqsMessage};
use futures_util::future::join_all;
use lambda_runtime::Error;
use serde::Deserialize;
use serde_json::Value;
use shared::{
    kernel::error::Result,
    platform::queue::{
        Queue, QueueDelivery, Receipt,
        job::{Job, JobOutcome, QueueName},
        read,
    },
};

use super::message::{MessageDisposition, settle_message};

/// The event of SQS. Its records are parsed one by one, so that an invalid record affects no other.
#[derive(Debug, Deserialize)]
pub struct Batch {
    #[serde(rename = "Records")]
    records: Vec<Value>,
}

/// Processes all messages of a batch concurrently, because they mostly wait for I/O. SQS deletes the messages that the
/// answer does not list.
pub async fn process_batch<W, F>(
    queue: &Queue,
    queue_name: QueueName,
    batch: Batch,
    time_left: Option<Duration>,
    work: &W,
) -> Result<SqsBatchResponse, Error>
where
    W: Fn(Job) -> F,
    F: Future<Output = Result<JobOutcome>>,
{
    let named: Vec<_> = batch.records.into_iter().map(named).collect::<Result<_, _>>()?;
    let settled = named.iter().map(|(_, record)| async move {
        match record {
            Some(record) => settle_message(queue, &delivery(queue_name, record), time_left, work).await,
            None => MessageDisposition::Redeliver,
        }
    });
    let mut response = SqsBatchResponse::default();
    for ((id, _), settled) in named.iter().zip(join_all(settled).await) {
        if settled == MessageDisposition::Redeliver {
            response.add_failure(id);
        }
    }
    Ok(response)
}

/// A record with its id. A record without an id could not be reported and would be deleted, so the whole batch fails.
fn named(record: Value) -> Result<(String, Option<SqsMessage>), Error> {
    let id = record.get("messageId").and_then(Value::as_str).map(str::to_owned);
    let id = id.ok_or_else(|| Error::from("a record of the batch has no messageId"))?;
    let message = serde_json::from_value(record)
        .inspect_err(|error| tracing::error!(message.id = id, %error, "a record is not an SQS message"));
    Ok((id, message.ok()))
}

fn delivery(queue_name: QueueName, message: &SqsMessage) -> QueueDelivery {
    let attribute = |name| message.attributes.get(name).map(String::as_str);
    QueueDelivery {
        job: read(queue_name, message.body.as_deref().unwrap_or_default()),
        receipt: Receipt::of_event(queue_name, message.receipt_handle.as_deref().unwrap_or_default()),
        receive_count: attribute("ApproximateReceiveCount").and_then(|count| count.parse().ok()).unwrap_or(1),
        tenant_id: attribute("MessageGroupId").and_then(|id| id.parse().ok()),
    }
}
