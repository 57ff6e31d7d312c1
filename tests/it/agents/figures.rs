//! What came of their work makes the figures of agents, and opens and closes the breaker.

use harness::{World, owner::Owner};
use serde_json::{Value, json};
use shared::{
    agent::{
        Agent,
        route::{Requirements, left_out},
        standing::Tier,
        store,
    },
    auth::Role,
};

async fn agent(world: &World, id: &str) -> Agent {
    store::find(&world.app.db, world.tenant.id, id.parse().unwrap()).await.unwrap()
}

/// Runs a session with this script on the one agent that there is, to its end.
async fn run(world: &World, script: Value) -> Value {
    let caller = world.caller(Role::Member);
    let config = json!({"script": script, "required_capabilities": ["testing"]});
    let id = caller.start_session(json!({"agent_config": config})).await;
    caller.reaches(&id, &["completed", "partially_completed", "failed", "stopped"]).await
}

fn fails(category: &str) -> Value {
    json!([{"do": "fail", "category": category, "message": "It broke."}])
}

async fn with_one_agent() -> (World, Owner, String) {
    let world = World::new().await;
    let owner = world.owner().await;
    owner.without_the_platforms_agents().await;
    let id = world.agent(&owner, &world.tenant, "only", "capabilities = '{testing}'").await;
    (world, owner, id)
}

#[tokio::test]
async fn every_end_that_tells_something_about_the_agent_counts_once() {
    let (world, owner, id) = with_one_agent().await;
    run(&world, json!([{"do": "spend", "tokens_input": 10, "tokens_output": 5, "cost_micros": 3000}])).await;
    run(&world, json!([{"do": "partial", "message": "half"}])).await;
    run(&world, fails("agent")).await;
    // What people asked for in vain says nothing about who had the work.
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
async fn after_five_failures_an_agent_gets_no_work_until_a_trial_succeeds() {
    let (world, owner, id) = with_one_agent().await;
    let caller = world.caller(Role::Member);
    for _ in 0..5 {
        run(&world, fails("agent")).await;
    }
    assert!(agent(&world, &id).await.breaker_opened_at.is_some());
    let start = || caller.start_session(json!({"agent_config": {"script": [{"do": "wait", "ms": 600_000}]}}));
    let (first, second) = (start().await, start().await);
    shared::sweep::sweep(&world.app).await.unwrap();
    assert_eq!(caller.session(&first).await["status"], "queued");
    // Ten minutes later one may try, and only one.
    owner.run("update agents set breaker_opened_at = breaker_opened_at - interval '10 minutes'").await;
    shared::sweep::sweep(&world.app).await.unwrap();
    caller.reaches(&first, &["running"]).await;
    shared::sweep::sweep(&world.app).await.unwrap();
    assert_eq!(caller.session(&second).await["status"], "queued");
    caller.post(&format!("/sessions/{first}/complete"), json!({"result": {"text": "done"}})).await.expect(200);
    caller.reaches(&second, &["running"]).await;
    let found = agent(&world, &id).await;
    assert_eq!((found.breaker_opened_at, found.figures.finished), (None, 6));
}

#[tokio::test]
async fn a_trial_that_fails_keeps_the_breaker_open_for_another_while() {
    let (world, owner, id) = with_one_agent().await;
    for _ in 0..5 {
        run(&world, fails("agent")).await;
    }
    owner.run("update agents set breaker_opened_at = breaker_opened_at - interval '10 minutes'").await;
    run(&world, fails("agent")).await;
    let now = world.app.clock.now();
    assert_eq!(agent(&world, &id).await.breaker(now), shared::agent::Breaker::Open);
}

#[tokio::test]
async fn the_database_computes_tiers_and_room_as_the_code_does() {
    let world = World::full().await;
    let owner = world.owner().await;
    let id = world.agent(&owner, &world.tenant, "measured", "").await;
    for tier in Tier::ALL {
        let rank = owner.number(&format!("select tier_rank('{}')::bigint", tier.name())).await;
        assert_eq!(usize::try_from(rank).unwrap(), Tier::ALL.iter().position(|one| one == tier).unwrap() + 1);
    }
    for (finished, succeeded, quality) in [
        (0, 0.0, 0.0),
        (4, 4.0, 4.0),
        (20, 19.0, 19.0),
        (20, 19.0, 2.0),
        (20, 17.0, 0.0),
        (20, 14.0, 0.0),
        (20, 10.0, 0.0),
        (20, 9.0, 0.0),
    ] {
        let count = if quality > 0.0 { 20 } else { 0 };
        for opened in ["null", "now() - interval '9 minutes'", "now() - interval '11 minutes'"] {
            for state in
                ["state = 'active'", "state = 'draining'", "liveness = 'suspect'", "reported_status = 'offline'"]
            {
                owner
                    .run(&format!(
                        "update agents set state = 'active', liveness = 'alive', reported_status = null where id = '{id}';
                         update agents set finished = {finished}, succeeded = {succeeded}, quality_sum = {quality},
                             quality_count = {count}, breaker_opened_at = {opened}, {state} where id = '{id}'"
                    ))
                    .await;
                let sql = format!(
                    "select agent_tier(a.finished, a.succeeded, a.quality_sum, a.quality_count) || ' ' || agent_room(a, now())
                     from agents a where id = '{id}'"
                );
                let found = agent(&world, &id).await;
                let refused = left_out(&found, &Requirements::default(), None, world.app.clock.now());
                let room = if refused.is_some() { Some(0) } else { found.room(world.app.clock.now()) };
                assert_eq!(
                    owner.texts(&sql).await,
                    [format!("{} {}", found.tier().name(), room.unwrap())],
                    "{state} {opened}"
                );
            }
        }
    }
}
