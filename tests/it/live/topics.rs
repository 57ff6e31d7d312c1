//! What the topics tell, what filters leave out, and what is refused.

use harness::{
    World,
    watch::{Served, Socket},
};
use serde_json::{Value, json};
use shared::{
    auth::{Actor, Role},
    event::tenant::{Kind, Subject, TenantEvent},
};

use super::{appending, cursor, session, world, write};

async fn open(world: &World, path: &str) -> (Served, Socket) {
    let served = Served::of(world).await;
    let mut socket = served.open(world, path).await;
    socket.until("subscription.confirmed").await;
    (served, socket)
}

/// Tells something that belongs to no session.
async fn tell(world: &World, kind: Kind, payload: Value) {
    let mut tx = world.app.db.tenant(world.tenant.id).await.unwrap();
    tx.tell(TenantEvent::new(kind, Actor::system("test"), world.app.clock.now(), payload));
    tx.commit().await.unwrap();
    world.app.tell_tenant(world.tenant.id).await;
}

#[tokio::test]
async fn a_session_is_told_as_its_log_and_its_stream_tell_it() {
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
        for frame in [all.told().await, one.told().await] {
            for (told, logged) in [
                ("type", "type"),
                ("payload", "payload"),
                ("seq", "seq"),
                ("id", "id"),
                ("timestamp", "at"),
                ("session_id", "session_id"),
                ("actor", "actor"),
            ] {
                assert_eq!(frame[told], event[logged], "{frame}");
            }
        }
        assert_eq!(stream.next().await.unwrap().data, *event);
    }
    let page = caller.get(&format!("/api/v1/live/events?topic=/ws/sessions/{id}&limit=200")).await.expect(200);
    let read: Vec<_> = page["items"].as_array().unwrap().iter().map(|item| item["id"].clone()).collect();
    assert_eq!(read, log.iter().map(|event| event["id"].clone()).collect::<Vec<_>>());
}

#[tokio::test]
async fn every_kind_of_event_is_told_to_those_who_watch_its_topic() {
    for (subject, path) in
        [(Subject::Agents, "/ws/agents"), (Subject::Tuning, "/ws/tuning"), (Subject::System, "/ws/system")]
    {
        // Each with a world of its own: what was told before may be told late, while other tests hold things up.
        let world = world().await;
        let served = Served::of(&world).await;
        let mut socket = served.open(&world, path).await;
        let from = cursor(&socket.until("subscription.confirmed").await);
        for kind in Kind::ALL {
            tell(&world, *kind, json!({"job_id": "1"})).await;
        }
        let of_topic: Vec<_> = Kind::ALL.iter().filter(|kind| kind.subject() == subject).collect();
        let mut places = Vec::new();
        for kind in &of_topic {
            let frame = socket.told().await;
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
async fn filters_leave_out_what_is_not_wanted_and_nothing_else() {
    let world = world().await;
    let (one, other) = (session(&world).await, session(&world).await);
    let (_served, mut socket) = open(&world, "/ws/agents").await;
    let owner = world.owner().await;
    let subscribe = |filter: Value| json!({"action": "subscribe", "topic": "/ws/sessions", "filter": filter});
    socket.send(subscribe(json!({"session_ids": [other]}))).await;
    socket.until("subscription.confirmed").await;
    write(&owner, &one, 300).await;
    write(&owner, &other, 2).await;
    for seq in [2, 3] {
        let frame = socket.told().await;
        assert_eq!((&frame["session_id"], &frame["seq"]), (&json!(other), &json!(seq)));
    }
    socket.send(subscribe(json!({"types": ["session.updated", "task.*"]}))).await;
    socket.until("subscription.confirmed").await;
    write(&owner, &one, 3).await;
    let caller = world.caller(Role::Member);
    caller.patch(&format!("/sessions/{one}"), json!({"title": "Fix the other parser"})).await.expect(200);
    assert_eq!(socket.told().await["type"], "session.updated");
    socket.send(json!({"action": "unsubscribe", "topic": "/ws/sessions"})).await;
    assert_eq!(socket.told().await["type"], "subscription.ended");
    caller.patch(&format!("/sessions/{one}"), json!({"title": "Fix the third parser"})).await.expect(200);
    tell(&world, Kind::AgentHeartbeat, json!({"agent_id": "1"})).await;
    assert_eq!(socket.told().await["type"], "agent.heartbeat", "nothing more of the sessions");
}

#[tokio::test]
async fn a_large_payload_is_cut_and_says_so_and_the_log_has_it_whole() {
    let world = world().await;
    let id = session(&world).await;
    let (_served, mut socket) = open(&world, "/ws/sessions").await;
    world
        .owner()
        .await
        .run(&appending(&id, 1, "jsonb_build_object('message', repeat('ü', 40000), 'level', 'info')"))
        .await;
    let frame = socket.told().await;
    assert_eq!((&frame["truncated"], &frame["payload"]["level"]), (&json!(true), &json!("info")));
    let whole = world.caller(Role::Viewer).events(&id).await.pop().unwrap();
    assert_eq!(whole["payload"]["message"].as_str().unwrap().chars().count(), 40_000);
}

#[tokio::test]
async fn what_cannot_be_understood_is_refused_and_the_connection_goes_on() {
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
        let refused = socket.told().await;
        assert_eq!((&refused["type"], &refused["payload"]["code"]), (&json!("error"), &json!(code)), "{refused}");
        assert!(refused["payload"]["remedy"].is_string());
    }
    socket.send(json!({"action": "pong"})).await;
    let id = session(&world).await;
    assert_eq!(socket.told().await["session_id"], id);
}

#[tokio::test]
async fn a_connection_watches_so_many_topics_and_no_more() {
    let world = world().await;
    let (_served, mut socket) = open(&world, "/ws/agents").await;
    for _ in 0..49 {
        let id = session(&world).await;
        socket.subscribe(&format!("/ws/sessions/{id}"), None).await;
        assert_eq!(socket.told().await["type"], "subscription.confirmed");
    }
    socket.subscribe("/ws/system", None).await;
    assert_eq!(socket.told().await["payload"]["code"], "QUOTA_EXCEEDED");
}
