//! `/api-keys`: what people and programs call with. Nobody hands out more than they have.

use harness::{Caller, Options, TestApp};
use serde_json::{Value, json};
use shared::{identity::auth::Role, kernel::clock::Clock};

use super::{HOSTILE, UNKNOWN, all, pages, person, with_secret};

const KEYS: &str = "/api/v1/api-keys";

async fn create_key(world: &TestApp, caller: &Caller, body: Value) -> (Value, Caller) {
    let key = caller.post(KEYS, body).await.expect(201);
    let made = with_secret(world, &world.tenant, key["secret"].as_str().unwrap());
    (key, made)
}

fn place(key: &Value) -> String {
    format!("{KEYS}/{}", key["id"].as_str().unwrap())
}

#[tokio::test]
async fn a_key_is_shown_with_its_secret_once_and_stored_without() {
    let world = TestApp::full().await;
    let lead = world.caller(Role::Lead);
    let reply = lead.post(KEYS, json!({"name": "build"})).await;
    let at = reply.headers["location"].to_str().unwrap().to_owned();
    let made = reply.expect(201);
    let secret = made["secret"].as_str().unwrap();
    assert!(secret.starts_with(&format!("{}_", made["prefix"].as_str().unwrap())));
    assert_eq!((&made["role"], &made["scopes"], &made["user_id"]), (&json!("lead"), &json!([]), &Value::Null));
    assert_eq!(made["created_by"]["kind"], "key");
    let mut shown = made.clone();
    shown.as_object_mut().unwrap().remove("secret");
    assert_eq!(lead.get(&at).await.expect(200), shown);
    with_secret(&world, &world.tenant, secret).get("/sessions").await.expect(200);
    assert!(lead.get(&at).await.expect(200)["last_used_at"].is_string());
    let (_, random) = secret.rsplit_once('_').unwrap();
    for (table, rows) in world.superuser().await.dump().await {
        assert!(!rows.contains(random), "{table} holds the secret");
    }
}

#[tokio::test]
async fn an_invalid_request_is_refused_by_field_and_creates_nothing() {
    let world = TestApp::full().await;
    let (lead, owner) = (world.caller(Role::Lead), world.superuser().await);
    let before = owner.dump().await;
    for (field, named, value) in [
        ("name", "name", json!("")),
        ("name", "name", json!("x".repeat(101))),
        ("name", "name", json!("two\nlines")),
        ("name", "name", json!("\0")),
        ("role", "role", json!("root")),
        ("role", "role", json!("LEAD")),
        ("scopes", "scopes[1]", json!(["sessions:read", "sessions:all"])),
        ("scopes", "scopes[0]", json!(["*"])),
        ("scopes", "scopes", json!("sessions:read")),
        ("expires_at", "expires_at", json!("2001-01-01T00:00:00Z")),
        ("expires_at", "expires_at", json!("9999-01-01T00:00:00Z")),
        ("expires_at", "expires_at", json!("tomorrow")),
        ("user_id", "user_id", json!("me")),
        ("user_id", "user_id", json!(UNKNOWN)),
        ("secret", "secret", json!("ioc_test_1_2")),
    ] {
        let mut body = json!({"name": "build"});
        body[field] = value.clone();
        let problem = lead.post(KEYS, body).await.problem(422, "VALIDATION_FAILED");
        assert_eq!(problem["errors"][0]["field"], named, "{value}");
    }
    for (method, path) in [("GET", "7"), ("DELETE", "7"), ("POST", "7/rotate")] {
        lead.send(method, &format!("{KEYS}/{path}"), None).await.problem(422, "VALIDATION_FAILED");
        let path = path.replace('7', UNKNOWN);
        lead.send(method, &format!("{KEYS}/{path}"), None).await.problem(404, "API_KEY_NOT_FOUND");
    }
    assert_eq!(owner.dump().await, before);
}

