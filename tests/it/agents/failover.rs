//! A lost agent: its work goes on elsewhere, once.

use harness::{TestApp, superuser::Superuser};
use serde_json::{Value, json};
use shared::{engine::failover, identity::auth::Role};

async fn two_agents() -> (TestApp, Superuser, [String; 2]) {
    let world = TestApp::new().await;
    let owner = world.superuser().await;
    owner.without_the_platforms_agents().await;
    let first = world.agent(&owner, &world.tenant, "first", "agent_type = 'implementer'").await;
    let second = world.agent(&owner, &world.tenant, "second", "agent_type = 'reviewer'").await;
    (world, owner, [first, second])
}

fn work() -> Value {
    json!([{"do": "write", "path": "a.txt", "content": "one"}, {"do": "wait", "ms": 600_000}])
}

/// Loses an agent, as the reconciler does.
async fn lose(world: &TestApp, owner: &Superuser, agent: &str) {
    owner.run(&format!("update agents set liveness = 'offline' where id = '{agent}'")).await;
    failover::fail_over(&world.app, agent.parse().unwrap()).await.unwrap();
}

#[tokio::test]
async fn sessions_of_a_lost_agent_continue_elsewhere_from_their_last_checkpoint() {
    let (world, owner, [first, second]) = two_agents().await;
    let caller = world.caller(Role::Member);
    let id = caller.start_session(json!({"agent_config": {"script": work()}})).await;
    caller.sees(&id, "session.file_changed").await;
    harness::until(async || caller.session(&id).await["checkpoint_count"].as_i64() >= Some(2)).await;
    assert_eq!(caller.session(&id).await["agent"]["id"], first);
    lose(&world, &owner, &first).await;
    let session = caller.reaches(&id, &["running"]).await;
    assert_eq!(session["agent"]["id"], second);
    assert_eq!(caller.states(&id).await, ["queued", "running", "degraded", "running"]);
    // The other one began anew from what was stored: what the lost agent remembers is nothing to it.
    let fresh =
        format!("select count(*) from sessions where id = '{id}' and run = 2 and run_state->>'scope' = '{id}/2'");
    assert_eq!(owner.number(&fresh).await, 1);
}

#[tokio::test]
async fn a_session_that_loses_its_agent_twice_fails_as_retryable() {
    let (world, owner, [first, second]) = two_agents().await;
    let caller = world.caller(Role::Member);
    let id = caller.start_session(json!({"agent_config": {"script": work()}})).await;
    caller.reaches(&id, &["running"]).await;
    lose(&world, &owner, &first).await;
    caller.reaches(&id, &["running"]).await;
    world.agent(&owner, &world.tenant, "third", "").await;
    lose(&world, &owner, &second).await;
    let session = caller.reaches(&id, &["failed"]).await;
    assert_eq!((&session["outcome"]["error"]["code"], &session["recoverable"]), (&json!("AGENT_LOST"), &json!(true)));
    // A person may send it on its way once more.
    caller.act(&format!("/sessions/{id}/retry")).await.expect(202);
    caller.reaches(&id, &["running"]).await;
}

#[tokio::test]
async fn a_session_that_names_its_lost_agent_or_finds_no_other_fails_as_retryable() {
    let (world, owner, [first, second]) = two_agents().await;
    let caller = world.caller(Role::Member);
    let named = caller.start_session(json!({"agent_config": {"agent": "first", "script": work()}})).await;
    let alone = caller.start_session(json!({"agent_config": {"script": work()}})).await;
    harness::until(async || owner.number("select count(*) from sessions where run_state is not null").await == 2).await;
    owner.run(&format!("update agents set state = 'maintenance' where id = '{second}'")).await;
    owner.run(&format!("update sessions set agent_id = '{first}'")).await;
    lose(&world, &owner, &first).await;
    for id in [&named, &alone] {
        let session = caller.reaches(id, &["failed"]).await;
        assert_eq!(session["outcome"]["error"]["category"], "transient", "{session}");
    }
    // The lost agent is aborted once it answers, and the workspace is released a day later.
    let kept = "select count(*) from sessions where lease_until is null and next_step_at > now() + interval '1 hour'";
    harness::until(async || owner.number(kept).await == 2).await;
}

#[tokio::test]
async fn losing_an_agent_twice_moves_its_sessions_once() {
    let (world, owner, [first, _]) = two_agents().await;
    let caller = world.caller(Role::Member);
    let id = caller.start_session(json!({"agent_config": {"script": work()}})).await;
    caller.reaches(&id, &["running"]).await;
    futures_util::future::join_all((0..4).map(|_| lose(&world, &owner, &first))).await;
    caller.reaches(&id, &["running"]).await;
    assert_eq!(owner.number(&format!("select run::bigint from sessions where id = '{id}'")).await, 2);
}
