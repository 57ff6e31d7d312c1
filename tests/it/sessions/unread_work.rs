//! The end of a run whose work or answers cannot be read, or that has none.

use std::sync::atomic::Ordering::SeqCst;

use chrono::TimeDelta;
use serde_json::{Value, json};
use shared::{
    agents::contract::{FileStatus, Finish, Phase, RunOutput},
    kernel::failure::Failure,
};

use super::bad_input::{Scene, change, done, running, seconds};

/// Has the agent change one file.
fn works(scene: &Scene) {
    let files = vec![change("a.rs", FileStatus::Modified, "the diff")];
    *scene.agent.work.lock().unwrap() = RunOutput { files, patch: "the patch".to_owned(), ..RunOutput::default() };
}

async fn diff_size(scene: &Scene) -> usize {
    let diff = scene.caller.get(&format!("/sessions/{}/diff", scene.id)).await.expect(200);
    diff["items"].as_array().unwrap().len()
}

async fn warnings(scene: &Scene, code: &str) -> usize {
    let events = scene.caller.events(&scene.id).await;
    events.iter().filter(|event| event["payload"]["code"] == code && event["payload"]["level"] == "warning").count()
}

#[tokio::test]
async fn work_that_cannot_be_read_at_the_end_is_read_again() {
    let scene = running(json!({})).await;
    works(&scene);
    scene.agent.unreadable.store(3, SeqCst);
    scene.shows(done());
    for left in [2, 1, 0] {
        scene.after(seconds(10)).await;
        assert_eq!(scene.session().await["status"], "running");
        assert_eq!(scene.agent.unreadable.load(SeqCst), left);
    }
    scene.after(seconds(10)).await;
    assert_eq!((scene.session().await["status"].clone(), diff_size(&scene).await), (json!("completed"), 1));
    assert_eq!(warnings(&scene, "WORK_UNREADABLE").await, 3);
}

#[tokio::test]
async fn a_run_whose_work_stays_unreadable_is_no_success_and_claims_nothing() {
    let scene = running(json!({})).await;
    scene.agent.unreadable.store(usize::MAX, SeqCst);
    scene.shows(done());
    for _ in 0..5 {
        scene.after(seconds(10)).await;
    }
    let session = scene.session().await;
    assert_eq!(session["status"], "partially_completed", "{session:#}");
    assert_eq!(session["outcome"]["error"]["code"], "WORK_UNREADABLE");
    assert_eq!(warnings(&scene, "WORK_UNREADABLE").await, 5);
}

#[tokio::test]
async fn the_work_of_a_stopped_run_is_read_later_if_it_cannot_be_read_at_once() {
    let scene = running(json!({})).await;
    works(&scene);
    scene.agent.unreadable.store(1, SeqCst);
    scene.act("stop").await;
    scene.after(seconds(1)).await;
    assert_eq!((scene.session().await["status"].clone(), diff_size(&scene).await), (json!("stopped"), 0));
    scene.after(seconds(61)).await;
    assert_eq!((diff_size(&scene).await, warnings(&scene, "WORK_UNREADABLE").await), (1, 1));
    let patch = "select count(*) from session_checkpoints where patch = 'the patch'";
    assert_eq!(scene.world.superuser().await.number(patch).await, 1, "a retry continues from the work");
}

#[tokio::test]
async fn the_work_of_an_agent_that_cannot_be_reached_at_the_end_is_kept() {
    let scene = running(json!({})).await;
    works(&scene);
    *scene.agent.trouble.lock().unwrap() = Some(Failure::transient("AGENT_UNREACHABLE", "It does not answer."));
    for _ in 0..3 {
        scene.after(seconds(10)).await;
    }
    let session = scene.session().await;
    assert_eq!(
        (&session["status"], &session["outcome"]["error"]["code"]),
        (&json!("failed"), &json!("AGENT_UNREACHABLE"))
    );
    assert_eq!(diff_size(&scene).await, 1);
}

#[tokio::test]
async fn an_answer_that_is_not_understood_fails_the_run_at_once_and_its_work_is_kept() {
    let scene = running(json!({})).await;
    works(&scene);
    *scene.agent.trouble.lock().unwrap() = Some(Failure::not_understood("it is no JSON", b"<html>"));
    scene.after(seconds(1)).await;
    let session = scene.session().await;
    let error = &session["outcome"]["error"];
    assert_eq!((&error["code"], &error["category"]), (&json!("AGENT_PROTOCOL"), &json!("agent")), "{session:#}");
    assert!(error["message"].as_str().unwrap().contains("<html>"), "{error}");
    assert_eq!(diff_size(&scene).await, 1);
}

#[tokio::test]
async fn a_run_without_any_work_or_word_of_its_agent_is_no_success() {
    for (result, status) in [
        (json!({"text": " "}), "failed"),
        (Value::Null, "failed"),
        (json!({"text": "Done."}), "completed"),
        (json!({"score": 3}), "completed"),
    ] {
        let scene = running(json!({})).await;
        scene.shows(Phase::Finished(Finish::Completed { result, success_rate: None, confidence_score: None }));
        scene.after(seconds(1)).await;
        let session = scene.session().await;
        assert_eq!(session["status"], status, "{session:#}");
        let code = if status == "failed" { json!("NO_OUTPUT") } else { Value::Null };
        assert_eq!(session["outcome"]["error"]["code"], code, "{session:#}");
    }
    let scene = running(json!({})).await;
    works(&scene);
    let silent = Finish::Completed { result: Value::Null, success_rate: None, confidence_score: None };
    scene.shows(Phase::Finished(silent));
    scene.after(seconds(1)).await;
    assert_eq!(scene.session().await["status"], "completed", "it changed a file");
}

#[tokio::test]
async fn a_clock_that_is_set_back_does_not_stop_running_sessions() {
    let scene = running(json!({})).await;
    scene.after(seconds(1)).await;
    scene.clock.advance(TimeDelta::hours(-2));
    let due = format!("select count(*) from due_sessions('{}', 10)", scene.clock.now());
    assert_eq!(scene.world.superuser().await.number(&due).await, 1, "the reconciler finds it");
    scene.shows(done());
    scene.after(seconds(1)).await;
    assert_eq!(scene.session().await["status"], "completed");
}
