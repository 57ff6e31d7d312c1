//! `/tenants` and `/tenants/{id}`: for admins alone, whatever tenant they are of.

use harness::TestApp;
use serde_json::{Value, json};
use shared::identity::auth::Role;

use super::{HOSTILE, UNKNOWN, all, pages, with_secret};

const TENANTS: &str = "/api/v1/tenants";

fn named(slug: &str) -> Value {
    json!({"name": "Another", "slug": slug})
}

#[tokio::test]
async fn a_created_tenant_has_the_documented_defaults_and_gets_a_first_key() {
    let world = TestApp::full().await;
    let admin = world.caller(Role::Admin).without("x-tenant-id");
    let reply = admin.post(TENANTS, named("second")).await;
    let place = reply.headers["location"].to_str().unwrap().to_owned();
    assert_eq!(reply.headers["etag"], "\"1\"");
    let made = reply.expect(201);
    for (field, value) in [
        ("max_concurrent_sessions", json!(10)),
        ("max_queued_sessions", json!(1000)),
        ("max_tokens_per_month", json!(1_000_000)),
        ("admission", json!("queue")),
        ("signup", json!(false)),
        ("signup_role", json!("viewer")),
        ("audit_retention_days", json!(0)),
        ("calls_per_minute", Value::Null),
        ("training_consent", json!(false)),
        ("metadata", json!({})),
        ("is_active", json!(true)),
        ("version", json!(1)),
    ] {
        assert_eq!(made[field], value, "{field}");
    }
    assert_eq!(admin.get(&place).await.expect(200), made);
    let there = admin.with("x-tenant-id", "second");
    let key = there.post("/api/v1/api-keys", json!({"name": "first", "role": "lead"})).await.expect(201);
    let lead = with_secret(&world, &world.tenant, key["secret"].as_str().unwrap()).with("x-tenant-id", "second");
    assert_eq!(lead.get("/api/v1/tenant").await.expect(200), made);
    let reported = lead.get("/api/v1/audit").await.expect(200);
    assert_eq!(all(&reported, "action"), ["api_key.create", "tenant.create"]);
    let reported = admin.get("/api/v1/audit").await.expect(200);
    assert_eq!(reported["items"][0]["after"]["slug"], "second");
}

#[tokio::test]
async fn every_field_can_be_set_and_changed_and_omitted_fields_stay() {
    let world = TestApp::full().await;
    let admin = world.caller(Role::Admin);
    let body = json!({
        "name": "Full", "slug": "full", "max_concurrent_sessions": 0, "max_queued_sessions": 7,
        "max_tokens_per_month": 0, "admission": "reject", "signup": true, "signup_role": "lead",
        "audit_retention_days": 30, "calls_per_minute": 60, "training_consent": true, "metadata": {"a": [1, {"b": null}]},
    });
    let made = admin.post(TENANTS, body.clone()).await.expect(201);
    for (field, value) in body.as_object().unwrap() {
        assert_eq!(&made[field], value, "{field}");
    }
    let place = format!("{TENANTS}/{}", made["id"].as_str().unwrap());
    let changed = admin.patch(&place, json!({"name": "Fuller", "calls_per_minute": null})).await.expect(200);
    let mut expected = made.clone();
    expected["name"] = json!("Fuller");
    expected["calls_per_minute"] = Value::Null;
    expected["version"] = json!(2);
    expected["updated_at"] = changed["updated_at"].clone();
    assert_eq!(changed, expected);
    assert_eq!(admin.patch(&place, json!({"name": "Fuller"})).await.expect(200), changed, "nothing changed");
    let reported = admin.with("x-tenant-id", "full").get("/api/v1/audit").await.expect(200);
    assert_eq!(reported["items"][0]["before"], json!({"name": "Full", "calls_per_minute": 60}));
    assert_eq!(reported["items"][0]["after"], json!({"name": "Fuller", "calls_per_minute": null}));
}

