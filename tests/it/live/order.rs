//! The order of events, whatever order transactions begin and commit in.

use harness::{TestApp, websocket::Served};
use serde_json::json;
use shared::{
    events::log::EventType,
    identity::auth::Role,
    kernel::{actor::Actor, id::SessionId},
    platform::postgres::Tx,
    sessions::{SessionKey, change::SessionChange, store},
};

use super::{place, session, world};

/// A transaction that has a number already, and has done nothing yet.
async fn begun(world: &TestApp) -> Tx {
    let mut tx = world.app.db.tenant(world.tenant.id).await.unwrap();
    tx.query("select pg_current_xact_id()::text", &[]).await.unwrap();
    tx
}

/// Writes an event of a session as the product does, and commits.
async fn log(world: &TestApp, mut tx: Tx, session: &str) {
    let (tenant, id): (_, SessionId) = (world.tenant.id, session.parse().unwrap());
    let found = store::lock_session(&mut tx, SessionKey::new(tenant, id)).await.unwrap();
    let mut change = SessionChange::new(found, Actor::system_part("test"), world.app.clock.now());
    change.add_event(EventType::Log, json!({"level": "info", "message": "One more."}));
    store::save_change(tx, &change).await.unwrap();
    world.app.notify_session(tenant, id).await;
}

#[tokio::test]
async fn an_event_committed_late_is_neither_lost_nor_published_out_of_order() {
    let world = world().await;
    let (one, other) = (session(&world).await, session(&world).await);
    let served = Served::of(&world).await;
    let mut socket = served.open(&world, "/ws/sessions").await;
    socket.until("subscription.confirmed").await;
    // The first to begin is the last to commit: whoever read on from the second's number would pass over it.
    let first = begun(&world).await;
    let second = begun(&world).await;
    log(&world, second, &other).await;
    log(&world, first, &one).await;
    let mut reported = [place(&socket.next_event().await), place(&socket.next_event().await)];
    reported.sort();
    let mut written = [(one, 2), (other, 2)];
    written.sort();
    assert_eq!(reported, written);
}

#[tokio::test]
async fn a_sessions_events_keep_their_order_even_if_the_later_transaction_began_first() {
    let world = world().await;
    let id = session(&world).await;
    let served = Served::of(&world).await;
    let mut socket = served.open(&world, "/ws/sessions").await;
    socket.until("subscription.confirmed").await;
    for _ in 0..3 {
        let early = begun(&world).await;
        let late = begun(&world).await;
        log(&world, late, &id).await;
        log(&world, early, &id).await;
    }
    for seq in 2..=7 {
        assert_eq!(place(&socket.next_event().await), (id.clone(), seq));
    }
    let page = world.caller(Role::Viewer).get("/api/v1/live/events?topic=/ws/sessions").await.expect(200);
    let seqs: Vec<_> = page["items"].as_array().unwrap().iter().map(|item| item["seq"].as_i64().unwrap()).collect();
    assert_eq!(seqs, [1, 2, 3, 4, 5, 6, 7]);
}

#[tokio::test]
async fn an_open_transaction_does_not_delay_the_events_of_another_session() {
    let world = world().await;
    let id = session(&world).await;
    let served = Served::of(&world).await;
    let mut socket = served.open(&world, &format!("/ws/sessions/{id}")).await;
    socket.until("subscription.confirmed").await;
    let open = begun(&world).await;
    let tx = world.app.db.tenant(world.tenant.id).await.unwrap();
    log(&world, tx, &id).await;
    assert_eq!(place(&socket.next_event().await), (id, 2));
    open.commit().await.unwrap();
}
