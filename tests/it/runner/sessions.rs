//! Sessions on a runner, with the real OpenCode in a real sandbox: what they report, what people say to them meanwhile,
//! and what becomes of their work.

use harness::until;
use serde_json::{Value, json};

use super::{process::RunnerFixture, support::script};

fn bash(command: &str) -> Value {
    json!({"tool": "bash", "args": {"command": command, "description": "Try it"}})
}

fn write(path: &str, content: &str) -> Value {
    json!({"tool": "write", "args": {"filePath": path, "content": content}})
}

/// A call of a subagent with a script of its own.
fn delegate(steps: &[Value]) -> Value {
    let args = json!({"description": "sub", "prompt": script(steps), "subagent_type": "general"});
    json!({"tool": "task", "args": args})
}

/// The texts of the agent, in order.
fn texts(events: &[Value]) -> Vec<&str> {
    let said =
        events.iter().filter(|event| event["type"] == "session.message" && event["payload"]["role"] == "assistant");
    said.map(|event| event["payload"]["text"].as_str().unwrap()).collect()
}

/// How often the calls of a tool ended so.
fn count_calls(events: &[Value], state: &str) -> usize {
    events.iter().filter(|event| event["type"] == "session.tool" && event["payload"]["state"] == state).count()
}

/// Waits until the agent has called a tool.
async fn wait_until_at_work(runner: &RunnerFixture, session: &str) {
    until(async || runner.caller.events(session).await.iter().any(|event| event["type"] == "session.tool")).await;
}

/// How many lines the session has added.
async fn count_additions(runner: &RunnerFixture, session: &str) -> i64 {
    let diff = runner.caller.get(&format!("/sessions/{session}/diff")).await.expect(200);
    diff["items"].as_array().unwrap().iter().map(|file| file["additions"].as_i64().unwrap()).sum()
}

#[tokio::test]
async fn a_session_reports_everything_once_and_survives_a_tool_that_fails() {
    let runner = RunnerFixture::with_program("opencode").await;
    let session = runner
        .start_session(
            &script(&[
                json!({"tools": [bash("echo one"), write("made.txt", "two\n")], "say": "Two at once."}),
                json!({"tool": "grep", "args": {"pattern": "two"}}),
                json!({"tool": "read", "args": {"filePath": "absent.txt"}}),
                json!({"text": "A long answer, in pieces.", "chunks": 5, "chunk_sleep": 0.1}),
            ]),
            json!({}),
        )
        .await;
    let ended = runner.wait_for_completion(&session).await;
    assert_eq!(ended["outcome"]["result"]["text"], "A long answer, in pieces.");
    assert_eq!(runner.changed_paths(&session).await, ["made.txt"]);
    let events = runner.caller.events(&session).await;
    assert_eq!(texts(&events), ["Two at once.", "A long answer, in pieces."]);
    assert_eq!((count_calls(&events, "completed"), count_calls(&events, "error")), (3, 1), "{events:#?}");
    let last = runner.model.requests().pop().unwrap().body.to_string();
    assert!(last.contains("Found 1 match"), "it finds its ripgrep: {last}");
}

#[tokio::test]
async fn the_usage_of_a_subagent_is_counted() {
    let runner = RunnerFixture::with_program("opencode").await;
    let steps = [delegate(&[bash("touch made.txt"), json!({"text": "of the child"})]), json!({"text": "all is done"})];
    let session = runner.start_session(&script(&steps), json!({})).await;
    let ended = runner.wait_for_completion(&session).await;
    assert_eq!(runner.changed_paths(&session).await, ["made.txt"]);
    // Each answer of the scripted model states 1050 tokens.
    let calls = runner.model.requests().len();
    assert!(calls >= 4, "two of the agent and two of its subagent");
    assert_eq!(ended["usage"]["tokens_output"], 1050 * calls, "{ended:#}");
}

