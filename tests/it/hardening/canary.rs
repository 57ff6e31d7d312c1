//! An agent prints every kind of secret that we know: none is kept, and none is logged, while its work stays exact.

use harness::{TestApp, log_capture::LogCapture};
use serde_json::json;
use shared::identity::auth::Role;

/// One of each kind, put together here so that no scanner takes this file for a leak.
fn canaries() -> Vec<String> {
    let hex = |n: usize| "0a1b2c3d4e5f6789".repeat(8)[..n].to_owned();
    let mixed = |n: usize| "cN4rY5aB3dE5gH7jK9mN1pQ2".repeat(8)[..n].to_owned();
    vec![
        format!("ioc_prod_{}_{}", hex(32), hex(64)),
        format!("sk-ant-api03-{}", mixed(60)),
        format!("sk-proj-{}", mixed(48)),
        format!("ghp_{}", mixed(36)),
        format!("glpat-{}", mixed(20)),
        format!("xoxb-123456789012-{}", mixed(24)),
        "AKIACANARYCANARY1234".to_owned(),
        format!("AIza{}", mixed(35)),
        format!("npm_{}", mixed(36)),
        format!("hf_{}", mixed(34)),
        format!("eyJ{}.eyJ{}.{}", mixed(20), mixed(30), mixed(43)),
        format!("-----BEGIN PRIVATE KEY-----\n{}\n-----END PRIVATE KEY-----", mixed(64)),
    ]
}

fn assert_holds_none(canaries: &[String], place: &str, text: &str) {
    assert!(!text.is_empty(), "{place} is not empty");
    for canary in canaries {
        let escaped = canary.replace('\n', "\\n");
        assert!(!text.contains(canary) && !text.contains(&escaped), "{place} holds {canary}: {text}");
    }
    assert!(!text.contains("hunter2canary"), "{place} holds the password");
}

/// A session without its script, which stays as the person sent it.
fn without_script(mut session: serde_json::Value) -> String {
    session["agent_config"] = json!(null);
    session.to_string()
}

/// A run whose every output holds all canaries.
fn script(all: &str) -> serde_json::Value {
    json!([
        {"do": "say", "text": format!("I found {all} at postgres://app:hunter2canary@db/ioc")},
        {"do": "log", "text": format!("printed {all}")},
        {"do": "write", "path": "keys.txt", "content": format!("{all}\n")},
        {"do": "ask", "question_id": "q", "kind": "input", "text": format!("May I use {all}?"), "details": {"command": all}},
        {"do": "fail", "category": "user", "message": format!("cannot log in with {all}")},
    ])
}

#[tokio::test]
async fn no_secret_printed_by_an_agent_is_kept_in_events_audit_or_log() {
    // Everything of this test runs on this thread.
    let log = LogCapture::begin();
    let world = TestApp::new().await;
    let (member, lead) = (world.caller(Role::Member), world.caller(Role::Lead));
    let canaries = canaries();
    let all = canaries.join(" and ");
    let id = member.run_script(script(&all)).await;
    let held = member.reaches(&id, &["paused"]).await;
    let answer = json!({"answer": {"question_id": "q", "text": "No."}});
    member.post(&format!("/sessions/{id}/messages"), answer).await.expect(202);
    let failed = member.reaches(&id, &["failed"]).await;
    tracing::error!(error = ?shared::kernel::error::Error::internal(all.clone()), "as if a cause held them");
    let audit = lead.get("/api/v1/audit?limit=200").await.expect(200);
    let checkpoints = member.get(&format!("/sessions/{id}/checkpoints")).await.expect(200);
    let owner = world.superuser().await;
    let kept = owner.texts("select summary from session_checkpoints").await.join("\n");
    let logged = log.text();
    let reported = json!(member.events(&id).await).to_string();
    let places = [
        ("events", reported.clone()),
        ("audit", audit.to_string()),
        ("checkpoints", checkpoints.to_string()),
        ("summaries", kept),
        ("log", logged.clone()),
        ("question", without_script(held)),
        ("outcome", without_script(failed)),
    ];
    for (place, text) in places {
        assert_holds_none(&canaries, place, &text);
    }
    assert!(reported.matches("[redacted]").count() >= canaries.len() && logged.contains("[redacted]"));
    let diff = member.get(&format!("/sessions/{id}/diff")).await.expect(200).to_string();
    assert!(canaries.iter().flat_map(|canary| canary.lines()).all(|line| diff.contains(line)), "the diff is exact");
}
