//! `POST .../progress`: reports become events, questions hold the session, and what people say reaches the agent.

use chrono::TimeDelta;
use harness::{Caller, Options, TestApp, eap_agent::result, found, until};
use serde_json::json;
use shared::{identity::auth::Role, kernel::clock::Clock, platform::queue::job::Job};

async fn said(caller: &Caller, id: &str) -> Vec<String> {
    let events = caller.events(id).await;
    let reported =
        events.iter().filter(|event| event["type"] == "session.message" && event["payload"]["role"] == "assistant");
    reported.map(|event| event["payload"]["text"].as_str().unwrap().to_owned()).collect()
}

#[tokio::test]
async fn a_repeated_report_is_recorded_once_and_a_late_one_is_recorded_too() {
    let world = TestApp::new().await;
    let (caller, agent) = (world.caller(Role::Member), world.puller("BUILDER").await);
    let id = agent.session(&caller).await;
    let task = agent.task().await;
    for (seq, text) in [(2, "two"), (2, "two again"), (4, "four"), (2, "two"), (1, "one")] {
        agent.report(&task, seq, text).await.expect(200);
    }
    let body = json!({"seq": 3, "log": {"level": "warning", "message": "Careful."}});
    agent.progress(&task, body).await.expect(200);
    agent.result(&task, result(&task, "Done.")).await.expect(202);
    caller.reaches(&id, &["completed"]).await;
    let mut reported = said(&caller, &id).await;
    reported.sort();
    assert_eq!(reported, ["four", "one", "two"]);
    let events = caller.events(&id).await;
    let warnings = events.iter().filter(|event| event["payload"]["message"] == "Careful.");
    assert_eq!(warnings.map(|event| event["payload"]["level"].clone()).collect::<Vec<_>>(), ["warning"]);
}

#[tokio::test]
async fn reported_usage_is_cumulative_and_the_highest_value_counts() {
    let world = TestApp::new().await;
    let (caller, agent) = (world.caller(Role::Member), world.puller("BUILDER").await);
    let id = agent.session(&caller).await;
    let task = agent.task().await;
    for (seq, tokens, cost) in [(1, 100, "0.01"), (3, 300, "0.03"), (2, 200, "0.02"), (3, 300, "0.03")] {
        agent.progress(&task, json!({"seq": seq, "tokens_used": tokens, "cost_usd": cost})).await.expect(200);
    }
    until(async || caller.session(&id).await["usage"]["tokens_output"] == 300).await;
    agent.result(&task, result(&task, "Done.")).await.expect(202);
    let session = caller.reaches(&id, &["completed"]).await;
    assert_eq!((&session["usage"]["tokens_output"], &session["usage"]["cost_usd"]), (&json!(300), &json!("0.030000")));
}

#[tokio::test]
async fn a_question_pauses_the_session_and_its_answer_is_sent_until_acknowledged() {
    let world = TestApp::new().await;
    let (caller, agent) = (world.caller(Role::Member), world.puller("BUILDER").await);
    let id = agent.session(&caller).await;
    let task = agent.task().await;
    let question = json!({"question_id": "q1", "kind": "approval", "text": "May I delete it?"});
    let asked = agent.progress(&task, json!({"seq": 1, "question": question})).await.expect(200);
    assert_eq!(asked, json!({"cancel": false}));
    let session = caller.reaches(&id, &["paused"]).await;
    assert_eq!(
        (&session["pause"]["reason"], &session["pause"]["question"]["question_id"]),
        (&json!("approval"), &json!("q1"))
    );
    agent.progress(&task, json!({"seq": 2})).await.expect(200);
    let answer = json!({"answer": {"question_id": "q1", "decision": "approve"}});
    caller.post(&format!("/sessions/{id}/messages"), answer).await.expect(202);
    let heard = found(async || {
        let heard = agent.progress(&task, json!({"seq": 2})).await.expect(200);
        heard.get("messages").is_some().then_some(heard)
    })
    .await;
    let message = json!({"number": 1, "kind": "answer", "answer": {"question_id": "q1", "decision": "approve"}});
    assert_eq!(heard, json!({"cancel": false, "messages": [message]}));
    assert_eq!(agent.progress(&task, json!({"seq": 3})).await.expect(200), heard, "it comes until it is acknowledged");
    let acknowledged = json!({"seq": 4, "received": 1});
    assert_eq!(agent.progress(&task, acknowledged).await.expect(200), json!({"cancel": false}));
    assert_eq!(agent.claim(0).await.status, 204, "it is the same task that goes on");
    agent.result(&task, result(&task, "Deleted.")).await.expect(202);
    caller.reaches(&id, &["completed"]).await;
}

