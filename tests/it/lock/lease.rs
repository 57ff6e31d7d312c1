//! Leases: kept while the work goes on, and what becomes of one who lost it.

use std::{
    future::pending,
    sync::atomic::{AtomicBool, Ordering},
    time::Duration,
};

use shared::platform::redis::lock::{AcquireOptions, LostLock};
use tokio::time::{Instant, sleep};

use super::{MINUTE, SHORT, granted, lapse, locks, patient, queued, resource, sleeper};

/// Notes that it was dropped.
pub(super) struct Dropped<'a>(pub(super) &'a AtomicBool);

impl Drop for Dropped<'_> {
    fn drop(&mut self) {
        self.0.store(true, Ordering::SeqCst);
    }
}

#[tokio::test]
async fn a_lease_is_renewed_for_as_long_as_the_work_takes() {
    let (locks, resource) = (locks(), resource());
    let lease = Duration::from_secs(2);
    let grant = granted(&locks, &resource, &AcquireOptions { lease, ..patient("holder") }).await;
    let fence = grant.fence;
    queued(&locks, &resource, &sleeper("waiter")).await;
    let work = async {
        sleep(lease * 3 / 2).await;
        locks.inspect(&resource, "").await.unwrap().holder.expect("still held").fence
    };
    let held = locks.hold(grant, work).await.unwrap();
    assert_eq!(held.value, fence);
    assert_eq!(held.next.as_deref(), Some("wake waiter"));
    granted(&locks, &resource, &patient("waiter")).await;
}

#[tokio::test]
async fn a_lost_lease_cancels_the_work() {
    let (locks, resource) = (locks(), resource());
    let lease = Duration::from_secs(1);
    let grant = granted(&locks, &resource, &AcquireOptions { lease, ..patient("holder") }).await;
    let fence = grant.fence;
    let dropped = AtomicBool::new(false);
    let work = async {
        let _dropped = Dropped(&dropped);
        locks.release(&grant).await.unwrap();
        pending::<()>().await;
    };
    let lost = locks.hold(grant.clone(), work).await.unwrap_err();
    assert_eq!(lost, LostLock { resource, fence });
    assert!(dropped.load(Ordering::SeqCst));
}

#[tokio::test]
async fn work_that_outlived_its_lease_does_not_count_as_done() {
    let (locks, resource) = (locks(), resource());
    let grant = granted(&locks, &resource, &patient("holder")).await;
    let work = async { locks.release(&grant).await.unwrap() };
    assert_eq!(locks.hold(grant.clone(), work).await.unwrap_err().fence, grant.fence);
}

#[tokio::test]
async fn a_late_holder_can_neither_renew_nor_release() {
    let (locks, resource) = (locks(), resource());
    let mut late = granted(&locks, &resource, &patient("late")).await;
    lapse(&locks, &late).await;
    assert!(!locks.renew(&mut late).await.unwrap(), "a lease that ended is not revived");

    let holder = granted(&locks, &resource, &patient("holder")).await;
    queued(&locks, &resource, &sleeper("waiter")).await;
    assert!(holder.fence > late.fence);
    assert!(!locks.renew(&mut late).await.unwrap());
    let released = locks.release(&late).await.unwrap();
    assert_eq!((released.held, released.next), (false, None));
    let standing = locks.inspect(&resource, "waiter").await.unwrap();
    assert_eq!(standing.holder.expect("still held").fence, holder.fence);
    assert_eq!(standing.place, Some(1));
}

#[tokio::test]
async fn a_late_release_still_wakes_the_next_waiter() {
    let (locks, resource) = (locks(), resource());
    let late = granted(&locks, &resource, &patient("late")).await;
    queued(&locks, &resource, &sleeper("waiter")).await;
    lapse(&locks, &late).await;
    let released = locks.release(&late).await.unwrap();
    assert_eq!((released.held, released.next.as_deref()), (false, Some("wake waiter")));
}

#[tokio::test]
async fn only_owner_and_fence_together_release() {
    let (locks, resource) = (locks(), resource());
    let grant = granted(&locks, &resource, &patient("holder")).await;
    let mut stranger = grant.clone();
    stranger.owner = "stranger".into();
    let mut older = grant.clone();
    older.fence -= 1;
    for mut other in [stranger, older] {
        assert!(!locks.renew(&mut other).await.unwrap());
        assert!(!locks.release(&other).await.unwrap().held);
    }
    assert!(locks.release(&grant).await.unwrap().held);
    assert!(!locks.release(&grant).await.unwrap().held, "once");
}

#[tokio::test]
async fn a_later_step_continues_with_a_stored_grant() {
    let (locks, resource) = (locks(), resource());
    let grant = granted(&locks, &resource, &AcquireOptions { lease: SHORT * 10, ..patient("holder") }).await;
    let resumed = locks.resume(&resource, "holder", grant.fence, MINUTE).await.unwrap().expect("still held");
    let left = locks.inspect(&resource, "").await.unwrap().holder.expect("still held").left;
    assert!(left > SHORT * 10 && left <= MINUTE, "{left:?}");
    assert!(locks.hold(resumed, async {}).await.is_ok());
    assert!(locks.resume(&resource, "holder", grant.fence, MINUTE).await.unwrap().is_none());
}

#[tokio::test]
async fn a_lease_is_never_longer_than_what_redis_keeps() {
    let (locks, resource) = (locks(), resource());
    let endless = AcquireOptions { lease: Duration::MAX, ticket: Duration::MAX, ..patient("holder") };
    let began = Instant::now();
    let grant = granted(&locks, &resource, &endless).await;
    assert_eq!(grant.lease, AcquireOptions::LONGEST);
    let left = locks.inspect(&resource, "").await.unwrap().holder.expect("held").left;
    assert!(left <= AcquireOptions::LONGEST && left + began.elapsed() + SHORT > AcquireOptions::LONGEST, "{left:?}");
}
