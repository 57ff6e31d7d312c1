//! What a task tells, case by case.

use serde_json::json;

use super::*;
use crate::runtime::a2a::work;

fn task(body: &Value) -> Task {
    let mut task = json!({"id": "t", "contextId": "c", "status": {"state": "TASK_STATE_WORKING"}});
    task.as_object_mut().unwrap().extend(body.as_object().unwrap().clone());
    serde_json::from_value(task).unwrap()
}

fn said(id: &str, role: &str, text: &str) -> Value {
    json!({"messageId": id, "role": role, "parts": [{"text": text}]})
}

fn in_state(state: &str, message: &Value) -> Task {
    task(&json!({"status": {"state": state, "message": message}}))
}

#[test]
fn every_message_of_the_agent_is_told_once_in_order() {
    let mut memory = Memory::default();
    let history = json!([said("1", "ROLE_USER", "Do it."), said("2", "ROLE_AGENT", "I look.")]);
    let first = task(
        &json!({"history": history, "status": {"state": "TASK_STATE_WORKING", "message": said("3", "ROLE_AGENT", "I write.")}}),
    );
    let texts = |told: Vec<Entry>| -> Vec<String> {
        told.into_iter()
            .map(|one| match one {
                Entry::Message { text, .. } => text,
                other => panic!("{other:?}"),
            })
            .collect()
    };
    assert_eq!(texts(at(&first, &mut memory).1), ["I look.", "I write."]);
    let history = json!([said("2", "ROLE_AGENT", "I look."), said("3", "ROLE_AGENT", "I write.")]);
    let later = task(
        &json!({"history": history, "status": {"state": "TASK_STATE_COMPLETED", "message": said("4", "ROLE_AGENT", "Done.")}}),
    );
    assert_eq!(texts(at(&later, &mut memory).1), ["Done."]);
    assert!(at(&later, &mut memory).1.is_empty());
}

#[test]
fn every_state_has_its_phase() {
    let word = said("m", "ROLE_AGENT", "Which one?");
    let phase = |state: &str| at(&in_state(state, &word), &mut Memory::default()).0;
    assert_eq!(phase("TASK_STATE_SUBMITTED"), Phase::Starting);
    assert_eq!(phase("TASK_STATE_WORKING"), Phase::Working);
    let Phase::Waiting(question) = phase("TASK_STATE_INPUT_REQUIRED") else { panic!("no question") };
    assert_eq!((question.kind, question.text.as_str()), (QuestionKind::Input, "Which one?"));
    let Phase::Waiting(question) = phase("TASK_STATE_AUTH_REQUIRED") else { panic!("no question") };
    assert_eq!(question.kind, QuestionKind::Auth);
    assert!(matches!(phase("TASK_STATE_COMPLETED"), Phase::Finished(Finish::Completed { .. })));
    assert_eq!(phase("TASK_STATE_CANCELED"), Phase::Finished(Finish::Aborted));
    for (state, code) in [("TASK_STATE_FAILED", "AGENT_FAILED"), ("TASK_STATE_REJECTED", "TASK_REJECTED")] {
        let Phase::Finished(Finish::Failed(failure)) = phase(state) else { panic!("not failed") };
        assert_eq!((failure.code.as_str(), failure.message.as_str()), (code, "Which one?"));
    }
}

#[test]
fn a_question_that_was_answered_is_not_asked_again_and_another_is() {
    let asked = in_state("TASK_STATE_INPUT_REQUIRED", &said("1", "ROLE_AGENT", "Which one?"));
    let mut memory = Memory { answered: Some(question_id(&asked)), ..Memory::default() };
    assert_eq!(at(&asked, &mut memory).0, Phase::Working);
    let again = in_state("TASK_STATE_INPUT_REQUIRED", &said("2", "ROLE_AGENT", "Which one?"));
    assert!(matches!(at(&again, &mut memory).0, Phase::Waiting(_)));
}

#[test]
fn a_path_that_would_leave_its_root_is_not_believed_and_nothing_is_lost() {
    let parts: Vec<_> = ["../../etc/passwd", "/etc/passwd", "a\\b", "C:x", "ok/report.md", "ok/report.md", ""]
        .into_iter()
        .map(|name| json!({"text": name, "filename": name}))
        .collect();
    let made = work::of(&task(&json!({"artifacts": [{"artifactId": "a", "name": "../x", "parts": parts}]}))).artifacts;
    assert_eq!(made.len(), 7);
    let paths: Vec<_> = made.iter().map(|one| one.path.as_str()).collect();
    assert_eq!(paths[4..6], ["ok/report.md", "2-report.md"]);
    assert!(paths[..4].iter().chain(&paths[6..]).all(|path| path.starts_with("artifact-")), "{paths:?}");
}

#[test]
fn a_patch_is_the_change_and_other_parts_are_files() {
    let patch = "diff --git a/x b/x\nnew file mode 100644\n--- /dev/null\n+++ b/x\n@@ -0,0 +1 @@\n+one\n";
    let work = work::of(&task(&json!({"artifacts": [{"artifactId": "a", "parts": [
        {"text": patch, "mediaType": "text/x-diff"},
        {"raw": "AAE=", "filename": "x.bin", "mediaType": "image/png"},
        {"url": "https://example.com/x"},
        {"data": {"a": 1}},
    ]}]})));
    assert_eq!((work.patch.as_str(), work.files.len(), work.files[0].path.as_str()), (patch, 1, "x"));
    let kinds: Vec<_> = work.artifacts.iter().map(|made| made.mime_type.as_str()).collect();
    assert_eq!(kinds, ["image/png", "text/uri-list", "application/json"]);
}
