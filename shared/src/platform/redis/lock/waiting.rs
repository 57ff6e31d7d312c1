//! Waiting for a lock, for short critical sections only. A function that may wait long leaves a wake token instead.

use std::time::Duration;

use tokio::time::{Instant, sleep_until};

use super::{AcquireOptions, AcquireOutcome, Grant, Locks, Resource};
use crate::kernel::error::Result;

/// The pause of the one who is next; those behind it ask more rarely, each by its place.
const STEP: Duration = Duration::from_millis(8);

impl Locks {
    /// Polls until granted; `None` after `timeout`, and then the ticket is released.
    ///
    /// `notify` receives each wake token of another contender whose turn this call discovers.
    pub async fn acquire_waiting(
        &self,
        resource: &Resource,
        ask: &AcquireOptions,
        timeout: Duration,
        notify: impl AsyncFn(String),
    ) -> Result<Option<Grant>> {
        let deadline = Instant::now() + timeout;
        loop {
            let asked = Instant::now();
            let place = match self.acquire(resource, ask).await? {
                AcquireOutcome::Granted(grant) => return Ok(Some(grant)),
                AcquireOutcome::Queued { place, next } => {
                    if let Some(wake_token) = next {
                        notify(wake_token).await;
                    }
                    place
                }
            };
            if asked >= deadline {
                break;
            }
            sleep_until((asked + poll_pause(place, ask.ticket)).min(deadline)).await;
        }
        if let Some(wake_token) = self.cancel(resource, &ask.owner).await? {
            notify(wake_token).await;
        }
        Ok(None)
    }
}

/// Longer for places further back, shorter than the ticket, and jittered so that contenders do not poll at the same
/// time.
fn poll_pause(place: usize, ticket: Duration) -> Duration {
    let steps = u32::try_from(place).unwrap_or(u32::MAX).min(32);
    (STEP * steps).min(ticket / 4).mul_f64(rand::random_range(0.5..1.5))
}
