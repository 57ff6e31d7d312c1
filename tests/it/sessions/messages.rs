//! `POST /sessions/{id}/messages`: further prompts, and answers to what the agent asks.

use harness::TestApp;
use serde_json::{Value, json};
use shared::identity::auth::Role;

fn ask(kind: &str) -> Value {
    json!({"do": "ask", "question_id": "q1", "kind": kind, "text": "Which colour?", "options": [{"label": "red"}, {"label": "blue"}]})
}

#[tokio::test]
async fn a_question_pauses_the_session_until_the_right_answer() {
    let world = TestApp::new().await;
    let (caller, owner) = (world.caller(Role::Member), world.superuser().await);
    let script =
        json!([{"do": "write", "path": "a.rs", "content": "a"}, ask("input"), {"do": "log", "text": "going on"}]);
    let id = caller.run_script(script).await;
    let paused = caller.reaches(&id, &["paused"]).await;
    assert_eq!(paused["pause"]["reason"], "input");
    assert_eq!(paused["pause"]["question"]["text"], "Which colour?");
    assert_eq!(paused["pause"]["question"]["options"][1]["label"], "blue");
    let events = caller.events(&id).await;
    assert!(events.iter().any(|event| event["type"] == "session.question" && event["actor"]["kind"] == "agent"));
    let checkpoints = caller.get(&format!("/sessions/{id}/checkpoints")).await.expect(200);
    assert_eq!(checkpoints["items"][0]["cause"], "pause");
    let path = format!("/sessions/{id}/messages");
    let before = owner.dump().await;
    caller
        .post(&path, json!({"answer": {"question_id": "q2", "text": "red"}}))
        .await
        .problem(409, "INVALID_TRANSITION");
    for wrong in [
        json!({"question_id": "q1"}),
        json!({"question_id": "q1", "choices": []}),
        json!({"question_id": "q1", "decision": "approve"}),
    ] {
        let problem = caller.post(&path, json!({"answer": wrong})).await.problem(422, "VALIDATION_FAILED");
        assert_eq!(problem["errors"][0]["field"], "answer.text");
    }
    assert_eq!(owner.dump().await, before);
    let answered = caller.post(&path, json!({"answer": {"question_id": "q1", "text": "red"}})).await.expect(202);
    assert_eq!((&answered["status"], &answered["pause"]), (&json!("running"), &Value::Null));
    let done = caller.reaches(&id, &["completed"]).await;
    assert_eq!(done["outcome"]["result"]["text"], "red");
    assert_eq!(caller.states(&id).await, ["queued", "running", "paused", "running", "completed"]);
    caller
        .post(&path, json!({"answer": {"question_id": "q1", "text": "blue"}}))
        .await
        .problem(409, "INVALID_TRANSITION");
}

#[tokio::test]
async fn an_approval_is_approved_or_denied_for_this_one_time() {
    let world = TestApp::new().await;
    let caller = world.caller(Role::Member);
    for (decision, said) in [("deny", "It was denied."), ("approve", "Approved.")] {
        let id = caller.run_script(json!([ask("approval")])).await;
        let paused = caller.reaches(&id, &["paused"]).await;
        assert_eq!(paused["pause_reason"], "approval");
        let path = format!("/sessions/{id}/messages");
        let problem = caller
            .post(&path, json!({"answer": {"question_id": "q1", "text": "yes"}}))
            .await
            .problem(422, "VALIDATION_FAILED");
        assert_eq!(problem["errors"][0]["field"], "answer.decision");
        caller.post(&path, json!({"answer": {"question_id": "q1", "decision": decision}})).await.expect(202);
        let done = caller.reaches(&id, &["completed"]).await;
        assert_eq!(done["outcome"]["result"]["text"], said);
    }
}

