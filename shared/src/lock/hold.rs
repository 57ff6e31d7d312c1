//! Working under a lock: the lease is renewed while the work goes on, and losing it ends the work.

use std::{error::Error as StdError, fmt, time::Duration};

use tokio::time::{Instant, sleep_until, timeout_at};

use super::{Fence, Grant, Locks, Resource};
use crate::error::{Code, Error, Result};

/// Work that was under the lock from its beginning to its end.
#[derive(Debug)]
pub struct Held<T> {
    pub value: T,
    /// The doorbell of the one whose turn it is now, for the caller to ring.
    pub next: Option<String>,
}

/// The lease ended before the work did: the work was dropped, and another may hold the resource.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct Lost {
    pub resource: Resource,
    pub fence: Fence,
}

impl Locks {
    /// Does the work while renewing the lease at a third of it, and releases at the end.
    ///
    /// The work must not block the thread, or nothing renews. When this future is dropped, the lease ends by itself.
    pub async fn hold<T>(&self, mut grant: Grant, work: impl Future<Output = T>) -> Result<Held<T>, Lost> {
        let value = tokio::select! {
            biased;
            () = self.keep(&mut grant) => return Err(lost(&grant)),
            value = work => value,
        };
        match self.release(&grant).await {
            Ok(released) if released.held => Ok(Held { value, next: released.next }),
            Ok(_) => Err(lost(&grant)),
            Err(error) => {
                tracing::warn!(resource = %grant.resource, ?error, "a lock was not released and stays until its lease ends");
                Ok(Held { value, next: None })
            }
        }
    }

    /// Renews the lease over and over; ends when it is lost, or when Redis stayed silent for all of it.
    async fn keep(&self, grant: &mut Grant) {
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

fn lost(grant: &Grant) -> Lost {
    Lost { resource: grant.resource.clone(), fence: grant.fence }
}

impl fmt::Display for Lost {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "the lock on {} (fence {}) was lost", self.resource, self.fence)
    }
}

impl StdError for Lost {}

impl From<Lost> for Error {
    /// As an error of the whole use case: nothing is wrong with the call, and a repetition may succeed.
    #[track_caller]
    fn from(lost: Lost) -> Self {
        Self::new(Code::DependencyUnavailable, "The work was interrupted and can be tried again.").caused_by(lost)
    }
}