#[tokio::test]
async fn an_invalid_slug_is_refused_and_not_repaired() {
    let world = TestApp::full().await;
    let (admin, owner) = (world.caller(Role::Admin), world.superuser().await);
    let before = owner.dump().await;
    let long = "a".repeat(51);
    for slug in [
        "",
        "a",
        "Acme",
        "ACME",
        "acme ",
        " acme",
        "ac me",
        "acme\n",
        "acme\0",
        "ac_me",
        "acme.",
        "\u{430}cme",
        "acm\u{435}",
        "acme\u{200b}",
        "\u{ff41}cme",
        "caf\u{e9}",
        "a/b",
        "..",
        "'; --",
        &long,
    ] {
        let problem = admin.post(TENANTS, named(slug)).await.problem(422, "VALIDATION_FAILED");
        assert_eq!(problem["errors"][0]["field"], "slug", "{slug:?}");
    }
    assert_eq!(owner.dump().await, before);
    for slug in ["ab", "--", "007", &long[..50]] {
        assert_eq!(admin.post(TENANTS, named(slug)).await.expect(201)["slug"], slug);
    }
    admin.post(TENANTS, named("ab")).await.problem(409, "ALREADY_EXISTS");
    admin.post(TENANTS, named(&world.tenant.slug)).await.problem(409, "ALREADY_EXISTS");
}

/// Values that break a rule of their field.
fn invalid_fields() -> Vec<(&'static str, Value)> {
    vec![
        ("name", json!("a")),
        ("name", json!("x".repeat(101))),
        ("name", json!("two\nlines")),
        ("name", json!("end ")),
        ("name", json!("nul\0")),
        ("max_concurrent_sessions", json!(-1)),
        ("max_concurrent_sessions", json!(100_001)),
        ("max_queued_sessions", json!(1_000_001)),
        ("max_tokens_per_month", json!(-1)),
        ("max_tokens_per_month", json!("many")),
        ("admission", json!("maybe")),
        ("signup", json!("yes")),
        ("signup_role", json!("admin")),
        ("signup_role", json!("owner")),
        ("audit_retention_days", json!(29)),
        ("audit_retention_days", json!(3651)),
        ("calls_per_minute", json!(-1)),
        ("metadata", json!([])),
        ("metadata", json!({"k": "x".repeat(16 * 1024)})),
        ("metadata", json!({"a": "\0"})),
        ("slug", json!(["another"])),
    ]
}

#[tokio::test]
async fn an_invalid_request_is_refused_by_field_and_changes_nothing() {
    let world = TestApp::full().await;
    let (admin, owner) = (world.caller(Role::Admin), world.superuser().await);
    let place = format!("{TENANTS}/{}", world.tenant.id);
    let before = owner.dump().await;
    for (field, value) in invalid_fields() {
        let mut body = named("another");
        body[field] = value.clone();
        let problem = admin.post(TENANTS, body).await.problem(422, "VALIDATION_FAILED");
        assert_eq!(problem["errors"][0]["field"], field, "{value}");
        let problem = admin.patch(&place, json!({field: value})).await.problem(422, "VALIDATION_FAILED");
        assert_eq!(problem["errors"][0]["field"], field, "{value}");
    }
    for query in ["is_active=perhaps", "q=%00", "limit=0", "cursor=7", "sort=name"] {
        admin.get(&format!("{TENANTS}?{query}")).await.problem(422, "VALIDATION_FAILED");
    }
    for method in ["GET", "DELETE"] {
        admin.send(method, &format!("{TENANTS}/7"), None).await.problem(422, "VALIDATION_FAILED");
        let unknown = admin.send(method, &format!("{TENANTS}/{UNKNOWN}"), None).await;
        unknown.problem(404, "TENANT_NOT_FOUND");
    }
    admin.patch(&format!("{TENANTS}/{UNKNOWN}"), json!({"name": "No one"})).await.problem(404, "TENANT_NOT_FOUND");
    assert_eq!(owner.dump().await, before);
}

#[tokio::test]
async fn hostile_text_is_stored_and_returned_unchanged() {
    let world = TestApp::full().await;
    let admin = world.caller(Role::Admin);
    for (at, text) in HOSTILE.iter().enumerate() {
        let body = json!({"name": text, "slug": format!("hostile-{at}"), "metadata": {*text: [text]}});
        let made = admin.post(TENANTS, body.clone()).await.expect(201);
        let found = admin.get(&format!("{TENANTS}/{}", made["id"].as_str().unwrap())).await.expect(200);
        assert_eq!((&found["name"], &found["metadata"]), (&body["name"], &body["metadata"]));
        let q: String = form_urlencoded::byte_serialize(text.as_bytes()).collect();
        let listed = admin.get(&format!("{TENANTS}?q={q}")).await.expect(200);
        assert_eq!(all(&listed, "id"), [made["id"].clone()], "{text}");
    }
}

