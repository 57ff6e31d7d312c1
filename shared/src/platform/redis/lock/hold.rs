//! Work under a lock: the lease is renewed while the work runs, and the loss of the lease ends the work.

use std::{error::Error as StdError, fmt, time::Duration};

use tokio::time::{Instant, sleep_until, timeout_at};

use super::{Fence, Grant, Locks, Resource};
use crate::kernel::error::{Code, Error, Result};

/// The result of work that held the lock throughout.
#[derive(Debug)]
pub struct HeldOutcome<T> {
    pub value: T,
    /// The wake token of the next waiter, which the caller notifies.
    pub next: Option<String>,
}

/// The lease ended before the work: the work was dropped, and another owner may hold the resource.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct LostLock {
    pub resource: Resource,
    pub fence: Fence,
}

impl Locks {
    /// Runs the work, renews the lease at a third of its length, and releases the lock at the end.
    ///
    /// The work must not block the thread, or the lease is not renewed. When this future is dropped, the lease expires.
    pub async fn hold<T>(&self, mut grant: Grant, work: impl Future<Output = T>) -> Result<HeldOutcome<T>, LostLock> {
        let value = tokio::select! {
            biased;
            () = self.renew_while_held(&mut grant) => return Err(lost_lock(&grant)),
            value = work => value,
        };
        match self.release(&grant).await {
            Ok(released) if released.held => Ok(HeldOutcome { value, next: released.next }),
            Ok(_) => Err(lost_lock(&grant)),
            Err(error) => {
                tracing::warn!(resource = %grant.resource, ?error, "a lock was not released and stays until its lease ends");
                Ok(HeldOutcome { value, next: None })
            }
        }
    }

    /// Renews the lease repeatedly. It ends when the lease is lost or Redis did not answer for its whole length.
    async fn renew_while_held(&self, grant: &mut Grant) {
        let mut due = grant.ends - grant.lease * 2 / 3;
        loop {
            let ends = grant.ends;
            sleep_until(due.min(ends)).await;
            due = match timeout_at(ends, self.renew(grant)).await {
                Ok(Ok(true)) => grant.ends - grant.lease * 2 / 3,
                Ok(Err(_)) if Instant::now() < ends => Instant::now() + retry_pause(grant.lease),
                _ => return,
            };
        }
    }
}

fn retry_pause(lease: Duration) -> Duration {
    (lease / 30).max(Duration::from_millis(5))
}

fn lost_lock(grant: &Grant) -> LostLock {
    LostLock { resource: grant.resource.clone(), fence: grant.fence }
}

impl fmt::Display for LostLock {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "the lock on {} (fence {}) was lost", self.resource, self.fence)
    }
}

impl StdError for LostLock {}

impl From<LostLock> for Error {
    /// As an error of the whole use case: nothing is wrong with the call, and a repetition may succeed.
    #[track_caller]
    fn from(lost: LostLock) -> Self {
        Self::new(Code::DependencyUnavailable, "The work was interrupted and can be tried again.").caused_by(lost)
    }
}
