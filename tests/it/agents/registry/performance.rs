//! `GET /agents/stats`, `GET /agents/{id}/performance`.

use harness::{Caller, TestApp, superuser::Superuser};
use serde_json::{Value, json};
use shared::identity::auth::Role;

use super::{AGENTS, UNKNOWN, all, id, place, running_on};

#[tokio::test]
async fn the_counts_name_every_value_and_cover_the_agents_visible_to_the_tenant() {
    let world = TestApp::full().await;
    let (lead, owner) = (world.caller(Role::Lead), world.superuser().await);
    let full = place(&lead, "full").await;
    place(&lead, "silent").await;
    place(&world.caller_of(&world.another_tenant().await, Role::Lead), "theirs").await;
    owner
        .run("update agents set liveness = 'alive', capacity = 1, result_tenants = 2, finished = 10, succeeded = 9 where name = 'full'")
        .await;
    running_on(&world.caller(Role::Member), &owner, id(&full)).await;
    let stats = world.caller(Role::Viewer).get(&format!("{AGENTS}/stats")).await.expect(200);
    assert_eq!((&stats["total"], &stats["available"], &stats["tasks_in_progress"]), (&json!(4), &json!(2), &json!(1)));
    assert_eq!(stats["by_status"], json!({"healthy": 2, "degraded": 0, "busy": 1, "offline": 1}));
    assert_eq!(stats["by_kind"], json!({"scripted": 1, "manual": 1, "eap": 2, "a2a": 0}));
    assert_eq!((&stats["by_tier"]["advanced"], &stats["by_tier"]["standard"]), (&json!(1), &json!(3)));
    assert_eq!((&stats["by_load_level"]["critical"], &stats["by_load_level"]["idle"]), (&json!(1), &json!(3)));
}

/// Results of an agent for a session of a caller: success, milliseconds, micro-dollars, what was asked for, how many
/// hours ago.
async fn results(caller: &Caller, owner: &Superuser, agent: &str, rows: &[(f64, i64, i64, &str, i64)]) {
    let session = caller.new_session(json!({})).await;
    for (run, (success, ms, cost, capability, hours)) in rows.iter().enumerate() {
        let sql = format!(
            "insert into agent_results (tenant_id, session_id, run, agent_id, success, duration_ms, cost_micros, tokens, capabilities, at)
             select tenant_id, id, {run}, '{agent}', {success}, {ms}, {cost}, 10, array['{capability}'], now() - interval '{hours} hours'
             from sessions where id = '{session}'"
        );
        owner.run(&sql).await;
    }
}

#[tokio::test]
async fn an_owner_sees_every_result_of_its_agent_but_only_its_own_sessions() {
    let world = TestApp::full().await;
    let lead = world.caller(Role::Lead);
    let agent = place(&lead, "shared").await;
    let other = world.another_tenant().await;
    let (mine, theirs, owner) =
        (world.caller(Role::Member), world.caller_of(&other, Role::Member), world.superuser().await);
    results(&mine, &owner, id(&agent), &[(1.0, 100, 1_000_000, "testing", 1), (0.5, 200, 2_000_000, "testing", 3)])
        .await;
    results(&theirs, &owner, id(&agent), &[(0.0, 1000, 3_000_000, "debugging", 2)]).await;
    let seen = lead.get(&format!("{agent}/performance")).await.expect(200);
    let summary = &seen["summary"];
    assert_eq!((&summary["finished"], &summary["success_rate"]), (&json!(3), &json!(0.5)));
    assert_eq!((&summary["p50_duration_ms"], &summary["cost_per_success_usd"]), (&json!(200.0), &json!("4.000000")));
    assert!(
        summary["success_interval"]["low"].as_f64() < Some(0.5)
            && summary["success_interval"]["high"].as_f64() > Some(0.5)
    );
    let each: Vec<_> = seen["by_capability"]
        .as_array()
        .unwrap()
        .iter()
        .map(|one| (one["capability"].clone(), one["success_rate"].clone()))
        .collect();
    assert_eq!(each, [(json!("debugging"), json!(0.0)), (json!("testing"), json!(0.75))]);
    let known: Vec<_> = all(&seen, "session_id").iter().map(Value::is_string).collect();
    assert_eq!(known, [true, false, true], "newest first; the one in between was another tenant's");
    assert_eq!(all(&seen, "duration_ms"), [json!(100), json!(1000), json!(200)]);
    assert!(!seen.to_string().contains(&other.id.to_string()));
    let since = lead
        .get(&format!(
            "{agent}/performance?since={}",
            (world.app.clock.now() - chrono::TimeDelta::minutes(90)).format("%Y-%m-%dT%H:%M:%SZ")
        ))
        .await;
    assert_eq!(since.expect(200)["summary"]["finished"], 1);
    let paged = lead.all_pages(&format!("{agent}/performance?limit=1"), "duration_ms").await;
    assert_eq!(paged, all(&seen, "duration_ms"));
}

#[tokio::test]
async fn a_tenant_sees_only_its_own_sessions_results_of_a_foreign_agent() {
    let world = TestApp::full().await;
    let (viewer, owner) = (world.caller(Role::Viewer), world.superuser().await);
    let other = world.another_tenant().await;
    let scripted =
        viewer.get(&format!("{AGENTS}?q=scripted")).await.expect(200)["items"][0]["id"].as_str().unwrap().to_owned();
    results(&world.caller(Role::Member), &owner, &scripted, &[(1.0, 100, 0, "testing", 1)]).await;
    results(&world.caller_of(&other, Role::Member), &owner, &scripted, &[(0.0, 1000, 0, "testing", 1)]).await;
    let seen = viewer.get(&format!("{AGENTS}/{scripted}/performance")).await.expect(200);
    assert_eq!((&seen["summary"]["finished"], &seen["summary"]["success_rate"]), (&json!(1), &json!(1.0)));
    assert_eq!(all(&seen, "duration_ms"), [json!(100)]);
}

#[tokio::test]
async fn an_agent_without_results_has_no_figures_and_a_bad_query_is_refused() {
    let world = TestApp::full().await;
    let lead = world.caller(Role::Lead);
    let agent = place(&lead, "new").await;
    let seen = lead.get(&format!("{agent}/performance")).await.expect(200);
    assert_eq!(seen["summary"]["finished"], 0);
    for field in ["success_rate", "success_interval", "p50_duration_ms", "cost_per_success_usd"] {
        assert!(seen["summary"][field].is_null(), "{field}");
    }
    for query in [
        "since=yesterday",
        "cursor=x",
        "cursor=99999999999999999999_x",
        &format!("cursor=-1_{UNKNOWN}"),
        "limit=0",
        "a=b",
    ] {
        lead.get(&format!("{agent}/performance?{query}")).await.problem(422, "VALIDATION_FAILED");
    }
    lead.get(&format!("{agent}/performance?cursor=253402300799999999_{UNKNOWN}&since=0001-01-01T00:00:00Z"))
        .await
        .expect(200);
    lead.get(&format!("{AGENTS}/{UNKNOWN}/performance")).await.problem(404, "AGENT_NOT_FOUND");
}
