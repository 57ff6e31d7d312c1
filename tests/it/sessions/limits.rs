//! The bodies of commands: messages, reasons, notes, results and failures, each at its limit and beyond.

use harness::TestApp;
use serde_json::json;
use shared::identity::auth::Role;

/// A test app with one pending session.
async fn with_session() -> (TestApp, String) {
    let world = TestApp::full().await;
    let id = world.caller(Role::Member).new_session(json!({})).await;
    (world, id)
}

#[tokio::test]
async fn a_message_is_either_a_text_or_an_answer_within_its_limits() {
    let (world, id) = with_session().await;
    let (caller, owner) = (world.caller(Role::Lead), world.superuser().await);
    let path = format!("/sessions/{id}/messages");
    let before = owner.dump().await;
    for (body, field) in [
        (json!({}), "text"),
        (json!({"text": "a", "answer": {"question_id": "q", "text": "b"}}), "text"),
        (json!({"text": " "}), "text"),
        (json!({"text": "x".repeat(100_001)}), "text"),
        (json!({"answer": {"text": "b"}}), "answer.question_id"),
        (json!({"answer": {"question_id": "q", "text": " "}}), "answer.text"),
        (json!({"answer": {"question_id": "q", "decision": "always"}}), "answer.decision"),
        (json!({"answer": {"question_id": "q", "choices": vec!["a"; 51]}}), "answer.choices"),
        (json!({"answer": {"question_id": "q", "choices": ["x".repeat(1001)]}}), "answer.choices"),
    ] {
        let problem = caller.post(&path, body).await.problem(422, "VALIDATION_FAILED");
        assert_eq!(problem["errors"][0]["field"], field, "{problem}");
    }
    caller.post(&path, json!({"answer": {"question_id": "q", "text": "b"}})).await.problem(409, "INVALID_TRANSITION");
    assert_eq!(owner.dump().await, before);
    caller.post(&path, json!({"text": "x".repeat(100_000)})).await.expect(202);
}

#[tokio::test]
async fn reasons_notes_results_and_failures_are_limited_in_size() {
    let (world, id) = with_session().await;
    let (caller, owner) = (world.caller(Role::Lead), world.superuser().await);
    let before = owner.dump().await;
    let big = |bytes: usize| json!("x".repeat(bytes - 2));
    let map = |bytes: usize| json!({"k": "x".repeat(bytes - 8)});
    for (path, body, field) in [
        ("cancel", json!({"reason": "x".repeat(501)}), "reason"),
        ("checkpoints", json!({"note": "x".repeat(1001)}), "note"),
        ("checkpoints", json!({"data": map(16 * 1024 + 1)}), "data"),
        ("complete", json!({"result": big(64 * 1024 + 1)}), "result"),
        ("complete", json!({}), "result"),
        ("complete", json!({"result": 1, "success_rate": 1.01}), "success_rate"),
        ("complete", json!({"result": 1, "success_rate": -0.01}), "success_rate"),
        ("complete", json!({"result": 1, "confidence_score": 2}), "confidence_score"),
        ("fail", json!({"message": " "}), "message"),
        ("fail", json!({"message": "x".repeat(2001)}), "message"),
        ("fail", json!({"message": "a", "code": ""}), "code"),
        ("fail", json!({"message": "a", "code": "a b"}), "code"),
        ("fail", json!({"message": "a", "code": "x".repeat(101)}), "code"),
        ("fail", json!({"message": "a", "context": map(16 * 1024 + 1)}), "context"),
        ("fork", json!({"checkpoint": 99_999_999_999_i64}), "checkpoint"),
        ("fork", json!({"checkpoint": 0}), "checkpoint"),
        ("fork", json!({"checkpoint": "last"}), "checkpoint"),
    ] {
        let problem = caller.post(&format!("/sessions/{id}/{path}"), body).await.problem(422, "VALIDATION_FAILED");
        assert_eq!(problem["errors"][0]["field"], field, "{path}: {problem}");
    }
    assert_eq!(owner.dump().await, before);
}

#[tokio::test]
async fn notes_failures_and_results_are_accepted_at_their_limits() {
    let (world, id) = with_session().await;
    let (caller, owner) = (world.caller(Role::Lead), world.superuser().await);
    let map = |bytes: usize| json!({"k": "x".repeat(bytes - 8)});
    let at_edge = json!({"note": "x".repeat(1000), "data": map(16 * 1024)});
    caller.post(&format!("/sessions/{id}/checkpoints"), at_edge).await.expect(201);
    let at_edge =
        json!({"message": "x".repeat(2000), "code": "x".repeat(100), "context": map(16 * 1024), "retryable": false});
    let failed = caller.post(&format!("/sessions/{id}/fail"), at_edge).await.expect(200);
    assert_eq!(failed["outcome"]["error"]["retryable"], false);
    let other = caller.new_session(json!({})).await;
    owner.place(&other, "running").await;
    let at_edge = json!({"result": "x".repeat(64 * 1024 - 2), "success_rate": 1, "confidence_score": 0});
    let done = caller.post(&format!("/sessions/{other}/complete"), at_edge).await.expect(200);
    assert_eq!(done["outcome"]["success_rate"], 1.0);
}

#[tokio::test]
async fn the_longest_prompt_reaches_an_agent_unchanged_from_rest_and_a2a() {
    let world = TestApp::new().await;
    let (caller, agent) = (world.caller(Role::Member), world.puller("BUILDER").await);
    let prompt = "ä".repeat(100_000);
    caller.start_session(json!({"initial_prompt": prompt, "agent_config": {"agent": "BUILDER"}})).await;
    assert_eq!(agent.task().await["context"]["prompt"], prompt);
    let sent = async |id: &str, text: &str| {
        let message = json!({"messageId": id, "role": "ROLE_USER", "parts": [{"text": text}]});
        let body = json!({"message": message, "configuration": {"returnImmediately": true}});
        caller.post("/api/v1/a2a/{tenant}/message:send", body).await
    };
    sent("longest", &prompt).await.expect(200);
    let newest = caller.get("/sessions?limit=1").await.expect(200)["items"][0].clone();
    assert_eq!(newest["initial_prompt"], prompt);
    sent("too-long", &format!("{prompt}ä")).await.problem(422, "VALIDATION_FAILED");
}
