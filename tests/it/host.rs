//! The outcomes of a message: verdicts, failures, panics and timeouts, alone and in a batch from SQS.

use std::time::Duration;

use functions::host::{Batch, MessageDisposition, process_batch, settle_message};
use serde_json::{Value, json};
use shared::{
    kernel::{
        error::{Code, Error, Result},
        id::{SessionId, TenantId},
    },
    platform::queue::{
        Depth, MemoryQueue, Queue, QueueDelivery,
        job::{Job, JobOutcome, QueueName},
    },
};

fn job() -> Job {
    Job::observe(TenantId::new(), SessionId::new())
}

/// One message in a queue of its own, received once.
async fn received() -> (Queue, Job, QueueDelivery) {
    let queue = Queue::Memory(MemoryQueue::default());
    let job = job();
    queue.send(&job).await.unwrap();
    let mut taken = queue.receive(QueueName::Observe, 1, Duration::ZERO).await.unwrap();
    (queue, job, taken.pop().unwrap())
}

async fn settled_as(verdict: Result<JobOutcome>) -> (MessageDisposition, Queue, Job, Depth) {
    let (queue, job, delivery) = received().await;
    let settled = settle_message(&queue, &delivery, None, |given| {
        assert_eq!(given, job);
        async { verdict }
    })
    .await;
    if settled == MessageDisposition::Delete {
        queue.delete(&delivery.receipt).await.unwrap();
    }
    let depth = queue.depth(QueueName::Observe).await.unwrap();
    (settled, queue, job, depth)
}

#[tokio::test]
async fn a_done_job_is_finished() {
    let (settled, _, _, depth) = settled_as(Ok(JobOutcome::Complete)).await;
    assert_eq!((settled, depth), (MessageDisposition::Delete, Depth::default()));
}

#[tokio::test]
async fn a_snoozed_job_is_sent_again_and_consumes_no_attempt() {
    let (settled, queue, job, depth) = settled_as(Ok(JobOutcome::Snooze(Duration::from_millis(20)))).await;
    assert_eq!((settled, depth), (MessageDisposition::Delete, Depth { delayed: 1, ..Depth::default() }));
    let again = queue.receive(QueueName::Observe, 1, Duration::from_secs(2)).await.unwrap();
    assert_eq!((again[0].job.as_ref(), again[0].receive_count), (Ok(&job), 1));
}

#[tokio::test]
async fn a_job_that_can_never_succeed_is_dead_lettered_with_its_reason() {
    let never = Error::new(Code::SessionNotFound, "There is no such session.");
    let (settled, queue, job, depth) = settled_as(Ok(JobOutcome::Discard(never))).await;
    assert_eq!((settled, depth), (MessageDisposition::Delete, Depth { dead: 1, ..Depth::default() }));
    let dead = queue.list_dead_letters(QueueName::Observe, 1).await.unwrap().remove(0);
    assert_eq!(dead.job, Ok(job));
    assert_eq!(dead.reason.as_deref(), Some("SESSION_NOT_FOUND: There is no such session."));
}

#[tokio::test]
async fn a_failed_job_is_redelivered_after_a_delay() {
    let failed = Error::unavailable("Postgres", "connection refused");
    let (settled, queue, job, depth) = settled_as(Err(failed)).await;
    assert_eq!((settled, depth), (MessageDisposition::Redeliver, Depth { in_flight: 1, ..Depth::default() }));
    let again = queue.receive(QueueName::Observe, 1, Duration::from_secs(3)).await.unwrap();
    assert_eq!((again[0].job.as_ref(), again[0].receive_count), (Ok(&job), 2));
}

#[tokio::test]
async fn a_panic_affects_only_its_own_message() {
    let (queue, _, delivery) = received().await;
    let settled = settle_message(&queue, &delivery, None, |_| async { panic!("a bug") }).await;
    assert_eq!(settled, MessageDisposition::Redeliver);
}

#[tokio::test]
async fn a_job_that_exceeds_its_timeout_is_aborted_and_redelivered() {
    let (queue, _, delivery) = received().await;
    let work =
        settle_message(&queue, &delivery, Some(Duration::from_millis(20)), |_| async { std::future::pending().await });
    let settled = tokio::time::timeout(Duration::from_secs(2), work).await.expect("it is cut");
    assert_eq!(settled, MessageDisposition::Redeliver);
}

#[tokio::test]
async fn an_unreadable_message_is_not_processed_and_is_redelivered() {
    let queue = Queue::Memory(MemoryQueue::default());
    queue.send_text(QueueName::Observe, None, "{}").await.unwrap();
    let taken = queue.receive(QueueName::Observe, 1, Duration::ZERO).await.unwrap();
    let settled = settle_message(&queue, &taken[0], None, |_| async { panic!("not worked on") }).await;
    assert_eq!(settled, MessageDisposition::Redeliver);
}

#[tokio::test]
async fn an_invalid_record_is_reported_and_one_without_an_id_fails_the_whole_batch() {
    let queue = Queue::Memory(MemoryQueue::default());
    let work = |_| async { Ok(JobOutcome::Complete) };
    let answer = |records: Value| {
        let batch: Batch = serde_json::from_value(json!({ "Records": records })).unwrap();
        process_batch(&queue, QueueName::Observe, batch, None, &work)
    };
    let broken = answer(json!([{"messageId": "one", "body": {"not": "text"}}])).await.unwrap();
    assert_eq!(broken.batch_item_failures[0].item_identifier, "one");
    assert!(answer(json!([{"body": "{}"}])).await.is_err());
    assert!(answer(json!([])).await.unwrap().batch_item_failures.is_empty());
}