#[tokio::test]
async fn hostile_names_are_stored_and_returned_unchanged() {
    let world = TestApp::full().await;
    let lead = world.caller(Role::Lead);
    for text in HOSTILE {
        let (key, caller) = create_key(&world, &lead, json!({"name": text})).await;
        assert_eq!(lead.get(&place(&key)).await.expect(200)["name"], text);
        assert_eq!(caller.get("/api/v1/me").await.expect(200)["key"]["name"], text);
        let session = caller.new_session(json!({})).await;
        assert_eq!(caller.session(&session).await["created_by"]["name"], text);
    }
}

#[tokio::test]
async fn nobody_creates_a_key_above_their_own_role() {
    let world = TestApp::full().await;
    let owner = world.superuser().await;
    let (_, member) = person(&world, Role::Member).await;
    let callers =
        [(Role::Member, member), (Role::Lead, world.caller(Role::Lead)), (Role::Admin, world.caller(Role::Admin))];
    for (own, caller) in callers {
        for role in Role::ALL {
            let before = owner.number("select count(*) from api_keys").await;
            let reply = caller.post(KEYS, json!({"name": "a key", "role": role.name()})).await;
            if role <= own {
                assert_eq!(reply.expect(201)["role"], role.name());
            } else {
                reply.problem(403, "FORBIDDEN");
                assert_eq!(owner.number("select count(*) from api_keys").await, before);
            }
        }
    }
    world.caller(Role::Viewer).post(KEYS, json!({"name": "a key"})).await.problem(403, "FORBIDDEN");
}

#[tokio::test]
async fn a_key_is_limited_to_its_scopes_and_grants_no_others() {
    let world = TestApp::full().await;
    let lead = world.caller(Role::Lead);
    let scopes = json!(["sessions:read", "api_keys:write", "sessions:read"]);
    let (key, narrow) = create_key(&world, &lead, json!({"name": "narrow", "scopes": scopes})).await;
    assert_eq!(key["scopes"], json!(["api_keys:write", "sessions:read"]), "sorted, each once");
    narrow.get("/sessions").await.expect(200);
    narrow.post("/sessions", json!({"title": "A title", "initial_prompt": "Do it."})).await.problem(403, "FORBIDDEN");
    narrow.get("/api/v1/users").await.problem(403, "FORBIDDEN");
    let (inherits, _) = create_key(&world, &narrow, json!({"name": "the same"})).await;
    assert_eq!(inherits["scopes"], key["scopes"]);
    create_key(&world, &narrow, json!({"name": "less", "scopes": ["api_keys:read"]})).await;
    for wider in [json!(["sessions:write"]), json!(["sessions:read", "users:read"]), json!(["audit:read"])] {
        narrow.post(KEYS, json!({"name": "more", "scopes": wider})).await.problem(403, "FORBIDDEN");
    }
    let (all_scopes, _) = create_key(&world, &lead, json!({"name": "all"})).await;
    let rotate = format!("{}/rotate", place(&all_scopes));
    narrow.act(&rotate).await.problem(403, "FORBIDDEN");
    assert_eq!(narrow.act(&format!("{}/rotate", place(&inherits))).await.status, 201);
}

#[tokio::test]
async fn a_member_creates_and_sees_only_their_own_keys() {
    let world = TestApp::full().await;
    let (lead, (id, member), (other, _)) =
        (world.caller(Role::Lead), person(&world, Role::Member).await, person(&world, Role::Member).await);
    let (own, caller) = create_key(&world, &member, json!({"name": "mine"})).await;
    assert_eq!(own["user_id"], id);
    assert_eq!(caller.get("/api/v1/me").await.expect(200)["user"]["id"], id);
    let listed = member.get(KEYS).await.expect(200);
    assert_eq!(all(&listed, "user_id"), [json!(id), json!(id)]);
    for user in [json!(other), Value::Null] {
        member.post(KEYS, json!({"name": "theirs", "user_id": user})).await.problem(403, "FORBIDDEN");
    }
    let (theirs, _) = create_key(&world, &lead, json!({"name": "theirs", "user_id": other})).await;
    let tenants = world.tenant.key_id(Role::Viewer);
    for id in [theirs["id"].as_str().unwrap(), &tenants.to_string(), UNKNOWN] {
        member.get(&format!("{KEYS}/{id}")).await.problem(404, "API_KEY_NOT_FOUND");
        member.delete(&format!("{KEYS}/{id}")).await.problem(404, "API_KEY_NOT_FOUND");
        member.act(&format!("{KEYS}/{id}/rotate")).await.problem(404, "API_KEY_NOT_FOUND");
    }
    assert_eq!(member.delete(&place(&own)).await.status, 204);
    caller.get("/sessions").await.problem(401, "UNAUTHENTICATED");
}