#[tokio::test]
async fn a_result_while_a_question_is_open_withdraws_it_and_ends_the_session() {
    let world = TestApp::new().await;
    let (caller, agent) = (world.caller(Role::Member), world.puller("BUILDER").await);
    let id = agent.session(&caller).await;
    let task = agent.task().await;
    let question = json!({"question_id": "q1", "kind": "input", "text": "Which colour?"});
    agent.progress(&task, json!({"seq": 1, "question": question})).await.expect(200);
    caller.reaches(&id, &["paused"]).await;
    agent.result(&task, result(&task, "I chose blue.")).await.expect(202);
    // Nor does the removal of the agent lose the result that was accepted.
    let path = format!("/api/v1/agents/{}?force=true", agent.id);
    let removed = world.caller(Role::Lead).delete(&path).await;
    assert!(removed.status.is_success(), "{removed:?}");
    let session = caller.reaches(&id, &["completed", "failed"]).await;
    assert_eq!(session["status"], "completed", "{session:#}");
    assert_eq!(session["outcome"]["result"]["text"], "I chose blue.");
    let answer = json!({"answer": {"question_id": "q1", "text": "red"}});
    let problem = caller.post(&format!("/sessions/{id}/messages"), answer).await.problem(409, "INVALID_TRANSITION");
    assert!(problem["detail"].as_str().unwrap().contains("withdrawn"), "{problem}");
}

/// The messages of the warnings that an agent did not receive everything.
async fn undelivered(caller: &Caller, id: &str) -> Vec<String> {
    let events = caller.events(id).await;
    let warnings = events.iter().filter(|event| event["payload"]["code"] == "MESSAGE_UNDELIVERED");
    warnings.map(|event| event["payload"]["message"].as_str().unwrap().to_owned()).collect()
}

#[tokio::test]
async fn a_session_that_fails_reports_the_messages_that_its_agent_never_acknowledged() {
    let world = TestApp::new().await;
    let (caller, agent) = (world.caller(Role::Member), world.puller("BUILDER").await);
    for (acknowledged, warning) in [(0, " 2 not delivered."), (1, " 1 not delivered."), (2, "")] {
        let id = agent.session(&caller).await;
        let task = agent.task().await;
        for text in ["Also the tests.", "And the documents."] {
            caller.post(&format!("/sessions/{id}/messages"), json!({"text": text})).await.expect(202);
        }
        until(async || {
            let heard = agent.progress(&task, json!({"seq": 1})).await.expect(200);
            heard["messages"].as_array().is_some_and(|messages| messages.len() == 2)
        })
        .await;
        agent.progress(&task, json!({"seq": 2, "received": acknowledged})).await.expect(200);
        let mut body = result(&task, "");
        body["status"] = json!("failed");
        body["error_message"] = json!("The tests do not pass.");
        agent.result(&task, body).await.expect(202);
        caller.reaches(&id, &["failed"]).await;
        let warnings = undelivered(&caller, &id).await;
        match warning {
            "" => assert!(warnings.is_empty(), "{warnings:?}"),
            end => assert!(warnings.len() == 1 && warnings[0].ends_with(end), "{warnings:?}"),
        }
    }
}

