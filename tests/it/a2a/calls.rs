//! Sessions that an A2A agent works on.

use harness::{Options, TestApp, a2a};
use serde_json::{Value, json};
use shared::{
    agents::contract::{AgentRuntime, Assignment, Continuation, Finish, Phase, UserMessage},
    identity::auth::Role,
    kernel::id::MessageId,
};

use super::{prompt, runtime, settings, start, texts, world};
use crate::ports::runtime::blank;

#[tokio::test]
async fn a_session_runs_to_its_end_and_its_output_is_stored() {
    let world = world().await;
    let member = world.caller(Role::Member);
    let id = start(&world, "write").await;
    let session = member.reaches(&id, &["completed", "failed"]).await;
    assert_eq!(session["status"], "completed", "{session:#}");
    assert_eq!(session["outcome"]["result"]["text"], "Done.");
    assert_eq!(texts(&member.events(&id).await), ["Done."]);
    let files = member.get(&format!("/sessions/{id}/diff")).await.expect(200);
    assert_eq!((&files["items"][0]["path"], &files["items"][0]["additions"]), (&json!("made.txt"), &json!(1)));
    let made = member.get(&format!("/sessions/{id}/artifacts")).await.expect(200);
    let mut paths: Vec<_> = made["items"].as_array().unwrap().iter().map(|one| one["path"].as_str().unwrap()).collect();
    paths.sort_unstable();
    assert_eq!(paths, ["changes.patch", "made", "report/made.txt"], "no path leaves its root");
}

#[tokio::test]
async fn a_question_pauses_the_session_and_its_answer_reaches_the_agent_once() {
    let world = world().await;
    let member = world.caller(Role::Member);
    let id = start(&world, "ask").await;
    let session = member.reaches(&id, &["paused", "failed"]).await;
    assert_eq!(
        (&session["pause"]["reason"], &session["pause"]["question"]["text"]),
        (&json!("input"), &json!("Which one?"))
    );
    let question = session["pause"]["question"]["question_id"].clone();
    let answer = json!({"answer": {"question_id": question, "text": "The second."}});
    member.post(&format!("/sessions/{id}/messages"), answer).await.expect(202);
    let session = member.reaches(&id, &["completed", "failed"]).await;
    assert_eq!(session["outcome"]["result"]["text"], "Done: The second.", "{session:#}");
    assert_eq!(texts(&member.events(&id).await), ["Which one?", "Done: The second."]);
}

#[tokio::test]
async fn an_agent_that_needs_a_credential_pauses_the_session_until_it_is_resumed() {
    let world = world().await;
    let member = world.caller(Role::Member);
    let id = start(&world, "auth").await;
    let session = member.reaches(&id, &["paused", "failed"]).await;
    assert_eq!((&session["pause"]["reason"], &session["pause"]["question"]["kind"]), (&json!("auth"), &json!("auth")));
    member.act(&format!("/sessions/{id}/resume")).await.expect(202);
    let session = member.reaches(&id, &["completed", "failed"]).await;
    assert_eq!(session["outcome"]["result"]["text"], "Done: Go on.", "{session:#}");
}

#[tokio::test]
async fn every_other_end_of_a_task_is_reported_unchanged() {
    let world = world().await;
    let member = world.caller(Role::Member);
    for (wish, status, code, words) in [
        ("fail", "failed", "AGENT_FAILED", "It broke."),
        ("reject", "failed", "TASK_REJECTED", "Not mine."),
        ("give-up", "stopped", "ABORTED", ""),
        ("nothing", "failed", "NO_OUTPUT", "it said nothing"),
        ("blank", "failed", "NO_OUTPUT", "it said nothing"),
    ] {
        let id = start(&world, wish).await;
        let session = member.reaches(&id, &["completed", "failed", "stopped"]).await;
        assert_eq!(
            (&session["status"], &session["outcome"]["error"]["code"]),
            (&json!(status), &json!(code)),
            "{wish}"
        );
        assert!(session["outcome"]["error"]["message"].as_str().unwrap().contains(words), "{session:#}");
    }
    let id = start(&world, "answer").await;
    let session = member.reaches(&id, &["completed", "failed"]).await;
    assert_eq!(session["outcome"]["result"]["text"], "Forty-two.", "an answer without a task: {session:#}");
}

