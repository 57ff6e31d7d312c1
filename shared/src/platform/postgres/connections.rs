//! The connections to one server, and what its failures say about its storage.

use std::{
    sync::{Arc, Mutex, PoisonError},
    time::{Duration, Instant},
};

use deadpool_postgres::Pool;

use crate::kernel::error::Result;

use super::{
    error::CallFailure,
    shares::{PooledClient, Reservation},
};

/// The pool, shared by all that use it.
#[derive(Clone)]
pub(super) struct Connections {
    pool: Pool,
    storage_failed_at: Arc<Mutex<Option<Instant>>>,
}

impl Connections {
    pub(super) fn of_pool(pool: Pool) -> Self {
        Self { pool, storage_failed_at: Arc::default() }
    }

    pub(super) async fn checkout(&self, reservation: Reservation) -> Result<PooledClient> {
        PooledClient::checkout(&self.pool, reservation).await
    }

    /// Drops the idle connections: if one has died, the others most likely have too, and the retry needs a new one.
    pub(super) fn drop_idle(&self) {
        self.pool.retain(|_, _| false);
    }

    /// Remembers a failure that says that the server cannot store anything.
    pub(super) fn record_failure(&self, failure: &CallFailure) {
        if failure.is_of_storage() {
            *self.storage_failed_at.lock().unwrap_or_else(PoisonError::into_inner) = Some(Instant::now());
        }
    }

    /// Whether the server could not store something within this time.
    pub(super) fn has_storage_failed_within(&self, time: Duration) -> bool {
        let failed_at = *self.storage_failed_at.lock().unwrap_or_else(PoisonError::into_inner);
        failed_at.is_some_and(|at| at.elapsed() < time)
    }
}