#[tokio::test]
async fn an_answer_that_the_agent_never_acknowledged_is_reported_as_undelivered() {
    let world = TestApp::new().await;
    let (caller, agent) = (world.caller(Role::Member), world.puller("BUILDER").await);
    let id = agent.session(&caller).await;
    let task = agent.task().await;
    let question = json!({"question_id": "1", "kind": "input", "text": "Which colour?"});
    agent.progress(&task, json!({"seq": 1, "question": question})).await.expect(200);
    caller.reaches(&id, &["paused"]).await;
    let answer = json!({"answer": {"question_id": "1", "text": "blue"}});
    caller.post(&format!("/sessions/{id}/messages"), answer).await.expect(202);
    until(async || agent.progress(&task, json!({"seq": 2})).await.expect(200)["messages"].is_array()).await;
    let mut body = result(&task, "");
    body["status"] = json!("failed");
    agent.result(&task, body).await.expect(202);
    caller.reaches(&id, &["failed"]).await;
    assert_eq!(undelivered(&caller, &id).await.len(), 1);
}

#[tokio::test]
async fn a_person_who_ends_a_session_sees_that_a_message_was_not_delivered() {
    let world = TestApp::new().await;
    let (caller, agent) = (world.caller(Role::Member), world.puller("BUILDER").await);
    let id = agent.session(&caller).await;
    let task = agent.task().await;
    caller.reaches(&id, &["running"]).await;
    caller.post(&format!("/sessions/{id}/messages"), json!({"text": "Also the tests."})).await.expect(202);
    until(async || agent.progress(&task, json!({"seq": 1})).await.expect(200)["messages"].is_array()).await;
    caller.post(&format!("/sessions/{id}/fail"), json!({"message": "Enough."})).await.expect(200);
    assert_eq!(undelivered(&caller, &id).await.len(), 1);
}

#[tokio::test]
async fn a_new_task_begins_with_the_texts_that_the_one_before_did_not_acknowledge() {
    let world = TestApp::new().await;
    let (caller, agent) = (world.caller(Role::Member), world.puller("BUILDER").await);
    let id = agent.session(&caller).await;
    let first = agent.task().await;
    caller.reaches(&id, &["running"]).await;
    for text in ["One.", "Two."] {
        caller.post(&format!("/sessions/{id}/messages"), json!({"text": text})).await.expect(202);
    }
    until(async || agent.progress(&first, json!({"seq": 1})).await.expect(200)["messages"][1].is_object()).await;
    agent.progress(&first, json!({"seq": 2, "received": 1})).await.expect(200);
    caller.act(&format!("/sessions/{id}/pause")).await.expect(202);
    caller.reaches(&id, &["paused"]).await;
    caller.act(&format!("/sessions/{id}/resume")).await.expect(202);
    let second = agent.task().await;
    let said = json!([{"number": 1, "kind": "text", "text": "Two."}]);
    assert_eq!(agent.progress(&second, json!({"seq": 1})).await.expect(200)["messages"], said);
    agent.progress(&second, json!({"seq": 2, "received": 1})).await.expect(200);
    agent.result(&second, result(&second, "Done.")).await.expect(202);
    caller.reaches(&id, &["completed"]).await;
    assert!(undelivered(&caller, &id).await.is_empty());
}

#[tokio::test]
async fn a_completed_session_reports_no_message_that_its_agent_may_have_read() {
    let world = TestApp::new().await;
    let (caller, agent) = (world.caller(Role::Member), world.puller("BUILDER").await);
    let id = agent.session(&caller).await;
    let task = agent.task().await;
    caller.post(&format!("/sessions/{id}/messages"), json!({"text": "Also the tests."})).await.expect(202);
    until(async || agent.progress(&task, json!({"seq": 1})).await.expect(200)["messages"].is_array()).await;
    agent.result(&task, result(&task, "Done.")).await.expect(202);
    caller.reaches(&id, &["completed"]).await;
    assert!(undelivered(&caller, &id).await.is_empty());
}

