//! Coming back: from the last cursor on nothing is missing or doubled, or a resync says where to read.

use harness::{
    TestApp, found,
    websocket::{Served, Socket},
};
use serde_json::json;
use shared::{
    events::{
        log::tenant::{RETENTION, TenantEvent, TenantEventType},
        stream::{Topic, cursor::Cursor},
    },
    identity::auth::Role,
    kernel::actor::Actor,
};

use super::{cursor, place, session, world, write};

async fn back(served: &Served, world: &TestApp, topic: &str, after: &str) -> Socket {
    let mut socket = served.open(world, &format!("{topic}?after={after}")).await;
    socket.until("connection.established").await;
    socket
}

#[tokio::test]
async fn a_reconnected_subscriber_continues_after_its_last_event() {
    let world = world().await;
    let (served, owner, id) = (Served::of(&world).await, world.superuser().await, session(&world).await);
    let one = format!("/ws/sessions/{id}");
    for topic in ["/ws/sessions", one.as_str()] {
        let mut socket = served.open(&world, topic).await;
        socket.until("subscription.confirmed").await;
        write(&owner, &id, 500).await;
        let mut last = json!(null);
        for _ in 0..123 {
            last = socket.next_event().await;
        }
        drop(socket);
        write(&owner, &id, 500).await;
        let mut socket = back(&served, &world, topic, &cursor(&last)).await;
        assert_eq!(cursor(&socket.next_event().await), cursor(&last), "the confirmation says from where");
        for seq in 1..=877 {
            assert_eq!(place(&socket.next_event().await), (id.clone(), last["seq"].as_i64().unwrap() + seq));
        }
        let quiet = socket.until("heartbeat").await;
        let mut again = back(&served, &world, topic, quiet["payload"]["cursors"][topic].as_str().unwrap()).await;
        again.until("subscription.confirmed").await;
        write(&owner, &id, 1).await;
        assert_eq!(
            place(&again.next_event().await),
            place(&socket.next_event().await),
            "a heartbeat's cursor is as good"
        );
    }
}

#[tokio::test]
async fn a_subscriber_may_start_from_the_beginning() {
    let world = world().await;
    let (served, id) = (Served::of(&world).await, session(&world).await);
    write(&world.superuser().await, &id, 450).await;
    for (topic, beginning) in [
        ("/ws/sessions".to_owned(), Cursor::beginning(Topic::Sessions)),
        (format!("/ws/sessions/{id}"), Cursor::Seq(0)),
    ] {
        let mut socket = back(&served, &world, &topic, &world.app.cursors.write_cursor(beginning)).await;
        socket.until("subscription.confirmed").await;
        for seq in 1..=451 {
            assert_eq!(place(&socket.next_event().await), (id.clone(), seq));
        }
    }
}

#[tokio::test]
async fn a_cursor_before_the_retained_events_is_refused() {
    let world = world().await;
    let served = Served::of(&world).await;
    let now = world.app.clock.now();
    let old = Cursor::TenantEvents { position: 5, id: uuid::Uuid::nil(), at: (now - RETENTION).timestamp() - 1 };
    let old = world.app.cursors.write_cursor(old);
    let mut socket = back(&served, &world, "/ws/agents", &old).await;
    let reported = socket.next_event().await;
    assert_eq!((&reported["type"], &reported["payload"]["reason"]), (&json!("resync"), &json!("cursor_expired")));
    assert_eq!(reported["payload"]["read"], "/api/v1/live/events?topic=/ws/agents");
    let caller = world.caller(Role::Viewer);
    caller.get(&format!("/api/v1/live/events?topic=/ws/agents&after={old}")).await.problem(422, "VALIDATION_FAILED");
    let page = caller.get(reported["payload"]["read"].as_str().unwrap()).await.expect(200);
    socket.subscribe("/ws/agents", page["cursor"].as_str()).await;
    assert_eq!(socket.next_event().await["type"], "subscription.confirmed");
}

#[tokio::test]
async fn a_cursor_of_another_database_is_refused() {
    let world = world().await;
    let (served, id) = (Served::of(&world).await, session(&world).await);
    let far = Cursor::Sessions { position: u64::MAX / 2, session: uuid::Uuid::nil(), seq: 1 };
    for (topic, after) in [
        ("/ws/sessions".to_owned(), world.app.cursors.write_cursor(far)),
        (format!("/ws/sessions/{id}"), "999".to_owned()),
    ] {
        let mut socket = back(&served, &world, &topic, &after).await;
        let reported = socket.next_event().await;
        assert_eq!(
            (&reported["type"], &reported["payload"]["reason"]),
            (&json!("resync"), &json!("cursor_unknown")),
            "{topic}"
        );
    }
}

#[tokio::test]
async fn the_deletion_of_a_session_is_published() {
    let world = world().await;
    let (served, id) = (Served::of(&world).await, session(&world).await);
    let mut socket = served.open(&world, &format!("/ws/sessions/{id}")).await;
    socket.until("subscription.confirmed").await;
    let caller = world.caller(Role::Member);
    caller.delete(&format!("/sessions/{id}")).await.expect(204);
    let reported = socket.next_event().await;
    assert_eq!((&reported["type"], &reported["payload"]["reason"]), (&json!("resync"), &json!("gone")));
}

#[tokio::test]
async fn old_events_without_a_session_are_removed_and_recent_ones_kept() {
    let world = world().await;
    let now = world.app.clock.now();
    let mut tx = world.app.db.tenant(world.tenant.id).await.unwrap();
    for (at, name) in [(now - RETENTION - chrono::TimeDelta::minutes(1), "old"), (now, "young")] {
        shared::events::log::publish(
            &mut tx,
            TenantEvent::new(
                TenantEventType::SystemHealthChanged,
                Actor::system_part("test"),
                at,
                json!({"component": name}),
            ),
        );
    }
    tx.commit().await.unwrap();
    world.run(shared::platform::queue::job::Job::reconcile()).await;
    let viewer = world.caller(Role::Viewer);
    // Both were written in one transaction, which is published once no older one is open anywhere on the server.
    let kept = found(async || {
        let page = viewer.get("/api/v1/live/events?topic=/ws/system").await.expect(200);
        let items = page["items"].as_array().unwrap();
        let kept: Vec<_> = items.iter().map(|item| item["payload"]["component"].clone()).collect();
        (!kept.is_empty()).then_some(kept)
    })
    .await;
    assert_eq!(kept, ["young"]);
}

#[tokio::test]
async fn after_a_restore_all_existing_events_count_as_published() {
    let world = world().await;
    let (owner, id) = (world.superuser().await, session(&world).await);
    // As a dump brings it to a server that has counted less far.
    owner
        .run("update session_events set position = '999999999'; update sessions set last_event_position = '999999999'")
        .await;
    owner.run("select reset_event_positions()").await;
    let served = Served::of(&world).await;
    let mut socket = served.open(&world, "/ws/sessions").await;
    socket.until("subscription.confirmed").await;
    write(&owner, &id, 1).await;
    assert_eq!(place(&socket.next_event().await), (id, 2));
}
