//! The life of a key and of the keys that come from it.

use chrono::TimeDelta;
use harness::{Options, TestApp};
use serde_json::{Value, json};
use shared::{identity::auth::Role, kernel::clock::Clock};

use super::{person, with_secret};

const KEYS: &str = "/api/v1/api-keys";

async fn at_a_fixed_time() -> (TestApp, Clock) {
    let clock = Clock::fixed(Clock::System.now());
    (TestApp::idle(Options { clock: clock.clone(), ..Options::default() }).await, clock)
}

/// Creates a key by a caller and returns it with its bearer as a caller.
async fn create(world: &TestApp, caller: &harness::Caller, body: Value) -> (Value, harness::Caller) {
    let key = caller.post(KEYS, body).await.expect(201);
    let bearer = with_secret(world, &world.tenant, key["secret"].as_str().unwrap());
    (key, bearer)
}

fn place(key: &Value) -> String {
    format!("{KEYS}/{}", key["id"].as_str().unwrap())
}

#[tokio::test]
async fn a_key_lives_no_longer_than_the_key_that_created_or_rotated_it() {
    let (world, clock) = at_a_fixed_time().await;
    let end = clock.now() + TimeDelta::hours(1);
    let (_, member) = person(&world, Role::Member).await;
    let (parent, maker) = create(&world, &member, json!({"name": "parent", "expires_at": end})).await;
    let (child, _) = create(&world, &maker, json!({"name": "child"})).await;
    assert_eq!((&child["expires_at"], &child["created_by_key"]), (&json!(end), &parent["id"]));
    let sooner = clock.now() + TimeDelta::minutes(5);
    let (short, _) = create(&world, &maker, json!({"name": "short", "expires_at": sooner})).await;
    assert_eq!(short["expires_at"], json!(sooner));
    let later = json!({"name": "long", "expires_at": end + TimeDelta::seconds(1)});
    let refused = maker.post(KEYS, later).await.problem(422, "VALIDATION_FAILED");
    assert_eq!(refused["errors"][0]["field"], "expires_at");
    clock.advance(TimeDelta::minutes(30));
    let rotated = maker.act(&format!("{}/rotate", place(&parent))).await.expect(201);
    assert_eq!(rotated["expires_at"], json!(end), "a key does not extend its own life");
    clock.advance(TimeDelta::minutes(30));
    for secret in [&child["secret"], &rotated["secret"]] {
        let bearer = with_secret(&world, &world.tenant, secret.as_str().unwrap());
        bearer.get("/api/v1/me").await.problem(401, "UNAUTHENTICATED");
    }
}

#[tokio::test]
async fn revoking_a_key_with_cascade_ends_all_keys_that_came_from_it_and_no_others() {
    let (world, _) = at_a_fixed_time().await;
    let (_, member) = person(&world, Role::Member).await;
    let (first, by_first) = create(&world, &member, json!({"name": "first"})).await;
    let (_, child) = create(&world, &by_first, json!({"name": "child"})).await;
    let (_, grandchild) = create(&world, &child, json!({"name": "grandchild"})).await;
    let rotated = by_first.act(&format!("{}/rotate", place(&first))).await.expect(201);
    let successor = with_secret(&world, &world.tenant, rotated["secret"].as_str().unwrap());
    let (_, sibling) = create(&world, &member, json!({"name": "sibling"})).await;
    let line = [&by_first, &child, &grandchild, &successor];
    // A plain revocation ends one key.
    let (alone, by_alone) = create(&world, &by_first, json!({"name": "alone"})).await;
    let (_, below_alone) = create(&world, &by_alone, json!({"name": "below"})).await;
    assert_eq!(member.delete(&place(&alone)).await.status, 204);
    by_alone.get("/api/v1/me").await.expect(401);
    below_alone.get("/api/v1/me").await.expect(200);
    // The successor stands for the whole line of the key that it replaced.
    assert_eq!(member.delete(&format!("{}?cascade=true", place(&first))).await.status, 204);
    for key in line.into_iter().chain([&below_alone]) {
        key.get("/api/v1/me").await.problem(401, "UNAUTHENTICATED");
    }
    for key in [&member, &sibling] {
        key.get("/api/v1/me").await.expect(200);
    }
    let revoked = "select count(*) from audit_entries where action = 'api_key.revoke'";
    assert_eq!(world.superuser().await.number(revoked).await, 6, "one entry for each key");
    assert_eq!(member.delete(&format!("{}?cascade=true", place(&first))).await.status, 204, "it may be repeated");
    member.delete(&format!("{}?cascade=perhaps", place(&first))).await.problem(422, "VALIDATION_FAILED");
}

#[tokio::test]
async fn a_key_without_the_scope_to_write_keys_makes_none() {
    let (world, _) = at_a_fixed_time().await;
    let (_, member) = person(&world, Role::Member).await;
    let scopes = json!({"name": "narrow", "scopes": ["sessions:write", "api_keys:read"]});
    let (narrow, bearer) = create(&world, &member, scopes).await;
    bearer.post(KEYS, json!({"name": "child"})).await.problem(403, "FORBIDDEN");
    bearer.act(&format!("{}/rotate", place(&narrow))).await.problem(403, "FORBIDDEN");
    bearer.delete(&place(&narrow)).await.problem(403, "FORBIDDEN");
}

#[tokio::test]
async fn a_repeated_request_is_not_answered_past_the_callers_present_role() {
    let (world, _) = at_a_fixed_time().await;
    let (id, lead) = person(&world, Role::Lead).await;
    let keyed = lead.with("idempotency-key", "past-the-role");
    let body = json!({"name": "build", "user_id": null});
    let created = keyed.post(KEYS, body.clone()).await.expect(201);
    let refused = keyed.post(KEYS, body.clone()).await.problem(409, "SECRET_SHOWN_ONCE");
    assert_eq!(refused["current"]["location"], place(&created));
    let demoted = json!({"role": "viewer"});
    world.caller(Role::Admin).patch(&format!("/api/v1/users/{id}"), demoted).await.expect(200);
    keyed.post(KEYS, body.clone()).await.problem(403, "FORBIDDEN");
    world.caller(Role::Admin).delete(&format!("/api/v1/users/{id}")).await;
    keyed.post(KEYS, body).await.problem(401, "UNAUTHENTICATED");
}
