//! `POST /sessions/{id}/fail`: by whoever drives the session.

use harness::TestApp;
use serde_json::json;
use shared::identity::auth::Role;

#[tokio::test]
async fn a_reported_failure_has_code_category_remedy_and_logged_context() {
    let world = TestApp::new().await;
    let caller = world.caller(Role::Member);
    let id = caller.start_session(json!({"agent_config": {"agent": "manual"}})).await;
    caller.reaches(&id, &["running"]).await;
    let report = json!({"message": " The tests fail. ", "code": "TESTS_FAIL", "context": {"failed": 3}});
    let failed = caller.post(&format!("/sessions/{id}/fail"), report).await.expect(200);
    let error = &failed["outcome"]["error"];
    assert_eq!(
        (&error["code"], &error["message"], &error["category"]),
        (&json!("TESTS_FAIL"), &json!("The tests fail."), &json!("agent"))
    );
    assert_eq!((&error["retryable"], &failed["health_score"]), (&json!(true), &json!(0.0)));
    let events = caller.events(&id).await;
    let log = events.iter().find(|event| event["type"] == "session.log").unwrap();
    assert_eq!(log["payload"], json!({"level": "error", "message": "The tests fail.", "context": {"failed": 3}}));
}

#[tokio::test]
async fn only_a_failed_session_orphans_its_waiting_children_and_a_completed_one_does_not() {
    let world = TestApp::full().await;
    let (caller, owner) = (world.caller(Role::Member), world.superuser().await);
    for (end, body, after) in
        [("fail", json!({"message": "It broke."}), "orphaned"), ("complete", json!({"result": 1}), "pending")]
    {
        let parent = caller.new_session(json!({})).await;
        owner.place(&parent, "running").await;
        let waiting = caller.new_session(json!({"parent_id": parent})).await;
        let running = caller.new_session(json!({"parent_id": parent})).await;
        owner.place(&running, "running").await;
        caller.post(&format!("/sessions/{parent}/{end}"), body).await.expect(200);
        assert_eq!(caller.session(&waiting).await["status"], after);
        assert_eq!(caller.session(&running).await["status"], "running", "who runs is not touched");
    }
}
