//! A batch as Lambda's poller takes it from SQS, worked off by the host.

use std::time::Duration;

use functions::host::{Batch, process_batch};
use harness::ministack::ministack;
use serde_json::json;
use shared::{
    kernel::{
        error::{Code, Error},
        id::{SessionId, TenantId},
    },
    platform::queue::{
        Queue, Sqs, SqsSettings,
        job::{Job, JobOutcome, QueueName},
    },
};

fn job() -> Job {
    Job::observe(TenantId::new(), SessionId::new())
}

#[tokio::test]
async fn only_the_messages_of_a_batch_that_failed_are_reported() {
    let server = ministack();
    let name = SessionId::new();
    let (observe_url, observe_dead_url) = server.queue(&format!("batch-{name}"), Duration::from_mins(1), 5).await;
    let settings = SqsSettings { observe_url: observe_url.clone(), observe_dead_url, ..SqsSettings::default() };
    let queue = Queue::Sqs(Sqs::with_client(settings, server.sqs()));
    let [done, failed, never, panics] = [job(), job(), job(), job()];
    let all = [&done, &failed, &never, &panics].map(|job| (job.clone(), Duration::ZERO));
    queue.send_all(&all).await.unwrap();
    queue.send_text(QueueName::Observe, None, "not a job").await.unwrap();
    let (batch, ids) = event(&observe_url, 5).await;

    let work = |job: Job| {
        let (failed, never, panics) = (job == failed, job == never, job == panics);
        async move {
            match () {
                () if failed => Err(Error::unavailable("Redis", "timed out")),
                () if never => Ok(JobOutcome::Discard(Error::new(Code::SessionNotFound, "gone"))),
                () if panics => panic!("a bug"),
                () => Ok(JobOutcome::Complete),
            }
        }
    };
    let answer = process_batch(&queue, QueueName::Observe, batch, Some(Duration::from_secs(5)), &work).await.unwrap();

    let mut reported: Vec<_> = answer.batch_item_failures.into_iter().map(|item| item.item_identifier).collect();
    reported.sort();
    let id_of = |body: &str| ids.iter().find(|(_, text)| text.contains(body)).unwrap().0.clone();
    let session = |job: &Job| match job {
        Job::Observe { session_id, .. } => session_id.to_string(),
        other => panic!("{other:?}"),
    };
    let mut expected = [id_of("not a job"), id_of(&session(&failed)), id_of(&session(&panics))];
    expected.sort();
    assert_eq!(reported, expected);
    assert_eq!(queue.list_dead_letters(QueueName::Observe, 10).await.unwrap()[0].job, Ok(never));
}

/// Receives messages as Lambda's poller does, and gives the event with their ids and bodies.
async fn event(url: &str, count: usize) -> (Batch, Vec<(String, String)>) {
    let sqs = ministack().sqs();
    let mut records = Vec::new();
    let mut ids = Vec::new();
    while records.len() < count {
        let call = sqs.receive_message().queue_url(url).max_number_of_messages(10).wait_time_seconds(2);
        for message in call.send().await.unwrap().messages.expect("more messages") {
            let (id, body) = (message.message_id.unwrap(), message.body.unwrap());
            records.push(json!({
                "messageId": id, "receiptHandle": message.receipt_handle, "body": body,
                "attributes": {"ApproximateReceiveCount": "1"}, "eventSource": "aws:sqs",
            }));
            ids.push((id, body));
        }
    }
    (serde_json::from_value(json!({ "Records": records })).unwrap(), ids)
}
