//! The tasks of a pool: each goes to one runner, which alone reports on it.

use std::collections::BTreeSet;

use futures_util::future::join_all;
use harness::{TestApp, runner::registration};
use serde_json::json;
use shared::identity::auth::Role;

use super::items;

#[tokio::test]
async fn a_session_is_worked_on_by_a_runner_and_completed() {
    let world = TestApp::new().await;
    let (caller, runner) = (world.caller(Role::Member), world.runner("farm", "one").await);
    let id = runner.session(&caller).await;
    let task = runner.task().await;
    caller.reaches(&id, &["running"]).await;
    let shown = caller.get(&format!("/api/v1/runners/{}", runner.id)).await.expect(200);
    assert_eq!((&shown["busy"], &shown["tasks"][0]["session_id"]), (&json!(1), &json!(id)));
    assert_eq!((&shown["tasks"][0]["program"], &shown["tasks"][0]["phase"]), (&json!("opencode"), &json!("claimed")));
    runner.progress(&task, json!({"seq": 1, "message": "Looking at the parser."})).await.expect(200);
    caller.sees(&id, "session.message").await;
    assert_eq!(runner.result(&task, "Fixed.").await.status, 202);
    let session = caller.reaches(&id, &["completed"]).await;
    assert_eq!(session["outcome"]["result"], json!({"text": "Fixed."}));
    let shown = caller.get(&format!("/api/v1/runners/{}", runner.id)).await.expect(200);
    assert_eq!((&shown["busy"], &shown["tasks"]), (&json!(0), &json!([])));
}

#[tokio::test]
async fn two_runners_of_a_pool_never_get_the_same_task() {
    let world = TestApp::new().await;
    let caller = world.caller(Role::Member);
    let (one, two) = (world.runner("farm", "one").await, world.runner("farm", "two").await);
    let sessions: BTreeSet<_> = join_all((0..6).map(|_| one.session(&caller))).await.into_iter().collect();
    let claims = (0..3).flat_map(|_| [one.task(), two.task()]);
    let claimed = join_all(claims).await;
    let claimed: BTreeSet<_> = claimed.iter().map(|task| task["session_id"].as_str().unwrap().to_owned()).collect();
    assert_eq!(claimed, sessions, "each was claimed once");
    world.may_leave_work("the runners keep their tasks");
}

#[tokio::test]
async fn a_runner_claims_no_more_tasks_than_it_has_slots() {
    let world = TestApp::new().await;
    let caller = world.caller(Role::Member);
    let mut body = registration("small", &["opencode"]);
    body["slots"] = json!(1);
    let small = world.enrol(&world.tenant, "farm", body).await;
    let big = world.runner("farm", "big").await;
    for _ in 0..2 {
        small.session(&caller).await;
    }
    let task = small.task().await;
    assert_eq!(small.claim(0).await.status, 204, "its slot is taken");
    big.task().await;
    assert_eq!(small.result(&task, "Done.").await.status, 202);
    small.session(&caller).await;
    small.task().await;
    world.may_leave_work("the runners keep their tasks");
}

#[tokio::test]
async fn a_task_that_waits_for_a_person_keeps_its_runner_and_takes_no_slot() {
    let world = TestApp::new().await;
    let caller = world.caller(Role::Member);
    let mut body = registration("small", &["opencode"]);
    body["slots"] = json!(1);
    let small = world.enrol(&world.tenant, "farm", body).await;
    let first = small.session(&caller).await;
    let asking = small.task().await;
    let question = json!({"question_id": "1-1", "kind": "input", "text": "Which colour?"});
    small.progress(&asking, json!({"seq": 1, "question": question})).await.expect(200);
    caller.reaches(&first, &["paused"]).await;
    let busy =
        async || world.caller(Role::Lead).get(&format!("/api/v1/runners/{}", small.id)).await.json()["busy"].clone();
    assert_eq!(busy().await, 0);
    let second = small.session(&caller).await;
    let task = small.task().await;
    assert_eq!((&task["session_id"], busy().await), (&json!(second), json!(1)));
    let answer = json!({"answer": {"question_id": "1-1", "text": "blue"}});
    caller.post(&format!("/sessions/{first}/messages"), answer).await.expect(202);
    caller.reaches(&first, &["queued"]).await;
    assert_eq!(small.result(&task, "Done.").await.status, 202);
    caller.reaches(&first, &["running"]).await;
    let report = small.progress(&asking, json!({"seq": 2})).await.expect(200);
    assert_eq!(report["messages"][0]["answer"]["text"], "blue", "{report}");
    assert_eq!(small.result(&asking, "Blue.").await.status, 202);
    caller.reaches(&first, &["completed"]).await;
    let events = caller.events(&first).await;
    let is_offer = |event: &&serde_json::Value| event["payload"].to_string().contains("Offered to");
    assert_eq!(events.iter().filter(is_offer).count(), 1, "nobody has to claim what a runner has: {events:#?}");
}

