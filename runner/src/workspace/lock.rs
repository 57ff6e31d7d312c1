//! Locks between sessions and between processes, by files that the kernel unlocks when their holders are gone.

use std::{
    collections::HashMap,
    fs::{File, OpenOptions, TryLockError},
    path::{Path, PathBuf},
    sync::{Arc, Mutex, PoisonError},
    time::Duration,
};

use tokio::{
    sync::OwnedMutexGuard,
    time::{sleep, timeout},
};

use super::error::{NamePath, WorkspaceError};

/// How often another process's lock is tried.
const RETRY: Duration = Duration::from_millis(50);

/// Locks of paths. Within this process they are granted in the order of their requests.
#[derive(Debug, Default)]
pub(super) struct PathLocks {
    queues: Mutex<HashMap<PathBuf, Arc<tokio::sync::Mutex<()>>>>,
}

/// A lock that is held until it is dropped, and beyond by git calls that it was left to.
#[derive(Debug)]
pub(super) struct PathLock {
    file: File,
    _queue: OwnedMutexGuard<()>,
}

impl PathLocks {
    /// Waits for the lock of a path, at most for `limit`.
    pub(super) async fn acquire(&self, path: &Path, limit: Duration) -> Result<PathLock, WorkspaceError> {
        let acquired = timeout(limit, self.acquire_unbounded(path)).await;
        acquired.unwrap_or_else(|_| {
            let message = "another session fetches the repository for too long";
            Err(WorkspaceError::new(WorkspaceError::TIMEOUT, message))
        })
    }

    async fn acquire_unbounded(&self, path: &Path) -> Result<PathLock, WorkspaceError> {
        let queue = {
            let mut queues = self.queues.lock().unwrap_or_else(PoisonError::into_inner);
            queues.retain(|_, queue| Arc::strong_count(queue) > 1);
            Arc::clone(queues.entry(path.to_owned()).or_default())
        };
        let queue = queue.lock_owned().await;
        let file = OpenOptions::new().create(true).append(true).read(true).open(path).name_path(path)?;
        loop {
            match file.try_lock() {
                Ok(()) => return Ok(PathLock { file, _queue: queue }),
                Err(TryLockError::WouldBlock) => sleep(RETRY).await,
                Err(TryLockError::Error(error)) => return Err(WorkspaceError::of_files(path, &error)),
            }
        }
    }
}

impl PathLock {
    /// A handle for a git call, which then holds the lock as well.
    pub(super) fn share(&self, path: &Path) -> Result<File, WorkspaceError> {
        self.file.try_clone().name_path(path)
    }
}
