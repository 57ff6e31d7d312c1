//! Agents that are pushed to: signed, tried again under one id, bounded, and never led elsewhere.

use std::{collections::BTreeSet, time::Duration};

use chrono::TimeDelta;
use harness::{
    TestApp,
    eap_agent::result,
    push_endpoint::{Answer, Call, Endpoint},
};
use serde_json::{Value, json};
use shared::{identity::auth::Role, kernel::clock::Clock, platform::queue::job::Job};

fn done(call: &Call) -> Answer {
    Answer::Status(200, result(&call.json(), "Done.").to_string())
}

/// Runs a session on an endpoint until it has ended; returns the test app and the session.
async fn run(endpoint: &Endpoint) -> (TestApp, Value) {
    let mut options = endpoint.options();
    options.settings.push_timeout = Duration::from_millis(300);
    let world = TestApp::with(options).await;
    let caller = world.caller(Role::Member);
    let agent = world.pushed("PUSHED", &endpoint.url).await;
    let id = agent.session(&caller).await;
    let session = caller.reaches(&id, &["completed", "failed"]).await;
    (world, session)
}

/// The code of the error that a run on an endpoint ends with.
async fn fails(endpoint: &Endpoint) -> String {
    let (_, session) = run(endpoint).await;
    assert_eq!(session["status"], "failed");
    session["outcome"]["error"]["code"].as_str().unwrap().to_owned()
}

#[tokio::test]
async fn a_task_is_pushed_signed_and_the_agent_calls_back() {
    let endpoint = Endpoint::accepting().await;
    let world = TestApp::with(endpoint.options()).await;
    let (caller, agent) = (world.caller(Role::Member), world.pushed("PUSHED", &endpoint.url).await);
    let id = agent.session(&caller).await;
    let call = endpoint.called("task", 1).await.remove(0);
    let secret = agent.secret.clone().unwrap();
    assert!(call.is_signed_with(&secret) && !call.is_signed_with("whsec_AAAA"));
    let task = call.json();
    assert_eq!((call.id.as_str(), &task["session_id"]), (task["task_id"].as_str().unwrap(), &json!(id)));
    let place = format!("https://ioc.example.com/api/v1/agents/external/{}/tasks/{}", agent.id, call.id);
    assert_eq!(task["callback_url"], place);
    assert_eq!(agent.claim(0).await.status, 204, "what is pushed is not claimed");
    agent.report(&task, 1, "At work.").await.expect(200);
    agent.result(&task, result(&task, "Done.")).await.expect(202);
    let session = caller.reaches(&id, &["completed"]).await;
    assert_eq!(session["outcome"]["result"], json!({"text": "Done."}));
    assert_eq!(endpoint.calls("task").len(), 1);
}

#[tokio::test]
async fn an_agent_may_return_its_result_in_the_push_response_even_slowly() {
    let endpoint = Endpoint::start(|call, _| {
        Answer::Late(Duration::from_millis(100), 200, result(&call.json(), "Done.").to_string())
    })
    .await;
    let (_, session) = run(&endpoint).await;
    assert_eq!((&session["status"], &session["usage"]["tokens_output"]), (&json!("completed"), &json!(30)));
}

#[tokio::test]
async fn after_a_500_the_same_task_is_pushed_again_under_the_same_id() {
    let endpoint =
        Endpoint::start(|call, before| if before < 2 { Answer::Status(500, "oops".to_owned()) } else { done(call) })
            .await;
    let (_, session) = run(&endpoint).await;
    assert_eq!(session["status"], "completed");
    let calls = endpoint.calls("task");
    let ids: BTreeSet<_> = calls.iter().map(|call| call.id.clone()).collect();
    assert_eq!((calls.len(), ids.len()), (3, 1));
    assert_eq!(calls[0].body, calls[2].body, "tried again, it is the same");
}

#[tokio::test]
async fn an_agent_that_always_fails_fails_the_session_with_a_clear_code() {
    let garbage = Endpoint::start(|_, _| Answer::Status(200, "<html>".to_owned())).await;
    assert_eq!(fails(&garbage).await, "AGENT_ANSWER_INVALID");
    assert!(garbage.calls("task").len() > 4, "until the agent counts as out of reach");
    let wrong = Endpoint::start(|call, _| {
        let mut body = result(&call.json(), "Done.");
        body["artifacts"] = json!([{"path": "../../etc/passwd", "content": "x"}]);
        Answer::Status(200, body.to_string())
    })
    .await;
    assert_eq!(fails(&wrong).await, "AGENT_ANSWER_INVALID");
    assert_eq!(fails(&Endpoint::start(|_, _| Answer::Status(503, String::new())).await).await, "AGENT_ERROR");
    let never = Endpoint::start(|_, _| Answer::Late(Duration::from_mins(1), 202, String::new())).await;
    assert_eq!(fails(&never).await, "AGENT_TIMEOUT");
    let refusing = Endpoint::start(|_, _| Answer::Status(401, String::new())).await;
    assert_eq!(fails(&refusing).await, "AGENT_REFUSED");
    assert_eq!(refusing.calls("task").len(), 1, "it is of no use to try that again");
}

#[tokio::test]
async fn a_redirect_is_not_followed_wherever_it_leads() {
    let inside = Endpoint::accepting().await;
    let to = format!("{}/task", inside.url);
    let endpoint = Endpoint::start(move |_, _| Answer::Redirect(to.clone())).await;
    assert_eq!(fails(&endpoint).await, "ENDPOINT_REDIRECTS");
    assert_eq!((endpoint.calls("task").len(), inside.calls("task").len()), (1, 0));
}