#[tokio::test]
async fn only_one_of_two_concurrent_answers_is_accepted() {
    let world = TestApp::new().await;
    let caller = world.caller(Role::Member);
    let id = caller.run_script(json!([ask("input"), {"do": "wait", "ms": 600_000}])).await;
    caller.reaches(&id, &["paused"]).await;
    let path = format!("/sessions/{id}/messages");
    let answer = |text: &str| json!({"answer": {"question_id": "q1", "text": text}});
    let (one, other) = tokio::join!(caller.post(&path, answer("red")), caller.post(&path, answer("blue")));
    let mut statuses = [one.status.as_u16(), other.status.as_u16()];
    statuses.sort_unstable();
    assert_eq!(statuses, [202, 409]);
}

#[tokio::test]
async fn a_prompt_is_delivered_once_to_a_running_session_and_kept_for_a_queued_one() {
    let world = TestApp::new().await;
    let (caller, owner) = (world.caller(Role::Member), world.superuser().await);
    let script = json!([{"do": "wait", "ms": 600_000}]);
    let id = caller.new_session(json!({"agent_config": {"script": script}})).await;
    let path = format!("/sessions/{id}/messages");
    caller.post(&path, json!({"text": " Before it runs. "})).await.expect(202);
    caller.act(&format!("/sessions/{id}/start")).await.expect(202);
    caller.reaches(&id, &["running"]).await;
    caller.post(&path, json!({"text": "While it runs."})).await.expect(202);
    let delivered = "select count(*) from session_messages where delivered_at is not null";
    harness::until(async || owner.number(delivered).await == 2).await;
    let reported = "select jsonb_array_length(run_state->'received')::bigint from sessions";
    assert_eq!(owner.number(reported).await, 2, "the agent got each message once");
    let events = caller.events(&id).await;
    let said: Vec<_> = events
        .iter()
        .filter(|event| event["payload"]["role"] == "user")
        .map(|event| &event["payload"]["text"])
        .collect();
    assert_eq!(said, ["Before it runs.", "While it runs."]);
    caller.post(&format!("/sessions/{id}/complete"), json!({"result": 1})).await.expect(200);
    let problem = caller.post(&path, json!({"text": "After it."})).await.problem(409, "INVALID_TRANSITION");
    assert_eq!(problem["current"]["status"], "completed");
}

#[tokio::test]
async fn plain_text_to_a_session_that_asks_is_the_answer() {
    let world = TestApp::new().await;
    let caller = world.caller(Role::Member);
    for (said, choices) in [("Blue", json!(["blue"])), ("a green one, please", Value::Null)] {
        let id = caller.run_script(json!([ask("input")])).await;
        caller.reaches(&id, &["paused"]).await;
        caller.post(&format!("/sessions/{id}/messages"), json!({"text": said})).await.expect(202);
        let done = caller.reaches(&id, &["completed"]).await;
        assert_eq!(done["outcome"]["result"]["text"], said);
        let events = caller.events(&id).await;
        let answer = events.iter().find(|event| event["payload"]["answer"].is_object()).unwrap();
        assert_eq!(answer["payload"]["answer"]["choices"], choices, "{answer}");
    }
}

#[tokio::test]
async fn plain_text_decides_an_approval_only_if_it_is_clear() {
    let world = TestApp::new().await;
    let caller = world.caller(Role::Member);
    let id = caller.run_script(json!([ask("approval")])).await;
    caller.reaches(&id, &["paused"]).await;
    let path = format!("/sessions/{id}/messages");
    let problem = caller.post(&path, json!({"text": "yes, but not all"})).await.problem(409, "INVALID_TRANSITION");
    assert_eq!(problem["current"]["question_id"], "q1", "{problem}");
    assert!(problem["detail"].as_str().unwrap().contains("decision"), "{problem}");
    assert_eq!(caller.session(&id).await["status"], "paused");
    caller.post(&path, json!({"text": "No."})).await.expect(202);
    let done = caller.reaches(&id, &["completed"]).await;
    assert_eq!(done["outcome"]["result"]["text"], "It was denied.");
}
