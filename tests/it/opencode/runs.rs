//! Handing over: once however often it is asked, going on from where a run was, and what it all cost.

use std::fs;

use serde_json::{Value, json};
use shared::{
    agents::contract::{AgentRuntime, Assignment, Continuation, Phase, UserMessage},
    kernel::{failure::Category, id::MessageId},
};

use super::{Agents, Bench, asked, bash, script, worktree, write};

#[tokio::test]
async fn two_concurrent_handovers_start_one_run() {
    let bench = Bench::new();
    let mut assignment = bench.assignment_in(&bench.repository("app"), &json!([{"text": "once"}]));
    assignment.prompt += " word-of-the-twice";
    let (one, two) = tokio::join!(bench.runtime.dispatch(&assignment), bench.runtime.dispatch(&assignment));
    let (one, two) = (one.unwrap(), two.unwrap());
    assert_eq!(one, two);
    let seen = bench.finish(&assignment, one.clone()).await;
    assert_eq!(seen.completed(), "once");
    assert_eq!(bench.runtime.dispatch(&assignment).await.unwrap(), one, "and afterwards");
    assert_eq!(bench.finish(&assignment, one.clone()).await.completed(), "once");
    assert_eq!(asked(Agents::shared(), "word-of-the-twice").len(), 1);
    let sessions = call(&format!("/session?directory={}", worktree(&one).display())).await;
    assert_eq!(sessions.as_array().unwrap().len(), 1);
    let messages = call(&format!("/session/{}/message", one.0["session"].as_str().unwrap())).await;
    assert_eq!(messages.as_array().unwrap().len(), 2, "one question and one answer");
}

async fn call(path: &str) -> Value {
    let server = &Agents::shared().server;
    let request = reqwest::Client::new().get(format!("{}{path}", server.url()));
    request.basic_auth("opencode", Some(server.password())).send().await.unwrap().json().await.unwrap()
}

#[tokio::test]
async fn an_unknown_model_or_agent_is_refused_before_anything_is_created() {
    let bench = Bench::new();
    let mut assignment = bench.assignment(&json!([{"text": "ok"}]));
    assignment.model = Some("stub/none".to_owned());
    let failure = bench.runtime.dispatch(&assignment).await.unwrap_err();
    assert_eq!((failure.category, failure.code.as_str()), (Category::User, "MODEL_UNKNOWN"));
    assignment.model = None;
    assignment.agent_config.insert("opencode_agent".to_owned(), json!("nobody"));
    assert_eq!(bench.runtime.dispatch(&assignment).await.unwrap_err().code, "AGENT_UNKNOWN");
    assert!(!bench.folder.join("work").exists());
}

#[tokio::test]
async fn the_usage_of_child_sessions_is_counted() {
    let bench = Bench::new();
    let inner = script(&json!([bash("echo inner"), {"text": "from the child"}]));
    let task = json!({"tool": "task", "args": {"description": "sub", "prompt": inner, "subagent_type": "general"}});
    let seen = bench.run(&bench.assignment(&json!([task, {"text": "ok"}]))).await;
    assert_eq!(seen.completed(), "ok");
    let usage = seen.last().usage;
    // Four answers of 800 fresh, 200 cached, 40 and 10 tokens: two of the parent, two of the child.
    let counted = (usage.tokens_input, usage.tokens_cached, usage.tokens_output, usage.tokens_reasoning);
    assert_eq!(counted, (3200, 800, 160, 40));
    assert_eq!(usage.cost_micros, 4 * 2200);
}

#[tokio::test]
async fn a_message_to_a_busy_agent_is_answered_once() {
    let bench = Bench::new();
    let assignment = bench.assignment(&json!([bash("sleep 2"), {"text": "first"}]));
    let state = bench.runtime.dispatch(&assignment).await.unwrap();
    let seen = bench.watch(&assignment, state, |phase| *phase == Phase::Working).await;
    let id = MessageId::new();
    let said = UserMessage::Text { text: script(&json!([{"text": "second"}])) };
    let state = bench.runtime.send_message(&assignment, &seen.state, id, &said).await.unwrap();
    let again = bench.runtime.send_message(&assignment, &seen.state, id, &said).await.unwrap();
    assert_eq!(state, again);
    let seen = bench.finish(&assignment, state).await;
    assert_eq!(seen.completed(), "second");
    assert_eq!(seen.texts().iter().filter(|text| **text == "second").count(), 1);
}

#[tokio::test]
async fn a_resumed_run_continues_in_its_own_session() {
    let bench = Bench::new();
    let steps = json!([write("before.txt", "x"), bash("sleep 30"), {"text": "went on"}]);
    let mut assignment = bench.assignment(&steps);
    let state = bench.runtime.dispatch(&assignment).await.unwrap();
    let ran = bench.watch(&assignment, state, |_| true).await;
    let sleeping = wait_for_tool(&bench, &assignment, ran.state).await;
    bench.runtime.abort(&assignment, &sleeping).await.unwrap();
    assignment.continuation = Continuation::Resume { state: sleeping.clone(), ask: true };
    let resumed = bench.runtime.dispatch(&assignment).await.unwrap();
    assert_eq!(bench.runtime.dispatch(&assignment).await.unwrap(), resumed);
    assert_eq!(resumed.0["session"], sleeping.0["session"]);
    let seen = bench.finish(&assignment, resumed.clone()).await;
    assert_eq!(seen.completed(), "went on");
    assert!(worktree(&resumed).join("before.txt").is_file());
    assignment.continuation = Continuation::Resume { state: seen.state.clone(), ask: false };
    assert_eq!(bench.runtime.dispatch(&assignment).await.unwrap(), seen.state, "nothing is said");
}

