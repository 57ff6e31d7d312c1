//! Texts that were expensive to search for secrets, and secrets that are disguised: nobody stops the platform by text,
//! and no disguise keeps a secret.

use base64::{Engine as _, engine::general_purpose::STANDARD};
use futures_util::future::join_all;
use harness::{TestApp, eap_agent::result};
use serde_json::json;
use shared::identity::auth::Role;

/// As many bytes as a result may have, of which each unit begins several searches.
fn hostile_text(bytes: usize) -> String {
    format!("-eyJ-AKIA{}", "B".repeat(16)).repeat(bytes / 25)
}

#[tokio::test]
async fn hostile_results_complete_and_others_are_answered_meanwhile() {
    let world = TestApp::new().await;
    let (caller, agent) = (world.caller(Role::Member), world.puller("BUILDER").await);
    for _ in 0..4 {
        let id = agent.session(&caller).await;
        let task = agent.task().await;
        agent.result(&task, result(&task, &hostile_text(255_000))).await.expect(202);
        assert_eq!(world.nobody().get("/ready").await.status, 200);
        let done = caller.reaches(&id, &["completed"]).await;
        let text = done["outcome"]["result"]["text"].as_str().unwrap().to_owned();
        assert!(text.contains("[redacted]") && !text.contains("AKIAB"), "{}", &text[..200]);
    }
}

#[tokio::test]
async fn hostile_results_of_people_complete_at_once() {
    let world = TestApp::new().await;
    let caller = world.caller(Role::Member);
    let ids = join_all((0..4).map(|_| caller.run_script(json!([{"do": "wait", "ms": 600_000}])))).await;
    for id in &ids {
        caller.reaches(id, &["running"]).await;
    }
    let complete = |id: &String| {
        let path = format!("/sessions/{id}/complete");
        let caller = &caller;
        async move { caller.post(&path, json!({"result": {"text": hostile_text(64_000)}})).await.status }
    };
    let statuses = join_all(ids.iter().map(complete)).await;
    assert!(statuses.iter().all(|status| *status == 200), "{statuses:?}");
}

#[tokio::test]
async fn disguised_secrets_of_an_agent_are_kept_nowhere() {
    let world = TestApp::new().await;
    let (caller, lead) = (world.caller(Role::Member), world.caller(Role::Lead));
    let token = format!("ghp_{}", "cN4rY5aB3dE5gH7jK9".repeat(2));
    let disguises = [
        format!("\x1b[31m{token}\x1b[0m"),
        format!("\\u001b[33m{token}\\u001b[39m"),
        token.chars().flat_map(|c| [c, '\u{200b}']).collect(),
        format!("MY_{token}"),
        json!({"a": json!({"out": format!("\n{token}\n")}).to_string()}).to_string(),
        STANDARD.encode(format!("the token is {token}")),
    ];
    let all = disguises.join(" and ");
    let id = caller
        .run_script(json!([
            {"do": "say", "text": all},
            {"do": "log", "text": all},
            {"do": "ask", "question_id": "q", "kind": "input", "text": all, "details": {"accessToken": "sh0rtcanary", "a": all}},
            {"do": "fail", "category": "user", "message": all},
        ]))
        .await;
    let mut held = caller.reaches(&id, &["paused"]).await;
    let answer = json!({"answer": {"question_id": "q", "text": "No."}});
    caller.post(&format!("/sessions/{id}/messages"), answer).await.expect(202);
    let mut failed = caller.reaches(&id, &["failed"]).await;
    for session in [&mut held, &mut failed] {
        session["agent_config"] = json!(null);
    }
    let events = json!(caller.events(&id).await).to_string();
    let audit = lead.get("/api/v1/audit?limit=200").await.expect(200).to_string();
    for (place, text) in
        [("events", events), ("audit", audit), ("held", held.to_string()), ("failed", failed.to_string())]
    {
        let seen: String = text.chars().filter(|c| *c != '\u{200b}').collect();
        assert!(!seen.contains(&token[8..24]), "{place} holds the token: {text}");
        assert!(!text.contains(&disguises[5]) && !text.contains("sh0rtcanary"), "{place} holds it in base64: {text}");
    }
}
