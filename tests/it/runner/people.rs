//! Sessions of a runner that ask people: real agents in real sandboxes, from the API to the result.

use serde_json::json;

use super::{process::RunnerFixture, support::script};

#[tokio::test]
async fn a_session_that_asks_for_permission_goes_on_after_the_approval() {
    let runner = RunnerFixture::with_program("claude").await;
    let write = |file: &str| json!({"tool": "bash", "args": {"command": format!("echo hello > {file}")}});
    let prompt = script(&[write("granted.txt"), write("refused.txt"), json!({"text": "all is done"})]);
    let session = runner.start_session(&prompt, json!({"execute": "ask"})).await;
    let question = runner.wait_for_question(&session).await;
    assert_eq!(question["kind"], "approval");
    assert_eq!(question["details"]["kind"], "execute");
    assert_eq!(question["details"]["command"], "echo hello > granted.txt", "{question:#}");
    runner.answer(&session, &question, json!({"decision": "approve"})).await;
    let second = loop {
        let second = runner.wait_for_question(&session).await;
        if second["question_id"] != question["question_id"] {
            break second;
        }
    };
    assert_eq!(second["details"]["command"], "echo hello > refused.txt", "{second:#}");
    runner.answer(&session, &second, json!({"decision": "deny"})).await;
    runner.wait_for_completion(&session).await;
    assert_eq!(runner.changed_paths(&session).await, ["granted.txt"]);
}

#[tokio::test]
async fn a_session_that_asks_a_person_goes_on_with_the_answer() {
    for program in ["opencode", "claude", "codex"] {
        let runner = RunnerFixture::with_program(program).await;
        let ask = json!({"tool": "ask_person", "args": {"question": "Which colour?", "options": ["red", "blue"]}});
        let shot = json!({"tool": "bash", "args": {"command": "echo hello > shot.png"}});
        let attach = json!({"tool": "attach", "args": {"path": "shot.png", "title": "It works", "proof": true}});
        let prompt = script(&[ask, shot, attach, json!({"text": "all is done"})]);
        let session = runner.start_session(&prompt, json!({})).await;
        let question = runner.wait_for_question(&session).await;
        assert_eq!((&question["kind"], &question["text"]), (&json!("input"), &json!("Which colour?")));
        assert_eq!(question["options"][1]["label"], "blue");
        assert!(question.get("details").is_none(), "what is absent is not null: {question:#}");
        runner.answer(&session, &question, json!({"choices": ["blue"]})).await;
        let ended = runner.wait_for_completion(&session).await;
        let described = json!([{"path": "shot.png", "title": "It works", "proof": true}]);
        assert_eq!(ended["outcome"]["result"]["attachments"], described, "{program}: {ended:#}");
        let made = runner.caller.get(&format!("/sessions/{session}/artifacts")).await.expect(200);
        let is_shot = |one: &&serde_json::Value| one["path"] == "shot.png" && one["mime_type"] == "image/png";
        assert!(made["items"].as_array().unwrap().iter().any(|one| is_shot(&one)), "{made:#}");
        let requests = runner.model.requests();
        let was_answered = |body: String| body.contains("blue") && !body.contains("\"tools\":[]");
        assert!(requests.iter().skip(1).any(|request| was_answered(request.body.to_string())), "{program}");
    }
}

/// With one slot, a session can only begin once the one before has given up its process.
#[tokio::test]
async fn sessions_that_wait_for_people_give_their_slots_to_others() {
    let runner = RunnerFixture::with_one_slot("claude").await;
    let mut asking = Vec::new();
    for number in 0..2 {
        let ask = json!({"tool": "ask_person", "args": {"question": format!("Colour {number}?")}});
        let write = json!({"tool": "bash", "args": {"command": format!("echo hello > {number}.txt")}});
        let prompt = script(&[ask, write, json!({"text": "all is done"})]);
        let session = runner.start_session(&prompt, json!({})).await;
        asking.push((session.clone(), runner.wait_for_question(&session).await));
    }
    let other = runner.start_session(&script(&[json!({"text": "all is done"})]), json!({})).await;
    runner.wait_for_completion(&other).await;
    for (number, (session, question)) in asking.iter().enumerate() {
        runner.answer(session, question, json!({"text": format!("blue-{number}")})).await;
    }
    for (number, (session, _)) in asking.iter().enumerate() {
        runner.wait_for_completion(session).await;
        assert_eq!(runner.changed_paths(session).await, [format!("{number}.txt")]);
        let was_said = |body: String| body.contains(&format!("blue-{number}"));
        assert!(runner.model.requests().iter().any(|request| was_said(request.body.to_string())));
    }
}

