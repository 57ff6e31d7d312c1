//! What a session on a runner comes to when the provider of its model refuses or fails.

use harness::until;
use serde_json::{Value, json};
use shared::kernel::clock::Clock;

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

/// The script of the second run asks for the same wait again, once it has gone on from the work of the first.
#[tokio::test]
async fn a_session_pauses_for_a_provider_that_asks_for_a_long_wait() {
    let runner = RunnerFixture::with_program("claude").await;
    let write = json!({"tool": "bash", "args": {"command": "echo more >> made.txt", "description": "Write"}});
    let limit = json!({"status": 429, "headers": {"retry-after": "3600"}});
    let begun = Clock::System.now();
    let session = runner.start_session(&script(&[write, limit]), json!({})).await;
    let lines = async || {
        let diff = runner.caller.get(&format!("/sessions/{session}/diff")).await.expect(200);
        diff["items"][0]["additions"].clone()
    };
    let paused = runner.caller.reaches(&session, &["paused", "failed", "completed"]).await;
    assert_eq!(paused["pause"]["reason"], "rate_limit", "{paused:#}");
    let until_then = chrono::DateTime::parse_from_rfc3339(paused["pause"]["resume_at"].as_str().unwrap()).unwrap();
    assert!((until_then.to_utc() - begun).num_minutes() >= 60, "{paused:#}");
    assert_eq!(lines().await, 1);
    runner.caller.act(&format!("/sessions/{session}/resume")).await.expect(202);
    until(async || runner.caller.states(&session).await.iter().filter(|state| *state == "paused").count() == 2).await;
    assert_eq!(lines().await, 2, "one before the pause and one after it");
    runner.caller.act(&format!("/sessions/{session}/stop")).await.expect(200);
    runner.caller.reaches(&session, &["stopped"]).await;
}
