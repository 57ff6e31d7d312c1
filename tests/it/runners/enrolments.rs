//! `/runners/enrolments`: the tokens with which runners enrol.

use chrono::TimeDelta;
use futures_util::future::join_all;
use harness::{Options, TestApp, runner::registration};
use serde_json::json;
use shared::{identity::auth::Role, kernel::clock::Clock};

use super::items;

#[tokio::test]
async fn a_token_for_one_runner_enrols_one_also_when_many_come_at_once() {
    let world = TestApp::idle(Options::default()).await;
    let token = world.enrolment_of(&world.tenant, "farm", "one").await;
    let register = async |name: String| {
        world.bearer(&token).post("/api/v1/runners/register", registration(&name, &["opencode"])).await.status
    };
    let mut statuses = join_all((0..5).map(|at| register(format!("runner-{at}")))).await;
    statuses.sort_unstable();
    assert_eq!(statuses, [201, 401, 401, 401, 401]);
    assert_eq!(world.superuser().await.number("select count(*) from runners").await, 1);
}

#[tokio::test]
async fn a_token_for_many_runners_enrols_them_until_it_expires() {
    let clock = Clock::fixed(Clock::System.now());
    let world = TestApp::idle(Options { clock: clock.clone(), ..Options::default() }).await;
    let token = world.enrolment_of(&world.tenant, "farm", "many").await;
    let register = async |name: &str| {
        world.bearer(&token).post("/api/v1/runners/register", registration(name, &["opencode"])).await
    };
    register("one").await.expect(201);
    register("two").await.expect(201);
    let listed = world.caller(Role::Lead).get("/api/v1/runners/enrolments").await.expect(200);
    assert_eq!((&listed["items"][0]["runners"], &listed["items"][0]["uses"]), (&json!(2), &json!("many")));
    clock.advance(TimeDelta::seconds(3600));
    register("three").await.problem(401, "UNAUTHENTICATED");
    let listed = world.caller(Role::Lead).get("/api/v1/runners/enrolments").await.expect(200);
    assert_eq!(listed["items"], json!([]), "an expired one is not listed");
}

#[tokio::test]
async fn the_token_of_an_enrolment_is_shown_once_and_stored_as_a_hash() {
    let world = TestApp::idle(Options::default()).await;
    let lead = world.caller(Role::Lead);
    let keyed = lead.with("idempotency-key", "one");
    let made = keyed.post("/api/v1/runners/enrolments", json!({"pool": "farm"})).await.expect(201);
    let token = made["token"].as_str().unwrap();
    assert!(token.starts_with("iocr_test_"), "{token}");
    keyed.post("/api/v1/runners/enrolments", json!({"pool": "farm"})).await.problem(409, "SECRET_SHOWN_ONCE");
    let listed = lead.get("/api/v1/runners/enrolments").await.expect(200);
    assert_eq!((items(&listed).len(), listed["items"][0].get("token")), (1, None));
    let dump = format!("{:?}", world.superuser().await.dump().await);
    assert!(!dump.contains(token.rsplit('_').next().unwrap()), "the secret is stored nowhere");
    let audited =
        world.superuser().await.texts("select action from audit_entries where object_kind = 'runner_enrolment'").await;
    assert_eq!(audited, ["runner_enrolment.create"]);
}

#[tokio::test]
async fn a_deleted_enrolment_is_refused_and_its_runners_stay() {
    let world = TestApp::idle(Options::default()).await;
    let lead = world.caller(Role::Lead);
    let made = lead.post("/api/v1/runners/enrolments", json!({"pool": "farm", "uses": "many"})).await.expect(201);
    let token = world.bearer(made["token"].as_str().unwrap());
    token.post("/api/v1/runners/register", registration("one", &["opencode"])).await.expect(201);
    let path = format!("/api/v1/runners/enrolments/{}", made["id"].as_str().unwrap());
    assert_eq!(lead.delete(&path).await.status, 204);
    lead.delete(&path).await.problem(404, "ENROLMENT_NOT_FOUND");
    let late = token.post("/api/v1/runners/register", registration("two", &["opencode"])).await;
    late.problem(401, "UNAUTHENTICATED");
    let listed = world.caller(Role::Member).get("/api/v1/runners").await.expect(200);
    assert_eq!(items(&listed).len(), 1);
}

#[tokio::test]
async fn an_enrolment_names_every_field_that_is_refused() {
    let world = TestApp::idle(Options::default()).await;
    let body = json!({"pool": "Farm", "expires_in_seconds": 3601});
    let problem =
        world.caller(Role::Lead).post("/api/v1/runners/enrolments", body).await.problem(422, "VALIDATION_FAILED");
    let fields: Vec<_> = problem["errors"].as_array().unwrap().iter().map(|one| one["field"].clone()).collect();
    assert_eq!(fields, ["pool", "expires_in_seconds"]);
}

#[tokio::test]
async fn an_enrolment_token_opens_nothing_but_the_registration() {
    let world = TestApp::full().await;
    let token = world.bearer(&world.enrolment_of(&world.tenant, "farm", "many").await);
    token.get("/sessions").await.problem(403, "FORBIDDEN");
    token.get("/api/v1/runners").await.problem(403, "FORBIDDEN");
    let runner = world.runner("farm", "one").await;
    let call = format!("/api/v1/runners/{}/heartbeat", runner.id);
    token.post(&call, json!({"state": "active"})).await.problem(403, "RUNNER_CREDENTIAL_REQUIRED");
    token.post(&runner.path("tasks/claim"), json!({})).await.problem(403, "AGENT_TOKEN_REQUIRED");
}
