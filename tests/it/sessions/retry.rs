//! `POST /sessions/{id}/retry`, and the retries that come by themselves.

use harness::{Caller, Options, World};
use serde_json::{Value, json};
use shared::auth::Role;

fn fail(category: &str) -> Value {
    json!({"do": "fail", "category": category, "message": "It broke."})
}

async fn tries(caller: &Caller, id: &str) -> usize {
    let events = caller.events(id).await;
    events
        .iter()
        .filter(|event| event["payload"]["message"].as_str().is_some_and(|text| text.contains("Trying again")))
        .count()
}

#[tokio::test]
async fn a_failed_session_is_retried_three_times_at_most_and_goes_on_from_its_last_checkpoint() {
    let world = World::new().await;
    let (caller, owner) = (world.caller(Role::Member), world.owner().await);
    let write = json!({"do": "write", "path": "a.rs", "content": "a"});
    let id = caller.run_script(json!([write, fail("agent"), fail("agent"), fail("agent"), fail("agent")])).await;
    for retries in 0..3 {
        let failed = caller.reaches(&id, &["failed"]).await;
        assert_eq!((&failed["retry_count"], &failed["recoverable"]), (&json!(retries), &json!(true)));
        let pending = caller.act(&format!("/sessions/{id}/retry")).await.expect(202);
        assert_eq!(
            (&pending["status"], &pending["outcome"], &pending["ended_at"]),
            (&json!("pending"), &Value::Null, &Value::Null)
        );
        caller.act(&format!("/sessions/{id}/start")).await.expect(202);
    }
    let failed = caller.reaches(&id, &["failed"]).await;
    assert_eq!((&failed["retry_count"], &failed["recoverable"]), (&json!(3), &json!(false)));
    let before = owner.dump().await;
    let problem = caller.act(&format!("/sessions/{id}/retry")).await.problem(409, "INVALID_TRANSITION");
    assert!(problem["detail"].as_str().unwrap().contains("three times"), "{problem}");
    caller.act(&format!("/sessions/{id}/checkpoints/1/restore")).await.problem(409, "INVALID_TRANSITION");
    assert_eq!(owner.dump().await, before);
    let events = caller.events(&id).await;
    assert_eq!(events.iter().filter(|event| event["type"] == "session.file_changed").count(), 1, "written once");
}

#[tokio::test]
async fn without_a_checkpoint_there_is_nothing_to_retry_from() {
    let world = World::full().await;
    let caller = world.caller(Role::Member);
    let id = caller.new_session(json!({})).await;
    let failed = caller.post(&format!("/sessions/{id}/fail"), json!({"message": "It broke."})).await.expect(200);
    assert_eq!(failed["recoverable"], false);
    caller.act(&format!("/sessions/{id}/retry")).await.problem(409, "INVALID_TRANSITION");
}

#[tokio::test]
async fn what_failed_for_the_moment_is_tried_again_by_itself() {
    let world = World::new().await;
    let caller = world.caller(Role::Member);
    let id = caller.run_script(json!([fail("transient"), fail("transient"), {"do": "say", "text": "Done."}])).await;
    let done = caller.reaches(&id, &["completed", "failed"]).await;
    assert_eq!((&done["status"], &done["retry_count"]), (&json!("completed"), &json!(0)));
    assert_eq!(tries(&caller, &id).await, 2);
    let states = caller.states(&id).await;
    assert_eq!(states, ["queued", "running", "degraded", "running", "degraded", "running", "completed"]);
}

#[tokio::test]
async fn after_three_tries_by_itself_it_failed() {
    let world = World::new().await;
    let caller = world.caller(Role::Member);
    let id = caller.run_script(json!(vec![fail("transient"); 5])).await;
    let failed = caller.reaches(&id, &["completed", "failed"]).await;
    assert_eq!(failed["status"], "failed");
    assert_eq!(failed["outcome"]["error"]["category"], "transient");
    assert_eq!(tries(&caller, &id).await, 3);
}

