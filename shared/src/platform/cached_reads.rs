//! A cache of what was read in the last seconds. Readers of the same thing wait for each other, so that a flood of
//! calls costs one read when an entry expires.

use std::{hash::Hash, sync::Arc, time::Duration};

use moka::sync::Cache;
use tokio::sync::Mutex;

use crate::kernel::error::Result;

/// A cache of the values that a process read. Clones share it.
#[derive(Clone)]
pub struct CachedReads<K: Hash + Eq, V> {
    values: Cache<K, V>,
    /// Held by whoever reads a value.
    readers: Cache<K, Arc<Mutex<()>>>,
}

impl<K, V> CachedReads<K, V>
where
    K: Hash + Eq + Clone + Send + Sync + 'static,
    V: Clone + Send + Sync + 'static,
{
    /// A cache of at most `capacity` values, each for `ttl`.
    pub fn new(capacity: u64, ttl: Duration) -> Self {
        Self {
            values: Cache::builder().max_capacity(capacity).time_to_live(ttl).build(),
            readers: Cache::builder().max_capacity(capacity).time_to_idle(ttl).build(),
        }
    }

    /// The value of a key, which `read` reads if it is not cached. What does not exist is not cached.
    pub async fn find(&self, key: &K, read: impl Future<Output = Result<Option<V>>>) -> Result<Option<V>> {
        if let Some(value) = self.values.get(key) {
            return Ok(Some(value));
        }
        let reader = self.readers.get_with(key.clone(), Arc::default);
        let _reading = reader.lock().await;
        if let Some(value) = self.values.get(key) {
            return Ok(Some(value));
        }
        let value = read.await?;
        if let Some(value) = &value {
            self.values.insert(key.clone(), value.clone());
        }
        Ok(value)
    }

    /// Forgets all values.
    pub fn invalidate(&self) {
        self.values.invalidate_all();
    }
}

#[cfg(test)]
mod tests {
    use std::sync::atomic::{AtomicUsize, Ordering};

    use futures_util::future::join_all;

    use super::*;

    #[tokio::test]
    async fn concurrent_calls_for_one_value_read_it_once() {
        let (cache, reads) = (CachedReads::new(10, Duration::from_mins(1)), AtomicUsize::new(0));
        let read = || async {
            reads.fetch_add(1, Ordering::Relaxed);
            tokio::task::yield_now().await;
            Ok(Some("value"))
        };
        let found = join_all((0..100).map(|_| cache.find(&7, read()))).await;
        assert!(found.into_iter().all(|value| value.unwrap() == Some("value")));
        assert_eq!(reads.load(Ordering::Relaxed), 1);
        cache.invalidate();
        cache.find(&7, read()).await.unwrap();
        assert_eq!(reads.load(Ordering::Relaxed), 2);
    }

    #[tokio::test]
    async fn a_value_that_does_not_exist_or_could_not_be_read_is_read_again() {
        let (cache, reads) = (CachedReads::<_, &str>::new(10, Duration::from_mins(1)), AtomicUsize::new(0));
        for answer in [Ok(None), Err(crate::kernel::error::Error::internal("broken")), Ok(Some("value")), Ok(None)] {
            let read = async {
                reads.fetch_add(1, Ordering::Relaxed);
                answer
            };
            _ = cache.find(&7, read).await;
        }
        assert_eq!(reads.load(Ordering::Relaxed), 3);
    }
}