/// Over ACP it forwards no request of a subagent, which would wait for ever.
#[tokio::test]
async fn opencode_has_no_subagents_where_people_are_asked() {
    let runner = RunnerFixture::with_program("opencode").await;
    let session = runner.start_session(&script(&[json!({"text": "all is done"})]), json!({"execute": "ask"})).await;
    runner.wait_for_completion(&session).await;
    let offered: Vec<_> = runner.model.requests().iter().map(|request| request.body["tools"].to_string()).collect();
    assert!(offered.iter().any(|tools| tools.contains("\"bash\"")), "{offered:?}");
    assert!(!offered.iter().any(|tools| tools.contains("\"task\"")), "{offered:?}");
}

/// The call at work ends, the answer of the model after it does not come any more, and the next turn knows both.
#[tokio::test]
async fn a_message_reaches_a_busy_agent_between_two_calls_of_its_tools() {
    for program in ["opencode", "claude", "codex"] {
        let runner = RunnerFixture::with_program(program).await;
        let late = json!({"sleep": 5, "tool": "bash", "args": {"command": "echo late > late.txt"}});
        let first = script(&[bash("sleep 2; echo done > done.txt"), late, json!({"text": "first"})]);
        let session = runner.start_session(&first, json!({})).await;
        wait_until_at_work(&runner, &session).await;
        let second = script(&[bash("echo steered > steered.txt"), json!({"text": "second"})]);
        runner.caller.post(&format!("/sessions/{session}/messages"), json!({"text": second})).await.expect(202);
        let ended = runner.wait_for_completion(&session).await;
        assert_eq!(ended["outcome"]["result"]["text"], "second", "{program}");
        assert_eq!(runner.changed_paths(&session).await, ["done.txt", "steered.txt"], "{program}");
        let events = runner.caller.events(&session).await;
        let said = texts(&events).into_iter().filter(|text| ["first", "second"].contains(text)).collect::<Vec<_>>();
        assert_eq!(said, ["second"], "{program}");
        let has_both = |body: String| body.contains("done.txt") && body.contains("steered.txt");
        assert!(runner.model.requests().iter().any(|request| has_both(request.body.to_string())), "{program}");
    }
}

#[tokio::test]
async fn a_paused_session_goes_on_with_its_work_and_so_does_a_fork() {
    let runner = RunnerFixture::with_program("opencode").await;
    let wait = bash("test $(wc -l < made.txt) -gt 1 || sleep 300");
    let steps = [bash("echo more >> made.txt"), wait, json!({"text": "went on"})];
    let session = runner.start_session(&script(&steps), json!({})).await;
    until(async || count_calls(&runner.caller.events(&session).await, "completed") > 0).await;
    runner.caller.act(&format!("/sessions/{session}/pause")).await.expect(202);
    runner.caller.reaches(&session, &["paused"]).await;
    runner.caller.act(&format!("/sessions/{session}/resume")).await.expect(202);
    let ended = runner.wait_for_completion(&session).await;
    assert_eq!(ended["outcome"]["result"]["text"], "went on");
    assert_eq!(count_additions(&runner, &session).await, 2, "one before the pause and one after it");
    let fork = runner.caller.act(&format!("/sessions/{session}/fork")).await.expect(201);
    let fork = fork["id"].as_str().unwrap();
    runner.caller.act(&format!("/sessions/{fork}/start")).await.expect(202);
    runner.wait_for_completion(fork).await;
    assert_eq!(count_additions(&runner, fork).await, 3);
    assert_eq!(count_additions(&runner, &session).await, 2, "the source is left alone");
}

#[tokio::test]
async fn a_stop_ends_a_session_whose_provider_hangs() {
    let runner = RunnerFixture::with_program("opencode").await;
    let session = runner.start_session(&script(&[json!({"sleep": 300, "text": "too late"})]), json!({})).await;
    until(async || runner.model.requests().iter().any(|request| request.body["tools"].is_array())).await;
    runner.caller.act(&format!("/sessions/{session}/stop")).await;
    runner.caller.reaches(&session, &["stopped"]).await;
    let next = runner.start_session(&script(&[json!({"text": "all is done"})]), json!({})).await;
    runner.wait_for_completion(&next).await;
}
