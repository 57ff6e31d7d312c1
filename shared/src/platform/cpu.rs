//! Computations on large inputs, beside the asynchronous workers.

use std::panic::resume_unwind;

/// A computation on fewer bytes takes less time than its own thread.
const SMALL: usize = 16 << 10;

/// Computes on an input of this many bytes. A computation on a large input runs on a thread for blocking work, so that
/// the workers answer other requests meanwhile.
pub async fn compute<T: Send + 'static>(bytes: usize, work: impl FnOnce() -> T + Send + 'static) -> T {
    if bytes < SMALL {
        return work();
    }
    match tokio::task::spawn_blocking(work).await {
        Ok(result) => result,
        Err(error) => resume_unwind(error.into_panic()),
    }
}
