//! `POST /sessions/{id}/retry`, and the retries that come by themselves.

use harness::{Caller, Options, TestApp};
use serde_json::{Value, json};
use shared::identity::auth::Role;

fn fail(category: &str) -> Value {
    json!({"do": "fail", "category": category, "message": "It broke."})
}

async fn tries(caller: &Caller, id: &str) -> usize {
    let events = caller.events(id).await;
    events
        .iter()
        .filter(|event| event["payload"]["message"].as_str().is_some_and(|text| text.contains("Trying again")))
        .count()
}

#[tokio::test]
async fn a_failed_session_is_retried_at_most_three_times_from_its_last_checkpoint() {
    let world = TestApp::new().await;
    let (caller, owner) = (world.caller(Role::Member), world.superuser().await);
    let write = json!({"do": "write", "path": "a.rs", "content": "a"});
    let id = caller.run_script(json!([write, fail("agent"), fail("agent"), fail("agent"), fail("agent")])).await;
    for retries in 0..3 {
        let failed = caller.reaches(&id, &["failed"]).await;
        assert_eq!((&failed["retry_count"], &failed["recoverable"]), (&json!(retries), &json!(true)));
        let pending = caller.post(&format!("/sessions/{id}/retry"), json!({"start": false})).await.expect(202);
        assert_eq!(
            (&pending["status"], &pending["outcome"], &pending["ended_at"]),
            (&json!("pending"), &Value::Null, &Value::Null)
        );
        caller.act(&format!("/sessions/{id}/start")).await.expect(202);
    }
    let failed = caller.reaches(&id, &["failed"]).await;
    assert_eq!((&failed["retry_count"], &failed["recoverable"]), (&json!(3), &json!(false)));
    let before = owner.dump().await;
    let problem = caller.act(&format!("/sessions/{id}/retry")).await.problem(409, "INVALID_TRANSITION");
    assert!(problem["detail"].as_str().unwrap().contains("three times"), "{problem}");
    caller.act(&format!("/sessions/{id}/checkpoints/1/restore")).await.problem(409, "INVALID_TRANSITION");
    assert_eq!(owner.dump().await, before);
    let events = caller.events(&id).await;
    assert_eq!(events.iter().filter(|event| event["type"] == "session.file_changed").count(), 1, "written once");
}

#[tokio::test]
async fn a_retry_also_starts_the_session_and_is_audited_once() {
    let world = TestApp::new().await;
    let caller = world.caller(Role::Member);
    let id = caller.run_script(json!([fail("agent"), {"do": "say", "text": "Done."}])).await;
    caller.reaches(&id, &["failed"]).await;
    caller.act(&format!("/sessions/{id}/retry")).await.expect(202);
    caller.reaches(&id, &["completed"]).await;
    let states = caller.states(&id).await;
    assert_eq!(states, ["queued", "running", "failed", "pending", "queued", "running", "completed"]);
    let owner = world.superuser().await;
    assert_eq!(owner.number("select count(*) from audit_entries where action = 'session.retry'").await, 1);
}

#[tokio::test]
async fn a_session_without_a_checkpoint_cannot_be_retried() {
    let world = TestApp::full().await;
    let caller = world.caller(Role::Member);
    let id = caller.new_session(json!({})).await;
    let failed = caller.post(&format!("/sessions/{id}/fail"), json!({"message": "It broke."})).await.expect(200);
    assert_eq!(failed["recoverable"], false);
    caller.act(&format!("/sessions/{id}/retry")).await.problem(409, "INVALID_TRANSITION");
}

#[tokio::test]
async fn a_retryable_failure_is_retried_automatically() {
    let world = TestApp::new().await;
    let caller = world.caller(Role::Member);
    let id = caller.run_script(json!([fail("transient"), fail("transient"), {"do": "say", "text": "Done."}])).await;
    let done = caller.reaches(&id, &["completed", "failed"]).await;
    assert_eq!((&done["status"], &done["retry_count"]), (&json!("completed"), &json!(0)));
    assert_eq!(tries(&caller, &id).await, 2);
    let states = caller.states(&id).await;
    assert_eq!(states, ["queued", "running", "degraded", "running", "degraded", "running", "completed"]);
}

#[tokio::test]
async fn a_session_fails_after_three_automatic_retries() {
    let world = TestApp::new().await;
    let caller = world.caller(Role::Member);
    let id = caller.run_script(json!(vec![fail("transient"); 5])).await;
    let failed = caller.reaches(&id, &["completed", "failed"]).await;
    assert_eq!(failed["status"], "failed");
    assert_eq!(failed["outcome"]["error"]["category"], "transient");
    assert_eq!(tries(&caller, &id).await, 3);
}

