//! Waiting for a lock, for short critical sections only: a function that has long to wait leaves a doorbell instead.

use std::time::Duration;

use tokio::time::{Instant, sleep_until};

use super::{Acquired, Ask, Grant, Locks, Resource};
use crate::error::Result;

/// The pause of the one who is next; those behind it ask more rarely, each by its place.
const STEP: Duration = Duration::from_millis(8);

impl Locks {
    /// Asks until granted; `None` when `timeout` passed first, and then the ticket is given back.
    ///
    /// `ring` is handed each doorbell that came to light on the way: another's turn, which it sleeps through.
    pub async fn acquire_waiting(
        &self,
        resource: &Resource,
        ask: &Ask,
        timeout: Duration,
        ring: impl AsyncFn(String),
    ) -> Result<Option<Grant>> {
        let deadline = Instant::now() + timeout;
        loop {
            let asked = Instant::now();
            let place = match self.acquire(resource, ask).await? {
                Acquired::Granted(grant) => return Ok(Some(grant)),
                Acquired::Queued { place, next } => {
                    if let Some(doorbell) = next {
                        ring(doorbell).await;
                    }
                    place
                }
            };
            if asked >= deadline {
                break;
            }
            sleep_until((asked + pause(place, ask.ticket)).min(deadline)).await;
        }
        if let Some(doorbell) = self.cancel(resource, &ask.owner).await? {
            ring(doorbell).await;
        }
        Ok(None)
    }
}

/// Longer the further back, never so long that the ticket runs out, and jittered so that contenders do not march in step.
fn pause(place: usize, ticket: Duration) -> Duration {
    let steps = u32::try_from(place).unwrap_or(u32::MAX).min(32);
    (STEP * steps).min(ticket / 4).mul_f64(rand::random_range(0.5..1.5))
}
