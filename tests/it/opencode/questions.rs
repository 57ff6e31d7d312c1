//! An agent that asks, and the answers it gets.

use serde_json::json;
use shared::{
    agents::contract::{
        AgentRuntime, Answer, Assignment, Decision, Phase, Question, QuestionKind, RunState, UserMessage,
    },
    kernel::{failure::Category, id::MessageId},
};

use super::{Bench, Seen, bash, script, worktree};

fn answer(question: &Question) -> Answer {
    Answer { question_id: question.question_id.clone(), decision: None, choices: None, text: None }
}

async fn asked(bench: &Bench, assignment: &Assignment, state: RunState) -> (Seen, Question) {
    let seen = bench.watch(assignment, state, |phase| matches!(phase, Phase::Waiting(_) | Phase::Finished(_))).await;
    let Phase::Waiting(question) = seen.last().phase.clone() else { panic!("it asked nothing: {:?}", seen.phases) };
    (seen, question)
}

async fn reply(bench: &Bench, assignment: &Assignment, state: &RunState, answer: Answer) -> RunState {
    let (id, said) = (MessageId::new(), UserMessage::Answer { answer });
    let answered = bench.runtime.send_message(assignment, state, id, &said).await.unwrap();
    bench.runtime.send_message(assignment, state, id, &said).await.unwrap();
    answered
}

#[tokio::test]
async fn an_approval_is_requested_and_holds_once() {
    let bench = Bench::new();
    let steps = json!([bash("touch asked.txt"), bash("touch asked.txt"), {"text": "ok"}]);
    let assignment = bench.assignment(&steps);
    let state = bench.runtime.dispatch(&assignment).await.unwrap();
    let (seen, first) = asked(&bench, &assignment, state).await;
    assert_eq!(first.kind, QuestionKind::Approval);
    assert_eq!(first.details["metadata"]["command"], "touch asked.txt");
    let approved = Answer { decision: Some(Decision::Approve), ..answer(&first) };
    let state = reply(&bench, &assignment, &seen.state, approved).await;
    let (seen, second) = asked(&bench, &assignment, state).await;
    assert_ne!(first.question_id, second.question_id, "approved for this once only");
    assert!(worktree(&seen.state).join("asked.txt").is_file());
    let unfit = UserMessage::Answer { answer: Answer { text: Some("well".to_owned()), ..answer(&second) } };
    let failure = bench.runtime.send_message(&assignment, &seen.state, MessageId::new(), &unfit).await.unwrap_err();
    assert_eq!(failure.category, Category::User);
    let denied = Answer { decision: Some(Decision::Deny), text: Some("not again".to_owned()), ..answer(&second) };
    let state = reply(&bench, &assignment, &seen.state, denied).await;
    let seen = bench.finish(&assignment, state).await;
    assert_eq!(seen.completed(), "ok", "a refusal with words lets it go on");
    assert_eq!(seen.tools("bash"), ["error"]);
}

#[tokio::test]
async fn an_approval_for_a_child_session_is_requested_too() {
    let bench = Bench::new();
    let inner = script(&json!([bash("touch asked.txt"), {"text": "child"}]));
    let task = json!({"tool": "task", "args": {"description": "sub", "prompt": inner, "subagent_type": "general"}});
    let assignment = bench.assignment(&json!([task, {"text": "ok"}]));
    let state = bench.runtime.dispatch(&assignment).await.unwrap();
    let (seen, question) = asked(&bench, &assignment, state).await;
    let approved = Answer { decision: Some(Decision::Approve), ..answer(&question) };
    let state = reply(&bench, &assignment, &seen.state, approved).await;
    assert_eq!(bench.finish(&assignment, state).await.completed(), "ok");
}

#[tokio::test]
async fn several_questions_are_asked_one_by_one_and_answered_together() {
    let bench = Bench::new();
    let questions = json!([
        {"question": "Which database?", "header": "db", "options": [{"label": "pg", "description": "Postgres"}]},
        {"question": "Which name?", "header": "name", "options": [{"label": "a", "description": ""}]}
    ]);
    let ask = json!({"tool": "question", "args": {"questions": questions}});
    let assignment = bench.assignment(&json!([ask, {"text": "ok"}]));
    let state = bench.runtime.dispatch(&assignment).await.unwrap();
    let (seen, first) = asked(&bench, &assignment, state).await;
    assert_eq!((first.kind, first.text.as_str()), (QuestionKind::Input, "Which database?"));
    assert_eq!(first.options[0].label, "pg");
    let state =
        reply(&bench, &assignment, &seen.state, Answer { choices: Some(vec!["pg".to_owned()]), ..answer(&first) })
            .await;
    let (seen, second) = asked(&bench, &assignment, state).await;
    assert_eq!(second.text, "Which name?");
    let state =
        reply(&bench, &assignment, &seen.state, Answer { text: Some("ledger".to_owned()), ..answer(&second) }).await;
    let seen = bench.finish(&assignment, state).await;
    assert_eq!(seen.completed(), "ok");
    let reported = format!("{:?}", seen.entries);
    assert!(reported.contains("pg") && reported.contains("ledger"), "{reported}");
}

#[tokio::test]
async fn a_question_that_is_declined_ends_the_run_with_the_reason() {
    let bench = Bench::new();
    let questions = json!([{"question": "Which?", "header": "h", "options": [{"label": "a", "description": ""}]}]);
    let assignment = bench.assignment(&json!([{"tool": "question", "args": {"questions": questions}}, {"text": "ok"}]));
    let state = bench.runtime.dispatch(&assignment).await.unwrap();
    let (seen, question) = asked(&bench, &assignment, state).await;
    let declined = Answer { decision: Some(Decision::Deny), ..answer(&question) };
    let state = reply(&bench, &assignment, &seen.state, declined).await;
    assert_eq!(bench.finish(&assignment, state).await.failed().code, "AGENT_STOPPED");
}