#[tokio::test]
async fn stopping_a_session_cancels_the_task() {
    let world = world().await;
    let member = world.caller(Role::Member);
    let id = start(&world, "sleep").await;
    member.reaches(&id, &["running"]).await;
    member.sees(&id, "session.checkpoint_created").await;
    member.act(&format!("/sessions/{id}/stop")).await.expect(202);
    member.reaches(&id, &["stopped"]).await;
    let url = format!("{}/http/tasks?contextId={id}.1", a2a::peer().url);
    let listed = reqwest::Client::new().get(url).header("a2a-version", "1.0").send().await.unwrap();
    let listed: Value = serde_json::from_slice(&listed.bytes().await.unwrap()).unwrap();
    assert_eq!(listed["tasks"][0]["status"]["state"], "TASK_STATE_CANCELED", "{listed}");
    assert_eq!(listed["tasks"].as_array().unwrap().len(), 1);
}

#[tokio::test]
async fn a_repeated_handover_starts_no_second_task_and_a_resumed_run_keeps_its_context() {
    let runtime = runtime(&a2a::peer().place);
    let card = format!("{}/rpc/agent-card.json", a2a::peer().url);
    let assignment = Assignment { agent: a2a::contact(&card, None), prompt: prompt("sleep"), ..blank() };
    let state = runtime.dispatch(&assignment).await.unwrap();
    for _ in 0..2 {
        assert_eq!(runtime.dispatch(&assignment).await.unwrap(), state);
    }
    let begun = async || {
        let url = format!("{}/begun/{}.1", a2a::peer().url, assignment.session_id);
        reqwest::get(url).await.unwrap().text().await.unwrap()
    };
    assert_eq!(begun().await, "1");
    runtime.abort(&assignment, &state).await.unwrap();
    let resumed = Assignment {
        run: 2,
        prompt: prompt("write"),
        continuation: Continuation::Resume { state: state.clone(), ask: true },
        ..assignment.clone()
    };
    let second = runtime.dispatch(&resumed).await.unwrap();
    assert_eq!(runtime.dispatch(&resumed).await.unwrap(), second);
    assert_ne!(second, state);
    assert_eq!(begun().await, "2", "a further task in the same context");
    let said = UserMessage::Text { text: "And now?".to_owned() };
    harness::until(async || {
        let seen = runtime.observe(&resumed, &second).await.unwrap();
        matches!(seen.phase, Phase::Finished(Finish::Completed { .. }))
    })
    .await;
    let (id, third) = (MessageId::new(), second.clone());
    let third = runtime.send_message(&resumed, &third, id, &said).await.unwrap();
    assert_eq!(runtime.send_message(&resumed, &third, id, &said).await.unwrap(), third);
    assert_ne!(third, second, "what is said after the end begins a further task");
}

#[tokio::test]
async fn an_agents_secret_is_sent_as_its_card_asks_and_a_wrong_one_fails_permanently() {
    let peer = a2a::peer();
    let world = TestApp::with(Options { settings: settings(&peer.place), ..Options::default() }).await;
    let card = format!("{}/locked/agent-card.json", peer.url);
    world.a2a_agent(&world.tenant, "known", &card, Some("hush")).await;
    world.a2a_agent(&world.tenant, "stranger", &card, Some("wrong")).await;
    let member = world.caller(Role::Member);
    let run = async |agent: &str| {
        let fields = json!({"initial_prompt": prompt("write"), "agent_config": {"agent": agent}});
        let id = member.start_session(fields).await;
        member.reaches(&id, &["completed", "failed"]).await
    };
    assert_eq!(run("known").await["status"], "completed");
    let session = run("stranger").await;
    assert_eq!((&session["status"], &session["outcome"]["error"]["category"]), (&json!("failed"), &json!("auth")));
}