#[tokio::test]
async fn only_the_runner_that_claimed_a_task_reports_on_it() {
    let world = TestApp::new().await;
    let caller = world.caller(Role::Member);
    let (one, two) = (world.runner("farm", "one").await, world.runner("farm", "two").await);
    one.session(&caller).await;
    let task = one.task().await;
    let id = task["task_id"].as_str().unwrap();
    two.progress(&task, json!({"seq": 1, "message": "Mine."})).await.problem(409, "LEASE_LOST");
    let without_token = json!({"seq": 1, "message": "Mine."});
    let progress = two.path(&format!("tasks/{id}/progress"));
    two.caller.post(&progress, without_token).await.problem(409, "LEASE_LOST");
    two.result(&task, "Mine.").await.problem(409, "LEASE_LOST");
    let hash = "2c26b46b68ffc68ff99b453c1d30413413422d706483bfa0f98a5e886266e7ae";
    let upload = two.path(&format!("tasks/{id}/artifacts/{hash}"));
    two.caller.send("PUT", &upload, Some(b"foo".to_vec())).await.problem(409, "LEASE_LOST");
    let held = json!({"held_task_ids": [id]});
    assert_eq!(two.caller.post(&two.path("tasks/claim"), held).await.status, 204);
    assert_eq!(two.caller.post(&two.path("tasks/claim"), json!({"reclaim": true})).await.status, 204);
    one.progress(&task, json!({"seq": 1, "message": "Still mine."})).await.expect(200);
    assert_eq!(one.result(&task, "Done.").await.status, 202);
}

#[tokio::test]
async fn a_restarted_runner_gets_its_own_tasks_back() {
    let world = TestApp::new().await;
    let caller = world.caller(Role::Member);
    let (one, two) = (world.runner("farm", "one").await, world.runner("farm", "two").await);
    one.session(&caller).await;
    two.session(&caller).await;
    let (mine, theirs) = (one.task().await, two.task().await);
    let again = one.caller.post(&one.path("tasks/claim"), json!({"reclaim": true})).await.expect(200);
    let tasks = again["tasks"].as_array().unwrap();
    assert_eq!((tasks.len(), &tasks[0]["task_id"]), (1, &mine["task_id"]));
    assert_ne!(tasks[0]["lease"]["token"], mine["lease"]["token"]);
    two.progress(&theirs, json!({"seq": 1})).await.expect(200);
    world.may_leave_work("the runners keep their tasks");
}

