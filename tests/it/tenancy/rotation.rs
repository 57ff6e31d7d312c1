//! `POST /api-keys/{id}/rotate`: a new key in the place of another, which stays good for a while.

use chrono::TimeDelta;
use futures_util::future::join_all;
use harness::{Caller, Options, TestApp};
use serde_json::{Value, json};
use shared::{identity::auth::Role, kernel::clock::Clock};

use super::{all, person, with_secret};

const KEYS: &str = "/api/v1/api-keys";

async fn at_a_fixed_time() -> (TestApp, Clock) {
    let clock = Clock::fixed(Clock::System.now());
    (TestApp::idle(Options { clock: clock.clone(), ..Options::default() }).await, clock)
}

fn caller(world: &TestApp, key: &Value) -> Caller {
    with_secret(world, &world.tenant, key["secret"].as_str().unwrap())
}

fn rotate(key: &Value) -> String {
    format!("{KEYS}/{}/rotate", key["id"].as_str().unwrap())
}

#[tokio::test]
async fn a_rotated_key_stays_valid_for_the_overlap_and_only_its_secret_changes() {
    let (world, clock) = at_a_fixed_time().await;
    let lead = world.caller(Role::Lead);
    let body = json!({"name": "build", "role": "member", "scopes": ["sessions:read"]});
    let old = lead.post(KEYS, body).await.expect(201);
    let new = lead.post(&rotate(&old), json!({"overlap_seconds": 60})).await.expect(201);
    for field in ["name", "role", "scopes", "user_id", "expires_at"] {
        assert_eq!(new[field], old[field], "{field}");
    }
    let shown = lead.get(&format!("{KEYS}/{}", old["id"].as_str().unwrap())).await.expect(200);
    assert_eq!(shown["rotated_to"], new["id"]);
    assert_eq!(shown["expires_at"], json!(clock.now() + TimeDelta::seconds(60)));
    clock.advance(TimeDelta::seconds(59));
    caller(&world, &old).get("/sessions").await.expect(200);
    caller(&world, &new).get("/sessions").await.expect(200);
    clock.advance(TimeDelta::seconds(1));
    caller(&world, &old).get("/sessions").await.problem(401, "UNAUTHENTICATED");
    caller(&world, &new).get("/sessions").await.expect(200);
    let audit = lead.get("/api/v1/audit?object_kind=api_key").await.expect(200);
    assert_eq!(all(&audit, "action"), ["api_key.create", "api_key.rotate", "api_key.create"]);
}

#[tokio::test]
async fn the_default_overlap_is_one_day_and_a_zero_overlap_ends_the_old_key_at_once() {
    let (world, clock) = at_a_fixed_time().await;
    let lead = world.caller(Role::Lead);
    let first = lead.post(KEYS, json!({"name": "build"})).await.expect(201);
    let second = lead.act(&rotate(&first)).await.expect(201);
    let shown = lead.get(&format!("{KEYS}/{}", first["id"].as_str().unwrap())).await.expect(200);
    assert_eq!(shown["expires_at"], json!(clock.now() + TimeDelta::days(1)));
    let third = caller(&world, &second).post(&rotate(&second), json!({"overlap_seconds": 0})).await.expect(201);
    caller(&world, &second).get("/sessions").await.problem(401, "UNAUTHENTICATED");
    caller(&world, &third).get("/sessions").await.expect(200);
}

#[tokio::test]
async fn an_overlap_never_extends_the_old_key_and_the_new_key_lives_equally_long() {
    let (world, clock) = at_a_fixed_time().await;
    let lead = world.caller(Role::Lead);
    let expires_at = clock.now() + TimeDelta::hours(2);
    let old = lead.post(KEYS, json!({"name": "build", "expires_at": expires_at})).await.expect(201);
    clock.advance(TimeDelta::hours(1));
    let new = lead.act(&rotate(&old)).await.expect(201);
    assert_eq!(new["expires_at"], json!(clock.now() + TimeDelta::hours(2)));
    let shown = lead.get(&format!("{KEYS}/{}", old["id"].as_str().unwrap())).await.expect(200);
    assert_eq!(shown["expires_at"], json!(expires_at));
}

#[tokio::test]
async fn an_expired_or_rotated_key_cannot_be_rotated() {
    let (world, clock) = at_a_fixed_time().await;
    let (lead, owner) = (world.caller(Role::Lead), world.superuser().await);
    let mut keys = Vec::new();
    for expires_at in [Value::Null, Value::Null, json!(clock.now() + TimeDelta::minutes(1))] {
        keys.push(lead.post(KEYS, json!({"name": "build", "expires_at": expires_at})).await.expect(201));
    }
    assert_eq!(lead.delete(&format!("{KEYS}/{}", keys[0]["id"].as_str().unwrap())).await.status, 204);
    lead.act(&rotate(&keys[1])).await.expect(201);
    clock.advance(TimeDelta::minutes(1));
    let before = owner.dump().await;
    for key in &keys {
        lead.act(&rotate(key)).await.problem(409, "INVALID_TRANSITION");
        for overlap in [json!(-1), json!(604_801), json!("1 day")] {
            let problem = lead.post(&rotate(key), json!({"overlap_seconds": overlap})).await;
            assert_eq!(problem.problem(422, "VALIDATION_FAILED")["errors"][0]["field"], "overlap_seconds");
        }
    }
    assert_eq!(owner.dump().await, before);
}

#[tokio::test]
async fn concurrent_rotations_rotate_a_key_once() {
    let (world, _) = at_a_fixed_time().await;
    let (lead, owner) = (world.caller(Role::Lead), world.superuser().await);
    let key = lead.post(KEYS, json!({"name": "build"})).await.expect(201);
    let before = owner.number("select count(*) from api_keys").await;
    let path = rotate(&key);
    let rotated = join_all((0..8).map(|_| lead.act(&path))).await;
    assert_eq!(rotated.iter().filter(|reply| reply.status == 201).count(), 1);
    assert_eq!(owner.number("select count(*) from api_keys").await, before + 1);
}

#[tokio::test]
async fn a_person_rotates_their_own_key_and_a_repeated_rotation_shows_one_secret() {
    let (world, _) = at_a_fixed_time().await;
    let (id, member) = person(&world, Role::Member).await;
    let own = member.post(KEYS, json!({"name": "laptop"})).await.expect(201);
    let again = member.with("idempotency-key", "rotate-1");
    let first = again.act(&rotate(&own)).await.expect(201);
    let second = again.act(&rotate(&own)).await;
    assert_eq!(second.headers["idempotent-replay"], "true");
    let place = format!("{KEYS}/{}", first["id"].as_str().unwrap());
    assert_eq!(second.problem(409, "SECRET_SHOWN_ONCE")["current"]["location"], place);
    assert_eq!(first["user_id"], id);
    caller(&world, &first).get("/sessions").await.expect(200);
    let (_, random) = first["secret"].as_str().unwrap().rsplit_once('_').unwrap();
    let dump = world.superuser().await.dump().await;
    assert!(dump.values().all(|rows| !rows.contains(random)), "no copy of the secret is kept");
}
