//! Questions of kind `sessions`: an agent waits for sessions that it created, and its own takes no slot meanwhile.

use harness::{TestApp, found, runner::TestRunner, runner::registration};
use serde_json::{Value, json};
use shared::{
    identity::{auth::Role, tenants::TenantLimits},
    platform::queue::job::Job,
};

/// A session of the runner with its task, and a child of it.
struct Family {
    parent: String,
    task: Value,
    child: String,
}

async fn family(world: &TestApp, runner: &TestRunner) -> Family {
    let parent = runner.session(&world.caller(Role::Member)).await;
    let task = runner.task().await;
    let child = spawn(runner, &task).await;
    Family { parent, task, child }
}

async fn spawn(runner: &TestRunner, task: &Value) -> String {
    let body = json!({"lease_token": task["lease"]["token"], "request_id": "1", "prompt": "Do a part."});
    let path = runner.path(&format!("tasks/{}/sessions", task["task_id"].as_str().unwrap()));
    runner.caller.post(&path, body).await.expect(201)["id"].as_str().unwrap().to_owned()
}

/// Reports that the agent of a task waits for sessions.
async fn wait_for(runner: &TestRunner, task: &Value, sessions: &[&str]) {
    let question =
        json!({"question_id": "1-1", "kind": "sessions", "text": "Waits.", "details": {"sessions": sessions}});
    runner.progress(task, json!({"seq": 1, "question": question})).await.expect(200);
}

/// What the agent of a task gets.
async fn answer(runner: &TestRunner, task: &Value) -> String {
    found(async || {
        let report = runner.progress(task, json!({"seq": 2})).await.expect(200);
        report["messages"][0]["answer"]["text"].as_str().map(str::to_owned)
    })
    .await
}

async fn small_runner(world: &TestApp) -> TestRunner {
    let mut body = registration("small", &["opencode"]);
    body["slots"] = json!(1);
    world.enrol(&world.tenant, "farm", body).await
}

#[tokio::test]
async fn a_session_that_waits_for_its_child_gives_it_the_only_slot() {
    let world = TestApp::limited(TenantLimits { max_concurrent_sessions: 1, ..Default::default() }).await;
    let (member, runner) = (world.caller(Role::Member), small_runner(&world).await);
    let Family { parent, task, child } = family(&world, &runner).await;
    let queued = member.reaches(&child, &["queued"]).await;
    assert_eq!(queued["queue"]["waiting_for"], "slot", "{queued:#}");
    wait_for(&runner, &task, &[&child]).await;
    let paused = member.reaches(&parent, &["paused"]).await;
    assert_eq!(paused["pause"]["reason"], "dependency", "{paused:#}");
    let of_child = runner.task().await;
    assert_eq!(of_child["session_id"], json!(child));
    assert_eq!(member.session(&parent).await["status"], "paused", "the wait goes on");
    assert_eq!(runner.result(&of_child, "The part is done.").await.status, 202);
    member.reaches(&parent, &["running"]).await;
    let text = answer(&runner, &task).await;
    assert!(text.contains(&child) && text.contains("completed\nThe part is done."), "{text}");
    assert_eq!(runner.result(&task, "All is done.").await.status, 202);
    member.reaches(&parent, &["completed"]).await;
    assert_eq!(member.states(&parent).await, ["queued", "running", "paused", "running", "completed"]);
}

#[tokio::test]
async fn a_wait_for_sessions_that_are_over_is_answered_without_a_pause() {
    let world = TestApp::new().await;
    let (member, runner) = (world.caller(Role::Member), world.runner("farm", "one").await);
    let Family { parent, task, child } = family(&world, &runner).await;
    let of_child = runner.task().await;
    assert_eq!(runner.result(&of_child, "The part is done.").await.status, 202);
    member.reaches(&child, &["completed"]).await;
    let unrelated = member.new_session(json!({})).await;
    wait_for(&runner, &task, &[&child, &unrelated]).await;
    let text = answer(&runner, &task).await;
    assert!(text.contains("The part is done."), "{text}");
    assert!(text.contains(&format!("Session {unrelated}: your session has no such child.")), "{text}");
    assert_eq!(runner.result(&task, "All is done.").await.status, 202);
    member.reaches(&parent, &["completed"]).await;
    assert!(!member.states(&parent).await.contains(&"paused".to_owned()));
}

#[tokio::test]
async fn a_wait_ends_after_some_time_although_a_session_is_not_over() {
    let world = TestApp::new().await;
    let (member, runner) = (world.caller(Role::Member), world.runner("farm", "one").await);
    let Family { parent, task, child } = family(&world, &runner).await;
    runner.task().await;
    wait_for(&runner, &task, &[&child]).await;
    member.reaches(&parent, &["paused"]).await;
    let owner = world.superuser().await;
    let before =
        "status_changed_at = status_changed_at - interval '1 hour', next_step_at = now() - interval '1 second'";
    owner.run(&format!("update sessions set {before} where id = '{parent}'")).await;
    world.run(Job::observe(world.tenant.id, parent.parse().unwrap())).await;
    let text = answer(&runner, &task).await;
    assert!(text.starts_with("Not all of these sessions are over"), "{text}");
    world.may_leave_work("the runner keeps its tasks");
}

#[tokio::test]
async fn a_person_who_says_something_ends_the_wait() {
    let world = TestApp::new().await;
    let (member, runner) = (world.caller(Role::Member), world.runner("farm", "one").await);
    let Family { parent, task, child } = family(&world, &runner).await;
    wait_for(&runner, &task, &[&child]).await;
    member.reaches(&parent, &["paused"]).await;
    member.post(&format!("/sessions/{parent}/messages"), json!({"text": "Go on without it."})).await.expect(202);
    assert_eq!(answer(&runner, &task).await, "Go on without it.");
    member.reaches(&parent, &["running"]).await;
    world.may_leave_work("the runner keeps its tasks");
}

#[tokio::test]
async fn children_of_a_stopped_session_are_orphaned_while_they_wait_and_go_on_at_work() {
    let world = TestApp::new().await;
    let (member, runner) = (world.caller(Role::Member), world.runner("farm", "one").await);
    let Family { parent, task, child } = family(&world, &runner).await;
    let of_child = runner.task().await;
    let grandchild = spawn(&runner, &of_child).await;
    let waiting = member.new_session(json!({"parent_id": parent})).await;
    wait_for(&runner, &task, &[&child]).await;
    wait_for(&runner, &of_child, &[&grandchild]).await;
    for id in [&parent, &child] {
        member.reaches(id, &["paused"]).await;
    }
    member.act(&format!("/sessions/{parent}/stop")).await.expect(200);
    member.reaches(&waiting, &["orphaned"]).await;
    assert_eq!(member.session(&child).await["status"], "paused", "it is at work, by a session of its own");
    let of_grandchild = runner.task().await;
    assert_eq!(runner.result(&of_grandchild, "Done.").await.status, 202);
    assert!(answer(&runner, &of_child).await.contains("Done."));
    assert_eq!(runner.result(&of_child, "Done.").await.status, 202);
    member.reaches(&child, &["completed"]).await;
    world.may_leave_work("the runner keeps the task of the stopped session");
}
