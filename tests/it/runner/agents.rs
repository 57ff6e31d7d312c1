//! The driver of agents with the real programs.

use std::time::Duration;

use super::support::{AgentFixture, script, wait_until};
use runner::acp::{
    AgentUpdate, PermissionAnswer, PermissionPolicy, PermissionRule, ToolKind, ToolStatus, TurnEndReason,
};
use serde_json::json;

fn ask_before_changes() -> PermissionPolicy {
    PermissionPolicy::allow_all()
        .with_rule(ToolKind::Edit, PermissionRule::Ask)
        .with_rule(ToolKind::Execute, PermissionRule::Ask)
}

fn write_file(name: &str) -> serde_json::Value {
    json!({"tool": "write", "args": {"filePath": name, "content": "hello\n"}})
}

async fn run_a_prompt_that_writes_a_file(program: &str) {
    let fixture = AgentFixture::new(program, PermissionPolicy::allow_all()).await;
    let mut agent = fixture.start().await;
    agent.create_session().await;
    let end = agent.run_turn(&script(&[write_file("a.txt"), json!({"text": "all is done"})])).await.unwrap();
    assert_eq!(end.reason, TurnEndReason::EndTurn);
    assert_eq!(fixture.read("a.txt").as_deref(), Some("hello\n"));
    let updates = agent.take_updates();
    let messages: String = updates.iter().filter_map(message_of).collect();
    assert!(messages.ends_with("all is done"), "{messages}");
    let completed = |update: &AgentUpdate| match update {
        AgentUpdate::ToolCall(call) | AgentUpdate::ToolCallUpdate(call) => call.status == Some(ToolStatus::Completed),
        _ => false,
    };
    assert!(updates.iter().any(completed), "{updates:#?}");
    assert!(updates.iter().any(|update| matches!(update, AgentUpdate::Usage(_))), "{updates:#?}");
    agent.stop().await;
}

fn message_of(update: &AgentUpdate) -> Option<&str> {
    match update {
        AgentUpdate::Message { text, .. } => Some(text),
        _ => None,
    }
}

async fn answer_what_the_agent_asks(program: &str) {
    let fixture = AgentFixture::new(program, ask_before_changes()).await;
    let mut agent = fixture.start().await;
    agent.create_session().await;
    for (file, answer, written) in
        [("granted.txt", PermissionAnswer::Grant, true), ("refused.txt", PermissionAnswer::Refuse, false)]
    {
        let turn = agent.start_turn(&script(&[write_file(file), json!({"text": "all is done"})]));
        let request = agent.wait_for_permission_request().await;
        assert!(matches!(request.tool_call.kind, Some(ToolKind::Edit | ToolKind::Execute)), "{request:#?}");
        assert_eq!(fixture.read(file), None, "it waits for the answer");
        agent.connection.answer_permission(request.id, &answer).await.unwrap();
        agent.wait_for_end_of(turn).await.unwrap();
        assert_eq!(fixture.read(file).is_some(), written, "{file}");
    }
    agent.stop().await;
}

async fn cancel_a_running_command(program: &str) {
    let fixture = AgentFixture::new(program, PermissionPolicy::allow_all()).await;
    let mut agent = fixture.start().await;
    agent.create_session().await;
    let command = json!({"tool": "bash", "args": {"command": "touch started; sleep 300; touch ended"}});
    let turn = agent.start_turn(&script(&[command, json!({"text": "all is done"})]));
    wait_until("the command runs", || fixture.runs_command("sleep")).await;
    agent.connection.cancel_within(Duration::from_secs(20)).await.unwrap();
    assert_eq!(agent.wait_for_end_of(turn).await.unwrap().reason, TurnEndReason::Cancelled);
    wait_until("the command has ended", || !fixture.runs_command("sleep")).await;
    assert_eq!(fixture.read("ended"), None);
    let end = agent.run_turn(&script(&[json!({"text": "still here"})])).await.unwrap();
    assert_eq!(end.reason, TurnEndReason::EndTurn, "the session can go on");
    agent.stop().await;
}

