//! From a verdict to the queue: what is done, put off, given up or tried again. Every host that works off messages, on
//! Lambda or in one process, settles them here.

use std::{panic::AssertUnwindSafe, time::Duration};

use futures_util::FutureExt;
use shared::{
    error::{Code, Error, Result},
    job::{Job, Verdict},
    queue::{Delivery, Queue, pause},
};
use tokio::time::timeout;
use tracing::{error, warn};

/// What becomes of a message.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum Settled {
    /// It is dealt with: the host deletes it.
    Finished,
    /// It comes again, by itself.
    Again,
}

/// Does the job of one message and settles what its verdict asks for. Failures, panics and a time that runs out concern
/// this message alone.
pub async fn settle<W, F>(queue: &Queue, delivery: &Delivery, time_left: Option<Duration>, work: W) -> Settled
where
    W: FnOnce(Job) -> F,
    F: Future<Output = Result<Verdict>>,
{
    let job = match &delivery.job {
        Ok(job) => job.clone(),
        Err(unreadable) => {
            // It stays hidden for its whole time and then comes again: newer code may be on its way.
            warn!(raw = unreadable.raw, "a message {}", unreadable.reason);
            return Settled::Again;
        }
    };
    let settled = match attempt(work(job.clone()), time_left).await {
        Ok(Verdict::Done) => Ok(Settled::Finished),
        Ok(Verdict::Later(after)) => queue.send_after(&job, after).await.map(|()| Settled::Finished),
        Ok(Verdict::Never(never)) => bury(queue, delivery, &job, &never).await,
        Err(failed) => try_again(queue, delivery, &job, &failed).await,
    };
    settled.unwrap_or_else(|failed| {
        error!(?job, error = ?failed, "the queue did not take what became of a message: it comes again");
        Settled::Again
    })
}

/// Runs work within its time; a panic and a time that ran out are errors like any other.
pub async fn attempt<F>(work: F, time_left: Option<Duration>) -> Result<Verdict>
where
    F: Future<Output = Result<Verdict>>,
{
    let guarded = AssertUnwindSafe(work).catch_unwind();
    let ended = match time_left {
        Some(left) => timeout(left, guarded).await.map_err(|_| too_slow(left))?,
        None => guarded.await,
    };
    ended.unwrap_or_else(|panic| {
        let text = panic.downcast_ref::<String>().map(String::as_str).or_else(|| panic.downcast_ref::<&str>().copied());
        Err(Error::internal(format!("panicked: {}", text.unwrap_or("without a text"))))
    })
}

fn too_slow(left: Duration) -> Error {
    Error::new(Code::InternalError, format!("The work was not done within {left:?}."))
}

async fn bury(queue: &Queue, delivery: &Delivery, job: &Job, never: &Error) -> Result<Settled> {
    error!(?job, error = ?never, "a job can never succeed: it is put aside");
    queue.bury(delivery, &never.to_string()).await.map(|()| Settled::Finished)
}

async fn try_again(queue: &Queue, delivery: &Delivery, job: &Job, failed: &Error) -> Result<Settled> {
    let pause = pause(delivery.receive_count);
    warn!(?job, attempt = delivery.receive_count, ?pause, error = ?failed, "a job failed: it is tried again");
    queue.retry_after(&delivery.receipt, pause).await.map(|()| Settled::Again)
}
