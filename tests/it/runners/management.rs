//! `/runners`: listing, draining, resuming and removing runners.

use harness::{Options, TestApp};
use serde_json::{Value, json};
use shared::identity::auth::Role;

use super::items;

fn names(page: &Value) -> Vec<Value> {
    items(page).iter().map(|one| one["name"].clone()).collect()
}

#[tokio::test]
async fn runners_are_listed_newest_first_in_pages_and_by_pool_and_state() {
    let world = TestApp::idle(Options::default()).await;
    let one = world.runner("farm", "one").await;
    world.runner("farm", "two").await;
    world.runner("lab", "three").await;
    one.heartbeat("offline").await;
    let member = world.caller(Role::Member);
    let list = async |query: &str| member.get(&format!("/api/v1/runners{query}")).await.expect(200);
    assert_eq!(names(&list("").await), ["three", "two", "one"]);
    assert_eq!(names(&list("?pool=farm").await), ["two", "one"]);
    assert_eq!(names(&list("?state=offline,draining").await), ["one"]);
    assert_eq!(names(&list("?state=active&pool=lab").await), ["three"]);
    let first = list("?limit=2").await;
    assert_eq!(names(&first), ["three", "two"]);
    let rest = list(&format!("?limit=2&cursor={}", first["next_cursor"].as_str().unwrap())).await;
    assert_eq!((names(&rest), &rest["next_cursor"]), (vec![json!("one")], &Value::Null));
    for wrong in ["?state=gone", "?pool=Farm", "?limit=0", "?cursor=x", "?other=1"] {
        member.get(&format!("/api/v1/runners{wrong}")).await.problem(422, "VALIDATION_FAILED");
    }
}

#[tokio::test]
async fn a_drained_runner_gets_nothing_new_and_is_asked_until_it_says_so() {
    let world = TestApp::new().await;
    let (caller, lead) = (world.caller(Role::Member), world.caller(Role::Lead));
    let (one, two) = (world.runner("farm", "one").await, world.runner("farm", "two").await);
    one.session(&caller).await;
    let task = one.task().await;
    let drain = format!("/api/v1/runners/{}/drain", one.id);
    let shown = lead.act(&drain).await.expect(200);
    assert_eq!(
        (&shown["state"], &shown["drain_requested"], &shown["busy"]),
        (&json!("draining"), &json!(true), &json!(1))
    );
    lead.act(&drain).await.expect(200);
    let id = one.session(&caller).await;
    assert_eq!(one.claim(0).await.status, 204);
    assert_eq!(two.task().await["session_id"], json!(id));
    assert_eq!(one.heartbeat("active").await, json!(["drain"]));
    assert_eq!(one.heartbeat("draining").await, json!([]));
    assert_eq!(one.result(&task, "Done.").await.status, 202, "it finishes what it has");
    let agent = caller.get(&format!("/api/v1/agents/{}", one.agents["opencode"])).await.expect(200);
    assert_eq!(agent["capacity"], 4, "only the other runner counts");

    let shown = lead.act(&format!("/api/v1/runners/{}/resume", one.id)).await.expect(200);
    assert_eq!((&shown["state"], &shown["drain_requested"]), (&json!("draining"), &json!(false)));
    assert_eq!(one.heartbeat("draining").await, json!(["resume"]));
    assert_eq!(one.heartbeat("active").await, json!([]));
    let agent = caller.get(&format!("/api/v1/agents/{}", one.agents["opencode"])).await.expect(200);
    assert_eq!(agent["capacity"], 8);
    let sql = "select action from audit_entries where action in ('runner.drain', 'runner.resume') order by seq";
    assert_eq!(world.superuser().await.texts(sql).await, ["runner.drain", "runner.resume"]);
    world.may_leave_work("the other runner keeps its task");
}

#[tokio::test]
async fn a_runner_that_drains_by_itself_is_not_asked_to_resume() {
    let world = TestApp::idle(Options::default()).await;
    let runner = world.runner("farm", "one").await;
    assert_eq!(runner.heartbeat("draining").await, json!([]));
    assert_eq!(runner.claim(0).await.status, 204);
    let shown = world.caller(Role::Member).get(&format!("/api/v1/runners/{}", runner.id)).await.expect(200);
    assert_eq!((&shown["state"], &shown["drain_requested"]), (&json!("draining"), &json!(false)));
}

