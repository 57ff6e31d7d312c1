//! Closed connections, and how soon: revoked, silent, and too old ones.

use std::time::Duration;

use futures_util::{SinkExt, StreamExt};
use harness::{Options, TestApp, websocket::Served};
use serde_json::json;
use shared::{
    events::stream::StreamTimings,
    identity::auth::{Role, revoke_setup_key},
};
use tokio::time::Instant;
use tokio_tungstenite::tungstenite::{
    Message,
    protocol::{CloseFrame, frame::coding::CloseCode},
};

use super::{options, session, world, write};

#[tokio::test]
async fn a_connection_with_a_revoked_key_is_closed_and_the_others_stay_open() {
    let mut options = options();
    options.settings.live.recheck = StreamTimings::default().recheck;
    let world = TestApp::idle(options).await;
    let (served, owner, id) = (Served::of(&world).await, world.superuser().await, session(&world).await);
    let mut revoked = served.connect("/ws/sessions", Some(world.tenant.key(Role::Viewer))).await.unwrap();
    let mut other = served.connect("/ws/sessions", Some(world.tenant.key(Role::Lead))).await.unwrap();
    for socket in [&mut revoked, &mut other] {
        socket.until("subscription.confirmed").await;
    }
    // In another process, which does not notify this one.
    owner
        .run(&format!("update api_keys set revoked_at = now() where id = '{}'", world.tenant.key_id(Role::Viewer)))
        .await;
    let begun = Instant::now();
    assert_eq!(revoked.cut().await, Some(4401));
    assert!(begun.elapsed() < Duration::from_secs(10));
    write(&owner, &id, 1).await;
    assert_eq!(other.next_event().await["session_id"], id);
}

#[tokio::test]
async fn connections_of_deactivated_tenants_and_removed_people_are_closed() {
    let world = world().await;
    let (served, owner) = (Served::of(&world).await, world.superuser().await);
    let lead = world.caller(Role::Lead);
    let person = lead
        .post("/api/v1/users", json!({"email": "ada@example.org", "full_name": "Ada", "role": "member"}))
        .await
        .expect(201);
    let key = lead.post("/api/v1/api-keys", json!({"name": "hers", "user_id": person["id"]})).await.expect(201);
    let mut hers = served.connect("/ws/agents", Some(key["secret"].as_str().unwrap())).await.unwrap();
    hers.until("subscription.confirmed").await;
    lead.patch(&format!("/api/v1/users/{}", person["id"].as_str().unwrap()), json!({"is_active": false}))
        .await
        .expect(200);
    assert_eq!(hers.cut().await, Some(4401));
    let mut socket = served.connect("/ws/agents", Some(world.tenant.key(Role::Lead))).await.unwrap();
    socket.until("subscription.confirmed").await;
    owner.run(&format!("update tenants set is_active = false where id = '{}'", world.tenant.id)).await;
    assert_eq!(socket.cut().await, Some(4401));
}

#[tokio::test]
async fn an_admin_subscribed_to_another_tenant_is_closed_with_the_loss_of_the_role() {
    let world = world().await;
    let (served, other) = (Served::of(&world).await, world.another_tenant().await);
    let admin = world.caller(Role::Admin).with("x-tenant-id", &other.slug);
    let path = format!("/ws/agents?ticket={}", harness::websocket::ticket(&admin).await);
    let mut socket = served.connect(&path, None).await.unwrap();
    socket.until("subscription.confirmed").await;
    revoke_setup_key(&world.app, world.tenant.id, world.tenant.key_id(Role::Admin)).await.unwrap();
    assert_eq!(socket.cut().await, Some(4401));
}

#[tokio::test]
async fn a_silent_connection_is_closed_and_a_responding_one_stays_open() {
    let mut options = options();
    options.settings.live.dead_after = Duration::from_secs(2);
    let world = TestApp::idle(options).await;
    let served = Served::of(&world).await;
    let mut alive = served.connect("/ws/agents", Some(world.tenant.key(Role::Lead))).await.unwrap();
    let dead = served.connect("/ws/agents", Some(world.tenant.key(Role::Lead))).await.unwrap();
    let hub = world.app.backend.hub().unwrap();
    assert_eq!(hub.connection_count(), 2);
    // It reads, and so answers each ping; the other does neither.
    let begun = Instant::now();
    while hub.connection_count() > 1 || begun.elapsed() < Duration::from_secs(3) {
        assert!(begun.elapsed() < Duration::from_secs(20), "nobody was taken for dead");
        alive.until("heartbeat").await;
    }
    drop(dead);
}

#[tokio::test]
async fn a_connection_has_a_maximum_age_and_is_asked_to_reconnect() {
    let mut options = options();
    options.settings.live.longest = Duration::from_secs(1);
    let world = TestApp::idle(options).await;
    let served = Served::of(&world).await;
    let mut socket = served.connect("/ws/agents", Some(world.tenant.key(Role::Lead))).await.unwrap();
    assert_eq!(socket.cut().await, Some(1012));
    let world = TestApp::idle(Options::default()).await;
    let served = Served::of(&world).await;
    let mut socket = served.connect("/ws/agents", Some(world.tenant.key(Role::Lead))).await.unwrap();
    world.app.backend.hub().unwrap().close_all();
    assert_eq!(socket.cut().await, Some(1012), "so is everybody when the process ends");
}

#[tokio::test]
async fn a_client_that_closes_is_answered_with_a_close_frame() {
    let world = world().await;
    let served = Served::of(&world).await;
    let mut socket = served.connect("/ws/agents", Some(world.tenant.key(Role::Lead))).await.unwrap();
    socket.until("subscription.confirmed").await;
    let frame = CloseFrame { code: CloseCode::Normal, reason: "done".into() };
    socket.stream.send(Message::Close(Some(frame.clone()))).await.unwrap();
    assert_eq!(socket.any().await, Err(Some(frame)));
    // Without the answer the end would be an error.
    assert!(socket.stream.next().await.is_none());
}

#[tokio::test]
async fn a_connection_that_sends_too_many_messages_is_closed() {
    let world = world().await;
    let served = Served::of(&world).await;
    let mut socket = served.connect("/ws/agents", Some(world.tenant.key(Role::Lead))).await.unwrap();
    for _ in 0..200 {
        socket.send(json!({"action": "subscribe", "topic": "/ws/system"})).await;
    }
    assert_eq!(socket.cut().await, Some(1008));
}
