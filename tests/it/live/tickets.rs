//! Admission to the stream: by a ticket once, by a credential always, and otherwise never.

use chrono::TimeDelta;
use harness::{
    Options, TestApp,
    websocket::{Served, ticket},
};
use serde_json::json;
use shared::{
    identity::auth::{Role, revoke_setup_key},
    kernel::clock::Clock,
};

use super::{options, session, session_of, world, write};

#[tokio::test]
async fn a_ticket_opens_the_stream_once() {
    let world = world().await;
    let served = Served::of(&world).await;
    let path = format!("/ws/sessions?ticket={}", ticket(&world.caller(Role::Viewer)).await);
    let mut socket = served.connect(&path, None).await.expect("it is let in");
    let hello = socket.next_event().await;
    assert_eq!(hello["type"], "connection.established");
    assert_eq!(hello["payload"]["tenant_id"], world.tenant.id.to_string());
    assert!(hello["payload"]["reconnect_after_ms"][1].as_i64() > hello["payload"]["reconnect_after_ms"][0].as_i64());
    assert_eq!(socket.next_event().await["topic"], "/ws/sessions");
    assert_eq!(served.connect(&path, None).await.err().unwrap(), 401);
}

#[tokio::test]
async fn only_one_of_many_concurrent_connections_with_one_ticket_is_accepted() {
    let world = world().await;
    let served = Served::of(&world).await;
    let path = format!("/ws/agents?ticket={}", ticket(&world.caller(Role::Viewer)).await);
    let all = futures_util::future::join_all((0..10).map(|_| served.connect(&path, None))).await;
    assert_eq!(all.iter().filter(|one| one.is_ok()).count(), 1);
}

#[tokio::test]
async fn a_ticket_is_valid_for_one_minute() {
    let clock = Clock::fixed(Clock::System.now());
    let world = TestApp::idle(Options { clock: clock.clone(), ..options() }).await;
    let served = Served::of(&world).await;
    let open = async |after| {
        let path = format!("/ws/sessions?ticket={}", ticket(&world.caller(Role::Viewer)).await);
        clock.advance(TimeDelta::seconds(after));
        served.connect(&path, None).await.map(|_| ())
    };
    assert_eq!(open(59).await, Ok(()));
    assert_eq!(open(60).await.unwrap_err(), 401);
}

#[tokio::test]
async fn a_ticket_of_a_key_that_was_revoked_since_is_refused() {
    let world = world().await;
    let served = Served::of(&world).await;
    let path = format!("/ws/sessions?ticket={}", ticket(&world.caller(Role::Viewer)).await);
    revoke_setup_key(&world.app, world.tenant.id, world.tenant.key_id(Role::Viewer)).await.unwrap();
    assert_eq!(served.connect(&path, None).await.err().unwrap(), 401);
}

#[tokio::test]
async fn a_stream_belongs_only_to_the_tenant_of_its_ticket() {
    let world = world().await;
    let (served, owner, other) = (Served::of(&world).await, world.superuser().await, world.another_tenant().await);
    let mine = session(&world).await;
    let theirs = session_of(&world.caller_of(&other, Role::Member)).await;
    let open = async |caller| {
        let path = format!("/ws/sessions?ticket={}", ticket(&caller).await);
        let mut socket = served.connect(&path, None).await.expect("it is let in");
        let tenant = socket.next_event().await["payload"]["tenant_id"].as_str().unwrap().to_owned();
        assert_eq!(socket.next_event().await["type"], "subscription.confirmed");
        (tenant, socket)
    };
    let (tenant, mut at_home) = open(world.caller_of(&other, Role::Viewer)).await;
    assert_eq!(tenant, other.id.to_string());
    let admin = world.caller(Role::Admin).with("x-tenant-id", &other.slug);
    let (tenant, mut abroad) = open(admin).await;
    assert_eq!(tenant, other.id.to_string());
    write(&owner, &mine, 3).await;
    write(&owner, &theirs, 1).await;
    for socket in [&mut at_home, &mut abroad] {
        assert_eq!(socket.next_event().await["session_id"], theirs);
        socket.subscribe(&format!("/ws/sessions/{mine}"), None).await;
        let refused = socket.next_event().await;
        assert_eq!((&refused["type"], &refused["payload"]["code"]), (&json!("error"), &json!("SESSION_NOT_FOUND")));
    }
}

#[tokio::test]
async fn redis_holds_no_usable_ticket() {
    let world = world().await;
    let text = ticket(&world.caller(Role::Viewer)).await;
    let keys: Vec<String> = world.app.cache.query(redis::cmd("KEYS").arg(format!("*{text}*"))).await.unwrap();
    assert_eq!(keys, Vec::<String>::new());
    let keys: Vec<String> = world.app.cache.query(redis::cmd("KEYS").arg("live:ticket:*")).await.unwrap();
    for key in keys {
        let kept: Option<String> = world.app.cache.query(redis::cmd("GET").arg(&key)).await.unwrap();
        assert!(!kept.unwrap_or_default().contains(&text));
    }
}

#[tokio::test]
async fn only_a_ticket_or_a_credential_opens_the_stream() {
    let world = world().await;
    let served = Served::of(&world).await;
    let lead = world.caller(Role::Lead);
    let key = world.tenant.key(Role::Viewer);
    assert!(served.connect("/ws/sessions", Some(key)).await.is_ok());
    assert_eq!(served.connect("/ws/sessions", None).await.err().unwrap(), 401);
    assert_eq!(served.connect("/ws/sessions", Some("ioc_test_x_y")).await.err().unwrap(), 401);
    assert_eq!(
        served.connect("/ws/sessions?ticket=x", Some(key)).await.err().unwrap(),
        401,
        "the ticket is what counts"
    );
    assert_eq!(served.connect("/ws/tasks", Some(key)).await.err().unwrap(), 404);
    assert_eq!(served.connect("/ws/sessions?after=x", Some(key)).await.err().unwrap(), 422);
    let narrowed =
        lead.post("/api/v1/api-keys", json!({"name": "narrow", "scopes": ["agents:read"]})).await.expect(201);
    let narrowed = narrowed["secret"].as_str().unwrap();
    assert_eq!(served.connect("/ws/sessions", Some(narrowed)).await.err().unwrap(), 403);
    let mut socket = served.connect("/ws/agents", Some(narrowed)).await.expect("it may watch agents");
    socket.until("subscription.confirmed").await;
    socket.subscribe("/ws/sessions", None).await;
    assert_eq!(socket.next_event().await["payload"]["code"], "FORBIDDEN");
    let agent = lead
        .post(
            "/api/v1/agents",
            json!({"name": "one", "agent_type": "reviewer", "kind": "eap", "capabilities": ["testing"]}),
        )
        .await
        .expect(201);
    let token = agent["auth_token"].as_str().unwrap_or_else(|| panic!("no token: {agent}"));
    assert_eq!(served.connect("/ws/agents", Some(token)).await.err().unwrap(), 403, "an agent watches nothing");
}

#[tokio::test]
async fn a_plain_http_request_is_referred_to_the_log_endpoint() {
    let world = world().await;
    let refused = world.caller(Role::Viewer).get("/ws/sessions").await.problem(422, "VALIDATION_FAILED");
    assert!(refused["detail"].as_str().unwrap().contains("/api/v1/live/events"), "{refused}");
}
