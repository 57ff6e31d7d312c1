//! A batch of messages from SQS: each stands for itself, and only those that failed are reported to come again.

use std::time::Duration;

use aws_lambda_events::event::sqs::{SqsBatchResponse, SqsMessage};
use futures_util::future::join_all;
use lambda_runtime::Error;
use serde::Deserialize;
use serde_json::Value;
use shared::{
    error::Result,
    job::{Job, Lane, Verdict},
    queue::{Delivery, Queue, Receipt, read},
};

use super::settle::{Settled, settle};

/// The event as it comes; its records are read one by one, so that a broken one breaks no other.
#[derive(Debug, Deserialize)]
pub struct Batch {
    #[serde(rename = "Records")]
    records: Vec<Value>,
}

/// Works off a batch, all of its messages at once, because they mostly wait for others. SQS deletes those that are not
/// in the answer.
pub async fn handle<W, F>(
    queue: &Queue,
    lane: Lane,
    batch: Batch,
    time_left: Option<Duration>,
    work: &W,
) -> Result<SqsBatchResponse, Error>
where
    W: Fn(Job) -> F,
    F: Future<Output = Result<Verdict>>,
{
    let named: Vec<_> = batch.records.into_iter().map(named).collect::<Result<_, _>>()?;
    let settled = named.iter().map(|(_, record)| async move {
        match record {
            Some(record) => settle(queue, &delivery(lane, record), time_left, work).await,
            None => Settled::Again,
        }
    });
    let mut response = SqsBatchResponse::default();
    for ((id, _), settled) in named.iter().zip(join_all(settled).await) {
        if settled == Settled::Again {
            response.add_failure(id);
        }
    }
    Ok(response)
}

/// A record with its id. Without an id it could not be reported, and silence would delete it: the whole batch fails.
fn named(record: Value) -> Result<(String, Option<SqsMessage>), Error> {
    let id = record.get("messageId").and_then(Value::as_str).map(str::to_owned);
    let id = id.ok_or_else(|| Error::from("a record of the batch has no messageId"))?;
    let message = serde_json::from_value(record)
        .inspect_err(|error| tracing::error!(message.id = id, %error, "a record is no SQS message"));
    Ok((id, message.ok()))
}

fn delivery(lane: Lane, message: &SqsMessage) -> Delivery {
    let attribute = |name| message.attributes.get(name).map(String::as_str);
    Delivery {
        job: read(lane, message.body.as_deref().unwrap_or_default()),
        receipt: Receipt::of_event(lane, message.receipt_handle.as_deref().unwrap_or_default()),
        receive_count: attribute("ApproximateReceiveCount").and_then(|count| count.parse().ok()).unwrap_or(1),
        tenant_id: attribute("MessageGroupId").and_then(|id| id.parse().ok()),
    }
}