#[tokio::test]
async fn a_handover_that_fails_is_tried_again_only_when_it_failed_for_the_moment() {
    let world = World::new().await;
    let caller = world.caller(Role::Member);
    let refuse = |category: &str| json!([{"do": "refuse", "category": category, "message": "Not today."}]);
    let moment = caller.run_script(refuse("transient")).await;
    let good = caller.run_script(refuse("auth")).await;
    for (id, tried) in [(&moment, 3), (&good, 0)] {
        let failed = caller.reaches(id, &["failed"]).await;
        assert_eq!((&failed["outcome"]["error"]["code"], &failed["recoverable"]), (&json!("REFUSED"), &json!(true)));
        assert_eq!(tries(&caller, id).await, tried);
    }
}

#[tokio::test]
async fn what_failed_for_good_ends_at_once_with_category_and_remedy() {
    let world = World::new().await;
    let caller = world.caller(Role::Member);
    for category in ["auth", "agent", "user", "policy", "budget", "internal", "timeout", "rate_limit"] {
        let id = caller.run_script(json!([fail(category)])).await;
        let failed = caller.reaches(&id, &["failed"]).await;
        let error = &failed["outcome"]["error"];
        assert_eq!((&error["category"], &error["message"]), (&json!(category), &json!("It broke.")));
        assert!(error["remedy"].as_str().is_some_and(|remedy| remedy.len() > 10), "{error}");
        assert_eq!(caller.states(&id).await, ["queued", "running", "failed"]);
        let events = caller.events(&id).await;
        assert_eq!(events.last().unwrap()["type"], "session.failed");
        assert_eq!(events.last().unwrap()["payload"], failed["outcome"]);
    }
}

#[tokio::test]
async fn an_agent_out_of_reach_degrades_the_session_and_in_the_end_fails_it() {
    let mut options = Options::default();
    options.settings.pace.agent_offline = std::time::Duration::from_millis(200);
    let world = World::with(options).await;
    let caller = world.caller(Role::Member);
    let id = caller.run_script(json!([{"do": "crash", "message": "No route to the agent."}])).await;
    let failed = caller.reaches(&id, &["failed"]).await;
    assert_eq!(failed["outcome"]["error"]["code"], "AGENT_UNREACHABLE");
    assert_eq!(caller.states(&id).await, ["queued", "running", "degraded", "failed"]);
}

#[tokio::test]
async fn part_of_the_work_may_stand() {
    let world = World::new().await;
    let caller = world.caller(Role::Member);
    let id = caller
        .run_script(json!([{"do": "write", "path": "a.rs", "content": "a"}, {"do": "partial", "message": "Half."}]))
        .await;
    let part = caller.reaches(&id, &["partially_completed"]).await;
    assert_eq!((&part["outcome"]["success_rate"], &part["outcome"]["error"]["code"]), (&json!(0.5), &json!("PARTIAL")));
    assert_eq!(caller.events(&id).await.last().unwrap()["type"], "session.completed");
    caller.act(&format!("/sessions/{id}/retry")).await.problem(409, "INVALID_TRANSITION");
}

#[tokio::test]
async fn who_runs_for_its_maximal_duration_times_out_and_can_be_retried() {
    let world = World::new().await;
    let (caller, owner) = (world.caller(Role::Member), world.owner().await);
    let script = json!([{"do": "write", "path": "a.rs", "content": "a"}, {"do": "wait", "ms": 600_000}]);
    let id = caller.start_session(json!({"max_duration_seconds": 60, "agent_config": {"script": script}})).await;
    harness::until(async || owner.number("select count(*) from session_files").await == 1).await;
    owner.run("update sessions set active_ms = 60000").await;
    let over = caller.reaches(&id, &["timeout"]).await;
    assert_eq!(over["outcome"]["error"]["code"], "MAX_DURATION");
    assert_eq!((&over["health_score"], &over["recoverable"]), (&json!(0.0), &json!(true)));
    let checkpoints = caller.get(&format!("/sessions/{id}/checkpoints")).await.expect(200);
    assert_eq!(checkpoints["items"][0]["cause"], "stop");
    caller.act(&format!("/sessions/{id}/retry")).await.expect(202);
    caller.act(&format!("/sessions/{id}/start")).await.expect(202);
    caller.reaches(&id, &["running"]).await;
    caller.patch(&format!("/sessions/{id}"), json!({"max_duration_seconds": 120})).await.expect(200);
    caller.act(&format!("/sessions/{id}/stop")).await.expect(202);
    caller.reaches(&id, &["stopped"]).await;
}
