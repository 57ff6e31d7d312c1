//! One task of a session at a time. After a lost lease the same runner may be given the same session again while it is
//! still ending the work of the old lease, and both would use the same folders.

use std::{
    collections::HashMap,
    sync::{Arc, Mutex, PoisonError, Weak},
};

use tokio::sync::{Mutex as AsyncMutex, OwnedMutexGuard};

/// The sessions at work.
#[derive(Debug, Default)]
pub struct SessionLocks(Mutex<HashMap<String, Weak<AsyncMutex<()>>>>);

impl SessionLocks {
    /// Waits until no other task of this session is at work. The session is free again when the guard is dropped.
    pub async fn lock(&self, session: &str) -> OwnedMutexGuard<()> {
        self.find(session).lock_owned().await
    }

    fn find(&self, session: &str) -> Arc<AsyncMutex<()>> {
        let mut locks = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        locks.retain(|_, lock| lock.strong_count() > 0);
        if let Some(lock) = locks.get(session).and_then(Weak::upgrade) {
            return lock;
        }
        let lock = Arc::default();
        locks.insert(session.to_owned(), Arc::downgrade(&lock));
        lock
    }
}

#[cfg(test)]
mod tests {
    use futures_util::FutureExt;

    use super::*;

    #[tokio::test]
    async fn a_second_task_of_a_session_waits_for_the_end_of_the_first() {
        let locks = SessionLocks::default();
        let first = locks.lock("a").await;
        let mut second = std::pin::pin!(locks.lock("a"));
        assert!(second.as_mut().now_or_never().is_none());
        assert!(locks.lock("b").now_or_never().is_some(), "another session does not wait");
        drop(first);
        drop(second.await);
        assert!(locks.lock("b").now_or_never().is_some());
        assert_eq!(locks.0.lock().unwrap().len(), 1, "sessions that have ended are forgotten");
    }
}
