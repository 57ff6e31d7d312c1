//! The payloads of events have the form that the OpenAPI document describes.

use std::collections::BTreeSet;

use functions::events::{ControlEventPayload, SessionEventPayload, TenantEventPayload};
use harness::{Caller, TestApp, found, openapi, websocket::Served};
use serde_json::{Value, json};
use shared::identity::auth::Role;

/// Parses the type and the payload of an event, which fails at unknown and missing fields.
fn check<T: serde::de::DeserializeOwned>(event: &Value) {
    let payload = json!({"type": event["type"], "payload": event["payload"]});
    serde_json::from_value::<T>(payload).unwrap_or_else(|error| panic!("{error}: {event}"));
}

/// Compares the fields of an event with those of its member of a union in the document.
fn check_fields(document: &Value, union: &str, event: &Value) {
    let kind = event["type"].as_str().unwrap();
    let member = &document["components"]["schemas"][union]["discriminator"]["mapping"][kind];
    let member = member.as_str().unwrap_or_else(|| panic!("{union} has no type {kind}"));
    let member = document.pointer(member.trim_start_matches('#')).unwrap();
    let known = member["properties"].as_object().unwrap();
    let sent = event.as_object().unwrap();
    assert!(sent.keys().all(|field| known.contains_key(field)), "{union}: {event}");
    let required = member["required"].as_array().unwrap();
    assert!(required.iter().all(|field| sent.contains_key(field.as_str().unwrap())), "{union}: {event}");
}

/// A session that writes, logs, spends, asks and is answered, forked, changed and failed by hand.
async fn varied_sessions(caller: &Caller) -> Vec<String> {
    let run = json!([
        {"do": "say", "text": "Working."},
        {"do": "log", "text": "A line."},
        {"do": "write", "path": "a.rs", "content": "a"},
        {"do": "spend", "tokens_input": 5},
        {"do": "ask", "question_id": "q1", "kind": "input", "text": "Which?"},
        {"do": "say", "text": "Done."},
    ]);
    let id = caller.run_script(run).await;
    caller.reaches(&id, &["paused"]).await;
    caller.patch(&format!("/sessions/{id}"), json!({"title": "Another title"})).await.expect(200);
    let answer = json!({"answer": {"question_id": "q1", "text": "This one."}});
    caller.post(&format!("/sessions/{id}/messages"), answer).await.expect(202);
    caller.reaches(&id, &["completed"]).await;
    let fork = caller.post(&format!("/sessions/{id}/fork"), json!({})).await.expect(201);
    let by_hand = caller.new_session(json!({"agent_config": {"agent": "manual"}, "start": true})).await;
    caller.reaches(&by_hand, &["running"]).await;
    let report = json!({"message": "It broke.", "context": {"step": 1}});
    caller.post(&format!("/sessions/{by_hand}/fail"), report).await.expect(200);
    vec![id, fork["id"].as_str().unwrap().to_owned(), by_hand]
}

#[tokio::test]
async fn events_of_real_sessions_match_the_documented_payloads() {
    let world = TestApp::new().await;
    let caller = world.caller(Role::Lead);
    let (document, mut seen) = (openapi::document(), BTreeSet::new());
    for id in varied_sessions(&caller).await {
        for event in caller.events(&id).await {
            check::<SessionEventPayload>(&event);
            check_fields(&document, "Event", &event);
            seen.insert(event["type"].as_str().unwrap().to_owned());
        }
    }
    let known: BTreeSet<_> = SessionEventPayload::SCHEMAS.iter().map(|(kind, ..)| (*kind).to_owned()).collect();
    let unseen: Vec<_> = known.difference(&seen).collect();
    assert!(unseen.iter().all(|kind| *kind == "session.tool"), "{unseen:?}");
}

#[tokio::test]
async fn events_of_agents_match_the_documented_payloads() {
    let world = TestApp::new().await;
    let agent = world.puller("PULLER").await;
    agent.heartbeat().await.expect(204);
    let caller = world.caller(Role::Lead);
    let events = found(async || {
        let page = caller.get("/api/v1/live/events?topic=/ws/agents&limit=200").await.expect(200);
        page["items"].as_array().filter(|events| !events.is_empty()).cloned()
    })
    .await;
    events.iter().for_each(check::<TenantEventPayload>);
    let document = openapi::document();
    for event in &events {
        check_fields(&document, "TopicEvent", event);
    }
}

/// The types of frames that a socket gets to which a session runs, with a subscription and a mistake of its own.
const AWAITED_FRAMES: [&str; 6] = [
    "connection.established",
    "subscription.confirmed",
    "error",
    "session.created",
    "agent.task_assigned",
    "session.completed",
];

#[tokio::test]
async fn the_frames_of_the_websocket_match_the_documented_union() {
    let world = TestApp::new().await;
    let served = Served::of(&world).await;
    let mut socket = served.open(&world, "/ws/sessions").await;
    socket.subscribe("/ws/agents", None).await;
    socket.send(json!({"action": "dance"})).await;
    socket.send(json!({"action": "unsubscribe", "topic": "/ws/system"})).await;
    let caller = world.caller(Role::Lead);
    let id = caller.run_script(json!([{"do": "say", "text": "Done."}])).await;
    caller.reaches(&id, &["completed"]).await;
    let document = openapi::document();
    // The order of the events of two topics is not promised.
    let mut awaited: BTreeSet<_> = AWAITED_FRAMES.into_iter().collect();
    while !awaited.is_empty() {
        let frame = socket.any().await.unwrap_or_else(|closed| panic!("closed by {closed:?} before {awaited:?}"));
        check_fields(&document, "StreamFrame", &frame);
        let kind = frame["type"].as_str().unwrap();
        let is_of = |schemas: &[(&str, &str, &str)]| schemas.iter().any(|(known, ..)| *known == kind);
        match () {
            () if is_of(SessionEventPayload::SCHEMAS) => check::<SessionEventPayload>(&frame),
            () if is_of(TenantEventPayload::SCHEMAS) => check::<TenantEventPayload>(&frame),
            () => check::<ControlEventPayload>(&frame),
        }
        awaited.remove(kind);
    }
}

/// The types in the code, which writes the events, are those of the document.
#[test]
fn the_document_has_a_payload_for_every_event_type() {
    let document = openapi::document();
    let mapped = |name: &str| -> BTreeSet<String> {
        let mapping = &document["components"]["schemas"][name]["discriminator"]["mapping"];
        mapping.as_object().unwrap().keys().cloned().collect()
    };
    let own: BTreeSet<String> = SessionEventPayload::SCHEMAS.iter().map(|(kind, ..)| (*kind).to_owned()).collect();
    assert_eq!(mapped("Event"), own);
    let beside = TenantEventPayload::SCHEMAS.iter().map(|(kind, ..)| (*kind).to_owned());
    assert_eq!(mapped("TopicEvent"), own.into_iter().chain(beside).collect());
}
