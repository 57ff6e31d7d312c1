//! The order of waiters.

use shared::platform::redis::lock::AcquireOptions;

use super::{granted, locks, patient, queued, resource, sleeper};

#[tokio::test]
async fn waiters_are_served_by_priority_and_then_by_arrival() {
    let (locks, resource) = (locks(), resource());
    let mut holder = granted(&locks, &resource, &patient("holder")).await;
    let arrivals = [("low", 3), ("first", 2), ("second", 2), ("urgent", 0), ("third", 2)];
    for (owner, priority) in arrivals {
        queued(&locks, &resource, &AcquireOptions { priority, ..sleeper(owner) }).await;
    }
    for (served, next) in ["urgent", "first", "second", "third", "low"].into_iter().enumerate() {
        assert_eq!(locks.release(&holder).await.unwrap().next, Some(format!("wake {next}")));
        assert_eq!(
            queued(&locks, &resource, &AcquireOptions { priority: 4, ..patient("last") }).await,
            (6 - served, None)
        );
        let (_, priority) = *arrivals.iter().find(|(owner, _)| *owner == next).unwrap();
        holder = granted(&locks, &resource, &AcquireOptions { priority, ..patient(next) }).await;
    }
    assert_eq!(locks.release(&holder).await.unwrap().next, None);
}

#[tokio::test]
async fn asking_again_keeps_the_position_in_the_queue() {
    let (locks, resource) = (locks(), resource());
    granted(&locks, &resource, &patient("holder")).await;
    for (owner, place) in [("a", 1), ("b", 2), ("c", 3), ("a", 1), ("b", 2)] {
        assert_eq!(queued(&locks, &resource, &patient(owner)).await, (place, None));
    }
}

#[tokio::test]
async fn a_changed_priority_moves_a_waiter_and_keeps_its_arrival() {
    let (locks, resource) = (locks(), resource());
    granted(&locks, &resource, &patient("holder")).await;
    for owner in ["a", "b", "c"] {
        queued(&locks, &resource, &patient(owner)).await;
    }
    for (owner, priority, place) in [("b", 1, 1), ("a", 1, 1), ("b", 3, 3), ("b", 2, 2)] {
        assert_eq!(queued(&locks, &resource, &AcquireOptions { priority, ..patient(owner) }).await.0, place);
    }
}

#[tokio::test]
async fn every_priority_keeps_its_arrival_order() {
    let (locks, resource) = (locks(), resource());
    granted(&locks, &resource, &patient("holder")).await;
    for (owner, priority) in [("a", 255), ("b", 255), ("c", 254), ("d", 0)] {
        queued(&locks, &resource, &AcquireOptions { priority, ..patient(owner) }).await;
    }
    for (owner, place) in [("d", 1), ("c", 2), ("a", 3), ("b", 4)] {
        assert_eq!(locks.inspect(&resource, owner).await.unwrap().place, Some(place));
    }
}

#[tokio::test]
async fn a_cancelled_ticket_loses_its_position() {
    let (locks, resource) = (locks(), resource());
    let holder = granted(&locks, &resource, &patient("holder")).await;
    for owner in ["a", "b", "c"] {
        queued(&locks, &resource, &sleeper(owner)).await;
    }
    assert_eq!(locks.cancel(&resource, "a").await.unwrap(), None, "the holder still works");
    assert_eq!(locks.inspect(&resource, "a").await.unwrap().place, None);
    assert_eq!(locks.release(&holder).await.unwrap().next.as_deref(), Some("wake b"));
    assert_eq!(locks.cancel(&resource, "b").await.unwrap().as_deref(), Some("wake c"));
    granted(&locks, &resource, &patient("c")).await;
}

#[tokio::test]
async fn a_holder_that_asks_again_queues_behind_itself() {
    let (locks, resource) = (locks(), resource());
    let first = granted(&locks, &resource, &patient("a")).await;
    assert_eq!(queued(&locks, &resource, &patient("a")).await.0, 1);
    assert!(locks.release(&first).await.unwrap().held);
    let second = granted(&locks, &resource, &patient("a")).await;
    assert!(second.fence > first.fence);
    assert!(!locks.release(&first).await.unwrap().held, "the fence distinguishes its two grants");
    assert!(locks.release(&second).await.unwrap().held);
}

#[tokio::test]
async fn locks_on_different_resources_do_not_conflict() {
    let locks = locks();
    granted(&locks, &resource(), &patient("a")).await;
    granted(&locks, &resource(), &patient("a")).await;
}
