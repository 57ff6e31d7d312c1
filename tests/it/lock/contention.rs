//! Many at once.

use std::sync::{
    Mutex,
    atomic::{AtomicBool, Ordering},
};

use futures_util::future::join_all;
use shared::platform::redis::lock::{AcquireOptions, Fence, Locks, Resource};

use super::{MINUTE, locks, patient, resource};

#[derive(Default)]
struct Seen {
    busy: AtomicBool,
    fences: Mutex<Vec<Fence>>,
}

#[tokio::test(flavor = "multi_thread")]
async fn each_of_64_contenders_gets_the_lock_and_no_two_at_once() {
    let (resource, seen) = (resource(), Seen::default());
    let connections: Vec<_> = (0..8).map(|_| locks()).collect();
    let contenders = (0..64).map(|number| contend(&connections[number % 8], &resource, number, &seen));
    join_all(contenders).await;

    let fences = seen.fences.into_inner().unwrap();
    assert_eq!(fences.len(), 64);
    assert!(fences.is_sorted_by(|earlier, later| earlier < later), "{fences:?}");
    let standing = connections[0].inspect(&resource, "").await.unwrap();
    assert_eq!((standing.holder, standing.waiting), (None, 0));
}

async fn contend(locks: &Locks, resource: &Resource, number: usize, seen: &Seen) {
    let ask = AcquireOptions { priority: u8::try_from(number % 5).unwrap(), ..patient(&format!("contender {number}")) };
    let grant = locks.acquire_waiting(resource, &ask, MINUTE, async |_| ()).await.unwrap().expect("served");
    let fence = grant.fence;
    let work = async {
        assert!(!seen.busy.swap(true, Ordering::SeqCst), "two holders at once");
        locks.inspect(resource, "").await.unwrap();
        seen.fences.lock().unwrap().push(fence);
        assert!(seen.busy.swap(false, Ordering::SeqCst));
    };
    locks.hold(grant, work).await.unwrap();
}
