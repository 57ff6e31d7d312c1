//! Each row of the poll table, and that no sight of an idle session is decided before its time.

use proptest::prelude::*;
use serde_json::{Value, json};

use super::*;

const OURS: &str = "msg_2";

fn messages(list: &Value) -> Vec<Message> {
    serde_json::from_value(list.clone()).unwrap()
}

fn user(id: &str) -> Value {
    json!({"info": {"id": id, "role": "user"}})
}

/// An assistant's step in answer to `parent`, with what `more` says of it.
fn step(id: &str, parent: &str, more: &Value) -> Value {
    let mut info = json!({"id": id, "role": "assistant", "parentID": parent, "time": {"created": 1}});
    for (key, value) in more.as_object().unwrap() {
        info[key] = value.clone();
    }
    json!({"info": info})
}

fn done(finish: &str) -> Value {
    json!({"finish": finish, "time": {"created": 1, "completed": 2}})
}

fn sight(messages: &[Message]) -> Sight<'_> {
    Sight {
        statuses: Vec::new(),
        permission: None,
        question: None,
        messages,
        anchor: OURS,
        anchor_told: false,
        lasted: false,
        now_ms: 0,
        max_attempts: 3,
        max_wait_ms: 60_000,
    }
}

/// What an idle session with these messages means at first, and when it has lasted.
fn idle(list: &Value) -> (Verdict, Verdict) {
    let messages = messages(list);
    (judge(&sight(&messages)), judge(&Sight { lasted: true, ..sight(&messages) }))
}

fn unsure(begun: bool) -> Verdict {
    Verdict::Unsure { begun }
}

#[test]
fn a_prompt_that_nobody_took_up_is_unanswered_after_grace() {
    for list in [
        json!([]),
        json!([user(OURS)]),
        json!([user("msg_0"), step("msg_1", "msg_0", &done("stop"))]),
        json!([user("msg_0"), step("msg_1", "msg_0", &done("stop")), user(OURS)]),
        // A step that began before ours was stored does not know of it.
        json!([user("msg_0"), user(OURS), step("msg_3", "msg_0", &done("stop"))]),
        json!([user(OURS), step("msg_3", OURS, &json!({"summary": true, "finish": "stop", "time": {"completed": 1}}))]),
    ] {
        assert_eq!(idle(&list), (unsure(false), Verdict::Unanswered), "{list}");
    }
}

#[test]
fn a_step_that_ends_by_itself_completes_the_run_at_once() {
    for (finish, cut) in [("stop", false), ("length", true), ("something-new", false)] {
        let list = json!([user(OURS), step("msg_3", OURS, &done(finish))]);
        assert_eq!(idle(&list), (Verdict::Completed { cut }, Verdict::Completed { cut }));
    }
    // A compaction puts a message of its own between ours and the answer.
    let list = json!([user(OURS), user("msg_4"), step("msg_5", "msg_4", &done("stop"))]);
    assert_eq!(idle(&list).0, Verdict::Completed { cut: false });
}

#[test]
fn a_step_without_an_end_was_interrupted_when_it_stays_so() {
    let list = json!([user(OURS), step("msg_3", OURS, &json!({}))]);
    assert_eq!(idle(&list), (unsure(true), Verdict::Interrupted));
    let list = json!([user(OURS), step("msg_3", OURS, &done("tool-calls"))]);
    assert_eq!(idle(&list), (unsure(true), Verdict::Interrupted), "killed between two steps");
}

#[test]
fn a_step_that_ended_without_a_reason_was_aborted() {
    let list = json!([user(OURS), step("msg_3", OURS, &json!({"time": {"created": 1, "completed": 2}}))]);
    assert_eq!(idle(&list), (unsure(true), Verdict::Aborted));
}

#[test]
fn a_refused_tool_stops_the_run() {
    for why in ["The user rejected permission to use this specific tool call.", "The user dismissed this question"] {
        let mut refused = step("msg_3", OURS, &done("tool-calls"));
        refused["parts"] = json!([{"type": "tool", "state": {"status": "error", "error": why}}]);
        let (first, then) = idle(&json!([user(OURS), refused]));
        assert_eq!(first, unsure(true));
        assert!(matches!(then, Verdict::Failed(failure) if failure.code == "AGENT_STOPPED"));
    }
}

#[test]
fn an_error_ends_the_run_and_only_an_overflow_is_waited_for() {
    let with = |name: &str| json!([user(OURS), step("msg_3", OURS, &json!({"error": {"name": name}}))]);
    assert_eq!(idle(&with("MessageAbortedError")).0, Verdict::Aborted);
    assert!(matches!(idle(&with("ProviderAuthError")).0, Verdict::Failed(_)));
    let (first, then) = idle(&with("ContextOverflowError"));
    assert_eq!(first, unsure(true));
    assert!(matches!(then, Verdict::Failed(failure) if failure.code == "CONTEXT_OVERFLOW"));
}

