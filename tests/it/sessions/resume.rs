//! `POST /sessions/{id}/resume`.

use harness::TestApp;
use serde_json::json;
use shared::identity::auth::Role;

#[tokio::test]
async fn a_resumed_session_continues_where_it_was_paused() {
    let world = TestApp::new().await;
    let caller = world.caller(Role::Member);
    let script = json!([
        {"do": "write", "path": "a.rs", "content": "a"},
        {"do": "wait", "ms": 600_000},
    ]);
    let id = caller.run_script(script).await;
    caller.sees(&id, "session.file_changed").await;
    caller.act(&format!("/sessions/{id}/pause")).await.expect(202);
    let paused = caller.reaches(&id, &["paused"]).await;
    let resumed = caller.act(&format!("/sessions/{id}/resume")).await.expect(202);
    assert_eq!((&resumed["status"], &resumed["pause"]), (&json!("running"), &json!(null)));
    caller.post(&format!("/sessions/{id}/complete"), json!({"result": "by hand"})).await.expect(200);
    let events = caller.events(&id).await;
    let written = events.iter().filter(|event| event["type"] == "session.file_changed").count();
    assert_eq!(written, 1, "what was done is not done again");
    assert_eq!(resumed["retry_count"], paused["retry_count"]);
}

#[tokio::test]
async fn a_session_with_an_open_question_must_be_answered_to_resume() {
    let world = TestApp::new().await;
    let caller = world.caller(Role::Member);
    let id = caller.run_script(json!([{"do": "ask", "question_id": "q1", "kind": "input", "text": "Which?"}])).await;
    caller.reaches(&id, &["paused"]).await;
    let problem = caller.act(&format!("/sessions/{id}/resume")).await.problem(409, "INVALID_TRANSITION");
    assert!(problem["detail"].as_str().unwrap().contains("/messages"), "{problem}");
}
