//! Deactivating and reactivating a tenant, and its limits: what that does to sessions, also after a crash in between.

use harness::{Caller, Options, Tenant, TestApp};
use serde_json::{Value, json};
use shared::{
    app::reconciler::reconcile,
    identity::{
        auth::Role,
        tenants::{Admission, TenantLimits},
    },
    platform::queue::job::Job,
};

use super::another_process;

fn long() -> Value {
    json!([{"do": "say", "text": "Working."}, {"do": "wait", "ms": 600_000}])
}

fn limits(slots: i32) -> TenantLimits {
    TenantLimits { max_concurrent_sessions: slots, ..TenantLimits::default() }
}

/// An admin of another tenant, and the place of the first.
async fn admin(world: &TestApp) -> (Caller, String) {
    let other = world.another_tenant().await;
    (world.caller_of(&other, Role::Admin), format!("/api/v1/tenants/{}", world.tenant.id))
}

async fn rows(world: &TestApp) -> Vec<String> {
    let sql =
        "select case when offered_until is null then status else 'offered' end || coalesce(' ' || pause_reason, '')
                   || case when suspended then ' suspended' else '' end
               from sessions order by id";
    world.superuser().await.texts(sql).await
}

async fn becomes(world: &TestApp, expected: &[&str]) {
    let owner = world.superuser().await;
    let sql = "select status || coalesce(' ' || pause_reason, '') from sessions order by id";
    harness::until(async || owner.texts(sql).await == expected).await;
}

/// Like [`becomes`], with regular reconciliation: a dead worker may hold a step for a moment longer.
async fn becomes_by_reconciliation(second: &TestApp, expected: &[&str]) {
    let owner = second.superuser().await;
    let sql = "select status || coalesce(' ' || pause_reason, '') from sessions order by id";
    harness::until(async || {
        reconcile(&second.app).await.unwrap();
        owner.texts(sql).await == expected
    })
    .await;
}

async fn set_active(world: &TestApp, tenant: &Tenant, active: bool) {
    world.superuser().await.run(&format!("update tenants set is_active = {active} where id = '{}'", tenant.id)).await;
}

#[tokio::test]
async fn deactivation_refuses_a_tenant_at_once_and_reactivation_resumes_its_sessions() {
    let world = TestApp::limited(limits(3)).await;
    let (admin, place) = admin(&world).await;
    let caller = world.caller(Role::Member);
    let (first, held, second) =
        (caller.run_script(long()).await, caller.run_script(long()).await, caller.run_script(long()).await);
    for id in [&first, &held, &second] {
        caller.reaches(id, &["running"]).await;
    }
    caller.act(&format!("/sessions/{held}/pause")).await.expect(202);
    caller.reaches(&held, &["paused"]).await;
    assert_eq!(admin.patch(&place, json!({"is_active": false})).await.expect(200)["is_active"], false);
    for role in Role::ALL {
        world.caller(role).get("/sessions").await.problem(403, "TENANT_INACTIVE");
        world.caller(role).get("/api/v1/me").await.problem(403, "TENANT_INACTIVE");
    }
    admin.with("x-tenant-id", &world.tenant.slug).get("/sessions").await.problem(403, "TENANT_INACTIVE");
    admin.get(&place).await.expect(200);
    becomes(&world, &["paused maintenance", "paused manual", "paused maintenance"]).await;
    reconcile(&world.app).await.unwrap();
    assert_eq!(rows(&world).await, ["paused maintenance suspended", "paused manual", "paused maintenance suspended"]);
    admin.patch(&place, json!({"is_active": true})).await.expect(200);
    becomes(&world, &["running", "paused manual", "running"]).await;
    assert_eq!(caller.states(&first).await, ["queued", "running", "paused", "running"]);
    let events = caller.events(&first).await;
    let pause = events.iter().find(|event| event["payload"]["to"] == "paused").unwrap();
    assert_eq!((&pause["actor"]["id"], &pause["payload"]["pause_reason"]), (&json!("tenant"), &json!("maintenance")));
    caller.act(&format!("/sessions/{held}/resume")).await.expect(202);
}

#[tokio::test]
async fn suspended_sessions_get_their_slots_back_before_queued_ones() {
    let world = TestApp::limited(limits(2)).await;
    let (admin, place) = admin(&world).await;
    let caller = world.caller(Role::Member);
    for _ in 0..2 {
        let id = caller.run_script(long()).await;
        caller.reaches(&id, &["running"]).await;
    }
    caller.run_script(long()).await;
    admin.patch(&place, json!({"is_active": false})).await.expect(200);
    becomes(&world, &["paused maintenance", "paused maintenance", "queued"]).await;
    admin.patch(&place, json!({"is_active": true})).await.expect(200);
    becomes(&world, &["running", "running", "queued"]).await;
}