#[tokio::test]
async fn a_decision_holds_for_the_process_that_goes_on_after_it() {
    let runner = RunnerFixture::with_one_slot("claude").await;
    let write = |file: &str| json!({"tool": "bash", "args": {"command": format!("echo hello > {file}")}});
    let prompt = script(&[write("granted.txt"), write("granted.txt"), json!({"text": "all is done"})]);
    let mut asking = Vec::new();
    for _ in 0..2 {
        let session = runner.start_session(&prompt, json!({"execute": "ask"})).await;
        asking.push((session.clone(), runner.wait_for_question(&session).await));
    }
    // The first has no process any more.
    let (session, question) = &asking[0];
    runner.answer(session, question, json!({"decision": "approve"})).await;
    runner.wait_for_completion(session).await;
    assert_eq!(runner.changed_paths(session).await, ["granted.txt"]);
    let states = runner.caller.states(session).await;
    assert_eq!(states.iter().filter(|state| *state == "paused").count(), 1, "it does not ask again: {states:?}");
    runner.caller.act(&format!("/sessions/{}/stop", asking[1].0)).await.expect(200);
    runner.caller.reaches(&asking[1].0, &["stopped"]).await;
}

#[tokio::test]
async fn a_session_with_wrong_permissions_fails_with_what_is_wrong() {
    let runner = RunnerFixture::with_behaviour("garbage").await;
    let session = runner.start_session("go", json!({"execute": "sometimes"})).await;
    let ended = runner.caller.reaches(&session, &["completed", "failed"]).await;
    let message = ended["outcome"]["error"]["message"].as_str().unwrap_or_default();
    assert!(message.starts_with("PERMISSIONS_INVALID: `permissions.execute` is \"sometimes\""), "{ended:#}");
}

#[tokio::test]
async fn a_denied_request_reaches_the_agent_without_a_question() {
    let runner = RunnerFixture::with_behaviour("asks").await;
    let session = runner.start_session("go", json!({"default": "deny"})).await;
    let ended = runner.wait_for_completion(&session).await;
    assert_eq!(ended["outcome"]["result"]["text"], r#"{"optionId": "no", "outcome": "selected"}"#);
    let refused = |event: &serde_json::Value| event["payload"]["message"] == "The rules of the session refuse: rm x";
    assert!(runner.caller.events(&session).await.iter().any(refused));
}

#[tokio::test]
async fn a_session_that_is_stopped_while_it_asks_ends_and_leaves_the_runner_at_work() {
    let runner = RunnerFixture::with_behaviour("asks").await;
    let session = runner.start_session("go", json!({"execute": "ask"})).await;
    runner.wait_for_question(&session).await;
    runner.caller.act(&format!("/sessions/{session}/stop")).await.expect(200);
    runner.caller.reaches(&session, &["stopped"]).await;
    let next = runner.start_session("go", json!({"execute": "ask"})).await;
    let question = runner.wait_for_question(&next).await;
    runner.answer(&next, &question, json!({"decision": "approve"})).await;
    let ended = runner.wait_for_completion(&next).await;
    assert_eq!(ended["outcome"]["result"]["text"], r#"{"optionId": "yes", "outcome": "selected"}"#);
}

#[tokio::test]
async fn an_agent_that_dies_once_is_resumed_and_one_that_dies_again_fails() {
    let runner = RunnerFixture::with_behaviour("dies-once").await;
    let session = runner.start_session("go", json!({})).await;
    let ended = runner.wait_for_completion(&session).await;
    let text = ended["outcome"]["result"]["text"].as_str().unwrap();
    assert!(text.starts_with("resumed with: Your process ended unexpectedly"), "{ended:#}");
    let runner = RunnerFixture::with_behaviour("dies").await;
    let session = runner.start_session("go", json!({})).await;
    let ended = runner.caller.reaches(&session, &["completed", "failed"]).await;
    let error = &ended["outcome"]["error"];
    assert_eq!(error["category"], "agent", "{ended:#}");
    let message = error["message"].as_str().unwrap();
    assert!(message.starts_with("AGENT_EXITED: ") && message.contains("fatal: the disk is full"), "{ended:#}");
    let again = |event: &&serde_json::Value| {
        event["payload"]["message"].as_str().is_some_and(|text| text.starts_with("The agent is started again"))
    };
    assert_eq!(runner.caller.events(&session).await.iter().filter(again).count(), 1);
}

#[tokio::test]
async fn a_turn_that_the_limit_of_the_model_cuts_is_reported() {
    let runner = RunnerFixture::with_behaviour("is-cut").await;
    let session = runner.start_session("go", json!({})).await;
    runner.wait_for_completion(&session).await;
    let warns = |event: &serde_json::Value| {
        event["payload"]["message"].as_str().is_some_and(|text| text.contains("its limit of tokens"))
    };
    assert!(runner.caller.events(&session).await.iter().any(warns));
}
