//! The content of the topics, what filters leave out, and what is refused.

use harness::{
    TestApp,
    websocket::{Served, Socket},
};
use serde_json::{Value, json};
use shared::{
    events::log::tenant::{TenantEvent, TenantEventType, TenantTopic},
    identity::auth::Role,
    kernel::actor::Actor,
};

use super::{appending, cursor, session, world, write};

async fn open(world: &TestApp, path: &str) -> (Served, Socket) {
    let served = Served::of(world).await;
    let mut socket = served.open(world, path).await;
    socket.until("subscription.confirmed").await;
    (served, socket)
}

/// Publishes an event without a session.
async fn publish(world: &TestApp, kind: TenantEventType, payload: Value) {
    let mut tx = world.app.db.tenant(world.tenant.id).await.unwrap();
    shared::events::log::publish(
        &mut tx,
        TenantEvent::new(kind, Actor::system_part("test"), world.app.clock.now(), payload),
    );
    tx.commit().await.unwrap();
    world.app.notify_tenant(world.tenant.id).await;
}

#[tokio::test]
async fn the_websocket_publishes_the_same_events_as_the_log_and_the_sse_stream() {
    let mut world = world().await;
    world.work();
    let served = Served::of(&world).await;
    let mut all = served.open(&world, "/ws/sessions").await;
    all.until("subscription.confirmed").await;
    let caller = world.caller(Role::Member);
    let id =
        caller.run_script(json!([{"do": "say", "text": "One."}, {"do": "write", "path": "a", "content": "b"}])).await;
    caller.reaches(&id, &["completed"]).await;
    let log = caller.events(&id).await;
    let mut one = served.open(&world, &format!("/ws/sessions/{id}?after=0")).await;
    one.until("subscription.confirmed").await;
    let mut stream = caller.stream(&id).await;
    for event in &log {
        for frame in [all.next_event().await, one.next_event().await] {
            for (reported, logged) in [
                ("type", "type"),
                ("payload", "payload"),
                ("seq", "seq"),
                ("id", "id"),
                ("timestamp", "at"),
                ("session_id", "session_id"),
                ("actor", "actor"),
            ] {
                assert_eq!(frame[reported], event[logged], "{frame}");
            }
        }
        assert_eq!(stream.next().await.unwrap().data, *event);
    }
    let page = caller.get(&format!("/api/v1/live/events?topic=/ws/sessions/{id}&limit=200")).await.expect(200);
    let read: Vec<_> = page["items"].as_array().unwrap().iter().map(|item| item["id"].clone()).collect();
    assert_eq!(read, log.iter().map(|event| event["id"].clone()).collect::<Vec<_>>());
}

#[tokio::test]
async fn every_kind_of_event_reaches_the_subscribers_of_its_topic() {
    for (subject, path) in [
        (TenantTopic::Agents, "/ws/agents"),
        (TenantTopic::FineTuning, "/ws/fine-tuning"),
        (TenantTopic::System, "/ws/system"),
    ] {
        // Each with a test app of its own: earlier events may be published late while other tests delay them.
        let world = world().await;
        let served = Served::of(&world).await;
        let mut socket = served.open(&world, path).await;
        let from = cursor(&socket.until("subscription.confirmed").await);
        for kind in TenantEventType::ALL {
            publish(&world, *kind, json!({"job_id": "1"})).await;
        }
        let of_topic: Vec<_> = TenantEventType::ALL.iter().filter(|kind| kind.topic() == subject).collect();
        let mut places = Vec::new();
        for kind in &of_topic {
            let frame = socket.next_event().await;
            assert_eq!((&frame["type"], &frame["payload"]), (&json!(kind.name()), &json!({"job_id": "1"})));
            places.push(cursor(&frame));
        }
        let log =
            world.caller(Role::Viewer).get(&format!("/api/v1/live/events?topic={path}&after={from}")).await.expect(200);
        let read: Vec<_> = log["items"].as_array().unwrap().iter().map(cursor).collect();
        assert_eq!(read, places, "the log has the same, in the same order");
    }
}

