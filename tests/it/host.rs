//! What becomes of a message: verdicts, failures, panics and time that runs out, alone and in a batch from SQS.

use std::time::Duration;

use functions::host::{Batch, Settled, handle, settle};
use harness::ministack::ministack;
use serde_json::{Value, json};
use shared::{
    error::{Code, Error, Result},
    id::{SessionId, TenantId},
    job::{Job, Lane, Verdict},
    queue::{Delivery, Depth, Memory, Queue, Settings, Sqs},
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
async fn only_the_messages_of_a_batch_that_failed_are_reported() {
    let server = ministack();
    let name = SessionId::new();
    let (observe_url, observe_dead_url) = server.queue(&format!("batch-{name}"), Duration::from_mins(1), 5).await;
    let settings = Settings { observe_url: observe_url.clone(), observe_dead_url, ..Settings::default() };
    let queue = Queue::Sqs(Sqs::with_client(settings, server.sqs()));
    let [done, failed, never, panics] = [job(), job(), job(), job()];
    let all = [&done, &failed, &never, &panics].map(|job| (job.clone(), Duration::ZERO));
    queue.send_all(&all).await.unwrap();
    queue.send_text(Lane::Observe, None, "not a job").await.unwrap();
    let (batch, ids) = event(&observe_url, 5).await;

    let work = |job: Job| {
        let (failed, never, panics) = (job == failed, job == never, job == panics);
        async move {
            match () {
                () if failed => Err(Error::unavailable("Redis", "timed out")),
                () if never => Ok(Verdict::Never(Error::new(Code::SessionNotFound, "gone"))),
                () if panics => panic!("a bug"),
                () => Ok(Verdict::Done),
            }
        }
    };
    let answer = handle(&queue, Lane::Observe, batch, Some(Duration::from_secs(5)), &work).await.unwrap();

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
    assert_eq!(queue.dead(Lane::Observe, 10).await.unwrap()[0].job, Ok(never));
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