#[tokio::test]
async fn nobody_below_admin_sees_or_changes_tenants_not_even_their_own() {
    let world = TestApp::full().await;
    let (other, owner) = (world.another_tenant().await, world.superuser().await);
    let before = owner.dump().await;
    for role in [Role::Viewer, Role::Member, Role::Lead] {
        let caller = world.caller(role);
        caller.get(TENANTS).await.problem(403, "FORBIDDEN");
        caller.post(TENANTS, named("another")).await.problem(403, "FORBIDDEN");
        for id in [world.tenant.id, other.id] {
            let place = format!("{TENANTS}/{id}");
            caller.get(&place).await.problem(403, "FORBIDDEN");
            caller.patch(&place, json!({"max_concurrent_sessions": 1000})).await.problem(403, "FORBIDDEN");
            caller.delete(&place).await.problem(403, "FORBIDDEN");
        }
    }
    assert_eq!(owner.dump().await, before);
}

#[tokio::test]
async fn a_change_based_on_an_outdated_version_is_refused() {
    let world = TestApp::full().await;
    let admin = world.caller(Role::Admin);
    let place = format!("{TENANTS}/{}", world.tenant.id);
    let etag = admin.get(&place).await.headers["etag"].to_str().unwrap().to_owned();
    let first = admin.with("if-match", &etag).patch(&place, json!({"name": "One"})).await;
    assert_eq!(first.headers["etag"], "\"2\"");
    let problem = admin.with("if-match", &etag).patch(&place, json!({"name": "Two"})).await;
    assert_eq!(problem.problem(412, "VERSION_MISMATCH")["current"], json!({"version": 2}));
    admin.with("if-match", "\"x\"").patch(&place, json!({"name": "Two"})).await.problem(412, "VERSION_MISMATCH");
    admin.with("if-match", "*").patch(&place, json!({"name": "Two"})).await.expect(200);
}

#[tokio::test]
async fn the_list_holds_every_tenant_once_newest_first_and_can_be_filtered() {
    let world = TestApp::full().await;
    let admin = world.caller(Role::Admin);
    let mut made = vec![world.tenant.id.to_string()];
    for at in 0..6 {
        let body = json!({"name": format!("Tenant {at}"), "slug": format!("one-{at}")});
        made.push(admin.post(TENANTS, body).await.expect(201)["id"].as_str().unwrap().to_owned());
    }
    made.reverse();
    assert_eq!(pages(&admin, &format!("{TENANTS}?limit=3"), 3).await, made);
    let place = format!("{TENANTS}/{}", made[0]);
    admin.patch(&place, json!({"is_active": false})).await.expect(200);
    let inactive = admin.get(&format!("{TENANTS}?is_active=false")).await.expect(200);
    assert_eq!(all(&inactive, "id"), [json!(made[0])]);
    let found = admin.get(&format!("{TENANTS}?q=ONE-3&is_active=true")).await.expect(200);
    assert_eq!(all(&found, "slug"), ["one-3"]);
}

#[tokio::test]
async fn a_tenant_creation_repeated_with_one_idempotency_key_is_done_once() {
    let world = TestApp::full().await;
    let admin = world.caller(Role::Admin).with("idempotency-key", "make-it");
    let first = admin.post(TENANTS, named("once")).await;
    let second = admin.post(TENANTS, named("once")).await;
    assert_eq!(second.headers["idempotent-replay"], "true");
    assert_eq!((first.expect(201), 201), (second.json(), second.status.as_u16()));
    let audit = world.caller(Role::Admin).get("/api/v1/audit?action=tenant.create").await.expect(200);
    assert_eq!(audit["items"].as_array().unwrap().len(), 1);
    let verdict = world.caller(Role::Admin).get("/api/v1/audit/verify").await.expect(200);
    assert_eq!(verdict["intact"], true);
}
