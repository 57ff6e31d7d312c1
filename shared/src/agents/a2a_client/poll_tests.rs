//! Tests of reading a polled task.

use serde_json::json;

use super::*;
use crate::agents::a2a_client::output;

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
fn every_message_of_the_agent_is_reported_once_in_order() {
    let mut state = A2aRunState::default();
    let history = json!([said("1", "ROLE_USER", "Do it."), said("2", "ROLE_AGENT", "I look.")]);
    let first = task(
        &json!({"history": history, "status": {"state": "TASK_STATE_WORKING", "message": said("3", "ROLE_AGENT", "I write.")}}),
    );
    let texts = |reported: Vec<TranscriptEntry>| -> Vec<String> {
        reported
            .into_iter()
            .map(|one| match one {
                TranscriptEntry::Message { text, .. } => text,
                other => panic!("{other:?}"),
            })
            .collect()
    };
    assert_eq!(texts(read_task(&first, &mut state).1), ["I look.", "I write."]);
    let history = json!([said("2", "ROLE_AGENT", "I look."), said("3", "ROLE_AGENT", "I write.")]);
    let later = task(
        &json!({"history": history, "status": {"state": "TASK_STATE_COMPLETED", "message": said("4", "ROLE_AGENT", "Done.")}}),
    );
    assert_eq!(texts(read_task(&later, &mut state).1), ["Done."]);
    assert!(read_task(&later, &mut state).1.is_empty());
}

#[test]
fn every_state_has_its_phase() {
    let word = said("m", "ROLE_AGENT", "Which one?");
    let phase = |state: &str| read_task(&in_state(state, &word), &mut A2aRunState::default()).0;
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
    let mut state = A2aRunState { answered: Some(question_id(&asked)), ..A2aRunState::default() };
    assert_eq!(read_task(&asked, &mut state).0, Phase::Working);
    let again = in_state("TASK_STATE_INPUT_REQUIRED", &said("2", "ROLE_AGENT", "Which one?"));
    assert!(matches!(read_task(&again, &mut state).0, Phase::Waiting(_)));
}

#[test]
fn a_path_that_would_leave_its_root_is_not_believed_and_nothing_is_lost() {
    let parts: Vec<_> = ["../../etc/passwd", "/etc/passwd", "a\\b", "C:x", "ok/report.md", "ok/report.md", ""]
        .into_iter()
        .map(|name| json!({"text": name, "filename": name}))
        .collect();
    let made = output::read_output(&task(&json!({"artifacts": [{"artifactId": "a", "name": "../x", "parts": parts}]})))
        .artifacts;
    assert_eq!(made.len(), 7);
    let paths: Vec<_> = made.iter().map(|one| one.path.as_str()).collect();
    assert_eq!(paths[4..6], ["ok/report.md", "2-report.md"]);
    assert!(paths[..4].iter().chain(&paths[6..]).all(|path| path.starts_with("artifact-")), "{paths:?}");
}

#[test]
fn a_patch_is_the_change_and_other_parts_are_files() {
    let patch = "diff --git a/x b/x\nnew file mode 100644\n--- /dev/null\n+++ b/x\n@@ -0,0 +1 @@\n+one\n";
    let work = output::read_output(&task(&json!({"artifacts": [{"artifactId": "a", "parts": [
        {"text": patch, "mediaType": "text/x-diff"},
        {"raw": "AAE=", "filename": "x.bin", "mediaType": "image/png"},
        {"url": "https://example.com/x"},
        {"data": {"a": 1}},
    ]}]})));
    assert_eq!((work.patch.as_str(), work.files.len(), work.files[0].path.as_str()), (patch, 1, "x"));
    let kinds: Vec<_> = work.artifacts.iter().map(|made| made.mime_type.as_str()).collect();
    assert_eq!(kinds, ["image/png", "text/uri-list", "application/json"]);
}

#[test]
fn a_completed_task_that_says_nothing_has_no_result_and_no_file() {
    let blank = json!({"artifactId": "a", "name": "result", "parts": [{"text": " \n"}]});
    for message in [Value::Null, said("1", "ROLE_AGENT", ""), said("1", "ROLE_AGENT", " \n")] {
        let status = json!({"state": "TASK_STATE_COMPLETED", "message": message});
        let task = task(&json!({"status": status, "artifacts": [blank]}));
        let (phase, _) = read_task(&task, &mut A2aRunState::default());
        assert_eq!(phase, completed_phase(""), "{message}");
        assert!(output::read_output(&task).is_empty(), "{message}");
    }
    let named = json!({"artifactId": "a", "parts": [{"text": "", "filename": "src/__init__.py"}]});
    assert!(!output::read_output(&task(&json!({"artifacts": [named]}))).is_empty(), "an empty file is a file");
}
