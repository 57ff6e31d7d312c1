//! Authentication: keys in every state, and the tenant that a call names.

use chrono::TimeDelta;
use harness::{Caller, Options, Tenant, TestApp, eap_agent::registration, superuser::Superuser};
use serde_json::json;
use shared::identity::auth::{Role, SetupKey, create_setup_key, revoke_setup_key};

const UNKNOWN: &str = "01900000-0000-7000-8000-000000000000";

fn with_key(world: &TestApp, key: &str) -> Caller {
    world.caller(Role::Lead).with("authorization", &format!("Bearer {key}"))
}

async fn is_refused(caller: &Caller) {
    let reply = caller.get("/sessions").await;
    assert!(reply.headers["www-authenticate"].to_str().unwrap().starts_with("Bearer"));
    let problem = reply.problem(401, "UNAUTHENTICATED");
    assert_eq!(problem["detail"], "The credential is not valid.");
}

#[tokio::test]
async fn a_credential_of_an_unknown_format_is_refused() {
    let world = TestApp::full().await;
    let key = world.tenant.key(Role::Lead).to_owned();
    for header in ["", "Bearer", "Basic abc", &key, &format!("Token {key}")] {
        let caller = world.caller(Role::Lead).with("authorization", header);
        caller.get("/sessions").await.problem(401, "UNAUTHENTICATED");
    }
    let twice = world.caller(Role::Lead).also("authorization", &format!("Bearer {key}"));
    twice.get("/sessions").await.problem(401, "UNAUTHENTICATED");
    for scheme in ["bearer", "BEARER"] {
        world.caller(Role::Lead).with("authorization", &format!("{scheme} {key}")).get("/sessions").await.expect(200);
    }
}

#[tokio::test]
async fn an_unknown_truncated_or_wrong_key_is_refused_with_the_same_message() {
    let world = TestApp::full().await;
    let key = world.tenant.key(Role::Lead).to_owned();
    let other = world.tenant.key(Role::Admin).to_owned();
    let (head, secret) = key.rsplit_once('_').unwrap();
    let (_, other_secret) = other.rsplit_once('_').unwrap();
    let flipped = if secret.ends_with('0') { "1" } else { "0" };
    let wrong = [
        format!("{head}_{other_secret}"),
        format!("{head}_{}{flipped}", &secret[..63]),
        format!("{head}_{}", "0".repeat(64)),
        key[..key.len() - 1].to_owned(),
        key[..40].to_owned(),
        format!("{key}0"),
        format!("{key}_"),
        key.to_uppercase(),
        key.replacen("_test_", "_prod_", 1),
        format!("ioc_test_{}_{secret}", "0".repeat(32)),
        "ioc_test__".to_owned(),
        "x".repeat(10_000),
    ];
    for key in &wrong {
        is_refused(&with_key(&world, key)).await;
    }
    with_key(&world, &key).get("/sessions").await.expect(200);
}

#[tokio::test]
async fn a_revoked_key_stops_working_at_once() {
    let world = TestApp::full().await;
    let request = SetupKey { name: "short", role: Role::Member, expires_at: None };
    let (id, key) = create_setup_key(&world.app, world.tenant.id, &request).await.unwrap();
    let caller = with_key(&world, &key);
    caller.get("/sessions").await.expect(200);
    assert!(revoke_setup_key(&world.app, world.tenant.id, id).await.unwrap());
    is_refused(&caller).await;
    assert!(!revoke_setup_key(&world.app, world.tenant.id, id).await.unwrap(), "it was revoked before");
    let theirs = world.another_tenant().await;
    assert!(
        !revoke_setup_key(&world.app, theirs.id, world.tenant.key_id(Role::Lead)).await.unwrap(),
        "not theirs to revoke"
    );
    world.caller(Role::Lead).get("/sessions").await.expect(200);
}

#[tokio::test]
async fn an_expired_key_stops_working_at_its_time() {
    let clock = shared::kernel::clock::Clock::fixed(shared::kernel::clock::Clock::System.now());
    let world = TestApp::idle(Options { clock: clock.clone(), ..Options::default() }).await;
    let expires_at = Some(clock.now() + TimeDelta::seconds(10));
    let request = SetupKey { name: "short", role: Role::Member, expires_at };
    let (_, key) = create_setup_key(&world.app, world.tenant.id, &request).await.unwrap();
    let caller = with_key(&world, &key);
    clock.advance(TimeDelta::microseconds(9_999_999));
    caller.get("/sessions").await.expect(200);
    clock.advance(TimeDelta::microseconds(1));
    is_refused(&caller).await;
}

/// Those that make something of its own: a session.
const CREATING: [&str; 2] = ["/sessions", "/sessions/{id}/fork"];

#[tokio::test]
async fn a_request_that_names_a_tenant_names_its_own_and_no_other() {
    let world = TestApp::full().await;
    let owner = world.superuser().await;
    let id = world.caller(Role::Member).new_session(json!({})).await;
    let other = world.another_tenant().await;
    let body = json!({"title": "Fix the parser", "initial_prompt": "Do it."});
    let before = owner.dump().await;
    for path in CREATING {
        let path = path.replace("{id}", &id);
        let body = if path == "/sessions" { body.clone() } else { json!({}) };
        let caller = world.caller(Role::Lead);
        for malformed in ["", "a", "Not A Slug", "x".repeat(51).as_str(), "a_b", "*"] {
            caller.with("x-tenant-id", malformed).post(&path, body.clone()).await.problem(400, "TENANT_INVALID");
        }
        for foreign in [other.slug.clone(), other.id.to_string(), UNKNOWN.to_owned(), "nobody".to_owned()] {
            caller.with("x-tenant-id", &foreign).post(&path, body.clone()).await.problem(403, "TENANT_MISMATCH");
        }
        let twice = caller.also("x-tenant-id", &world.tenant.slug);
        twice.post(&path, body.clone()).await.problem(400, "TENANT_INVALID");
    }
    assert_eq!(owner.dump().await, before);
    let uuid = world.tenant.id.to_string();
    for own in [world.tenant.slug.as_str(), &uuid, &uuid.to_uppercase(), &uuid.replace('-', "")] {
        let made =
            world.caller(Role::Member).with("x-tenant-id", own).post("/sessions", body.clone()).await.expect(201);
        assert_eq!(made["tenant_id"], uuid);
    }
}

