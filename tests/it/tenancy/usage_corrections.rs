//! `POST /tenants/{id}/usage-corrections`: an admin corrects the tokens that a tenant used this month.

use harness::TestApp;
use serde_json::{Value, json};
use shared::identity::{auth::Role, tenants::TenantLimits};

use super::UNKNOWN;

fn place(tenant: &str) -> String {
    format!("/api/v1/tenants/{tenant}/usage-corrections")
}

fn correction(tokens: i64) -> Value {
    json!({"tokens": tokens, "reason": "An agent reported what it never used."})
}

#[tokio::test]
async fn an_admin_corrects_the_months_tokens_and_waiting_sessions_go_on() {
    let world = TestApp::limited(TenantLimits { max_tokens_per_month: 1000, ..TenantLimits::default() }).await;
    let other = world.another_tenant().await;
    let admin = world.caller_of(&other, Role::Admin).also("idempotency-key", "once");
    let (caller, place) = (world.caller(Role::Member), place(&world.tenant.id.to_string()));
    let script = json!([{"do": "spend", "tokens_input": 900, "tokens_output": 100}, {"do": "wait", "ms": 600_000}]);
    let paused = caller.run_script(script).await;
    assert_eq!(caller.reaches(&paused, &["paused"]).await["pause"]["reason"], "quota");
    let waits = caller.start_session(json!({})).await;
    assert_eq!(caller.session(&waits).await["queue"]["waiting_for"], "tokens");
    for _ in 0..2 {
        let corrected = admin.post(&place, correction(-400)).await.expect(200);
        assert_eq!(
            (&corrected["tokens_this_month"], &corrected["max_tokens_per_month"]),
            (&json!(600), &json!(1000)),
            "the same call counts once"
        );
    }
    caller.reaches(&paused, &["running"]).await;
    assert_eq!(caller.states(&paused).await, ["queued", "running", "paused", "running"]);
    caller.reaches(&waits, &["completed"]).await;
    assert_eq!(caller.get("/sessions/stats").await.expect(200)["tokens_this_month"], 600);
    let audit = world.caller(Role::Lead).get("/api/v1/audit?action=tenant.correct_usage").await.expect(200);
    let entries = audit["items"].as_array().unwrap();
    assert_eq!(entries.len(), 1);
    let after = &entries[0]["after"];
    assert_eq!((&after["tokens"], &after["tokens_this_month"]), (&json!(-400), &json!(600)));
    assert_eq!(after["reason"], correction(0)["reason"]);
}

#[tokio::test]
async fn a_correction_takes_the_months_tokens_no_further_than_to_zero() {
    let world = TestApp::full().await;
    let (admin, place) = (world.caller(Role::Admin), place(&world.tenant.id.to_string()));
    for (tokens, count) in [(-5, 0), (7, 7), (-4, 3), (-1_000_000_000_000_000, 0), (2, 2)] {
        let corrected = admin.post(&place, correction(tokens)).await.expect(200);
        assert_eq!(corrected["tokens_this_month"], count, "after {tokens}");
    }
    for (field, body) in [
        ("tokens", correction(0)),
        ("tokens", correction(i64::MIN)),
        ("reason", json!({"tokens": 1, "reason": " "})),
        ("reason", json!({"tokens": 1})),
    ] {
        let problem = admin.post(&place, body).await.problem(422, "VALIDATION_FAILED");
        assert_eq!(problem["errors"][0]["field"], field);
    }
}

#[tokio::test]
async fn only_an_admin_corrects_usage() {
    let world = TestApp::full().await;
    let place_here = place(&world.tenant.id.to_string());
    let owner = world.superuser().await;
    let before = owner.dump().await;
    for role in [Role::Viewer, Role::Member, Role::Lead] {
        world.caller(role).post(&place_here, correction(-1)).await.problem(403, "FORBIDDEN");
    }
    world.caller(Role::Admin).post(&place(UNKNOWN), correction(-1)).await.problem(404, "TENANT_NOT_FOUND");
    assert_eq!(owner.dump().await, before);
}