#[tokio::test]
async fn filters_leave_out_only_unwanted_events() {
    let world = world().await;
    let (one, other) = (session(&world).await, session(&world).await);
    let (_served, mut socket) = open(&world, "/ws/agents").await;
    let owner = world.superuser().await;
    let subscribe = |filter: Value| json!({"action": "subscribe", "topic": "/ws/sessions", "filter": filter});
    socket.send(subscribe(json!({"session_ids": [other]}))).await;
    socket.until("subscription.confirmed").await;
    write(&owner, &one, 300).await;
    write(&owner, &other, 2).await;
    for seq in [2, 3] {
        let frame = socket.next_event().await;
        assert_eq!((&frame["session_id"], &frame["seq"]), (&json!(other), &json!(seq)));
    }
    socket.send(subscribe(json!({"types": ["session.updated", "task.*"]}))).await;
    socket.until("subscription.confirmed").await;
    write(&owner, &one, 3).await;
    let caller = world.caller(Role::Member);
    caller.patch(&format!("/sessions/{one}"), json!({"title": "Fix the other parser"})).await.expect(200);
    assert_eq!(socket.next_event().await["type"], "session.updated");
    socket.send(json!({"action": "unsubscribe", "topic": "/ws/sessions"})).await;
    assert_eq!(socket.next_event().await["type"], "subscription.ended");
    caller.patch(&format!("/sessions/{one}"), json!({"title": "Fix the third parser"})).await.expect(200);
    publish(&world, TenantEventType::AgentHeartbeat, json!({"agent_id": "1"})).await;
    assert_eq!(socket.next_event().await["type"], "agent.heartbeat", "nothing more of the sessions");
}

#[tokio::test]
async fn a_large_payload_is_marked_as_truncated_and_complete_in_the_log() {
    let world = world().await;
    let id = session(&world).await;
    let (_served, mut socket) = open(&world, "/ws/sessions").await;
    world
        .superuser()
        .await
        .run(&appending(&id, 1, "jsonb_build_object('message', repeat('ü', 40000), 'level', 'info')"))
        .await;
    let frame = socket.next_event().await;
    assert_eq!((&frame["truncated"], &frame["payload"]["level"]), (&json!(true), &json!("info")));
    let whole = world.caller(Role::Viewer).events(&id).await.pop().unwrap();
    assert_eq!(whole["payload"]["message"].as_str().unwrap().chars().count(), 40_000);
}

#[tokio::test]
async fn an_invalid_message_is_refused_and_the_connection_stays_open() {
    let world = world().await;
    let (_served, mut socket) = open(&world, "/ws/sessions").await;
    for (message, code) in [
        (json!({"action": "shout"}), "BODY_MALFORMED"),
        (json!({"action": "subscribe", "topic": "/ws/x"}), "VALIDATION_FAILED"),
        (json!({"action": "subscribe", "topic": "/ws/agents", "after": "7"}), "VALIDATION_FAILED"),
        (
            json!({"action": "subscribe", "topic": "/ws/sessions/01900000-0000-7000-8000-000000000000"}),
            "SESSION_NOT_FOUND",
        ),
    ] {
        socket.send(message).await;
        let refused = socket.next_event().await;
        assert_eq!((&refused["type"], &refused["payload"]["code"]), (&json!("error"), &json!(code)), "{refused}");
        assert!(refused["payload"]["remedy"].is_string());
    }
    socket.send(json!({"action": "pong"})).await;
    let id = session(&world).await;
    assert_eq!(socket.next_event().await["session_id"], id);
}

#[tokio::test]
async fn a_connection_may_subscribe_to_a_limited_number_of_topics() {
    let world = world().await;
    let (_served, mut socket) = open(&world, "/ws/agents").await;
    for _ in 0..49 {
        let id = session(&world).await;
        socket.subscribe(&format!("/ws/sessions/{id}"), None).await;
        assert_eq!(socket.next_event().await["type"], "subscription.confirmed");
    }
    socket.subscribe("/ws/system", None).await;
    assert_eq!(socket.next_event().await["payload"]["code"], "QUOTA_EXCEEDED");
}
