//! `PUT /secrets/{scope}/{name}`, `DELETE /secrets/{scope}/{name}`.

use harness::TestApp;
use serde_json::{Value, json};
use shared::identity::auth::Role;

use super::{PATH, put, set};
use crate::{environments::create_environment, tenancy::person};

const UNKNOWN: &str = "01900000-0000-7000-8000-000000000000";

#[tokio::test]
async fn a_secret_is_set_replaced_and_deleted_without_being_shown() {
    let world = TestApp::full().await;
    let (lead, owner) = (world.caller(Role::Lead), world.superuser().await);
    let created = set(&lead, "tenant", "NPM_TOKEN", "the first value").await;
    assert_eq!(
        (&created["scope"], &created["phase"], &created["kind"]),
        (&json!("tenant"), &json!("setup"), &json!("plain"))
    );
    for absent in ["environment_id", "user_id", "host", "username", "provider"] {
        assert_eq!(created[absent], Value::Null, "{absent}");
    }
    let git = json!({"value": "the second value", "phase": "both", "kind": "git", "host": "git.example.com"});
    let replaced = put(&lead, "tenant", "NPM_TOKEN", git).await.expect(200);
    assert_eq!((&replaced["id"], &replaced["created_at"]), (&created["id"], &created["created_at"]));
    assert_eq!((&replaced["kind"], &replaced["username"]), (&json!("git"), &json!("x-access-token")));
    let provider = json!({"value": "a key", "kind": "provider", "provider": "anthropic"});
    assert_eq!(put(&lead, "tenant", "KEY", provider).await.expect(200)["provider"], "anthropic");
    let rows = owner.dump().await["secrets"].clone();
    assert!(rows.contains("NPM_TOKEN") && !rows.contains("second value"), "{rows}");
    lead.delete(&format!("{PATH}/tenant/NPM_TOKEN")).await.expect(204);
    lead.delete(&format!("{PATH}/tenant/NPM_TOKEN")).await.problem(404, "SECRET_NOT_FOUND");
    assert_eq!(owner.number("select count(*) from secrets").await, 1);
}

#[tokio::test]
async fn one_name_stands_once_in_each_scope() {
    let world = TestApp::full().await;
    let lead = world.caller(Role::Lead);
    let (user, own) = person(&world, Role::Member).await;
    let environment = create_environment(&lead, "backend", json!({})).await;
    let of_tenant = set(&lead, "tenant", "TOKEN", "one").await;
    let of_environment = set(&lead, &environment, "TOKEN", "two").await;
    let of_user = set(&own, "user", "TOKEN", "three").await;
    assert_eq!(
        (&of_environment["scope"], &of_environment["environment_id"]),
        (&json!("environment"), &json!(environment))
    );
    assert_eq!((&of_user["scope"], &of_user["user_id"]), (&json!("user"), &json!(user)));
    let ids = [&of_tenant["id"], &of_environment["id"], &of_user["id"]];
    assert!(ids[0] != ids[1] && ids[1] != ids[2] && ids[0] != ids[2]);
    lead.delete(&format!("{PATH}/{environment}/TOKEN")).await.expect(204);
    own.delete(&format!("{PATH}/user/TOKEN")).await.expect(204);
    assert_eq!(lead.get(PATH).await.expect(200)["items"][0]["id"], of_tenant["id"]);
}

#[tokio::test]
async fn a_member_sets_only_the_own_secrets() {
    let world = TestApp::full().await;
    let (lead, owner) = (world.caller(Role::Lead), world.superuser().await);
    let (_, member) = person(&world, Role::Member).await;
    let environment = create_environment(&lead, "backend", json!({})).await;
    set(&lead, "tenant", "TOKEN", "one").await;
    let before = owner.dump().await["secrets"].clone();
    for scope in ["tenant", &environment] {
        put(&member, scope, "TOKEN", json!({"value": "mine"})).await.problem(403, "FORBIDDEN");
        member.delete(&format!("{PATH}/{scope}/TOKEN")).await.problem(403, "FORBIDDEN");
    }
    put(&member, UNKNOWN, "TOKEN", json!({"value": "x"})).await.problem(404, "ENVIRONMENT_NOT_FOUND");
    let program = world.caller(Role::Lead);
    put(&program, "user", "TOKEN", json!({"value": "x"})).await.problem(403, "FORBIDDEN");
    assert_eq!(owner.dump().await["secrets"], before);
    set(&member, "user", "TOKEN", "mine").await;
}

