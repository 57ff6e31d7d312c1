//! `POST /runners/register`: a runner becomes a place of its pool, whose agents survive it.

use chrono::TimeDelta;
use harness::{Options, TestApp, runner::registration};
use serde_json::{Value, json};
use shared::{identity::auth::Role, kernel::clock::Clock, platform::queue::job::Job};

use super::items;

#[tokio::test]
async fn a_registered_runner_is_listed_with_what_it_said_of_itself() {
    let world = TestApp::idle(Options::default()).await;
    let mut body = registration("one", &["opencode", "claude"]);
    body["isolation_reason"] = json!("no cgroup is delegated");
    let token = world.enrolment_of(&world.tenant, "farm", "one").await;
    let reply = world.bearer(&token).post("/api/v1/runners/register", body).await;
    let location = reply.headers["location"].to_str().unwrap().to_owned();
    let made = reply.expect(201);
    assert_eq!((&made["heartbeat_seconds"], &made["poll_seconds"]), (&json!(15.0), &json!(20.0)));
    assert!(made["credential"].as_str().unwrap().starts_with("iocrc_test_"));
    let runner = world.caller(Role::Member).get(&location).await.expect(200);
    for (field, expected) in [
        ("pool", json!("farm")),
        ("name", json!("one")),
        ("state", json!("active")),
        ("slots", json!(4)),
        ("busy", json!(0)),
        ("isolation", json!("sandbox")),
        ("isolation_reason", json!("no cgroup is delegated")),
        ("labels", json!({"zone": "a"})),
        ("tasks", json!([])),
    ] {
        assert_eq!(runner[field], expected, "{field}");
    }
    let programs: Vec<_> = found_programs(&runner);
    assert_eq!(programs, found_programs(&json!({"programs": made["agents"]})).into_iter().rev().collect::<Vec<_>>());
}

fn found_programs(runner: &Value) -> Vec<(Value, Value)> {
    let programs = runner["programs"].as_array().unwrap().iter();
    programs.map(|one| (one["program"].clone(), one["agent_id"].clone())).collect()
}

#[tokio::test]
async fn the_runners_of_a_pool_share_one_trusted_agent_for_each_program() {
    let world = TestApp::idle(Options::default()).await;
    let one = world.runner("farm", "one").await;
    let two = world.enrol(&world.tenant, "farm", registration("two", &["opencode", "claude"])).await;
    let other = world.runner("lab", "one").await;
    assert_eq!(one.agents["opencode"], two.agents["opencode"]);
    assert_ne!(one.agents["opencode"], other.agents["opencode"]);
    let agent = world.caller(Role::Member).get(&format!("/api/v1/agents/{}", one.agents["opencode"])).await.expect(200);
    for (field, expected) in [
        ("name", json!("FARM-OPENCODE")),
        ("kind", json!("eap")),
        ("pool", json!("farm")),
        ("program", json!("opencode")),
        ("trusted", json!(true)),
        ("on_probation", json!(false)),
        ("restricted", json!(false)),
        ("capacity", json!(8)),
        ("status", json!("healthy")),
    ] {
        assert_eq!(agent[field], expected, "{field}");
    }
    let claude = world.caller(Role::Member).get(&format!("/api/v1/agents/{}", two.agents["claude"])).await.expect(200);
    assert_eq!((&claude["name"], &claude["capacity"]), (&json!("FARM-CLAUDE"), &json!(4)));
}

#[tokio::test]
async fn the_capacity_of_a_pool_is_bounded_and_cannot_be_set_by_hand() {
    let world = TestApp::idle(Options::default()).await;
    for name in ["one", "two"] {
        let mut body = registration(name, &["opencode"]);
        body["slots"] = json!(50);
        world.enrol(&world.tenant, "farm", body).await;
    }
    let listed = world.caller(Role::Member).get("/api/v1/agents?kind=eap").await.expect(200);
    let agent = &items(&listed)[0];
    assert_eq!(agent["capacity"], 50);
    let path = format!("/api/v1/agents/{}", agent["id"].as_str().unwrap());
    let lead = world.caller(Role::Lead);
    let problem = lead.patch(&path, json!({"capacity": 3})).await.problem(422, "VALIDATION_FAILED");
    assert_eq!(problem["errors"][0]["field"], "capacity");
    lead.patch(&path, json!({"description": "The farm."})).await.expect(200);
}

