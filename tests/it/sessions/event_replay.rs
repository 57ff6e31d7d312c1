//! Random commands to a session while its workers run: replaying the event log yields the row.

use harness::{Caller, TestApp};
use proptest::{
    prelude::*,
    test_runner::{Config, TestRunner},
};
use serde_json::{Value, json};
use shared::identity::auth::Role;

const VERBS: [(&str, &str); 12] = [
    ("start", ""),
    ("start", ""),
    ("unqueue", ""),
    ("pause", "{}"),
    ("resume", ""),
    ("cancel", "{}"),
    ("stop", "{}"),
    ("retry", ""),
    ("complete", r#"{"result": 1}"#),
    ("fail", r#"{"message": "It broke."}"#),
    ("messages", r#"{"text": "Go on."}"#),
    ("checkpoints", "{}"),
];

fn script(kind: usize) -> Value {
    let scripts = [
        json!([{"do": "wait", "ms": 600_000}]),
        json!([{"do": "write", "path": "a.rs", "content": "a", "ms": 5}, {"do": "wait", "ms": 20}, {"do": "spend", "tokens_input": 5}]),
        json!([{"do": "fail", "category": "transient", "message": "It broke."}, {"do": "wait", "ms": 30}]),
        json!([{"do": "ask", "question_id": "q1", "kind": "input", "text": "Which?"}]),
    ];
    json!({"agent_config": {"script": scripts[kind]}})
}

/// The session that the event log yields.
fn folded(events: &[Value]) -> String {
    let mut state = "pending".to_owned();
    for event in events.iter().filter(|event| event["type"] == "session.status_changed") {
        assert_eq!(event["payload"]["from"], state, "{event}");
        event["payload"]["to"].as_str().unwrap().clone_into(&mut state);
    }
    state
}

async fn drive(caller: &Caller, kind: usize, verbs: &[usize]) -> String {
    let id = caller.new_session(script(kind)).await;
    for verb in verbs {
        let (name, body) = VERBS[*verb];
        let body = (!body.is_empty()).then(|| body.as_bytes().to_vec());
        let reply = caller.send("POST", &format!("/sessions/{id}/{name}"), body).await;
        assert!(reply.status.is_success() || reply.status == 409, "{name}: {}", reply.json());
    }
    id
}

#[test]
fn replaying_the_event_log_always_yields_the_row_and_no_slot_leaks() {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
    let world = runtime.block_on(TestApp::limited(shared::identity::tenants::TenantLimits {
        max_concurrent_sessions: 2,
        ..Default::default()
    }));
    let caller = world.caller(Role::Member);
    let cases = prop::collection::vec((0..4_usize, prop::collection::vec(0..VERBS.len(), 1..12)), 1..4);
    let mut runner =
        TestRunner::new(Config { cases: 12, max_shrink_iters: 20, failure_persistence: None, ..Config::default() });
    let result = runner.run(&cases, |sessions| {
        runtime.block_on(async {
            let drives = sessions.iter().map(|(kind, verbs)| drive(&caller, *kind, verbs));
            let ids = futures_util::future::join_all(drives).await;
            for id in ids {
                end(&caller, &id).await;
                check(&caller, &id).await;
            }
        });
        Ok(())
    });
    result.unwrap();
    runtime.block_on(async {
        let owner = world.superuser().await;
        let left = "select count(*) from sessions where status in ('running', 'degraded', 'queued', 'paused') or intent is not null or handover is not null and ended_at is not null";
        assert_eq!(owner.number(left).await, 0);
        assert_eq!(caller.get("/sessions/stats").await.expect(200)["active"], 0);
    });
}

/// Brings a session to an end, whatever it does at the time.
async fn end(caller: &Caller, id: &str) {
    harness::until(async || {
        let (cancel, stop) = (format!("/sessions/{id}/cancel"), format!("/sessions/{id}/stop"));
        let _ = tokio::join!(caller.act(&cancel), caller.act(&stop));
        !caller.session(id).await["ended_at"].is_null()
    })
    .await;
}

async fn check(caller: &Caller, id: &str) {
    let session = caller.session(id).await;
    let events = caller.events(id).await;
    assert_eq!(folded(&events), session["status"].as_str().unwrap());
    assert!(events.len() >= usize::try_from(session["last_event_seq"].as_i64().unwrap()).unwrap());
    let checkpoints = events.iter().filter(|event| event["type"] == "session.checkpoint_created").count();
    assert!(checkpoints >= usize::try_from(session["checkpoint_count"].as_i64().unwrap()).unwrap());
    let spent = events
        .iter()
        .rfind(|event| event["type"] == "session.usage")
        .map(|event| event["payload"]["tokens_input"].clone());
    assert_eq!(spent.unwrap_or(json!(0)), session["usage"]["tokens_input"]);
}
