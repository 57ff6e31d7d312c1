//! The turn of the next: kept for a live waiter, never for one that is gone.

use std::time::Duration;

use shared::platform::redis::lock::AcquireOptions;
use tokio::time::Instant;

use super::{MINUTE, SHORT, granted, granted_in_the_end, lapse, locks, patient, queued, resource, sleeper};

#[tokio::test]
async fn a_newcomer_does_not_pass_a_live_waiter() {
    let (locks, resource) = (locks(), resource());
    let holder = granted(&locks, &resource, &patient("holder")).await;
    queued(&locks, &resource, &sleeper("waiter")).await;
    assert_eq!(locks.release(&holder).await.unwrap().next.as_deref(), Some("wake waiter"));
    assert_eq!(queued(&locks, &resource, &patient("newcomer")).await, (2, None), "the wake token is returned once");
    granted(&locks, &resource, &patient("waiter")).await;
}

#[tokio::test]
async fn a_waiter_that_stopped_polling_is_skipped_when_its_ticket_expires() {
    let (locks, resource) = (locks(), resource());
    let holder = granted(&locks, &resource, &patient("holder")).await;
    let ticket = Duration::from_secs(1);
    let began = Instant::now();
    queued(&locks, &resource, &AcquireOptions { ticket, ..patient("gone") }).await;
    queued(&locks, &resource, &patient("alive")).await;
    locks.release(&holder).await.unwrap();
    granted_in_the_end(&locks, &resource, &patient("alive")).await;
    assert!(began.elapsed() >= ticket, "the turn was kept as long as the ticket");
    assert_eq!(locks.inspect(&resource, "gone").await.unwrap().place, None);
}

#[tokio::test]
async fn a_parked_waiter_that_ignores_its_wake_token_is_skipped_after_the_handoff() {
    let (locks, resource) = (locks().with_handoff_window(SHORT), resource());
    let holder = granted(&locks, &resource, &patient("holder")).await;
    queued(&locks, &resource, &AcquireOptions { ticket: MINUTE, ..sleeper("gone") }).await;
    queued(&locks, &resource, &patient("alive")).await;
    assert_eq!(locks.release(&holder).await.unwrap().next.as_deref(), Some("wake gone"));
    let called = Instant::now();
    granted_in_the_end(&locks, &resource, &patient("alive")).await;
    assert!(called.elapsed() < MINUTE, "its long ticket did not count any more");
}

#[tokio::test]
async fn a_parked_waiter_gets_its_whole_handoff_window() {
    let (locks, resource) = (locks(), resource());
    let holder = granted(&locks, &resource, &patient("holder")).await;
    let ticket = Duration::from_secs(1);
    queued(&locks, &resource, &AcquireOptions { ticket, ..sleeper("waiter") }).await;
    let asked = Instant::now();
    assert_eq!(locks.release(&holder).await.unwrap().next.as_deref(), Some("wake waiter"));
    tokio::time::sleep_until(asked + ticket).await;
    assert_eq!(queued(&locks, &resource, &patient("newcomer")).await.0, 2);
}

#[tokio::test]
async fn a_caller_that_finds_a_dead_holder_gets_the_first_waiters_wake_token() {
    let (locks, resource) = (locks(), resource());
    let dead = granted(&locks, &resource, &patient("dead")).await;
    queued(&locks, &resource, &sleeper("asleep")).await;
    lapse(&locks, &dead).await;
    assert_eq!(queued(&locks, &resource, &patient("newcomer")).await, (2, Some("wake asleep".into())));
    granted(&locks, &resource, &patient("asleep")).await;
}

#[tokio::test]
async fn waiting_returns_the_wake_tokens_it_encounters() {
    let (locks, resource) = (locks(), resource());
    let dead = granted(&locks, &resource, &patient("dead")).await;
    queued(&locks, &resource, &sleeper("asleep")).await;
    lapse(&locks, &dead).await;
    let wake = async |token: String| {
        assert_eq!(token, "wake asleep");
        let grant = granted(&locks, &resource, &patient("asleep")).await;
        locks.release(&grant).await.unwrap();
    };
    let grant = locks.acquire_waiting(&resource, &patient("awake"), MINUTE, wake).await.unwrap();
    assert_eq!(grant.expect("granted after the sleeper").owner, "awake");
}

#[tokio::test]
async fn a_wait_that_times_out_returns_its_ticket() {
    let (locks, resource) = (locks(), resource());
    granted(&locks, &resource, &patient("holder")).await;
    let began = Instant::now();
    let waited = locks.acquire_waiting(&resource, &patient("waiter"), SHORT, async |_| ()).await.unwrap();
    assert!(waited.is_none());
    assert!(began.elapsed() >= SHORT);
    assert_eq!(locks.inspect(&resource, "waiter").await.unwrap().waiting, 0);
}

#[tokio::test]
async fn a_waiting_or_holding_future_may_move_between_threads() {
    fn movable<T: Send>(future: T) -> T {
        future
    }
    let (locks, resource, ask) = (locks(), resource(), patient("holder"));
    let wake = async |token: String| panic!("nobody waits: {token}");
    let grant = movable(locks.acquire_waiting(&resource, &ask, MINUTE, wake)).await.unwrap().expect("free");
    assert_eq!(movable(locks.hold(grant, async { 7 })).await.unwrap().value, 7);
}
