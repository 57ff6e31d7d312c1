//! The turn of the next: kept for a live waiter, never for one that is gone.

use std::time::Duration;

use shared::lock::Ask;
use tokio::time::Instant;

use super::{MINUTE, SHORT, granted, granted_in_the_end, lapse, locks, patient, queued, resource, sleeper};

#[tokio::test]
async fn a_newcomer_does_not_pass_a_live_waiter() {
    let (locks, resource) = (locks(), resource());
    let holder = granted(&locks, &resource, &patient("holder")).await;
    queued(&locks, &resource, &sleeper("waiter")).await;
    assert_eq!(locks.release(&holder).await.unwrap().next.as_deref(), Some("ring waiter"));
    assert_eq!(queued(&locks, &resource, &patient("newcomer")).await, (2, None), "the doorbell is rung once");
    granted(&locks, &resource, &patient("waiter")).await;
}

#[tokio::test]
async fn a_waiter_that_stopped_asking_is_skipped_when_its_ticket_ends() {
    let (locks, resource) = (locks(), resource());
    let holder = granted(&locks, &resource, &patient("holder")).await;
    let ticket = Duration::from_secs(1);
    let began = Instant::now();
    queued(&locks, &resource, &Ask { ticket, ..patient("gone") }).await;
    queued(&locks, &resource, &patient("alive")).await;
    locks.release(&holder).await.unwrap();
    granted_in_the_end(&locks, &resource, &patient("alive")).await;
    assert!(began.elapsed() >= ticket, "the turn was kept as long as the ticket");
    assert_eq!(locks.inspect(&resource, "gone").await.unwrap().place, None);
}

#[tokio::test]
async fn a_sleeper_that_does_not_come_when_called_is_skipped_after_its_turn() {
    let (locks, resource) = (locks().with_turn(SHORT), resource());
    let holder = granted(&locks, &resource, &patient("holder")).await;
    queued(&locks, &resource, &Ask { ticket: MINUTE, ..sleeper("gone") }).await;
    queued(&locks, &resource, &patient("alive")).await;
    assert_eq!(locks.release(&holder).await.unwrap().next.as_deref(), Some("ring gone"));
    let called = Instant::now();
    granted_in_the_end(&locks, &resource, &patient("alive")).await;
    assert!(called.elapsed() < MINUTE, "its long ticket did not count any more");
}

#[tokio::test]
async fn a_sleeper_has_its_whole_turn_however_little_was_left_of_its_ticket() {
    let (locks, resource) = (locks(), resource());
    let holder = granted(&locks, &resource, &patient("holder")).await;
    let ticket = Duration::from_secs(1);
    queued(&locks, &resource, &Ask { ticket, ..sleeper("waiter") }).await;
    let asked = Instant::now();
    assert_eq!(locks.release(&holder).await.unwrap().next.as_deref(), Some("ring waiter"));
    tokio::time::sleep_until(asked + ticket).await;
    assert_eq!(queued(&locks, &resource, &patient("newcomer")).await.0, 2);
}

#[tokio::test]
async fn one_who_finds_a_dead_holder_is_handed_the_doorbell_of_the_first() {
    let (locks, resource) = (locks(), resource());
    let dead = granted(&locks, &resource, &patient("dead")).await;
    queued(&locks, &resource, &sleeper("asleep")).await;
    lapse(&locks, &dead).await;
    assert_eq!(queued(&locks, &resource, &patient("newcomer")).await, (2, Some("ring asleep".into())));
    granted(&locks, &resource, &patient("asleep")).await;
}

#[tokio::test]
async fn waiting_hands_over_the_doorbells_it_comes_upon() {
    let (locks, resource) = (locks(), resource());
    let dead = granted(&locks, &resource, &patient("dead")).await;
    queued(&locks, &resource, &sleeper("asleep")).await;
    lapse(&locks, &dead).await;
    let ring = async |doorbell: String| {
        assert_eq!(doorbell, "ring asleep");
        let grant = granted(&locks, &resource, &patient("asleep")).await;
        locks.release(&grant).await.unwrap();
    };
    let grant = locks.acquire_waiting(&resource, &patient("awake"), MINUTE, ring).await.unwrap();
    assert_eq!(grant.expect("granted after the sleeper").owner, "awake");
}

#[tokio::test]
async fn waiting_in_vain_gives_the_ticket_back() {
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
    let ring = async |doorbell: String| panic!("nobody sleeps: {doorbell}");
    let grant = movable(locks.acquire_waiting(&resource, &ask, MINUTE, ring)).await.unwrap().expect("free");
    assert_eq!(movable(locks.hold(grant, async { 7 })).await.unwrap().value, 7);
}