#[tokio::test]
async fn a_dispatch_right_after_reactivation_keeps_slots_for_suspended_sessions() {
    let world = TestApp::idle(Options { limits: limits(1), ..Options::default() }).await;
    let caller = world.caller(Role::Member);
    let held = caller.new_session(json!({})).await;
    let owner = world.superuser().await;
    owner.place(&held, "paused").await;
    owner.run("update sessions set pause_reason = 'maintenance', suspended = true").await;
    let waiting = caller.start_session(json!({"agent_config": {"agent": "manual"}})).await;
    world.run(Job::dispatch(world.tenant.id, waiting.parse().unwrap())).await;
    assert_eq!(rows(&world).await, ["paused maintenance suspended", "queued"]);
    reconcile(&world.app).await.unwrap();
    assert_eq!(rows(&world).await, ["running", "queued"]);
}

#[tokio::test]
async fn queued_sessions_start_only_while_their_tenant_is_active() {
    let world = TestApp::idle(Options { limits: limits(0), ..Options::default() }).await;
    let (admin, place) = admin(&world).await;
    let caller = world.caller(Role::Member);
    let id = caller.start_session(json!({"agent_config": {"agent": "manual"}})).await;
    admin.patch(&place, json!({"is_active": false, "max_concurrent_sessions": 5})).await.expect(200);
    world.run(Job::dispatch(world.tenant.id, id.parse().unwrap())).await;
    reconcile(&world.app).await.unwrap();
    assert_eq!(rows(&world).await, ["queued"]);
    admin.patch(&place, json!({"is_active": true})).await.expect(200);
    assert_eq!(rows(&world).await, ["offered"]);
    admin.patch(&place, json!({"is_active": false})).await.expect(200);
    assert_eq!(rows(&world).await, ["queued"], "the deactivation withdraws the offer");
}

#[tokio::test]
async fn a_timed_pause_that_ends_resumes_nothing_while_the_tenant_is_inactive() {
    let world = TestApp::idle(Options { limits: limits(1), ..Options::default() }).await;
    let (admin, place) = admin(&world).await;
    let caller = world.caller(Role::Member);
    let id = caller.new_session(json!({})).await;
    let owner = world.superuser().await;
    owner.place(&id, "paused").await;
    owner.run("update sessions set pause_reason = 'rate_limit', resume_at = now(), next_step_at = now()").await;
    admin.patch(&place, json!({"is_active": false})).await.expect(200);
    world.run(Job::observe(world.tenant.id, id.parse().unwrap())).await;
    assert_eq!(rows(&world).await, ["queued"]);
    reconcile(&world.app).await.unwrap();
    assert_eq!(rows(&world).await, ["queued"]);
}

#[tokio::test]
async fn the_reconciler_completes_a_deactivation_or_reactivation_after_a_crash() {
    let mut world = TestApp::limited(limits(2)).await;
    let caller = world.caller(Role::Member);
    for _ in 0..2 {
        let id = caller.run_script(long()).await;
        caller.reaches(&id, &["running"]).await;
    }
    world.crash().await;
    set_active(&world, &world.tenant, false).await;
    let second = another_process(&world).await;
    becomes_by_reconciliation(&second, &["paused maintenance", "paused maintenance"]).await;
    set_active(&world, &world.tenant, true).await;
    becomes_by_reconciliation(&second, &["running", "running"]).await;
    assert!(!rows(&world).await.iter().any(|row| row.contains("suspended")));
}

#[tokio::test]
async fn a_crash_after_a_requested_suspension_loses_neither_pause_nor_resumption() {
    let mut world = TestApp::limited(limits(2)).await;
    let (admin, place) = admin(&world).await;
    let caller = world.caller(Role::Member);
    let id = caller.run_script(long()).await;
    caller.reaches(&id, &["running"]).await;
    world.crash().await;
    admin.patch(&place, json!({"is_active": false})).await.expect(200);
    assert_eq!(rows(&world).await, ["running suspended"]);
    // Reactivated before anybody carried the pause out: it is, and then it goes on.
    admin.patch(&place, json!({"is_active": true})).await.expect(200);
    let second = another_process(&world).await;
    harness::until(async || {
        reconcile(&second.app).await.unwrap();
        caller.states(&id).await == ["queued", "running", "paused", "running"]
    })
    .await;
    assert_eq!(rows(&world).await, ["running"]);
}

