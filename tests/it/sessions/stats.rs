//! `GET /sessions/stats`.

use harness::TestApp;
use serde_json::{Value, json};
use shared::identity::auth::Role;

#[tokio::test]
async fn a_tenant_without_sessions_has_empty_statistics() {
    let world = TestApp::full().await;
    let stats = world.caller(Role::Viewer).get("/sessions/stats").await.expect(200);
    let nothing = json!({
        "total": 0, "by_status": {}, "by_type": {}, "by_priority": {}, "active": 0, "queued": 0, "limit": 0,
        "duration_seconds": {"average": null, "p50": null, "p95": null}, "success_rate": null,
        "tokens_this_month": 0, "cost_usd_this_month": "0.000000",
    });
    assert_eq!(stats, nothing);
}

#[tokio::test]
async fn statistics_count_by_state_type_and_priority_and_rate_finished_sessions() {
    let world = TestApp::full().await;
    let (caller, owner) = (world.caller(Role::Member), world.superuser().await);
    let placed = [
        "pending",
        "queued",
        "running",
        "degraded",
        "paused",
        "completed",
        "completed",
        "partially_completed",
        "failed",
        "timeout",
        "stopped",
        "cancelled",
    ];
    for (at, state) in placed.iter().enumerate() {
        let kind = if at == 0 { "review" } else { "execution" };
        let id = caller.new_session(json!({"session_type": kind, "priority": at % 2})).await;
        owner.place(&id, state).await;
        owner.run(&format!("update sessions set started_at = now(), active_ms = {at} * 1000 where id = '{id}'")).await;
    }
    owner.run("insert into tenant_usage select id, date_trunc('month', now() at time zone 'UTC')::date, 7, 5 from tenants").await;
    owner.run("insert into tenant_usage select id, '2001-01-01', 70, 50 from tenants").await;
    let stats = caller.get("/sessions/stats").await.expect(200);
    assert_eq!((&stats["total"], &stats["active"], &stats["queued"]), (&json!(12), &json!(2), &json!(1)));
    assert_eq!((&stats["by_status"]["completed"], &stats["by_status"]["orphaned"]), (&json!(2), &Value::Null));
    assert_eq!(stats["by_type"], json!({"review": 1, "execution": 11}));
    assert_eq!(stats["by_priority"], json!({"critical": 6, "high": 6}));
    assert_eq!(stats["success_rate"], 0.5, "two and a half of five");
    assert_eq!(stats["duration_seconds"], json!({"average": 8.0, "p50": 8.0, "p95": 10.7}));
    assert_eq!((&stats["tokens_this_month"], &stats["cost_usd_this_month"]), (&json!(7), &json!("0.000005")));
}