/// Looks until the shell runs.
async fn wait_for_tool(
    bench: &Bench,
    assignment: &Assignment,
    mut state: shared::agents::contract::RunState,
) -> shared::agents::contract::RunState {
    loop {
        let seen = bench.watch(assignment, state, |_| true).await;
        state = seen.state.clone();
        if seen.tools("bash").contains(&"running") {
            return state;
        }
    }
}

#[tokio::test]
async fn a_new_run_continues_in_the_old_session_and_reports_only_its_own_events() {
    let bench = Bench::new();
    let mut assignment = bench.assignment(&json!([write("a.txt", "a\n"), {"text": "first"}, {"text": "second"}]));
    let first = bench.run(&assignment).await;
    let work = bench.runtime.collect_output(&assignment, &first.state).await.unwrap();
    assignment.run = 2;
    assignment.run_started_at = super::now();
    assignment.continuation = Continuation::Checkpoint {
        state: Some(first.state.clone()),
        patch: work.patch,
        summary: work.summary,
        fork: false,
    };
    let state = bench.runtime.dispatch(&assignment).await.unwrap();
    assert_eq!(state.0["session"], first.state.0["session"]);
    let second = bench.finish(&assignment, state).await;
    assert_eq!(second.completed(), "second");
    assert_eq!(second.texts(), ["second"], "what the first run said is not reported again");
    assert_eq!(second.last().usage_scope, first.last().usage_scope);
    assert_eq!(second.last().usage.cost_micros, 3 * 2200, "cumulative for that session");
    let work = bench.runtime.collect_output(&assignment, &second.state).await.unwrap();
    assert_eq!(work.files[0].path, "a.txt", "all that the session came to");
}

#[tokio::test]
async fn a_run_whose_session_was_lost_starts_from_the_stored_patch() {
    let bench = Bench::new();
    let project = bench.repository("app");
    let line = "cat made.txt 2>/dev/null || seq 1 40000 > made.txt";
    let mut assignment = bench.assignment_in(&project, &json!([bash(line), {"text": "ok"}]));
    let first = bench.run(&assignment).await;
    let work = bench.runtime.collect_output(&assignment, &first.state).await.unwrap();
    assert!(work.patch.len() > 128 << 10, "it takes more than one piece");
    bench.runtime.release_workspace(&assignment, &first.state).await.unwrap();
    assignment.run = 2;
    let checkpoint = |state, fork| Continuation::Checkpoint {
        state,
        patch: work.patch.clone(),
        summary: "Numbers were made.".to_owned(),
        fork,
    };
    assignment.continuation = checkpoint(Some(first.state.clone()), false);
    let second = bench.run(&assignment).await;
    second.completed();
    assert_ne!(second.state.0["session"], first.state.0["session"]);
    let place = worktree(&second.state);
    assert_eq!(fs::read_to_string(place.join("made.txt")).unwrap().lines().count(), 40000);
    assert_eq!(bench.runtime.collect_output(&assignment, &second.state).await.unwrap().patch, work.patch);

    let fork = Assignment {
        continuation: checkpoint(Some(second.state.clone()), true),
        ..bench.assignment_in(&project, &json!([write("fork.txt", "f"), {"text": "forked"}]))
    };
    let forked = bench.run(&fork).await;
    assert_eq!(forked.completed(), "forked");
    assert_ne!(forked.state.0["session"], second.state.0["session"]);
    assert!(worktree(&forked.state).join("made.txt").is_file());
    assert!(!place.join("fork.txt").exists(), "the source is left alone");
}

#[tokio::test]
async fn a_fork_without_a_repository_starts_from_the_base_of_its_source() {
    let bench = Bench::new();
    let place = bench.folder.join("projects/plain");
    fs::create_dir(&place).unwrap();
    fs::write(place.join("a.txt"), "a\n").unwrap();
    let source = bench.assignment_in(&place, &json!([bash("echo b >> a.txt"), {"text": "ok"}]));
    let seen = bench.run(&source).await;
    let patch = bench.runtime.collect_output(&source, &seen.state).await.unwrap().patch;
    fs::write(place.join("a.txt"), "changed since\n").unwrap();
    let continuation = Continuation::Checkpoint { state: Some(seen.state), patch, summary: String::new(), fork: true };
    let fork = Assignment { continuation, ..bench.assignment_in(&place, &json!([{"text": "ok"}])) };
    let state = bench.runtime.dispatch(&fork).await.unwrap();
    assert_eq!(fs::read_to_string(worktree(&state).join("a.txt")).unwrap(), "a\nb\n");
}
