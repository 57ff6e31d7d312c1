//! The value of a secret is in no answer, event, audit entry, log line or row, also if the agent prints it.

use harness::{Caller, TestApp, eap_agent::EapAgent, log_capture::LogCapture};
use serde_json::{Value, json};
use shared::identity::auth::Role;

use super::{PATH, ask_for_secrets, put};
use crate::environments::create_environment;

/// A value without the shape of a secret, so that only its being known can hide it.
const VALUE: &str = "seven quiet otters";

/// Has the agent print the value in a message, a log entry, a question and a failure. Answers the session while it was
/// paused and at its end.
async fn print_everywhere(member: &Caller, agent: &EapAgent, id: &str, task: &Value) -> (Value, Value) {
    let log_entry = json!({"level": "info", "message": format!("PASSPHRASE={VALUE}")});
    let report = json!({"lease_token": 1, "seq": 1, "message": format!("It is {VALUE}."), "log": log_entry});
    agent.progress(task, report).await.expect(200);
    let question = json!({"question_id": "q", "kind": "input", "text": format!("May I use {VALUE}?")});
    agent.progress(task, json!({"lease_token": 1, "seq": 2, "question": question})).await.expect(200);
    let paused = member.reaches(id, &["paused"]).await;
    let answer = json!({"answer": {"question_id": "q", "text": "No."}});
    member.post(&format!("/sessions/{id}/messages"), answer).await.expect(202);
    // The work continues once the agent receives the answer.
    let renewal = json!({"lease_token": 1, "seq": 3});
    harness::until(async || agent.progress(task, renewal.clone()).await.expect(200)["messages"].is_array()).await;
    let failed = json!({
        "task_id": task["task_id"], "lease_token": 1, "status": "failed", "error_message": format!("{VALUE} is wrong"),
        "execution_time_ms": 1,
    });
    agent.result(task, failed).await.expect(202);
    let ended = member.reaches(id, &["failed"]).await;
    (paused, ended)
}

#[tokio::test]
async fn a_value_is_seen_by_the_agent_alone_although_the_agent_prints_it() {
    // Everything of this test runs on this thread.
    let log = LogCapture::begin();
    let world = TestApp::new().await;
    let (lead, member, agent) = (world.caller(Role::Lead), world.caller(Role::Member), world.puller("BUILDER").await);
    create_environment(&lead, "backend", json!({"secrets": ["PASSPHRASE"]})).await;
    let keyed = lead.with("idempotency-key", "once");
    put(&keyed, "tenant", "PASSPHRASE", json!({"value": VALUE, "phase": "agent"})).await.expect(200);
    let session = json!({"agent_config": {"agent": "BUILDER"}, "environment": "backend"});
    let id = member.start_session(session).await;
    let task = agent.task().await;
    let received = ask_for_secrets(&agent, &task, 1).await.expect(200);
    assert_eq!(received["secrets"][0]["value"], VALUE);
    let (paused, ended) = print_everywhere(&member, &agent, &id, &task).await;
    let events = json!(member.events(&id).await).to_string();
    let logged = log.text();
    let audit = lead.get("/api/v1/audit?limit=200").await.expect(200).to_string();
    let listed = lead.get(PATH).await.expect(200).to_string();
    for (place, text) in [
        ("the session", paused.to_string()),
        ("the end", ended.to_string()),
        ("events", events.clone()),
        ("audit", audit),
        ("the list", listed),
        ("the log", logged),
    ] {
        assert!(!text.is_empty(), "{place} is empty");
        assert!(!text.contains("quiet otters"), "{place}: {text}");
    }
    assert!(events.matches("[redacted]").count() >= 3, "{events}");
    for (table, rows) in world.superuser().await.dump().await {
        // What the agent itself sent is kept as it came, and shown nowhere.
        let is_of_agent = ["agent_task_reports", "agent_tasks"].contains(&table.as_str());
        assert!(is_of_agent || !rows.contains("quiet otters"), "{table}");
    }
}
