//! What agents do is told: that they come, how they stand, what they work on, that they go.

use std::time::Duration;

use harness::{Options, World, watch::Served};
use serde_json::{Value, json};
use shared::{auth::Role, job::Job};

use super::options;

const AGENTS: &str = "/api/v1/agents";

#[tokio::test]
async fn the_life_of_an_agent_is_told_as_it_happens() {
    let mut settings = options().settings;
    settings.beat = Duration::from_millis(100);
    let world = World::idle(Options { settings, ..options() }).await;
    let served = Served::of(&world).await;
    let mut socket = served.open(&world, "/ws/agents").await;
    socket.until("subscription.confirmed").await;
    let lead = world.caller(Role::Lead);
    let new = json!({"protocol_version": "1.0", "name": "AGENT_1", "version": "1", "agent_type": "implementer",
        "capabilities": ["testing"]});
    let made = lead.post(&format!("{AGENTS}/external/register"), new).await.expect(201);
    let id = made["agent_id"].as_str().unwrap();
    let told = socket.told().await;
    assert_eq!((&told["type"], &told["payload"]["agent_id"]), (&json!("agent.registered"), &json!(id)));

    let agent = world.nobody().with("authorization", &format!("Bearer {}", made["auth_token"].as_str().unwrap()));
    let beat = async |status: &str, load: f64| {
        let body = json!({"status": status, "current_load": load, "tasks_in_progress": 1});
        agent.post(&format!("{AGENTS}/external/{id}/heartbeat"), body).await.expect(204);
    };
    beat("healthy", 0.5).await;
    assert_eq!(socket.told().await["type"], "agent.status_changed", "it had said nothing yet");
    beat("healthy", 0.5).await;
    beat("healthy", 0.51).await;
    beat("healthy", 0.9).await;
    let told = socket.told().await;
    assert_eq!(
        (&told["type"], &told["payload"]["load"]),
        (&json!("agent.heartbeat"), &json!(0.9)),
        "what is the same is told once"
    );
    beat("busy", 0.9).await;
    let told = socket.told().await;
    assert_eq!((&told["type"], &told["payload"]["status"]), (&json!("agent.status_changed"), &json!("busy")));
    tokio::time::sleep(Duration::from_millis(450)).await;
    world.run(Job::sweep()).await;
    let told = socket.told().await;
    assert_eq!((&told["payload"]["liveness"], &told["actor"]["name"]), (&json!("offline"), &json!("liveness")));

    lead.patch(&format!("{AGENTS}/{id}"), json!({"state": "maintenance"})).await.expect(200);
    let told = socket.told().await;
    assert_eq!((&told["payload"]["state"], &told["actor"]["kind"]), (&json!("maintenance"), &json!("key")));
    lead.delete(&format!("{AGENTS}/{id}?force=true")).await.expect(204);
    assert_eq!(socket.told().await["type"], "agent.deregistered");
}

#[tokio::test]
async fn what_an_agent_is_given_and_finishes_is_told() {
    let mut world = World::idle(options()).await;
    world.work();
    let served = Served::of(&world).await;
    let mut socket = served.open(&world, "/ws/agents").await;
    socket.until("subscription.confirmed").await;
    let caller = world.caller(Role::Member);
    let id = caller.run_script(json!([{"do": "say", "text": "One."}])).await;
    let told: [Value; 2] = [socket.told().await, socket.told().await];
    assert_eq!((&told[0]["type"], &told[0]["payload"]["session_id"]), (&json!("agent.task_assigned"), &json!(id)));
    assert_eq!(
        (&told[1]["type"], &told[1]["payload"]["status"]),
        (&json!("agent.task_completed"), &json!("completed"))
    );
}

#[tokio::test]
async fn what_is_refused_or_undone_is_not_told() {
    let world = World::idle(options()).await;
    let served = Served::of(&world).await;
    let mut socket = served.open(&world, "/ws/agents").await;
    socket.until("subscription.confirmed").await;
    let lead = world.caller(Role::Lead);
    let new = |name: &str| json!({"name": name, "agent_type": "reviewer", "kind": "eap", "capabilities": ["testing"]});
    lead.post(AGENTS, new("one")).await.expect(201);
    lead.post(AGENTS, new("one")).await.problem(409, "ALREADY_EXISTS");
    lead.with("idempotency-key", "again").post(AGENTS, new("two")).await.expect(201);
    lead.with("idempotency-key", "again").post(AGENTS, new("two")).await.expect(201);
    lead.post(AGENTS, new("three")).await.expect(201);
    for name in ["one", "two", "three"] {
        assert_eq!(socket.told().await["payload"]["name"], name);
    }
}