#[tokio::test]
async fn an_endpoint_that_became_a_private_address_is_never_called() {
    let endpoint = Endpoint::accepting().await;
    let world = TestApp::idle(endpoint.options()).await;
    let agent = world.pushed("PUSHED", &endpoint.url).await;
    let caller = world.caller(Role::Member);
    let id = agent.session(&caller).await;
    let mut guarded = TestApp::on(world.database.clone(), harness::Options::default()).await;
    guarded.work();
    guarded.run(Job::dispatch(world.tenant.id, id.parse().unwrap())).await;
    let session = caller.reaches(&id, &["failed"]).await;
    assert_eq!(session["outcome"]["error"]["code"], "ENDPOINT_REFUSED");
    assert_eq!(endpoint.calls("task").len(), 0);
}

#[tokio::test]
async fn messages_and_stops_are_pushed_too() {
    let endpoint = Endpoint::accepting().await;
    let world = TestApp::with(endpoint.options()).await;
    let (caller, agent) = (world.caller(Role::Member), world.pushed("PUSHED", &endpoint.url).await);
    let id = agent.session(&caller).await;
    let task = endpoint.called("task", 1).await.remove(0).json();
    caller.post(&format!("/sessions/{id}/messages"), json!({"text": "Also the tests."})).await.expect(202);
    let message = endpoint.called("message", 1).await.remove(0);
    assert!(message.is_signed_with(agent.secret.as_deref().unwrap()));
    let said = json!({"number": 1, "kind": "text", "text": "Also the tests."});
    assert_eq!(message.json(), json!({"task_id": task["task_id"], "message": said}));
    let heard = agent.report(&task, 1, "At work.").await.expect(200);
    assert_eq!(heard["messages"], json!([said]), "it comes with the next answer too");
    caller.reaches(&id, &["running"]).await;
    caller.act(&format!("/sessions/{id}/stop")).await.expect(202);
    caller.reaches(&id, &["stopped"]).await;
    let cancel = endpoint.called("cancel", 1).await.remove(0);
    assert!(cancel.is_signed_with(agent.secret.as_deref().unwrap()));
    assert_eq!(cancel.json(), json!({"task_id": task["task_id"]}));
    assert_eq!(agent.report(&task, 2, "Still.").await.expect(200)["cancel"], true);
}

#[tokio::test]
async fn a_run_ends_with_its_result_although_the_endpoint_fails_at_messages() {
    for status in [400, 409, 500] {
        let endpoint = Endpoint::start(move |call, _| {
            Answer::Status(if call.verb == "task" { 202 } else { status }, String::new())
        });
        let endpoint = endpoint.await;
        let world = TestApp::with(endpoint.options()).await;
        let (caller, agent) = (world.caller(Role::Member), world.pushed("PUSHED", &endpoint.url).await);
        let id = agent.session(&caller).await;
        let task = endpoint.called("task", 1).await.remove(0).json();
        caller.post(&format!("/sessions/{id}/messages"), json!({"text": "Also the tests."})).await.expect(202);
        endpoint.called("message", 1).await;
        agent.result(&task, result(&task, "Done.")).await.expect(202);
        let session = caller.reaches(&id, &["completed", "failed"]).await;
        assert_eq!(session["status"], "completed", "{status}");
    }
}

#[tokio::test]
async fn an_agent_whose_endpoint_refuses_messages_receives_them_with_its_next_report() {
    let endpoint =
        Endpoint::start(|call, _| Answer::Status(if call.verb == "task" { 202 } else { 404 }, String::new())).await;
    let world = TestApp::with(endpoint.options()).await;
    let (caller, agent) = (world.caller(Role::Member), world.pushed("PUSHED", &endpoint.url).await);
    let id = agent.session(&caller).await;
    let task = endpoint.called("task", 1).await.remove(0).json();
    caller.post(&format!("/sessions/{id}/messages"), json!({"text": "Also the tests."})).await.expect(202);
    harness::until(async || agent.report(&task, 1, "At work.").await.expect(200).get("messages").is_some()).await;
    caller.reaches(&id, &["running"]).await;
    caller.act(&format!("/sessions/{id}/stop")).await.expect(202);
    caller.reaches(&id, &["stopped"]).await;
    assert_eq!(agent.report(&task, 2, "Still.").await.expect(200)["cancel"], true);
}

#[tokio::test]
async fn a_pushed_task_whose_lease_ends_is_pushed_again_under_a_newer_lease() {
    let clock = Clock::fixed(Clock::System.now());
    let endpoint = Endpoint::accepting().await;
    let mut options = endpoint.options();
    options.clock = clock.clone();
    let world = TestApp::with(options).await;
    let (caller, agent) = (world.caller(Role::Member), world.pushed("PUSHED", &endpoint.url).await);
    let id = agent.session(&caller).await;
    let first = endpoint.called("task", 1).await.remove(0).json();
    caller.sees(&id, "session.checkpoint_created").await;
    clock.advance(TimeDelta::seconds(120));
    harness::until(async || {
        // An observation just before the lease expired has scheduled the next one for a little later.
        clock.advance(TimeDelta::seconds(1));
        world.run(Job::observe(world.tenant.id, id.parse().unwrap())).await;
        endpoint.calls("task").len() >= 2
    })
    .await;
    let second = endpoint.calls("task").remove(1).json();
    assert_eq!((&first["task_id"], &first["lease"]["token"]), (&second["task_id"], &json!(1)));
    assert_eq!(second["lease"]["token"], 2);
    agent.report(&first, 1, "I am back.").await.problem(409, "LEASE_LOST");
    agent.report(&second, 1, "I go on.").await.expect(200);
}