#[tokio::test]
async fn an_invalid_secret_is_refused_with_every_fault_and_without_its_value() {
    let world = TestApp::full().await;
    let (lead, owner) = (world.caller(Role::Lead), world.superuser().await);
    let before = owner.dump().await;
    let refused = async |name: &str, body: Value| {
        let problem = put(&lead, "tenant", name, body).await.problem(422, "VALIDATION_FAILED");
        assert!(!problem.to_string().contains("hidden words"), "{problem}");
        let errors = problem["errors"].as_array().unwrap().clone();
        errors.iter().map(|one| one["field"].as_str().unwrap().to_owned()).collect::<Vec<_>>()
    };
    let git = json!({"value": "hidden words\nmore", "kind": "git", "host": "https://github.com", "provider": "openai"});
    assert_eq!(refused("A-B", git).await, ["name", "value", "provider", "host"]);
    assert_eq!(refused("A", json!({"value": ""})).await, ["value"]);
    assert_eq!(refused("A", json!({"value": "x".repeat(65_537)})).await, ["value"]);
    assert_eq!(refused("A", json!({"value": "hidden words", "kind": "provider"})).await, ["provider"]);
    assert_eq!(refused("HOME", json!({"value": "hidden words"})).await, ["name"]);
    for wrong in
        [json!({}), json!({"value": "x", "phase": "never"}), json!({"value": 7}), json!({"value": "x", "y": 1})]
    {
        put(&lead, "tenant", "A", wrong).await.problem(422, "VALIDATION_FAILED");
    }
    put(&lead, "team", "A", json!({"value": "x"})).await.problem(422, "VALIDATION_FAILED");
    assert_eq!(owner.dump().await, before);
    set(&lead, "tenant", "A", &"x".repeat(65_536)).await;
}

#[tokio::test]
async fn a_tenant_has_a_bounded_number_of_secrets() {
    let world = TestApp::full().await;
    let (lead, owner) = (world.caller(Role::Lead), world.superuser().await);
    let tenant = world.tenant.id;
    set(&lead, "tenant", "A", "first").await;
    owner
        .run(&format!(
            "insert into secrets (tenant_id, id, name, phase, kind, sealed, created_at, updated_at, updated_by)
             select '{tenant}', gen_random_uuid(), 'S' || n, 'setup', 'plain', 'x', now(), now(), '{{\"kind\": \"system\", \"id\": \"x\", \"name\": \"x\"}}' from generate_series(1, 199) n"
        ))
        .await;
    put(&lead, "tenant", "ONE_MORE", json!({"value": "x"})).await.problem(429, "QUOTA_EXCEEDED");
    set(&lead, "tenant", "A", "replaced").await;
    lead.delete(&format!("{PATH}/tenant/S1")).await.expect(204);
    set(&lead, "tenant", "ONE_MORE", "x").await;
}

#[tokio::test]
async fn every_change_of_a_secret_is_in_the_audit_log_without_its_value() {
    let world = TestApp::full().await;
    let lead = world.caller(Role::Lead);
    let id = set(&lead, "tenant", "TOKEN", "hidden words one").await["id"].clone();
    put(&lead, "tenant", "TOKEN", json!({"value": "hidden words two", "phase": "agent"})).await.expect(200);
    lead.delete(&format!("{PATH}/tenant/TOKEN")).await.expect(204);
    let log = lead.get("/api/v1/audit?limit=200").await.expect(200);
    let entries: Vec<_> = log["items"].as_array().unwrap().iter().filter(|one| one["object_id"] == id).collect();
    let actions: Vec<_> = entries.iter().map(|one| one["action"].as_str().unwrap()).collect();
    assert_eq!(actions, ["secret.delete", "secret.set", "secret.set"]);
    assert_eq!((&entries[1]["before"]["phase"], &entries[1]["after"]["phase"]), (&json!("setup"), &json!("agent")));
    assert!(!log.to_string().contains("hidden words"));
}

#[tokio::test]
async fn the_secrets_of_a_user_end_with_the_user() {
    let world = TestApp::full().await;
    let (user, own) = person(&world, Role::Member).await;
    set(&own, "user", "TOKEN", "mine").await;
    world.caller(Role::Admin).delete(&format!("/api/v1/users/{user}")).await.expect(204);
    assert_eq!(world.superuser().await.number("select count(*) from secrets").await, 0);
}
