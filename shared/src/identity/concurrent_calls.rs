//! How many calls of one key or user are processed at once. Further calls wait for their turn.

use std::{
    sync::{Arc, Mutex, PoisonError},
    time::Duration,
};

use moka::sync::Cache;
use tokio::sync::{OwnedSemaphorePermit, Semaphore};

use crate::kernel::error::{Code, Error, Result};

/// How long the turns of a key are kept without a call. It is longer than a call may take.
const IDLE: Duration = Duration::from_mins(5);

/// The calls in progress, by key or user.
pub(crate) struct ConcurrentCalls {
    turns: Cache<String, Arc<Semaphore>>,
}

impl Default for ConcurrentCalls {
    fn default() -> Self {
        Self { turns: Cache::builder().max_capacity(100_000).time_to_idle(IDLE).build() }
    }
}

impl ConcurrentCalls {
    /// Waits until fewer than `limit` calls of the key are in progress; 0 = unlimited.
    pub(crate) async fn begin(&self, key: String, limit: u32, patience: Duration) -> Result<CallInProgress> {
        if limit == 0 {
            return Ok(CallInProgress::default());
        }
        let most = usize::try_from(limit).unwrap_or(usize::MAX).min(Semaphore::MAX_PERMITS);
        let turns = self.turns.get_with(key, || Arc::new(Semaphore::new(most)));
        if let Ok(Ok(permit)) = tokio::time::timeout(patience, turns.acquire_owned()).await {
            return Ok(CallInProgress(Arc::new(Mutex::new(Some(permit)))));
        }
        let detail = format!("{limit} calls of this key are in progress; send fewer at once.");
        Err(Error::new(Code::RateLimited, detail))
    }
}

/// A call that is being processed. Its turn ends when the last clone is dropped.
#[derive(Clone, Default)]
pub struct CallInProgress(Arc<Mutex<Option<OwnedSemaphorePermit>>>);

impl CallInProgress {
    /// Ends the turn early: a call that only waits does not keep others from being processed.
    pub fn end_turn(&self) {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).take();
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const PATIENCE: Duration = Duration::from_millis(50);

    #[tokio::test]
    async fn a_call_waits_for_its_turn_and_is_refused_after_a_while() {
        let calls = ConcurrentCalls::default();
        let begin = || calls.begin("key".to_owned(), 2, PATIENCE);
        let (first, second) = (begin().await.unwrap(), begin().await.unwrap());
        let refused = begin().await.err().unwrap();
        assert_eq!(refused.code(), Code::RateLimited);
        calls.begin("another key".to_owned(), 2, PATIENCE).await.unwrap();
        let (third, ()) = tokio::join!(begin(), async { drop(first) });
        third.unwrap();
        second.end_turn();
        begin().await.unwrap();
        assert!(calls.begin("key".to_owned(), 0, PATIENCE).await.is_ok(), "no limit");
    }
}
