//! The results of agents determine their performance figures, and open and close the breaker.

use harness::{TestApp, superuser::Superuser};
use serde_json::{Value, json};
use shared::{
    agents::registry::{
        Agent, Breaker, exclusion::exclusion_reason, performance::Tier, requirements::RoutingRequirements, store,
    },
    identity::auth::Role,
};

async fn agent(world: &TestApp, id: &str) -> Agent {
    store::find_agent(&world.app.db, world.tenant.id, id.parse().unwrap()).await.unwrap()
}

/// Runs a session with this script on the one agent that there is, to its end.
async fn run(world: &TestApp, script: Value) -> Value {
    let caller = world.caller(Role::Member);
    let config = json!({"script": script, "required_capabilities": ["testing"]});
    let id = caller.start_session(json!({"agent_config": config})).await;
    caller.reaches(&id, &["completed", "partially_completed", "failed", "stopped"]).await
}

fn fails(category: &str) -> Value {
    json!([{"do": "fail", "category": category, "message": "It broke."}])
}

async fn with_one_agent() -> (TestApp, Superuser, String) {
    let world = TestApp::new().await;
    let owner = world.superuser().await;
    owner.without_the_platforms_agents().await;
    let id = world.agent(&owner, &world.tenant, "only", "capabilities = '{testing}'").await;
    (world, owner, id)
}

#[tokio::test]
async fn every_end_that_reflects_on_the_agent_counts_once() {
    let (world, owner, id) = with_one_agent().await;
    run(&world, json!([{"do": "spend", "tokens_input": 10, "tokens_output": 5, "cost_micros": 3000}])).await;
    run(&world, json!([{"do": "partial", "message": "half"}])).await;
    run(&world, fails("agent")).await;
    // Invalid requests of people do not count against the agent.
    run(&world, fails("user")).await;
    run(&world, fails("policy")).await;
    let found = agent(&world, &id).await;
    assert_eq!((found.figures.finished, found.figures.succeeded), (3, 1.5));
    assert!((found.figures.cost_micros_sum - 3000.0).abs() < 0.5);
    assert!(found.last_result_at.is_some());
    assert_eq!(found.tier(), Tier::Standard);
    let rows = owner
        .texts("select success::text || ' ' || array_to_string(capabilities, ',') from agent_results order by at")
        .await;
    assert_eq!(rows, ["1 testing", "0.5 testing", "0 testing"]);
}

#[tokio::test]
async fn after_five_failures_an_agent_gets_no_sessions_until_a_trial_succeeds() {
    let (world, owner, id) = with_one_agent().await;
    let caller = world.caller(Role::Member);
    for _ in 0..5 {
        run(&world, fails("agent")).await;
    }
    assert!(agent(&world, &id).await.breakers.tenant_opened_at.is_some());
    let start = || caller.start_session(json!({"agent_config": {"script": [{"do": "wait", "ms": 1500}]}}));
    let (first, second) = (start().await, start().await);
    shared::app::reconciler::reconcile(&world.app).await.unwrap();
    assert_eq!(caller.session(&first).await["status"], "queued");
    // Ten minutes later one may try, and only one.
    owner.run("update agent_tenant_stats set breaker_opened_at = breaker_opened_at - interval '10 minutes'").await;
    shared::app::reconciler::reconcile(&world.app).await.unwrap();
    caller.reaches(&first, &["running"]).await;
    shared::app::reconciler::reconcile(&world.app).await.unwrap();
    assert_eq!(caller.session(&second).await["status"], "queued");
    caller.reaches(&first, &["completed"]).await;
    caller.reaches(&second, &["running", "completed"]).await;
    let found = agent(&world, &id).await;
    assert_eq!(found.breakers.tenant_opened_at, None);
    assert!(found.figures.finished >= 6);
}

#[tokio::test]
async fn a_trial_that_fails_keeps_the_breaker_open_for_another_while() {
    let (world, owner, id) = with_one_agent().await;
    for _ in 0..5 {
        run(&world, fails("agent")).await;
    }
    owner.run("update agent_tenant_stats set breaker_opened_at = breaker_opened_at - interval '10 minutes'").await;
    run(&world, fails("agent")).await;
    let now = world.app.clock.now();
    assert_eq!(agent(&world, &id).await.breaker(now), Breaker::Open);
}

/// Writes columns of an agent and compares its tier and capacity in SQL with those of the code.
async fn assert_same_tier_and_capacity(world: &TestApp, owner: &Superuser, id: &str, sets: &str) {
    let reset = "state = 'active', liveness = 'alive', reported_status = null, server_down_since = null,
                 breaker_opened_at = null";
    owner
        .run(&format!("update agents set {reset} where id = '{id}'; update agents set {sets} where id = '{id}'"))
        .await;
    let sql = format!(
        "select agent_tier(f.finished, f.succeeded, f.quality_sum, f.quality_count) || ' '
                || least(agent_capacity_now(a, now()), tenant_agent_room(a.id, a.tenant_id, now()))
         from agents a cross join lateral agent_figures(a, a.tenant_id) f where id = '{id}'"
    );
    let found = agent(world, id).await;
    let refused = exclusion_reason(&found, &RoutingRequirements::default(), None, world.app.clock.now());
    let room = match (refused, found.breaker(world.app.clock.now())) {
        (Some(_), _) | (None, Breaker::Open) => 0,
        (None, Breaker::HalfOpen) => 1,
        (None, Breaker::Closed) => 5,
    };
    assert_eq!(owner.texts(&sql).await, [format!("{} {room}", found.tier().name())], "{sets}");
}

/// Numbers of finished runs, their successes, and the sum of their quality: one for each tier, and at its limits.
const MEASURED_RESULTS: [(i32, f64, f64); 8] = [
    (0, 0.0, 0.0),
    (4, 4.0, 4.0),
    (20, 19.0, 19.0),
    (20, 19.0, 2.0),
    (20, 17.0, 0.0),
    (20, 14.0, 0.0),
    (20, 10.0, 0.0),
    (20, 9.0, 0.0),
];

#[tokio::test]
async fn the_database_computes_tiers_and_capacity_as_the_code_does() {
    let world = TestApp::full().await;
    let owner = world.superuser().await;
    let id = world.agent(&owner, &world.tenant, "measured", "").await;
    for tier in Tier::ALL {
        let rank = owner.number(&format!("select tier_rank('{}')::bigint", tier.name())).await;
        assert_eq!(usize::try_from(rank).unwrap(), Tier::ALL.iter().position(|one| one == tier).unwrap() + 1);
    }
    for (finished, succeeded, quality) in MEASURED_RESULTS {
        let count = if quality > 0.0 { 20 } else { 0 };
        let figures = format!(
            "finished = {finished}, succeeded = {succeeded}, quality_sum = {quality}, quality_count = {count},
             result_tenants = 2"
        );
        for opened in ["null", "now() - interval '9 minutes'", "now() - interval '11 minutes'"] {
            let own = format!(
                "insert into agent_tenant_stats (tenant_id, agent_id, breaker_opened_at)
                 values ('{}', '{id}', {opened})
                 on conflict (tenant_id, agent_id) do update set breaker_opened_at = excluded.breaker_opened_at",
                world.tenant.id
            );
            owner.run(&own).await;
            for state in [
                "state = 'active'",
                "state = 'draining'",
                "liveness = 'suspect'",
                "reported_status = 'offline'",
                "server_down_since = now()",
                "breaker_opened_at = now()",
            ] {
                let sets = format!("{figures}, {state}");
                assert_same_tier_and_capacity(&world, &owner, &id, &sets).await;
            }
        }
    }
}
