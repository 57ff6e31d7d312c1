//! `POST /sessions/{id}/cancel`.

use harness::TestApp;
use serde_json::json;
use shared::identity::auth::Role;

#[tokio::test]
async fn cancelling_a_paused_session_records_the_reason_and_orphans_waiting_children() {
    let world = TestApp::new().await;
    let caller = world.caller(Role::Member);
    let id = caller.run_script(json!([{"do": "ask", "question_id": "q1", "kind": "input", "text": "Which?"}])).await;
    caller.reaches(&id, &["paused"]).await;
    let waiting = caller.new_session(json!({"parent_id": id})).await;
    let running = caller.start_session(json!({"parent_id": id, "agent_config": {"agent": "manual"}})).await;
    caller.reaches(&running, &["running"]).await;
    let done = caller.post(&format!("/sessions/{id}/cancel"), json!({"reason": "not needed"})).await.expect(200);
    assert_eq!(
        (&done["status"], &done["pause"], &done["recoverable"]),
        (&json!("cancelled"), &json!(null), &json!(false))
    );
    let events = caller.events(&id).await;
    assert!(events.iter().any(|event| event["payload"]["reason"] == "not needed"));
    assert_eq!(caller.session(&waiting).await["status"], "orphaned");
    assert_eq!(caller.session(&running).await["status"], "running");
}