#[tokio::test]
async fn a_task_whose_runner_is_restarted_each_time_is_handed_out_three_times() {
    let world = TestApp::new().await;
    let (caller, runner) = (world.caller(Role::Member), world.runner("farm", "one").await);
    let id = runner.session(&caller).await;
    let mut task = runner.task().await;
    for token in [2, 3] {
        runner.progress(&task, json!({"seq": 1, "phase": "cloning"})).await.expect(200);
        let again = runner.caller.post(&runner.path("tasks/claim"), json!({"reclaim": true})).await.expect(200);
        task = again["tasks"][0].clone();
        assert_eq!(task["lease"]["token"], token);
    }
    let session = caller.get(&format!("/sessions/{id}")).await.expect(200);
    assert_eq!(session["start_breakdown_ms"], json!({}), "it has begun anew, and is in its first phase");
    assert_eq!(runner.caller.post(&runner.path("tasks/claim"), json!({"reclaim": true})).await.status, 204);
    // One that has kept its memory goes on.
    let held = json!({"held_task_ids": [task["task_id"]]});
    let again = runner.caller.post(&runner.path("tasks/claim"), held).await.expect(200);
    assert_eq!(again["tasks"][0]["lease"]["token"], 4);
    assert_eq!(runner.result(&again["tasks"][0], "Done.").await.status, 202);
    caller.reaches(&id, &["completed"]).await;
}

#[tokio::test]
async fn a_runner_shows_the_tasks_of_its_own_tenant_only() {
    let world = TestApp::new().await;
    let other = world.another_tenant().await;
    let runner = world.runner("farm", "one").await;
    let agent = &runner.agents["opencode"];
    let lead = world.caller(Role::Lead);
    lead.send("PUT", &format!("/api/v1/agents/{agent}/shares/{}", other.slug), None).await.expect(200);
    let their_lead = world.caller_of(&other, Role::Lead);
    their_lead.send("PUT", &format!("/api/v1/marketplace/{agent}"), None).await.expect(200);
    let theirs = their_lead.start_session(json!({"agent_config": {"agent": agent}})).await;
    let task = runner.task().await;
    assert_eq!(task["session_id"], json!(theirs));
    let shown = lead.get(&format!("/api/v1/runners/{}", runner.id)).await.expect(200);
    assert_eq!((&shown["busy"], &shown["tasks"]), (&json!(1), &json!([])));
    their_lead.get(&format!("/api/v1/runners/{}", runner.id)).await.problem(404, "RUNNER_NOT_FOUND");
    let listed = their_lead.get("/api/v1/runners").await.expect(200);
    assert!(items(&listed).is_empty());
    assert_eq!(runner.result(&task, "Done.").await.status, 202);
    their_lead.reaches(&theirs, &["completed"]).await;
}

#[tokio::test]
async fn a_report_may_hold_several_events_and_the_phase_that_begins() {
    let world = TestApp::new().await;
    let (caller, runner) = (world.caller(Role::Member), world.runner("farm", "one").await);
    let id = runner.session(&caller).await;
    let task = runner.task().await;
    runner.progress(&task, json!({"seq": 1, "phase": "cloning"})).await.expect(200);
    let events = json!([
        {"log": {"level": "info", "message": "The workspace is ready."}},
        {"message": "First."},
        {"message": "Second."},
    ]);
    let body = json!({"seq": 2, "phase": "working", "events": events});
    runner.progress(&task, body.clone()).await.expect(200);
    runner.progress(&task, body).await.expect(200);
    assert_eq!(runner.result(&task, "Done.").await.status, 202);
    caller.reaches(&id, &["completed"]).await;
    let events = caller.events(&id).await;
    let texts = |kind: &str, field: &str| {
        let of_kind = events.iter().filter(|event| event["type"] == kind);
        of_kind.map(|event| event["payload"][field].as_str().unwrap().to_owned()).collect::<Vec<_>>()
    };
    let messages = texts("session.message", "text");
    assert_eq!(messages.iter().filter(|text| *text != "Do it.").collect::<Vec<_>>(), ["First.", "Second."]);
    assert!(texts("session.log", "message").contains(&"The workspace is ready.".to_owned()));
    let session = caller.get(&format!("/sessions/{id}")).await.expect(200);
    assert_eq!(session["runner_id"], json!(runner.id));
    let breakdown = session["start_breakdown_ms"].as_object().unwrap();
    assert_eq!(breakdown.keys().collect::<Vec<_>>(), ["claimed", "cloning"]);
    assert!(breakdown.values().all(|value| value.as_i64().is_some_and(|ms| ms >= 0)), "{breakdown:?}");
}