#[tokio::test]
async fn a_session_stays_suspended_when_its_tenant_is_deactivated_again() {
    let mut world = TestApp::limited(limits(2)).await;
    let (admin, place) = admin(&world).await;
    let caller = world.caller(Role::Member);
    let id = caller.run_script(long()).await;
    caller.reaches(&id, &["running"]).await;
    world.crash().await;
    for active in [false, true, false] {
        admin.patch(&place, json!({"is_active": active})).await.expect(200);
    }
    let second = another_process(&world).await;
    becomes_by_reconciliation(&second, &["paused maintenance"]).await;
    reconcile(&second.app).await.unwrap();
    assert_eq!(rows(&world).await, ["paused maintenance suspended"]);
}

#[tokio::test]
async fn nobody_can_deactivate_the_tenant_of_their_own_credential() {
    let world = TestApp::full().await;
    let place = format!("/api/v1/tenants/{}", world.tenant.id);
    let problem = world.caller(Role::Admin).patch(&place, json!({"is_active": false})).await;
    assert_eq!(problem.problem(422, "VALIDATION_FAILED")["errors"][0]["field"], "is_active");
    world.caller(Role::Viewer).get("/sessions").await.expect(200);
}

#[tokio::test]
async fn another_process_applies_deactivation_and_reactivation_within_seconds() {
    let world = TestApp::full().await;
    let (admin, place) = admin(&world).await;
    let second = TestApp::on(world.database.clone(), Options::default()).await;
    let there = second.caller_of(&world.tenant, Role::Viewer);
    there.get("/sessions").await.expect(200);
    admin.patch(&place, json!({"is_active": false})).await.expect(200);
    harness::until(async || there.get("/sessions").await.status == 403).await;
    admin.patch(&place, json!({"is_active": true})).await.expect(200);
    harness::until(async || there.get("/sessions").await.status == 200).await;
}

#[tokio::test]
async fn a_raised_limit_starts_the_next_session_at_once_and_a_lowered_one_stops_none() {
    let world = TestApp::idle(Options { limits: limits(1), ..Options::default() }).await;
    let (admin, place) = admin(&world).await;
    let caller = world.caller(Role::Member);
    let mut ids = Vec::new();
    for _ in 0..3 {
        ids.push(caller.start_session(json!({"agent_config": {"agent": "manual"}})).await);
    }
    world.run(Job::dispatch(world.tenant.id, ids[0].parse().unwrap())).await;
    assert_eq!(rows(&world).await, ["running", "queued", "queued"]);
    admin.patch(&place, json!({"max_concurrent_sessions": 2})).await.expect(200);
    assert_eq!(rows(&world).await, ["running", "offered", "queued"]);
    admin.patch(&place, json!({"max_concurrent_sessions": 0, "max_queued_sessions": 1})).await.expect(200);
    reconcile(&world.app).await.unwrap();
    assert_eq!(rows(&world).await, ["running", "offered", "queued"]);
    let body = json!({"title": "One more", "initial_prompt": "Do it.", "start": true});
    caller.post("/sessions", body.clone()).await.problem(429, "QUOTA_EXCEEDED");
    admin.patch(&place, json!({"admission": Admission::Reject, "max_queued_sessions": 9})).await.expect(200);
    caller.post("/sessions", body).await.problem(429, "QUOTA_EXCEEDED");
}

#[tokio::test]
async fn a_raised_token_limit_resumes_waiting_sessions_at_once() {
    let world = TestApp::limited(TenantLimits { max_tokens_per_month: 1000, ..TenantLimits::default() }).await;
    let (admin, place) = admin(&world).await;
    let caller = world.caller(Role::Member);
    let script = json!([{"do": "spend", "tokens_input": 900, "tokens_output": 100}, {"do": "wait", "ms": 600_000}]);
    let id = caller.run_script(script).await;
    assert_eq!(caller.reaches(&id, &["paused"]).await["pause"]["reason"], "quota");
    admin.patch(&place, json!({"max_tokens_per_month": 1000, "name": "The same"})).await.expect(200);
    assert_eq!(caller.session(&id).await["status"], "paused");
    admin.patch(&place, json!({"max_tokens_per_month": 0})).await.expect(200);
    assert_eq!(caller.states(&id).await, ["queued", "running", "paused", "running"]);
}