#[tokio::test]
async fn a_further_prompt_reaches_the_working_agent() {
    let world = TestApp::new().await;
    let (caller, agent) = (world.caller(Role::Member), world.puller("BUILDER").await);
    let id = agent.session(&caller).await;
    let task = agent.task().await;
    caller.post(&format!("/sessions/{id}/messages"), json!({"text": "Also the tests."})).await.expect(202);
    until(async || {
        let heard = agent.progress(&task, json!({"seq": 1})).await.expect(200);
        heard["messages"] == json!([{"number": 1, "kind": "text", "text": "Also the tests."}])
    })
    .await;
}

#[tokio::test]
async fn stopping_the_session_cancels_the_task_and_notifies_the_agent() {
    let world = TestApp::new().await;
    let (caller, agent) = (world.caller(Role::Member), world.puller("BUILDER").await);
    let id = agent.session(&caller).await;
    let task = agent.task().await;
    assert_eq!(agent.report(&task, 1, "At work.").await.expect(200)["cancel"], false);
    caller.reaches(&id, &["running"]).await;
    caller.act(&format!("/sessions/{id}/stop")).await.expect(202);
    caller.reaches(&id, &["stopped"]).await;
    assert_eq!(agent.report(&task, 2, "Still at work.").await.expect(200)["cancel"], true);
    let mut failed = result(&task, "Half of it.");
    failed["status"] = json!("failed");
    agent.result(&task, failed).await.expect(202);
    assert_eq!(caller.session(&id).await["status"], "stopped");
}

#[tokio::test]
async fn a_resumed_session_becomes_a_new_task_that_names_the_previous_one() {
    let world = TestApp::new().await;
    let (caller, agent) = (world.caller(Role::Member), world.puller("BUILDER").await);
    let id = agent.session(&caller).await;
    let first = agent.task().await;
    caller.reaches(&id, &["running"]).await;
    caller.act(&format!("/sessions/{id}/pause")).await.expect(202);
    caller.reaches(&id, &["paused"]).await;
    assert_eq!(agent.report(&first, 1, "At work.").await.expect(200)["cancel"], true);
    caller.act(&format!("/sessions/{id}/resume")).await.expect(202);
    let second = agent.task().await;
    assert_ne!(first["task_id"], second["task_id"]);
    let continuation = json!({"from": "pause", "previous_task_id": first["task_id"]});
    assert_eq!(second["context"]["continuation"], continuation);
    agent.report(&first, 2, "Me too.").await.problem(409, "LEASE_LOST");
    agent.result(&second, result(&second, "Done.")).await.expect(202);
    caller.reaches(&id, &["completed"]).await;
}

#[tokio::test]
async fn a_task_cancelled_before_its_claim_is_never_handed_out() {
    let world = TestApp::new().await;
    let (caller, agent, owner) = (world.caller(Role::Member), world.puller("BUILDER").await, world.superuser().await);
    let id = agent.session(&caller).await;
    until(async || owner.number("select count(*) from agent_tasks").await == 1).await;
    until(async || caller.act(&format!("/sessions/{id}/cancel")).await.status.is_success()).await;
    caller.reaches(&id, &["cancelled"]).await;
    assert_eq!(agent.claim(0).await.status, 204);
}

