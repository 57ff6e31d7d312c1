//! What becomes of a message: verdicts, failures, panics and time that runs out, alone and in a batch from SQS.

use std::time::Duration;

use functions::host::{Batch, Settled, handle, settle};
use serde_json::{Value, json};
use shared::{
    error::{Code, Error, Result},
    id::{SessionId, TenantId},
    job::{Job, Lane, Verdict},
    queue::{Delivery, Depth, Memory, Queue},
};

fn job() -> Job {
    Job::observe(TenantId::new(), SessionId::new())
}

/// One message in a queue of its own, received once.
async fn received() -> (Queue, Job, Delivery) {
    let queue = Queue::Memory(Memory::default());
    let job = job();
    queue.send(&job).await.unwrap();
    let mut taken = queue.receive(Lane::Observe, 1, Duration::ZERO).await.unwrap();
    (queue, job, taken.pop().unwrap())
}

async fn settled_as(verdict: Result<Verdict>) -> (Settled, Queue, Job, Depth) {
    let (queue, job, delivery) = received().await;
    let settled = settle(&queue, &delivery, None, |given| {
        assert_eq!(given, job);
        async { verdict }
    })
    .await;
    if settled == Settled::Finished {
        queue.delete(&delivery.receipt).await.unwrap();
    }
    let depth = queue.depth(Lane::Observe).await.unwrap();
    (settled, queue, job, depth)
}

#[tokio::test]
async fn a_done_job_is_finished() {
    let (settled, _, _, depth) = settled_as(Ok(Verdict::Done)).await;
    assert_eq!((settled, depth), (Settled::Finished, Depth::default()));
}

#[tokio::test]
async fn a_job_for_later_is_sent_anew_so_that_waiting_uses_up_no_attempt() {
    let (settled, queue, job, depth) = settled_as(Ok(Verdict::Later(Duration::from_millis(20)))).await;
    assert_eq!((settled, depth), (Settled::Finished, Depth { delayed: 1, ..Depth::default() }));
    let again = queue.receive(Lane::Observe, 1, Duration::from_secs(2)).await.unwrap();
    assert_eq!((again[0].job.as_ref(), again[0].receive_count), (Ok(&job), 1));
}

#[tokio::test]
async fn a_job_that_can_never_succeed_is_put_aside_with_the_reason() {
    let never = Error::new(Code::SessionNotFound, "There is no such session.");
    let (settled, queue, job, depth) = settled_as(Ok(Verdict::Never(never))).await;
    assert_eq!((settled, depth), (Settled::Finished, Depth { dead: 1, ..Depth::default() }));
    let dead = queue.dead(Lane::Observe, 1).await.unwrap().remove(0);
    assert_eq!(dead.job, Ok(job));
    assert_eq!(dead.reason.as_deref(), Some("SESSION_NOT_FOUND: There is no such session."));
}

#[tokio::test]
async fn a_failed_job_comes_again_after_a_rest() {
    let failed = Error::unavailable("Postgres", "connection refused");
    let (settled, queue, job, depth) = settled_as(Err(failed)).await;
    assert_eq!((settled, depth), (Settled::Again, Depth { in_flight: 1, ..Depth::default() }));
    let again = queue.receive(Lane::Observe, 1, Duration::from_secs(3)).await.unwrap();
    assert_eq!((again[0].job.as_ref(), again[0].receive_count), (Ok(&job), 2));
}

#[tokio::test]
async fn a_panic_concerns_its_own_message_alone() {
    let (queue, _, delivery) = received().await;
    let settled = settle(&queue, &delivery, None, |_| async { panic!("a bug") }).await;
    assert_eq!(settled, Settled::Again);
}

#[tokio::test]
async fn work_that_outlasts_its_time_is_cut_and_comes_again() {
    let (queue, _, delivery) = received().await;
    let work = settle(&queue, &delivery, Some(Duration::from_millis(20)), |_| async { std::future::pending().await });
    let settled = tokio::time::timeout(Duration::from_secs(2), work).await.expect("it is cut");
    assert_eq!(settled, Settled::Again);
}

#[tokio::test]
async fn an_unreadable_message_is_not_worked_on_and_comes_again() {
    let queue = Queue::Memory(Memory::default());
    queue.send_text(Lane::Observe, None, "{}").await.unwrap();
    let taken = queue.receive(Lane::Observe, 1, Duration::ZERO).await.unwrap();
    let settled = settle(&queue, &taken[0], None, |_| async { panic!("not worked on") }).await;
    assert_eq!(settled, Settled::Again);
}

#[tokio::test]
async fn a_record_that_is_no_message_is_reported_and_one_without_an_id_fails_the_whole_batch() {
    let queue = Queue::Memory(Memory::default());
    let work = |_| async { Ok(Verdict::Done) };
    let answer = |records: Value| {
        let batch: Batch = serde_json::from_value(json!({ "Records": records })).unwrap();
        handle(&queue, Lane::Observe, batch, None, &work)
    };
    let broken = answer(json!([{"messageId": "one", "body": {"not": "text"}}])).await.unwrap();
    assert_eq!(broken.batch_item_failures[0].item_identifier, "one");
    assert!(answer(json!([{"body": "{}"}])).await.is_err());
    assert!(answer(json!([])).await.unwrap().batch_item_failures.is_empty());
}