#[tokio::test]
async fn a_members_key_without_a_person_sees_itself_and_changes_nothing() {
    let world = TestApp::full().await;
    let (member, owner) = (world.caller(Role::Member), world.superuser().await);
    let own = world.tenant.key_id(Role::Member).to_string();
    let before = owner.dump().await;
    assert_eq!(all(&member.get(KEYS).await.expect(200), "id"), [json!(own)]);
    member.get(&format!("{KEYS}/{own}")).await.expect(200);
    let problem = member.post(KEYS, json!({"name": "mine"})).await.problem(403, "FORBIDDEN");
    assert!(problem["detail"].as_str().unwrap().contains("does not belong to a user"), "{problem}");
    member.delete(&format!("{KEYS}/{own}")).await.problem(403, "FORBIDDEN");
    member.act(&format!("{KEYS}/{own}/rotate")).await.problem(403, "FORBIDDEN");
    assert_eq!(owner.dump().await, before);
}

#[tokio::test]
async fn a_lead_sees_every_key_of_the_tenant_and_revokes_none_above_their_role() {
    let world = TestApp::full().await;
    let (lead, owner) = (world.caller(Role::Lead), world.superuser().await);
    let (boss, _) = person(&world, Role::Admin).await;
    let (peer, _) = person(&world, Role::Lead).await;
    let (below, _) = person(&world, Role::Member).await;
    let listed = pages(&lead, &format!("{KEYS}?limit=3"), 3).await;
    assert_eq!(listed.len(), 7);
    assert!(listed.is_sorted_by(|newer, older| newer > older));
    let before = owner.dump().await;
    let above = format!("{KEYS}/{}", world.tenant.key_id(Role::Admin));
    lead.delete(&above).await.problem(403, "FORBIDDEN");
    lead.act(&format!("{above}/rotate")).await.problem(403, "FORBIDDEN");
    for user in [&boss, &peer] {
        lead.post(KEYS, json!({"name": "theirs", "role": "viewer", "user_id": user})).await.problem(403, "FORBIDDEN");
    }
    lead.post(KEYS, json!({"name": "x", "role": "lead", "user_id": below})).await.problem(422, "VALIDATION_FAILED");
    assert_eq!(owner.dump().await, before);
    let (key, caller) = create_key(&world, &lead, json!({"name": "theirs", "user_id": below})).await;
    assert_eq!((&key["role"], &key["user_id"]), (&json!("member"), &json!(below)));
    let (low, _) =
        create_key(&world, &world.caller(Role::Admin), json!({"name": "low", "role": "viewer", "user_id": peer})).await;
    lead.act(&format!("{}/rotate", place(&low))).await.problem(403, "FORBIDDEN");
    assert_eq!(lead.delete(&place(&low)).await.status, 204);
    assert_eq!(lead.delete(&place(&key)).await.status, 204);
    assert_eq!(lead.delete(&place(&key)).await.status, 204, "again changes nothing");
    caller.get("/sessions").await.problem(401, "UNAUTHENTICATED");
    assert!(lead.get(&place(&key)).await.expect(200)["revoked_at"].is_string());
    let audit = lead.get("/api/v1/audit?action=api_key.revoke").await.expect(200);
    assert_eq!(all(&audit, "object_id"), [key["id"].clone(), low["id"].clone()]);
}

