//! `GET /tenant` and `GET /tenant/quotas`: what the own tenant may use, and uses.

use harness::{Options, TestApp};
use serde_json::{Value, json};
use shared::{
    identity::{
        auth::Role,
        tenants::{Admission, TenantLimits},
    },
    kernel::clock::Clock,
    platform::queue::job::Job,
};

const QUOTAS: &str = "/api/v1/tenant/quotas";

async fn quota(world: &TestApp, name: &str) -> Value {
    let found = world.caller(Role::Viewer).get(QUOTAS).await.expect(200);
    found["items"].as_array().unwrap().iter().find(|one| one["name"] == name).unwrap().clone()
}

#[tokio::test]
async fn every_role_reads_its_own_tenant_and_quotas() {
    let limits = TenantLimits { max_concurrent_sessions: 3, admission: Admission::Reject, ..TenantLimits::default() };
    let world = TestApp::idle(Options { limits, ..Options::default() }).await;
    for role in Role::ALL {
        let own = world.caller(role).without("x-tenant-id").get("/api/v1/tenant").await;
        assert_eq!(own.headers["etag"], "\"1\"");
        let own = own.expect(200);
        assert_eq!((&own["id"], &own["admission"]), (&json!(world.tenant.id), &json!("reject")));
        let quotas = world.caller(role).get(QUOTAS).await.expect(200);
        let names: Vec<_> = quotas["items"].as_array().unwrap().iter().map(|one| one["name"].clone()).collect();
        let running = ["concurrent_sessions", "queued_sessions", "tokens_per_month", "calls_per_minute"];
        let stored = ["open_sessions", "stored_bytes", "api_keys", "agents"];
        assert_eq!(names, [running, stored].concat());
    }
}

#[tokio::test]
async fn quota_usage_is_counted_from_rows() {
    let clock = Clock::fixed("2030-12-31T23:59:59Z".parse().unwrap());
    let limits = TenantLimits { max_concurrent_sessions: 1, max_tokens_per_month: 5000, ..TenantLimits::default() };
    let world = TestApp::idle(Options { clock: clock.clone(), limits, ..Options::default() }).await;
    let caller = world.caller(Role::Member);
    let mut ids = Vec::new();
    for _ in 0..3 {
        ids.push(caller.start_session(json!({"agent_config": {"agent": "manual"}})).await);
    }
    world.run(Job::dispatch(world.tenant.id, ids[0].parse().unwrap())).await;
    let spent = format!("insert into tenant_usage values ('{}', '2030-12-01', 1200, 0)", world.tenant.id);
    world.superuser().await.run(&spent).await;
    let name = |name: &str, limit: i64, used: i64, resets_at: Value| json!({"name": name, "limit": limit, "used": used, "resets_at": resets_at});
    assert_eq!(quota(&world, "concurrent_sessions").await, name("concurrent_sessions", 1, 1, Value::Null));
    assert_eq!(quota(&world, "queued_sessions").await, name("queued_sessions", 1000, 2, Value::Null));
    let tokens = name("tokens_per_month", 5000, 1200, json!("2031-01-01T00:00:00Z"));
    assert_eq!(quota(&world, "tokens_per_month").await, tokens);
    clock.advance(chrono::TimeDelta::seconds(1));
    let tokens = name("tokens_per_month", 5000, 0, json!("2031-02-01T00:00:00Z"));
    assert_eq!(quota(&world, "tokens_per_month").await, tokens);
}

#[tokio::test]
async fn a_limit_that_an_admin_sets_is_shown_at_once() {
    let world = TestApp::full().await;
    assert_eq!(quota(&world, "calls_per_minute").await["limit"], Value::Null);
    let body = json!({"max_concurrent_sessions": 4, "calls_per_minute": 90});
    world.caller(Role::Admin).patch(&format!("/api/v1/tenants/{}", world.tenant.id), body).await.expect(200);
    assert_eq!(quota(&world, "concurrent_sessions").await["limit"], 4);
    assert_eq!(quota(&world, "calls_per_minute").await["limit"], 90);
}
