//! `POST /sessions/{id}/complete`: by whoever drives the session.

use harness::TestApp;
use serde_json::json;
use shared::identity::auth::Role;

#[tokio::test]
async fn the_outcome_is_the_one_that_the_driver_reports() {
    let world = TestApp::new().await;
    let caller = world.caller(Role::Member);
    let id = caller.start_session(json!({"agent_config": {"agent": "manual"}})).await;
    let running = caller.reaches(&id, &["running"]).await;
    assert_eq!(running["agent"]["name"], "manual");
    let report = json!({"result": {"pull_request": 7}, "success_rate": 0.95, "confidence_score": 0.5});
    let done = caller.post(&format!("/sessions/{id}/complete"), report.clone()).await.expect(200);
    assert_eq!((&done["status"], &done["outcome"], &done["health_score"]), (&json!("completed"), &report, &json!(1.0)));
    assert!(done["ended_at"].is_string() && done["started_at"].is_string());
    caller.post(&format!("/sessions/{id}/complete"), report.clone()).await.problem(409, "INVALID_TRANSITION");
    let events = caller.events(&id).await;
    let reported = events.iter().find(|event| event["type"] == "session.completed").unwrap();
    assert_eq!((&reported["payload"], &reported["actor"]["name"]), (&report, &json!("member")));
}

#[tokio::test]
async fn only_one_of_two_concurrent_ends_is_accepted() {
    let world = TestApp::full().await;
    let (caller, owner) = (world.caller(Role::Member), world.superuser().await);
    let id = caller.new_session(json!({})).await;
    owner.place(&id, "running").await;
    let (complete, fail) = (format!("/sessions/{id}/complete"), format!("/sessions/{id}/fail"));
    let (one, other) = tokio::join!(
        caller.post(&complete, json!({"result": 1})),
        caller.post(&fail, json!({"message": "It broke."})),
    );
    let mut statuses = [one.status.as_u16(), other.status.as_u16()];
    statuses.sort_unstable();
    assert_eq!(statuses, [200, 409]);
    assert_eq!(caller.states(&id).await.len(), 1);
}
