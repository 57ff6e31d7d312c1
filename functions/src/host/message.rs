//! From the outcome of a job to the queue: completed, snoozed, discarded or retried. Every host that processes
//! messages, on Lambda or in one process, uses this.

use std::time::Duration;

use shared::{
    kernel::{
        error::{Code, Error, Result},
        panic::catch_panic,
    },
    platform::queue::{
        Queue, QueueDelivery,
        job::{Job, JobOutcome},
        retry_pause,
    },
};
use tokio::time::timeout;
use tracing::{error, warn};

/// What the host does with a message.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum MessageDisposition {
    /// The message is processed: the host deletes it.
    Delete,
    /// The queue delivers the message again.
    Redeliver,
}

/// Runs the job of one message and reports the outcome to the queue. A failure, a panic or a timeout affects only this
/// message.
pub async fn settle_message<W, F>(
    queue: &Queue,
    delivery: &QueueDelivery,
    time_left: Option<Duration>,
    work: W,
) -> MessageDisposition
where
    W: FnOnce(Job) -> F,
    F: Future<Output = Result<JobOutcome>>,
{
    let job = match &delivery.job {
        Ok(job) => job.clone(),
        Err(unreadable) => {
            // The message is delivered again after its visibility timeout: newer code may be able to read it.
            warn!(raw = unreadable.raw, "a message {}", unreadable.reason);
            return MessageDisposition::Redeliver;
        }
    };
    let settled = match run_with_timeout(work(job.clone()), time_left).await {
        Ok(JobOutcome::Complete) => Ok(MessageDisposition::Delete),
        Ok(JobOutcome::Snooze(after)) => queue.send_after(&job, after).await.map(|()| MessageDisposition::Delete),
        Ok(JobOutcome::Discard(reason)) => dead_letter(queue, delivery, &job, &reason).await,
        Err(failed) => retry(queue, delivery, &job, &failed).await,
    };
    settled.unwrap_or_else(|failed| {
        error!(?job, error = ?failed, "the queue did not accept the outcome of a message: it is delivered again");
        MessageDisposition::Redeliver
    })
}

/// Runs work within its time. A panic and a timeout are errors like any other.
pub async fn run_with_timeout<F>(work: F, time_left: Option<Duration>) -> Result<JobOutcome>
where
    F: Future<Output = Result<JobOutcome>>,
{
    let guarded = catch_panic(work);
    match time_left {
        Some(left) => timeout(left, guarded).await.map_err(|_| timed_out(left))?,
        None => guarded.await,
    }
}

fn timed_out(left: Duration) -> Error {
    Error::new(Code::InternalError, format!("The work did not complete within {left:?}."))
}

async fn dead_letter(queue: &Queue, delivery: &QueueDelivery, job: &Job, reason: &Error) -> Result<MessageDisposition> {
    error!(?job, error = ?reason, "a job can never succeed: it is moved to the dead-letter queue");
    queue.dead_letter(delivery, &reason.to_string()).await.map(|()| MessageDisposition::Delete)
}

async fn retry(queue: &Queue, delivery: &QueueDelivery, job: &Job, failed: &Error) -> Result<MessageDisposition> {
    let delay = retry_pause(delivery.receive_count);
    warn!(?job, attempt = delivery.receive_count, ?delay, error = ?failed, "a job failed and is retried");
    queue.retry_after(&delivery.receipt, delay).await.map(|()| MessageDisposition::Redeliver)
}
