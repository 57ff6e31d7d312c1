//! From POST to an end.

use harness::TestApp;
use serde_json::json;
use shared::identity::auth::Role;

#[tokio::test]
async fn a_session_runs_from_creation_to_completion_with_every_step_recorded() {
    let world = TestApp::new().await;
    let caller = world.caller(Role::Member);
    let id = caller
        .run_script(json!([
            {"do": "say", "text": "I shall write a file."},
            {"do": "write", "path": "src/parser.rs", "content": "fn parse() {}\n"},
            {"do": "spend", "tokens_input": 800, "tokens_output": 40, "cost_micros": 2200},
            {"do": "say", "text": "Done."},
        ]))
        .await;
    let session = caller.reaches(&id, &["completed"]).await;
    assert_eq!(session["outcome"]["result"]["text"], "Done.");
    assert_eq!(session["usage"]["cost_usd"], "0.002200");
    assert_eq!(session["agent"]["kind"], "scripted");
    assert_eq!(session["health_score"], 1.0);
    assert_eq!(caller.states(&id).await, ["queued", "running", "completed"]);
    let diff = caller.get(&format!("/sessions/{id}/diff")).await.expect(200);
    assert_eq!(diff["items"][0]["path"], "src/parser.rs");
    assert_eq!(diff["items"][0]["status"], "added");
    let artifacts = caller.get(&format!("/sessions/{id}/artifacts")).await.expect(200);
    assert_eq!(artifacts["items"].as_array().unwrap().len(), 2);
}
