//! Faults of the provider, of the server, and aborts.

use std::time::{Duration, Instant};

use serde_json::json;
use shared::{
    agents::{
        contract::{AgentRuntime, Answer, Decision, Finish, Phase, TranscriptEntry, UserMessage},
        opencode::Settings,
    },
    kernel::failure::Category,
};

use super::{Agents, Bench, asked, bash, now, write};

#[tokio::test]
async fn a_refused_key_fails_the_run_at_once() {
    let bench = Bench::new();
    let seen = bench.run(&bench.assignment(&json!([{"status": 401}]))).await;
    let failure = seen.failed();
    assert_eq!((failure.category, failure.code.as_str()), (Category::Auth, "PROVIDER_AUTH"));
    assert!(!failure.retryable);
}

#[tokio::test]
async fn a_run_waits_for_a_provider_that_recovers() {
    let bench = Bench::new();
    let steps = json!([{"status": 500, "times": 1, "then": {"text": "recovered"}}]);
    let seen = bench.run(&bench.assignment(&steps)).await;
    assert_eq!(seen.completed(), "recovered");
    assert!(seen.phases.iter().any(|phase| matches!(phase, Phase::Retrying { attempt: 1, .. })), "{:?}", seen.phases);
}

#[tokio::test]
async fn a_run_fails_when_its_provider_stays_down() {
    let bench = Bench::on(Agents::shared(), |settings| settings.max_provider_retries = 2);
    let assignment = bench.assignment(&json!([{"status": 503}]));
    let state = bench.runtime.dispatch(&assignment).await.unwrap();
    let seen = bench.finish(&assignment, state.clone()).await;
    assert_eq!(seen.failed().category, Category::Transient);
    let again = bench.runtime.observe(&assignment, &state).await.unwrap();
    let later = bench.finish(&assignment, again.state).await;
    assert_eq!(later.failed(), seen.failed(), "a second look knows why it was aborted");
}

#[tokio::test]
async fn a_long_rate_limit_of_the_provider_reports_when_to_return() {
    let bench = Bench::new();
    let assignment = bench.assignment(&json!([{"status": 429, "headers": {"retry-after": "3600"}, "times": 1}]));
    let state = bench.runtime.dispatch(&assignment).await.unwrap();
    let seen =
        bench.watch(&assignment, state, |phase| matches!(phase, Phase::Limited { .. } | Phase::Finished(_))).await;
    let Phase::Limited { resume_at, .. } = seen.last().phase else { panic!("{:?}", seen.phases) };
    let wait = (resume_at - now()).num_seconds();
    assert!((3500..3700).contains(&wait), "{wait} s");
    bench.runtime.abort(&assignment, &seen.state).await.unwrap();
}

#[tokio::test]
async fn an_abort_ends_a_running_shell_and_may_be_repeated() {
    let bench = Bench::new();
    let assignment = bench.assignment(&json!([bash("sleep 60; touch never.txt"), {"text": "ok"}]));
    let mut state = bench.runtime.dispatch(&assignment).await.unwrap();
    loop {
        let seen = bench.watch(&assignment, state, |_| true).await;
        state = seen.state.clone();
        if !seen.tools("bash").is_empty() {
            break;
        }
    }
    let began = Instant::now();
    bench.runtime.abort(&assignment, &state).await.unwrap();
    bench.runtime.abort(&assignment, &state).await.unwrap();
    assert!(began.elapsed() < Duration::from_secs(10));
    let seen = bench.finish(&assignment, state).await;
    assert_eq!(seen.last().phase, Phase::Finished(Finish::Aborted));
}

#[tokio::test]
async fn an_abort_ends_a_run_whose_provider_hangs() {
    let bench = Bench::new();
    let assignment = bench.assignment(&json!([{"sleep": 120, "text": "too late"}]));
    let state = bench.runtime.dispatch(&assignment).await.unwrap();
    let seen = bench.watch(&assignment, state, |phase| *phase == Phase::Working).await;
    bench.runtime.abort(&assignment, &seen.state).await.unwrap();
    let seen = bench.finish(&assignment, seen.state).await;
    assert_eq!(seen.last().phase, Phase::Finished(Finish::Aborted));
}

