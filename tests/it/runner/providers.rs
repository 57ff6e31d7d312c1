//! What a session on a runner comes to when the provider of its model refuses or fails.

use serde_json::{Value, json};

use super::{process::RunnerFixture, support::script};

async fn wait_for_failure(runner: &RunnerFixture, session: &str) -> Value {
    let ended = runner.caller.reaches(session, &["completed", "failed", "timeout"]).await;
    assert_eq!(ended["status"], "failed", "{ended:#}");
    ended["outcome"]["error"].clone()
}

#[tokio::test]
async fn a_refused_key_fails_a_session_at_once_and_keeps_its_work() {
    for program in ["opencode", "claude", "codex"] {
        let runner = RunnerFixture::with_program(program).await;
        let write = json!({"tool": "bash", "args": {"command": "echo hello > made.txt", "description": "Write"}});
        let session = runner.start_session(&script(&[write, json!({"status": 401})]), json!({})).await;
        let error = wait_for_failure(&runner, &session).await;
        assert_eq!(
            (&error["category"], &error["code"]),
            (&json!("auth"), &json!("PROVIDER_AUTH")),
            "{program}: {error}"
        );
        assert_eq!(runner.changed_paths(&session).await, ["made.txt"], "{program}");
    }
}

#[tokio::test]
async fn a_session_waits_for_a_provider_that_recovers_and_fails_with_one_that_does_not() {
    let runner = RunnerFixture::with_program("opencode").await;
    let soon = json!({"retry-after-ms": "10"});
    let recovers = json!({"status": 500, "headers": soon, "times": 2, "then": {"text": "recovered"}});
    let session = runner.start_session(&script(&[recovers]), json!({})).await;
    let ended = runner.wait_for_completion(&session).await;
    assert_eq!(ended["outcome"]["result"]["text"], "recovered");
    let session = runner.start_session(&script(&[json!({"status": 503, "headers": soon})]), json!({})).await;
    let error = wait_for_failure(&runner, &session).await;
    assert_eq!(error["code"], "PROVIDER_ERROR", "{error}");
}