#[tokio::test]
async fn only_a_retryable_failure_of_a_handover_is_retried() {
    let world = TestApp::new().await;
    let caller = world.caller(Role::Member);
    let refuse = |category: &str| json!([{"do": "refuse", "category": category, "message": "Not today."}]);
    let moment = caller.run_script(refuse("transient")).await;
    let good = caller.run_script(refuse("auth")).await;
    for (id, tried) in [(&moment, 3), (&good, 0)] {
        let failed = caller.reaches(id, &["failed"]).await;
        assert_eq!((&failed["outcome"]["error"]["code"], &failed["recoverable"]), (&json!("REFUSED"), &json!(true)));
        assert_eq!(tries(&caller, id).await, tried);
    }
}

#[tokio::test]
async fn a_permanent_failure_ends_the_session_at_once_with_category_and_remedy() {
    let world = TestApp::new().await;
    let caller = world.caller(Role::Member);
    for category in ["auth", "agent", "user", "policy", "budget", "internal", "timeout", "rate_limit"] {
        let id = caller.run_script(json!([fail(category)])).await;
        let failed = caller.reaches(&id, &["failed"]).await;
        let error = &failed["outcome"]["error"];
        assert_eq!((&error["category"], &error["message"]), (&json!(category), &json!("It broke.")));
        assert!(error["remedy"].as_str().is_some_and(|remedy| remedy.len() > 10), "{error}");
        assert_eq!(caller.states(&id).await, ["queued", "running", "failed"]);
        let events = caller.events(&id).await;
        assert_eq!(events.last().unwrap()["type"], "session.failed");
        assert_eq!(events.last().unwrap()["payload"], failed["outcome"]);
    }
}

#[tokio::test]
async fn an_unreachable_agent_degrades_the_session_and_finally_fails_it() {
    let mut options = Options::default();
    options.settings.poll.agent_offline = std::time::Duration::from_millis(200);
    let world = TestApp::with(options).await;
    let caller = world.caller(Role::Member);
    let id = caller.run_script(json!([{"do": "crash", "message": "No route to the agent."}])).await;
    let failed = caller.reaches(&id, &["failed"]).await;
    assert_eq!(failed["outcome"]["error"]["code"], "AGENT_UNREACHABLE");
    assert_eq!(caller.states(&id).await, ["queued", "running", "degraded", "failed"]);
}

#[tokio::test]
async fn partial_output_of_a_failed_session_is_kept() {
    let world = TestApp::new().await;
    let caller = world.caller(Role::Member);
    let id = caller
        .run_script(json!([{"do": "write", "path": "a.rs", "content": "a"}, {"do": "partial", "message": "Half."}]))
        .await;
    let part = caller.reaches(&id, &["partially_completed"]).await;
    assert_eq!((&part["outcome"]["success_rate"], &part["outcome"]["error"]["code"]), (&json!(0.5), &json!("PARTIAL")));
    assert_eq!(caller.events(&id).await.last().unwrap()["type"], "session.completed");
    caller.act(&format!("/sessions/{id}/retry")).await.problem(409, "INVALID_TRANSITION");
}

#[tokio::test]
async fn a_session_that_exceeds_its_maximum_duration_times_out_and_can_be_retried() {
    let world = TestApp::new().await;
    let (caller, owner) = (world.caller(Role::Member), world.superuser().await);
    let script = json!([{"do": "write", "path": "a.rs", "content": "a"}, {"do": "wait", "ms": 600_000}]);
    let id = caller.start_session(json!({"max_duration_seconds": 60, "agent_config": {"script": script}})).await;
    harness::until(async || owner.number("select count(*) from session_files").await == 1).await;
    owner.run("update sessions set active_ms = 60000").await;
    let over = caller.reaches(&id, &["timeout"]).await;
    assert_eq!(over["outcome"]["error"]["code"], "MAX_DURATION");
    assert_eq!((&over["health_score"], &over["recoverable"]), (&json!(0.0), &json!(true)));
    let checkpoints = caller.get(&format!("/sessions/{id}/checkpoints")).await.expect(200);
    assert_eq!(checkpoints["items"][0]["cause"], "stop");
    caller.act(&format!("/sessions/{id}/retry")).await.expect(202);
    caller.reaches(&id, &["running"]).await;
    caller.patch(&format!("/sessions/{id}"), json!({"max_duration_seconds": 120})).await.expect(200);
    caller.act(&format!("/sessions/{id}/stop")).await.expect(202);
    caller.reaches(&id, &["stopped"]).await;
}
