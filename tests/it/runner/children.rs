//! Sessions of a runner whose agents create others and wait for them: real agents in real sandboxes.

use serde_json::{Value, json};

use super::{process::RunnerFixture, support::script};

/// A call that creates a session whose agent says this.
fn spawn(text: &str) -> Value {
    let prompt = script(&[json!({"text": text})]);
    json!({"tool": "spawn_session", "args": {"prompt": prompt, "title": format!("Say {text}")}})
}

fn waits() -> Value {
    json!({"tool": "wait_for", "args": {}})
}

/// The sessions below one, once there are so many.
async fn children_of(runner: &RunnerFixture, session: &str, count: usize) -> Vec<String> {
    harness::found(async || {
        let tree = runner.caller.get(&format!("/sessions/{session}/tree")).await.expect(200);
        let ids = tree["children"].as_array()?.iter().map(|child| child["id"].as_str().unwrap().to_owned());
        let ids: Vec<_> = ids.collect();
        (ids.len() == count).then_some(ids)
    })
    .await
}

/// Whether the model of the agent read these texts in one request, which no script holds.
fn has_read(runner: &RunnerFixture, texts: &[String]) -> bool {
    let requests = runner.model.requests();
    requests.iter().map(|request| request.body.to_string()).any(|body| texts.iter().all(|text| body.contains(text)))
}

async fn work_with_children(program: &str) {
    let runner = RunnerFixture::with_program(program).await;
    let prompt = script(&[spawn("otter-one"), spawn("otter-two"), waits(), json!({"text": "all is done"})]);
    let session = runner.start_session(&prompt, json!({})).await;
    let ended = runner.wait_for_completion(&session).await;
    assert_eq!(ended["outcome"]["result"]["text"], "all is done", "{program}: {ended:#}");
    let children = children_of(&runner, &session, 2).await;
    let mut results = Vec::new();
    for id in &children {
        let child = runner.caller.session(id).await;
        assert_eq!((&child["status"], &child["parent_id"]), (&json!("completed"), &json!(session)), "{child:#}");
        results.push(format!("Session {id} ({}): completed", child["title"].as_str().unwrap()));
    }
    assert!(has_read(&runner, &results), "{program}: {results:?}");
    assert!(runner.caller.states(&session).await.contains(&"paused".to_owned()), "it takes no slot while it waits");
}

#[tokio::test]
async fn claude_creates_two_sessions_and_reads_what_they_came_to() {
    work_with_children("claude").await;
}

#[tokio::test]
async fn opencode_creates_two_sessions_and_reads_what_they_came_to() {
    work_with_children("opencode").await;
}

#[tokio::test]
async fn codex_creates_two_sessions_and_reads_what_they_came_to() {
    work_with_children("codex").await;
}

/// The process of the agent that waits ends for its child, and another one goes on with what came of it.
#[tokio::test]
async fn a_session_on_a_runner_with_one_slot_gives_it_to_its_child() {
    let runner = RunnerFixture::with_one_slot("claude").await;
    let write = json!({"tool": "bash", "args": {"command": "echo hello > after.txt"}});
    let prompt = script(&[spawn("otter"), waits(), write, json!({"text": "all is done"})]);
    let session = runner.start_session(&prompt, json!({})).await;
    runner.wait_for_completion(&session).await;
    let child = children_of(&runner, &session, 1).await.remove(0);
    assert_eq!(runner.caller.session(&child).await["status"], "completed");
    assert_eq!(runner.changed_paths(&session).await, ["after.txt"]);
    assert!(has_read(&runner, &[format!("Session {child} (Say otter): completed")]));
}

#[tokio::test]
async fn a_session_that_is_stopped_while_it_waits_ends_and_its_child_goes_on() {
    let runner = RunnerFixture::with_program("claude").await;
    let work = json!({"tool": "bash", "args": {"command": "while [ ! -e go ]; do sleep 0.1; done"}});
    let child = json!({"tool": "spawn_session", "args": {"prompt": script(&[work])}});
    let session = runner.start_session(&script(&[child, waits()]), json!({})).await;
    runner.caller.reaches(&session, &["paused"]).await;
    let child = children_of(&runner, &session, 1).await.remove(0);
    runner.caller.reaches(&child, &["running"]).await;
    runner.caller.act(&format!("/sessions/{session}/stop")).await.expect(200);
    runner.caller.reaches(&session, &["stopped"]).await;
    assert_eq!(runner.caller.session(&child).await["status"], "running");
    runner.caller.act(&format!("/sessions/{child}/stop")).await.expect(202);
    runner.caller.reaches(&child, &["stopped"]).await;
}