#[test]
fn a_long_run_whose_prompt_is_pages_back_is_judged_by_its_last_step() {
    let list = messages(&json!([step("msg_8", OURS, &done("tool-calls")), step("msg_9", OURS, &done("stop"))]));
    assert_eq!(judge(&sight(&list)), unsure(false), "never seen: it may not be there at all");
    assert_eq!(judge(&Sight { anchor_told: true, ..sight(&list) }), Verdict::Completed { cut: false });
}

#[test]
fn a_question_comes_before_everything_else() {
    let list = messages(&json!([user(OURS), step("msg_3", OURS, &done("stop"))]));
    let (permission, question) = (PermissionRequest::default(), QuestionRequest::default());
    let busy = Status { kind: "busy".to_owned(), ..Status::default() };
    let both = Sight { permission: Some(&permission), question: Some(&question), ..sight(&list) };
    assert_eq!(judge(&both), Verdict::Permission);
    let one = Sight { question: Some(&question), statuses: vec![&busy], ..sight(&list) };
    assert_eq!(judge(&one), Verdict::Question);
    assert_eq!(judge(&Sight { statuses: vec![&busy], ..sight(&list) }), Verdict::Busy { begun: true });
    assert_eq!(judge(&Sight { statuses: vec![&busy], ..sight(&[]) }), Verdict::Busy { begun: false });
}

fn retry(attempt: u32, message: &str, next: f64) -> Status {
    Status { kind: "retry".to_owned(), attempt, message: message.to_owned(), next }
}

#[test]
fn a_provider_is_waited_for_within_bounds() {
    let seen = |status: &Status| judge(&Sight { statuses: vec![status], ..sight(&[]) });
    let message = "stub error 500".to_owned();
    assert_eq!(seen(&retry(2, &message, 60_000.0)), Verdict::Retrying { attempt: 2, message });
    let Verdict::GiveUp(GaveUp::Failed(failure)) = seen(&retry(3, "stub error 500", 1.0)) else { panic!() };
    assert_eq!(failure.category, Category::Transient);
    let Verdict::GiveUp(GaveUp::Failed(failure)) = seen(&retry(3, "stub error 429", 1.0)) else { panic!() };
    assert_eq!(failure.category, Category::RateLimit);
    let Verdict::GiveUp(GaveUp::Failed(failure)) = seen(&retry(1, "stub error 500", 60_001.0)) else { panic!() };
    assert_eq!(failure.category, Category::Transient);
    let limited = GaveUp::Limited { message: "Rate limit".to_owned(), resume_at_ms: 3_600_000 };
    assert_eq!(seen(&retry(1, "Rate limit", 3_600_000.0)), Verdict::GiveUp(limited));
}

#[test]
fn a_child_that_waits_for_its_provider_counts_as_the_run() {
    let busy = Status { kind: "busy".to_owned(), ..Status::default() };
    let child = retry(1, "stub error 503", 1.0);
    let both = Sight { statuses: vec![&busy, &child], ..sight(&[]) };
    assert!(matches!(judge(&both), Verdict::Retrying { attempt: 1, .. }));
}

proptest! {
    #[test]
    fn while_it_is_busy_nothing_ends_a_run(
        finish in prop::option::of("stop|length|tool-calls|unknown"),
        error in prop::option::of("MessageAbortedError|APIError|ContextOverflowError"),
        completed in any::<bool>(),
        lasted in any::<bool>(),
    ) {
        let mut info = json!({"finish": finish, "time": {"created": 1}});
        if completed {
            info["time"]["completed"] = json!(2);
        }
        if let Some(name) = error {
            info["error"] = json!({"name": name});
        }
        let mut list = json!([user(OURS), step("msg_3", OURS, &info)]);
        if finish.is_none() {
            list[1]["info"].as_object_mut().unwrap().remove("finish");
        }
        let list = messages(&list);
        let busy = Status { kind: "busy".to_owned(), ..Status::default() };
        let seen = judge(&Sight { statuses: vec![&busy], lasted, ..sight(&list) });
        prop_assert_eq!(seen, Verdict::Busy { begun: true });
    }
}

#[test]
fn a_doubt_is_about_what_was_seen_last() {
    let one = json!([user(OURS), step("msg_3", OURS, &json!({}))]);
    let mut more = one.clone();
    more[1]["parts"] = json!([{"type": "text", "text": "a"}]);
    let mut longer = one.clone();
    longer[1]["parts"] = json!([{"type": "text", "text": "ab"}]);
    let prints: Vec<_> = [one, more, longer].iter().map(|list| fingerprint(&messages(list))).collect();
    assert!(prints[0] != prints[1] && prints[1] != prints[2]);
}