#[tokio::test]
async fn sessions_wait_for_a_pool_whose_only_runner_is_drained() {
    let world = TestApp::new().await;
    let (caller, lead) = (world.caller(Role::Member), world.caller(Role::Lead));
    let runner = world.runner("farm", "one").await;
    lead.act(&format!("/api/v1/runners/{}/drain", runner.id)).await.expect(200);
    let id = runner.session(&caller).await;
    assert_eq!(caller.get(&format!("/sessions/{id}")).await.expect(200)["status"], "queued");
    assert_eq!(runner.claim(0).await.status, 204);
    lead.act(&format!("/api/v1/runners/{}/resume", runner.id)).await.expect(200);
    let task = runner.task().await;
    assert_eq!(task["session_id"], json!(id));
    assert_eq!(runner.result(&task, "Done.").await.status, 202);
    caller.reaches(&id, &["completed"]).await;
}

#[tokio::test]
async fn a_deleted_runner_is_refused_at_once_and_its_tasks_go_on() {
    let world = TestApp::new().await;
    let (caller, lead) = (world.caller(Role::Member), world.caller(Role::Lead));
    let (one, two) = (world.runner("farm", "one").await, world.runner("farm", "two").await);
    let id = one.session(&caller).await;
    let task = one.task().await;
    caller.reaches(&id, &["running"]).await;
    let elsewhere = TestApp::on(world.database.clone(), Options::default()).await;
    let there = one.with_credential(&elsewhere, &one.credential);
    there.heartbeat("active").await;
    let path = format!("/api/v1/runners/{}", one.id);
    assert_eq!(lead.delete(&path).await.status, 204);
    for runner in [&one, &there] {
        runner.heartbeat_with(json!({"state": "active"})).await.problem(401, "RUNNER_REMOVED");
        runner.progress(&task, json!({"seq": 1})).await.problem(401, "RUNNER_REMOVED");
    }
    lead.delete(&path).await.problem(404, "RUNNER_NOT_FOUND");
    lead.get(&path).await.problem(404, "RUNNER_NOT_FOUND");
    let again = two.task().await;
    assert_eq!((&again["task_id"], &again["session_id"]), (&task["task_id"], &json!(id)));
    assert_eq!(two.result(&again, "Done.").await.status, 202);
    caller.reaches(&id, &["completed"]).await;
    let agent = caller.get(&format!("/api/v1/agents/{}", one.agents["opencode"])).await.expect(200);
    assert_eq!((&agent["capacity"], &agent["state"]), (&json!(4), &json!("active")));
}

#[tokio::test]
async fn a_heartbeat_shows_what_each_task_uses() {
    let world = TestApp::new().await;
    let (caller, runner) = (world.caller(Role::Member), world.runner("farm", "one").await);
    runner.session(&caller).await;
    let task = runner.task().await;
    let job = json!({"task_id": task["task_id"], "phase": "working", "rss_mb": 812.5, "cpu_percent": 37.0});
    runner.heartbeat_with(json!({"state": "active", "jobs": [job]})).await.expect(200);
    let shown = caller.get(&format!("/api/v1/runners/{}", runner.id)).await.expect(200);
    let shown = &shown["tasks"][0];
    assert_eq!(
        (&shown["phase"], &shown["rss_mb"], &shown["cpu_percent"]),
        (&json!("working"), &json!(812.5), &json!(37.0))
    );
    assert!(shown["leased_at"].is_string() && shown["lease_expires_at"].is_string(), "{shown}");
    assert_eq!(runner.result(&task, "Done.").await.status, 202);
}

#[tokio::test]
async fn each_change_of_a_runner_is_an_event_of_the_tenant() {
    let world = TestApp::idle(Options::default()).await;
    let runner = world.runner("farm", "one").await;
    let lead = world.caller(Role::Lead);
    lead.act(&format!("/api/v1/runners/{}/drain", runner.id)).await.expect(200);
    runner.heartbeat("offline").await;
    assert_eq!(lead.delete(&format!("/api/v1/runners/{}", runner.id)).await.status, 204);
    let sql = "select type || ' ' || (payload ->> 'state') from tenant_events where type like 'runner.%' order by position, id";
    let published = world.superuser().await.texts(sql).await;
    assert_eq!(
        published,
        [
            "runner.registered active",
            "runner.status_changed draining",
            "runner.status_changed offline",
            "runner.removed offline"
        ]
    );
}
