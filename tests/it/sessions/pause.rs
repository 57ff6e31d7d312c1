//! `POST /sessions/{id}/pause`, and the pauses that come by themselves.

use harness::TestApp;
use serde_json::{Value, json};
use shared::identity::auth::Role;

#[tokio::test]
async fn a_paused_session_has_a_reason_and_a_checkpoint_and_frees_its_slot() {
    let world =
        TestApp::limited(shared::identity::tenants::TenantLimits { max_concurrent_sessions: 1, ..Default::default() })
            .await;
    let caller = world.caller(Role::Member);
    let script = json!([{"do": "write", "path": "a.rs", "content": "a"}, {"do": "wait", "ms": 600_000}]);
    let id = caller.run_script(script).await;
    caller.sees(&id, "session.file_changed").await;
    let next = caller.run_script(json!([])).await;
    caller.post(&format!("/sessions/{id}/pause"), json!({"reason": " lunch "})).await.expect(202);
    let paused = caller.reaches(&id, &["paused"]).await;
    assert_eq!(paused["pause"], json!({"reason": "manual", "resume_at": null, "question": null}));
    assert_eq!(paused["pause_reason"], "manual");
    assert_eq!(paused["pending_action"], Value::Null);
    let list = caller.get(&format!("/sessions/{id}/checkpoints")).await.expect(200);
    assert_eq!(list["items"][0]["cause"], "pause");
    assert_eq!(list["items"][0]["actor"]["name"], "member");
    let events = caller.events(&id).await;
    let reported = events.iter().find(|event| event["payload"]["to"] == "paused").unwrap();
    assert_eq!((&reported["payload"]["reason"], &reported["actor"]["name"]), (&json!("lunch"), &json!("member")));
    caller.reaches(&next, &["completed"]).await;
    let diff = caller.get(&format!("/sessions/{id}/diff")).await.expect(200);
    assert_eq!(diff["items"][0]["path"], "a.rs", "the work so far stands");
}

#[tokio::test]
async fn a_provider_rate_limit_pauses_the_session_until_it_resumes_by_itself() {
    let world = TestApp::new().await;
    let caller = world.caller(Role::Member);
    let id = caller.run_script(json!([{"do": "limit", "seconds": 1}, {"do": "say", "text": "Done."}])).await;
    let paused = caller.reaches(&id, &["paused"]).await;
    assert_eq!(paused["pause"]["reason"], "rate_limit");
    let resume_at = chrono::DateTime::parse_from_rfc3339(paused["pause"]["resume_at"].as_str().unwrap()).unwrap();
    caller.reaches(&id, &["completed"]).await;
    let events = caller.events(&id).await;
    let woken = events.iter().rfind(|event| event["payload"]["to"] == "running").unwrap();
    assert!(chrono::DateTime::parse_from_rfc3339(woken["at"].as_str().unwrap()).unwrap() >= resume_at);
    assert_eq!((&woken["actor"]["kind"], &woken["payload"]["reason"]), (&json!("system"), &json!("its time has come")));
    assert_eq!(caller.states(&id).await, ["queued", "running", "paused", "running", "completed"]);
}