async fn resume_after_a_kill(program: &str) {
    let fixture = AgentFixture::new(program, PermissionPolicy::allow_all()).await;
    let mut agent = fixture.start().await;
    let session = agent.create_session().await;
    agent.run_turn(&format!("my word is xylophone {}", script(&[json!({"text": "noted"})]))).await.unwrap();
    agent.kill().await;
    let failure = agent.run_turn("are you there?").await.unwrap_err();
    assert_eq!(failure.code.as_str(), "AGENT_EXITED");
    let mut agent = fixture.start().await;
    agent.resume_session(&session).await;
    agent.run_turn(&script(&[write_file("resumed.txt"), json!({"text": "all is done"})])).await.unwrap();
    assert_eq!(fixture.read("resumed.txt").as_deref(), Some("hello\n"));
    let requests = fixture.model.requests();
    let last = requests.iter().rev().find(|request| request.body.to_string().contains("resumed.txt")).unwrap();
    assert!(last.body.to_string().contains("my word is xylophone"), "the agent has its history");
    agent.stop().await;
}

#[tokio::test]
async fn opencode_runs_a_prompt_that_writes_a_file() {
    run_a_prompt_that_writes_a_file("opencode").await;
}

#[tokio::test]
async fn claude_runs_a_prompt_that_writes_a_file() {
    run_a_prompt_that_writes_a_file("claude").await;
}

#[tokio::test]
async fn codex_runs_a_prompt_that_writes_a_file() {
    run_a_prompt_that_writes_a_file("codex").await;
}

#[tokio::test]
async fn opencode_waits_for_the_answer_to_what_it_asks() {
    answer_what_the_agent_asks("opencode").await;
}

#[tokio::test]
async fn claude_waits_for_the_answer_to_what_it_asks() {
    answer_what_the_agent_asks("claude").await;
}

#[tokio::test]
async fn codex_waits_for_the_answer_to_what_it_asks() {
    answer_what_the_agent_asks("codex").await;
}

/// By itself it reads without asking.
#[tokio::test]
async fn claude_asks_before_it_reads_where_a_rule_says_so() {
    let policy = PermissionPolicy::allow_all().with_rule(ToolKind::Read, PermissionRule::Ask);
    let fixture = AgentFixture::new("claude", policy).await;
    let file = fixture.write("notes.txt", "the word is xylophone\n");
    let mut agent = fixture.start().await;
    agent.create_session().await;
    let read = json!({"tool": "Read", "args": {"file_path": file}});
    let turn = agent.start_turn(&script(&[read, json!({"text": "all is done"})]));
    let request = agent.wait_for_permission_request().await;
    assert_eq!(request.tool_call.kind, Some(ToolKind::Read), "{request:#?}");
    agent.connection.answer_permission(request.id, &PermissionAnswer::Refuse).await.unwrap();
    agent.wait_for_end_of(turn).await.unwrap();
    let has_read = |request: &local::scripted_model::Request| request.body.to_string().contains("xylophone");
    assert!(!fixture.model.requests().iter().any(has_read), "it has read what was refused");
    agent.stop().await;
}

#[tokio::test]
async fn opencode_ends_its_turn_when_it_is_cancelled_in_a_command() {
    cancel_a_running_command("opencode").await;
}

#[tokio::test]
async fn claude_ends_its_turn_when_it_is_cancelled_in_a_command() {
    cancel_a_running_command("claude").await;
}

#[tokio::test]
async fn codex_ends_its_turn_when_it_is_cancelled_in_a_command() {
    cancel_a_running_command("codex").await;
}

#[tokio::test]
async fn opencode_resumes_its_session_after_it_was_killed() {
    resume_after_a_kill("opencode").await;
}

#[tokio::test]
async fn claude_resumes_its_session_after_it_was_killed() {
    resume_after_a_kill("claude").await;
}

#[tokio::test]
async fn codex_resumes_its_session_after_it_was_killed() {
    resume_after_a_kill("codex").await;
}