async fn rows_of(owner: &Superuser, tenant: &Tenant) -> Vec<i64> {
    let mut counts = Vec::new();
    for table in ["sessions", "users", "api_keys", "agents", "model_versions"] {
        counts.push(owner.number(&format!("select count(*) from {table} where tenant_id = '{}'", tenant.id)).await);
    }
    counts
}

#[tokio::test]
async fn a_request_without_a_tenant_is_for_that_of_its_credential() {
    let world = TestApp::full().await;
    let other = world.another_tenant().await;
    let caller = world.caller(Role::Member).without("x-tenant-id");
    let lead = world.caller(Role::Lead).without("x-tenant-id");
    let (own, owner) = (world.tenant.id.to_string(), world.superuser().await);
    let before = rows_of(&owner, &other).await;
    let body = json!({"title": "Fix the parser", "initial_prompt": "Do it."});
    let session = caller.post("/sessions", body).await.expect(201);
    assert_eq!(session["tenant_id"], own);
    let path = format!("/sessions/{}", session["id"].as_str().unwrap());
    assert_eq!(caller.post(&format!("{path}/fork"), json!({})).await.expect(201)["tenant_id"], own);
    caller.act(&format!("{path}/start")).await.expect(202);
    let user = json!({"email": "bob@example.org", "full_name": "Bob", "role": "viewer"});
    lead.post("/api/v1/users", user).await.expect(201);
    lead.post("/api/v1/api-keys", json!({"name": "build"})).await.expect(201);
    let agent = json!({"name": "a", "kind": "eap", "agent_type": "reviewer", "capabilities": []});
    lead.post("/api/v1/agents", agent).await.expect(201);
    caller.post("/api/v1/agents/external/register", registration("BUILDER")).await.expect(201);
    lead.post("/api/v1/models", json!({"name": "a", "base_model": "b"})).await.expect(201);
    assert_eq!(rows_of(&owner, &other).await, before, "nothing was made in another tenant");
    caller.with("x-tenant-id", &other.slug).get(&path).await.problem(403, "TENANT_MISMATCH");
}

#[tokio::test]
async fn only_an_admin_may_act_for_another_tenant() {
    let world = TestApp::full().await;
    let other = world.another_tenant().await;
    let body = json!({"title": "Fix the parser", "initial_prompt": "Do it."});
    for role in [Role::Viewer, Role::Member, Role::Lead] {
        let caller = world.caller(role).with("x-tenant-id", &other.slug);
        caller.get("/sessions").await.problem(403, "TENANT_MISMATCH");
    }
    for named in [other.slug.clone(), other.id.to_string()] {
        let admin = world.caller(Role::Admin).with("x-tenant-id", &named);
        let made = admin.post("/sessions", body.clone()).await.expect(201);
        assert_eq!(made["tenant_id"], other.id.to_string());
        let id = made["id"].as_str().unwrap();
        world.caller_of(&other, Role::Viewer).get(&format!("/sessions/{id}")).await.expect(200);
        world.caller(Role::Admin).get(&format!("/sessions/{id}")).await.problem(404, "SESSION_NOT_FOUND");
    }
    let nobody = world.caller(Role::Admin).with("x-tenant-id", "nobody-here");
    nobody.post("/sessions", body).await.problem(404, "TENANT_NOT_FOUND");
}

#[tokio::test]
async fn nobody_may_call_for_a_deactivated_tenant() {
    let world = TestApp::full().await;
    let other = world.another_tenant().await;
    let owner = world.superuser().await;
    owner.run(&format!("update tenants set is_active = false where id = '{}'", other.id)).await;
    for role in Role::ALL {
        let caller = world.caller_of(&other, role);
        caller.get("/sessions").await.problem(403, "TENANT_INACTIVE");
        let body = json!({"title": "Fix the parser", "initial_prompt": "Do it."});
        caller.post("/sessions", body).await.problem(403, "TENANT_INACTIVE");
    }
    let admin = world.caller(Role::Admin).with("x-tenant-id", &other.slug);
    admin.get("/sessions").await.problem(403, "TENANT_INACTIVE");
    world.caller(Role::Member).get("/sessions").await.expect(200);
}

#[tokio::test]
async fn no_secret_is_stored_in_the_database_in_the_clear() {
    let world = TestApp::full().await;
    world.caller(Role::Member).new_session(json!({})).await;
    let dump = world.superuser().await.dump().await;
    for role in Role::ALL {
        let (_, secret) = world.tenant.key(role).rsplit_once('_').unwrap();
        for (table, rows) in &dump {
            assert!(!rows.contains(secret), "{table} holds the secret of {}", role.name());
        }
    }
    assert!(dump["api_keys"].contains(&world.tenant.key_id(Role::Lead).to_string()));
}
