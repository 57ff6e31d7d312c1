//! The tools of the runner, called by the real programs.

use std::time::Duration;

use runner::{
    acp::{AgentUpdate, PermissionPolicy, PermissionRule, ToolKind},
    mcp::{AttachedFile, PersonQuestion, ToolCall, ToolReply},
};
use serde_json::json;
use tokio::{sync::mpsc, time::timeout};

use super::support::{AgentFixture, script};

const PATIENCE: Duration = Duration::from_mins(1);

async fn wait_for_question(calls: &mut mpsc::Receiver<ToolCall>) -> (PersonQuestion, ToolReply) {
    match timeout(PATIENCE, calls.recv()).await.expect("the agent calls a tool") {
        Some(ToolCall::AskPerson { asked, reply }) => (asked, reply),
        other => panic!("the agent calls {other:?}"),
    }
}

/// Also where a person decides on everything: nobody is asked whether they may be asked.
fn ask_about_everything() -> PermissionPolicy {
    ToolKind::ALL
        .into_iter()
        .fold(PermissionPolicy::allow_all(), |policy, kind| policy.with_rule(kind, PermissionRule::Ask))
}

async fn ask_two_questions_at_once(program: &str) {
    let (fixture, mut calls) = AgentFixture::with_tools(program, ask_about_everything()).await;
    let mut agent = fixture.start().await;
    agent.create_session().await;
    let questions = json!({"tools": [
        {"tool": "ask_person", "args": {"question": "Which colour?", "options": ["red", "blue"]}},
        {"tool": "ask_person", "args": {"question": "Which shape?"}},
    ]});
    let turn = agent.start_turn(&script(&[questions, json!({"text": "all is done"})]));
    // Both are open at once, in whichever order the agent has asked them.
    for (asked, reply) in [wait_for_question(&mut calls).await, wait_for_question(&mut calls).await] {
        let answer = if asked.question == "Which colour?" { "blue" } else { "round" };
        let options: &[&str] = if answer == "blue" { &["red", "blue"] } else { &[] };
        assert_eq!(asked.options, options);
        reply.send(Ok(answer.to_owned())).unwrap();
    }
    agent.wait_for_end_of(turn).await.unwrap();
    let last = fixture.model.requests().last().unwrap().body.to_string();
    assert!(last.contains("blue") && last.contains("round"), "{last}");
    let is_request = |update: &AgentUpdate| matches!(update, AgentUpdate::PermissionRequest(_));
    assert!(!agent.take_updates().iter().any(is_request), "it asks for no permission to ask");
    agent.stop().await;
}

async fn attach_a_file(program: &str) {
    let (fixture, mut calls) = AgentFixture::with_tools(program, PermissionPolicy::allow_all()).await;
    let mut agent = fixture.start().await;
    agent.create_session().await;
    let attach = json!({"tool": "attach", "args": {"path": "a.png", "title": "A screenshot", "proof": true}});
    let turn = agent.start_turn(&script(&[attach, json!({"text": "all is done"})]));
    let Some(ToolCall::Attach { file, reply }) = timeout(PATIENCE, calls.recv()).await.unwrap() else { panic!() };
    let expected = AttachedFile { path: "a.png".into(), title: "A screenshot".into(), proof: true };
    assert_eq!(file, expected);
    reply.send(Err("there is no file a.png".to_owned())).unwrap();
    agent.wait_for_end_of(turn).await.unwrap();
    let last = fixture.model.requests().last().unwrap().body.to_string();
    assert!(last.contains("there is no file a.png"), "the model reads why it failed: {last}");
    agent.stop().await;
}

#[tokio::test]
async fn opencode_asks_two_questions_at_once_by_a_tool() {
    ask_two_questions_at_once("opencode").await;
}

#[tokio::test]
async fn claude_asks_two_questions_at_once_by_a_tool() {
    ask_two_questions_at_once("claude").await;
}

#[tokio::test]
async fn codex_asks_two_questions_at_once_by_a_tool() {
    ask_two_questions_at_once("codex").await;
}

#[tokio::test]
async fn opencode_attaches_a_file_by_a_tool() {
    attach_a_file("opencode").await;
}

#[tokio::test]
async fn claude_attaches_a_file_by_a_tool() {
    attach_a_file("claude").await;
}

#[tokio::test]
async fn codex_attaches_a_file_by_a_tool() {
    attach_a_file("codex").await;
}
