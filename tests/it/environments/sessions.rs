//! The environment of a session: by name, by id, by version, or the tenant's default.

use harness::TestApp;
use serde_json::{Value, json};
use shared::identity::auth::Role;

use super::{PATH, create_environment};

#[tokio::test]
async fn a_session_names_its_environment_and_keeps_the_version_it_was_created_with() {
    let world = TestApp::full().await;
    let (lead, member) = (world.caller(Role::Lead), world.caller(Role::Member));
    let id = create_environment(&lead, "backend", json!({"rules": "One."})).await;
    let at = format!("{PATH}/{id}");
    let first = member.new_session(json!({"environment": "backend"})).await;
    lead.patch(&at, json!({"name": "api", "rules": "Two."})).await.expect(200);
    let environment = async |named: &str| {
        let session = member.new_session(json!({"environment": named})).await;
        member.session(&session).await["environment"].clone()
    };
    let shown = |name: &str, version: i32| json!({"id": id, "name": name, "version": version});
    assert_eq!(member.session(&first).await["environment"], shown("backend", 1));
    assert_eq!(environment("api").await, shown("api", 2));
    assert_eq!(environment(&id).await, shown("api", 2));
    assert_eq!(environment("api@1").await, shown("backend", 1));
    assert_eq!(environment(&format!("{id}@2")).await, shown("api", 2));
    let listed = member.get("/sessions?limit=1").await.expect(200);
    assert_eq!(listed["items"][0]["environment"], shown("api", 2));
}

#[tokio::test]
async fn a_session_that_names_none_works_in_the_default_if_there_is_one() {
    let world = TestApp::full().await;
    let (lead, member) = (world.caller(Role::Lead), world.caller(Role::Member));
    let environment = async |fields: Value| {
        let session = member.new_session(fields).await;
        member.session(&session).await["environment"]["name"].clone()
    };
    create_environment(&lead, "other", json!({})).await;
    assert_eq!(environment(json!({})).await, Value::Null);
    create_environment(&lead, "usual", json!({"is_default": true})).await;
    assert_eq!(environment(json!({})).await, "usual");
    assert_eq!(environment(json!({"environment": "other"})).await, "other");
    assert_eq!(environment(json!({"environment": ""})).await, Value::Null, "explicitly none");
    assert_eq!(environment(json!({"environment": null})).await, "usual");
}

#[tokio::test]
async fn a_default_that_was_just_set_or_unset_applies_however_a_session_is_created() {
    let world = TestApp::full().await;
    let (lead, member) = (world.caller(Role::Lead), world.caller(Role::Member));
    let usual = create_environment(&lead, "usual", json!({})).await;
    let prompt = json!({"title": "Work", "initial_prompt": "Do it."});
    let started = json!({"title": "Work", "initial_prompt": "Do it.", "start": true});
    for (way, (keyed, body)) in
        [(false, &prompt), (false, &started), (true, &prompt), (true, &started)].iter().enumerate()
    {
        let creator = if *keyed {
            member.with("idempotency-key", &format!("way-{way}"))
        } else {
            member.without("idempotency-key")
        };
        lead.patch(&format!("{PATH}/{usual}"), json!({"is_default": true})).await.expect(200);
        let created = creator.post("/sessions", (*body).clone()).await.expect(201);
        assert_eq!(created["environment"]["name"], "usual", "way {way}");
        if *keyed {
            let repeated = creator.post("/sessions", (*body).clone()).await.expect(201);
            assert_eq!(repeated["id"], created["id"], "way {way}");
        }
        lead.patch(&format!("{PATH}/{usual}"), json!({"is_default": false})).await.expect(200);
        let later = member.post("/sessions", (*body).clone()).await.expect(201);
        assert_eq!(later["environment"], Value::Null, "way {way}");
    }
    let listed = member.get("/sessions?limit=100").await.expect(200);
    assert_eq!(listed["items"].as_array().map(Vec::len), Some(8), "each was created once");
}

#[tokio::test]
async fn an_environment_that_there_is_not_is_refused_and_no_session_created() {
    let world = TestApp::full().await;
    let owner = world.superuser().await;
    let (lead, member) = (world.caller(Role::Lead), world.caller(Role::Member));
    let theirs = world.another_tenant().await;
    let foreign = create_environment(&world.caller_of(&theirs, Role::Lead), "theirs", json!({})).await;
    create_environment(&lead, "backend", json!({})).await;
    let before = owner.dump().await;
    for named in ["unknown", "backend@2", "theirs", &foreign, "a b", "backend@0", "@1"] {
        let body = json!({"title": "Fix the parser", "initial_prompt": "Do it.", "environment": named});
        let problem = member.post("/sessions", body).await.problem(422, "VALIDATION_FAILED");
        assert_eq!(problem["errors"][0]["field"], "environment", "{named}");
    }
    assert_eq!(owner.dump().await, before);
}

#[tokio::test]
async fn a_session_without_an_agent_goes_to_one_that_has_the_program_of_its_environment() {
    let world = TestApp::new().await;
    let owner = world.superuser().await;
    owner.without_the_platforms_agents().await;
    let (lead, member) = (world.caller(Role::Lead), world.caller(Role::Member));
    create_environment(&lead, "backend", json!({"agent": {"program": "opencode"}})).await;
    let other = world.external_of(&world.tenant, "OTHER", json!({"capabilities": ["code_generation"]})).await;
    let right = world.external_of(&world.tenant, "RIGHT", json!({"capabilities": ["opencode"]})).await;
    let id = member.start_session(json!({"environment": "backend"})).await;
    assert_eq!(member.session(&id).await["agent_config"]["skills"], json!(["opencode"]));
    assert_eq!(other.claim(0).await.status, 204);
    assert_eq!(right.task().await["session_id"], json!(id));
    member.act(&format!("/sessions/{id}/stop")).await;
    world.may_leave_work("the task of the stopped session is with its agent");
}
