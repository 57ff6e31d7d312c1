//! Who is cut off, and how soon: the revoked, the silent, the old.

use std::time::Duration;

use harness::{Options, World, watch::Served};
use serde_json::json;
use shared::{
    auth::{Role, service::revoke},
    live::Pace,
};
use tokio::time::Instant;

use super::{options, session, world, write};

#[tokio::test]
async fn a_revoked_key_is_cut_off_and_the_others_go_on() {
    let mut options = options();
    options.settings.live.recheck = Pace::default().recheck;
    let world = World::idle(options).await;
    let (served, owner, id) = (Served::of(&world).await, world.owner().await, session(&world).await);
    let mut revoked = served.connect("/ws/sessions", Some(world.tenant.key(Role::Viewer))).await.unwrap();
    let mut other = served.connect("/ws/sessions", Some(world.tenant.key(Role::Lead))).await.unwrap();
    for socket in [&mut revoked, &mut other] {
        socket.until("subscription.confirmed").await;
    }
    // In another process, which tells this one nothing.
    owner
        .run(&format!("update api_keys set revoked_at = now() where id = '{}'", world.tenant.key_id(Role::Viewer)))
        .await;
    let begun = Instant::now();
    assert_eq!(revoked.cut().await, Some(4401));
    assert!(begun.elapsed() < Duration::from_secs(10));
    write(&owner, &id, 1).await;
    assert_eq!(other.told().await["session_id"], id);
}

#[tokio::test]
async fn the_keys_of_a_deactivated_tenant_and_of_a_person_who_left_are_cut_off() {
    let world = world().await;
    let (served, owner) = (Served::of(&world).await, world.owner().await);
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
async fn an_admin_who_watches_another_tenant_is_cut_off_with_the_role() {
    let world = world().await;
    let (served, other) = (Served::of(&world).await, world.another_tenant().await);
    let admin = world.caller(Role::Admin).with("x-tenant-id", &other.slug);
    let path = format!("/ws/agents?ticket={}", harness::watch::ticket(&admin).await);
    let mut socket = served.connect(&path, None).await.unwrap();
    socket.until("subscription.confirmed").await;
    revoke(&world.app, world.tenant.id, world.tenant.key_id(Role::Admin)).await.unwrap();
    assert_eq!(socket.cut().await, Some(4401));
}

#[tokio::test]
async fn who_says_nothing_is_taken_for_dead_and_who_answers_is_not() {
    let mut options = options();
    options.settings.live.dead_after = Duration::from_secs(2);
    let world = World::idle(options).await;
    let served = Served::of(&world).await;
    let mut alive = served.connect("/ws/agents", Some(world.tenant.key(Role::Lead))).await.unwrap();
    let dead = served.connect("/ws/agents", Some(world.tenant.key(Role::Lead))).await.unwrap();
    let hub = world.app.push.hub().unwrap();
    assert_eq!(hub.connections(), 2);
    // It reads, and so answers each ping; the other does neither.
    let begun = Instant::now();
    while hub.connections() > 1 || begun.elapsed() < Duration::from_secs(3) {
        assert!(begun.elapsed() < Duration::from_secs(20), "nobody was taken for dead");
        alive.until("heartbeat").await;
    }
    drop(dead);
}

#[tokio::test]
async fn a_connection_lasts_so_long_and_is_asked_to_come_again() {
    let mut options = options();
    options.settings.live.longest = Duration::from_secs(1);
    let world = World::idle(options).await;
    let served = Served::of(&world).await;
    let mut socket = served.connect("/ws/agents", Some(world.tenant.key(Role::Lead))).await.unwrap();
    assert_eq!(socket.cut().await, Some(1012));
    let world = World::idle(Options::default()).await;
    let served = Served::of(&world).await;
    let mut socket = served.connect("/ws/agents", Some(world.tenant.key(Role::Lead))).await.unwrap();
    world.app.push.hub().unwrap().close();
    assert_eq!(socket.cut().await, Some(1012), "so is everybody when the process ends");
}

#[tokio::test]
async fn who_asks_without_end_is_cut_off() {
    let world = world().await;
    let served = Served::of(&world).await;
    let mut socket = served.connect("/ws/agents", Some(world.tenant.key(Role::Lead))).await.unwrap();
    for _ in 0..200 {
        socket.send(json!({"action": "subscribe", "topic": "/ws/system"})).await;
    }
    assert_eq!(socket.cut().await, Some(1008));
}