#[tokio::test]
async fn nobody_creates_a_key_for_a_deactivated_person() {
    let world = TestApp::full().await;
    let lead = world.caller(Role::Lead);
    let (id, _) = person(&world, Role::Member).await;
    lead.patch(&format!("/api/v1/users/{id}"), json!({"is_active": false})).await.expect(200);
    let problem = lead.post(KEYS, json!({"name": "theirs", "user_id": id})).await.problem(422, "VALIDATION_FAILED");
    assert_eq!(problem["errors"][0]["field"], "user_id");
}

#[tokio::test]
async fn another_tenants_key_is_answered_like_an_unknown_one() {
    let world = TestApp::full().await;
    let (other, owner) = (world.another_tenant().await, world.superuser().await);
    let id = world.tenant.key_id(Role::Member).to_string();
    let before = owner.dump().await;
    for role in [Role::Lead, Role::Admin] {
        let theirs = world.caller_of(&other, role).with("x-request-id", "same");
        for (method, path) in [("GET", ""), ("DELETE", ""), ("POST", "/rotate")] {
            let mut reported = Vec::new();
            for id in [id.as_str(), UNKNOWN] {
                let problem = theirs.send(method, &format!("{KEYS}/{id}{path}"), None).await;
                reported.push(problem.problem(404, "API_KEY_NOT_FOUND").to_string().replace(id, "ID"));
            }
            assert_eq!(reported[0], reported[1]);
        }
    }
    assert_eq!(owner.dump().await, before);
}

#[tokio::test]
async fn a_forged_truncated_or_foreign_credential_cannot_manage_keys() {
    let world = TestApp::full().await;
    let (key, caller) = create_key(&world, &world.caller(Role::Lead), json!({"name": "real"})).await;
    caller.get(KEYS).await.expect(200);
    let secret = key["secret"].as_str().unwrap();
    let (head, random) = secret.rsplit_once('_').unwrap();
    let forged = [
        format!("{head}_{}", "0".repeat(64)),
        format!("{head}_{}", random.chars().rev().collect::<String>()),
        secret[..secret.len() - 2].to_owned(),
        secret.replacen("ioc_", "ioca_", 1),
        secret.replacen("_test_", "_live_", 1),
    ];
    for text in forged {
        for path in [KEYS, "/api/v1/users", "/api/v1/tenant", "/api/v1/tenants", "/api/v1/me"] {
            with_secret(&world, &world.tenant, &text).get(path).await.problem(401, "UNAUTHENTICATED");
        }
    }
    let other = world.another_tenant().await;
    caller.with("x-tenant-id", &other.slug).get(KEYS).await.problem(403, "TENANT_MISMATCH");
}

#[tokio::test]
async fn an_expired_key_is_refused_from_that_moment() {
    let clock = Clock::fixed(Clock::System.now());
    let world = TestApp::idle(Options { clock: clock.clone(), ..Options::default() }).await;
    let expires_at = clock.now() + chrono::TimeDelta::hours(1);
    let (key, caller) =
        create_key(&world, &world.caller(Role::Lead), json!({"name": "short", "expires_at": expires_at})).await;
    assert_eq!(key["expires_at"], json!(expires_at));
    caller.get(KEYS).await.expect(200);
    clock.advance(chrono::TimeDelta::hours(1));
    caller.get(KEYS).await.problem(401, "UNAUTHENTICATED");
}

#[tokio::test]
async fn a_revoked_key_is_refused_at_once_and_by_other_processes_within_seconds() {
    let world = TestApp::full().await;
    let second = TestApp::on(world.database.clone(), Options::default()).await;
    let lead = world.caller(Role::Lead);
    let key = lead.post(KEYS, json!({"name": "leaked"})).await.expect(201);
    let here = with_secret(&world, &world.tenant, key["secret"].as_str().unwrap());
    let there = with_secret(&second, &world.tenant, key["secret"].as_str().unwrap());
    here.get("/sessions").await.expect(200);
    there.get("/sessions").await.expect(200);
    assert_eq!(lead.delete(&place(&key)).await.status, 204);
    here.get("/sessions").await.problem(401, "UNAUTHENTICATED");
    harness::until(async || there.get("/sessions").await.status == 401).await;
}