#[tokio::test]
async fn an_abort_right_after_the_handover_leaves_nothing_running() {
    let bench = Bench::new();
    let assignment = bench.assignment(&json!([{"sleep": 120, "text": "too late"}]));
    let state = bench.runtime.dispatch(&assignment).await.unwrap();
    bench.runtime.abort(&assignment, &state).await.unwrap();
    let seen = bench.finish(&assignment, state).await;
    assert_eq!(seen.last().phase, Phase::Finished(Finish::Aborted));
}

#[tokio::test]
async fn a_truncated_or_filtered_response_is_reported_as_such() {
    let bench = Bench::new();
    let cut = bench.run(&bench.assignment(&json!([{"text": "half an answ", "finish": "length"}]))).await;
    assert_eq!(cut.completed(), "half an answ");
    assert!(format!("{:?}", cut.entries).contains("output limit"));
    let filtered = bench.run(&bench.assignment(&json!([{"text": "no", "finish": "content_filter"}]))).await;
    assert_eq!(filtered.failed().category, Category::Policy);
}

#[tokio::test]
async fn an_unreachable_or_refusing_server_is_not_a_failed_run() {
    let bench = Bench::new();
    let assignment = bench.assignment(&json!([{"text": "ok"}]));
    let state = bench.runtime.dispatch(&assignment).await.unwrap();
    let away =
        Bench::on(Agents::shared(), |settings: &mut Settings| settings.base_url = "http://127.0.0.1:9".to_owned());
    let failure = away.runtime.observe(&assignment, &state).await.unwrap_err();
    assert_eq!((failure.category, failure.code.as_str()), (Category::Transient, "AGENT_UNREACHABLE"));
    let stranger = Bench::on(Agents::shared(), |settings: &mut Settings| settings.password = "wrong".to_owned());
    let failure = stranger.runtime.observe(&assignment, &state).await.unwrap_err();
    assert_eq!((failure.category, failure.code.as_str()), (Category::Auth, "AGENT_REFUSED"));
    bench.finish(&assignment, state).await;
}

#[tokio::test]
async fn a_server_killed_during_a_run_finishes_it_once() {
    let agents = Agents::start(true).await;
    let bench = Bench::on(&agents, |_| {});
    let first = json!({"tools": [write("a.txt", "word-of-the-killed"), bash("echo x > by-shell.txt")]});
    let steps = json!([first, bash("sleep 20"), {"text": "done once"}]);
    let assignment = bench.assignment(&steps);
    let mut state = bench.runtime.dispatch(&assignment).await.unwrap();
    let mut reported = Vec::new();
    loop {
        let seen = bench.watch(&assignment, state, |_| true).await;
        state = seen.state.clone();
        reported.extend(seen.entries);
        if format!("{reported:?}").contains("sleep 20") {
            break;
        }
    }
    agents.server.kill().await;
    let failure = bench.runtime.observe(&assignment, &state).await.unwrap_err();
    assert_eq!(failure.code, "AGENT_UNREACHABLE");
    agents.server.restart().await.unwrap();
    let mut seen = bench.finish(&assignment, state).await;
    assert_eq!(seen.completed(), "done once");
    reported.append(&mut seen.entries);
    let mut changed: Vec<_> = reported
        .iter()
        .filter_map(|entry| if let TranscriptEntry::FileChanged { path } = entry { Some(path) } else { None })
        .collect();
    changed.sort_unstable();
    assert_eq!(changed, ["a.txt", "by-shell.txt"]);
    assert_eq!(seen.last.as_ref().unwrap().turns_with_changes, 1);
    // Write, sleep, and the end after the word to go on.
    assert_eq!(asked(&agents, "word-of-the-killed").len(), 3);
    lose_a_question(&agents, &bench).await;
}

async fn lose_a_question(agents: &Agents, bench: &Bench) {
    let asking = bench.assignment(&json!([bash("touch asked.txt"), {"text": "went on"}]));
    let state = bench.runtime.dispatch(&asking).await.unwrap();
    let seen = bench.watch(&asking, state, |phase| matches!(phase, Phase::Waiting(_))).await;
    let Phase::Waiting(question) = seen.last().phase.clone() else { unreachable!() };
    agents.server.kill().await;
    agents.server.restart().await.unwrap();
    let decision = Some(Decision::Approve);
    let answer = Answer { question_id: question.question_id, decision, choices: None, text: None };
    let said = UserMessage::Answer { answer };
    let state =
        bench.runtime.send_message(&asking, &seen.state, shared::kernel::id::MessageId::new(), &said).await.unwrap();
    assert_eq!(bench.finish(&asking, state).await.completed(), "went on", "a question that was lost is no dead end");
}