#[tokio::test]
async fn a_report_beyond_its_limits_is_refused_by_field() {
    let world = TestApp::new().await;
    let (caller, agent) = (world.caller(Role::Member), world.puller("BUILDER").await);
    agent.session(&caller).await;
    let task = agent.task().await;
    for (field, body) in [
        ("seq", json!({"seq": 0})),
        ("message", json!({"seq": 1, "message": "x".repeat(10_001)})),
        ("message", json!({"seq": 1, "message": "\0"})),
        ("log.level", json!({"seq": 1, "log": {"level": "loud", "message": "x"}})),
        ("tokens_used", json!({"seq": 1, "tokens_used": -1})),
        ("cost_usd", json!({"seq": 1, "cost_usd": "much"})),
        ("question.text", json!({"seq": 1, "question": {"question_id": "q", "kind": "input", "text": ""}})),
        ("more", json!({"seq": 1, "more": 1})),
    ] {
        let problem = agent.progress(&task, body).await.problem(422, "VALIDATION_FAILED");
        assert_eq!(problem["errors"][0]["field"], field);
    }
}

#[tokio::test]
async fn a_restarted_agent_counts_from_one_and_receives_earlier_messages_again() {
    let clock = Clock::fixed(Clock::System.now());
    let world = TestApp::with(Options { clock: clock.clone(), ..Options::default() }).await;
    let (caller, agent) = (world.caller(Role::Member), world.puller("BUILDER").await);
    let id = agent.session(&caller).await;
    let task = agent.task().await;
    agent.report(&task, 1, "At work.").await.expect(200);
    caller.post(&format!("/sessions/{id}/messages"), json!({"text": "Also the tests."})).await.expect(202);
    until(async || {
        clock.advance(TimeDelta::milliseconds(1));
        world.run(Job::observe(world.tenant.id, id.parse().unwrap())).await;
        agent.progress(&task, json!({"seq": 2})).await.expect(200).get("messages").is_some()
    })
    .await;
    let acknowledged = agent.progress(&task, json!({"seq": 3, "received": 1})).await.expect(200);
    assert_eq!(acknowledged.get("messages"), None);
    clock.advance(TimeDelta::seconds(120));
    let again = agent.task().await;
    let heard = agent.report(&again, 1, "At work again.").await.expect(200);
    assert_eq!(heard["messages"][0]["text"], "Also the tests.");
    agent.result(&again, result(&again, "Done.")).await.expect(202);
    caller.reaches(&id, &["completed"]).await;
    let mut reported = said(&caller, &id).await;
    reported.sort();
    assert_eq!(reported, ["At work again.", "At work."]);
}

#[tokio::test]
async fn a_question_for_a_credential_ends_with_any_answer_or_with_a_resume() {
    let world = TestApp::new().await;
    let (caller, agent) = (world.caller(Role::Member), world.puller("BUILDER").await);
    let question = json!({"question_id": "q1", "kind": "auth", "text": "I have no access to the repository."});
    for answers in [true, false] {
        let id = agent.session(&caller).await;
        let task = agent.task().await;
        agent.progress(&task, json!({"seq": 1, "question": question})).await.expect(200);
        assert_eq!(caller.reaches(&id, &["paused"]).await["pause"]["reason"], "auth");
        if answers {
            let answer = json!({"answer": {"question_id": "q1"}});
            caller.post(&format!("/sessions/{id}/messages"), answer).await.expect(202);
            let heard = found(async || {
                let heard = agent.progress(&task, json!({"seq": 2})).await.expect(200);
                heard.get("messages").is_some().then_some(heard)
            })
            .await;
            assert_eq!(heard["messages"][0]["answer"], json!({"question_id": "q1"}));
            agent.result(&task, result(&task, "Cloned.")).await.expect(202);
        } else {
            caller.act(&format!("/sessions/{id}/resume")).await.expect(202);
            let next = agent.task().await;
            let continuation = &next["context"]["continuation"];
            let expected = (&json!("pause"), &task["task_id"]);
            assert_eq!((&continuation["from"], &continuation["previous_task_id"]), expected);
            agent.report(&task, 3, "Still at it.").await.problem(409, "LEASE_LOST");
            agent.result(&next, result(&next, "Cloned.")).await.expect(202);
        }
        caller.reaches(&id, &["completed"]).await;
    }
}