#[tokio::test]
async fn a_live_runner_keeps_its_name_and_an_offline_one_is_replaced() {
    let clock = Clock::fixed(Clock::System.now());
    let world = TestApp::idle(Options { clock: clock.clone(), ..Options::default() }).await;
    let first = world.runner("farm", "one").await;
    let token = world.enrolment_of(&world.tenant, "farm", "one").await;
    let register =
        async || world.bearer(&token).post("/api/v1/runners/register", registration("one", &["opencode"])).await;
    register().await.problem(409, "ALREADY_EXISTS");
    clock.advance(TimeDelta::seconds(60));
    world.run(Job::reconcile()).await;
    let second = register().await.expect(201);
    assert_ne!(second["runner_id"], json!(first.id), "the refusal did not use the token up");
    assert_eq!(second["agents"][0]["agent_id"], json!(first.agents["opencode"]), "the agent survives its runners");
    first.heartbeat_with(json!({"state": "active"})).await.problem(401, "RUNNER_REMOVED");
    let listed = world.caller(Role::Member).get("/api/v1/runners").await.expect(200);
    assert_eq!(items(&listed).len(), 1);
}

#[tokio::test]
async fn a_restarted_runner_says_with_its_credential_what_has_changed() {
    let world = TestApp::idle(Options::default()).await;
    let runner = world.runner("farm", "one").await;
    let mut body = registration("one", &["opencode", "codex"]);
    body["slots"] = json!(2);
    let again = runner.caller.post("/api/v1/runners/register", body.clone()).await.expect(201);
    assert_eq!((&again["runner_id"], &again["credential"]), (&json!(runner.id), &Value::Null));
    assert_eq!(again["agents"].as_array().unwrap().len(), 2);
    runner.caller.post("/api/v1/runners/register", body.clone()).await.expect(201);
    let agent = format!("/api/v1/agents/{}", runner.agents["opencode"]);
    assert_eq!(world.caller(Role::Member).get(&agent).await.expect(200)["capacity"], 2);
    let audited = world
        .superuser()
        .await
        .texts("select action from audit_entries where object_kind = 'runner' order by seq")
        .await;
    assert_eq!(audited, ["runner.register", "runner.update"], "what says nothing new is not audited");
    body["name"] = json!("two");
    let problem = runner.caller.post("/api/v1/runners/register", body).await.problem(422, "VALIDATION_FAILED");
    assert_eq!(problem["errors"][0]["field"], "name");
}

#[tokio::test]
async fn an_agent_that_has_the_name_already_is_not_taken_over() {
    let world = TestApp::idle(Options::default()).await;
    world.puller("FARM-OPENCODE").await;
    let token = world.enrolment_of(&world.tenant, "farm", "one").await;
    let register =
        async || world.bearer(&token).post("/api/v1/runners/register", registration("one", &["opencode"])).await;
    let problem = register().await.problem(409, "ALREADY_EXISTS");
    assert!(problem["detail"].as_str().unwrap().contains("FARM-OPENCODE"), "{problem}");
    assert_eq!(world.superuser().await.number("select count(*) from runners").await, 0);
}

#[tokio::test]
async fn only_a_runner_registers() {
    let world = TestApp::full().await;
    let agent = world.puller("AGENT").await;
    let body = registration("one", &["opencode"]);
    for caller in [world.caller(Role::Admin), world.caller(Role::Viewer), agent.caller] {
        caller.post("/api/v1/runners/register", body.clone()).await.problem(403, "ENROLMENT_TOKEN_REQUIRED");
    }
    world.nobody().post("/api/v1/runners/register", body).await.problem(401, "UNAUTHENTICATED");
}
