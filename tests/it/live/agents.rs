//! The events of agents: registration, status, tasks, removal.

use std::time::Duration;

use harness::{Options, TestApp, eap_agent::registration, websocket::Served};
use serde_json::{Value, json};
use shared::{identity::auth::Role, platform::queue::job::Job};

use super::options;

const AGENTS: &str = "/api/v1/agents";

#[tokio::test]
async fn the_lifecycle_of_an_agent_is_published_as_it_happens() {
    let mut settings = options().settings;
    settings.heartbeat_interval = Duration::from_millis(100);
    let world = TestApp::idle(Options { settings, ..options() }).await;
    let served = Served::of(&world).await;
    let mut socket = served.open(&world, "/ws/agents").await;
    socket.until("subscription.confirmed").await;
    let lead = world.caller(Role::Lead);
    let made = lead.post(&format!("{AGENTS}/external/register"), registration("AGENT_1")).await.expect(201);
    let id = made["agent_id"].as_str().unwrap();
    let reported = socket.next_event().await;
    assert_eq!((&reported["type"], &reported["payload"]["agent_id"]), (&json!("agent.registered"), &json!(id)));

    let agent = world.nobody().with("authorization", &format!("Bearer {}", made["auth_token"].as_str().unwrap()));
    let heartbeat = async |status: &str, load: f64| {
        let body = json!({"status": status, "current_load": load, "tasks_in_progress": 1});
        agent.post(&format!("{AGENTS}/external/{id}/heartbeat"), body).await.expect(204);
    };
    heartbeat("healthy", 0.5).await;
    assert_eq!(socket.next_event().await["type"], "agent.status_changed", "it had said nothing yet");
    heartbeat("healthy", 0.5).await;
    heartbeat("healthy", 0.51).await;
    heartbeat("healthy", 0.9).await;
    let reported = socket.next_event().await;
    let found = (&reported["type"], &reported["payload"]["load"]);
    assert_eq!(found, (&json!("agent.heartbeat"), &json!(0.9)), "an unchanged status is published once");
    heartbeat("busy", 0.9).await;
    let reported = socket.next_event().await;
    assert_eq!((&reported["type"], &reported["payload"]["status"]), (&json!("agent.status_changed"), &json!("busy")));
    tokio::time::sleep(Duration::from_millis(450)).await;
    world.run(Job::reconcile()).await;
    let reported = socket.next_event().await;
    assert_eq!((&reported["payload"]["liveness"], &reported["actor"]["name"]), (&json!("offline"), &json!("liveness")));

    lead.patch(&format!("{AGENTS}/{id}"), json!({"state": "maintenance"})).await.expect(200);
    let reported = socket.next_event().await;
    assert_eq!((&reported["payload"]["state"], &reported["actor"]["kind"]), (&json!("maintenance"), &json!("key")));
    lead.delete(&format!("{AGENTS}/{id}?force=true")).await.expect(204);
    assert_eq!(socket.next_event().await["type"], "agent.deregistered");
}

#[tokio::test]
async fn tasks_assigned_to_and_finished_by_an_agent_are_published() {
    let mut world = TestApp::idle(options()).await;
    world.work();
    let served = Served::of(&world).await;
    let mut socket = served.open(&world, "/ws/agents").await;
    socket.until("subscription.confirmed").await;
    let caller = world.caller(Role::Member);
    let id = caller.run_script(json!([{"do": "say", "text": "One."}])).await;
    let reported: [Value; 2] = [socket.next_event().await, socket.next_event().await];
    assert_eq!(
        (&reported[0]["type"], &reported[0]["payload"]["session_id"]),
        (&json!("agent.task_assigned"), &json!(id))
    );
    assert_eq!(
        (&reported[1]["type"], &reported[1]["payload"]["status"]),
        (&json!("agent.task_completed"), &json!("completed"))
    );
}

#[tokio::test]
async fn refused_or_rolled_back_changes_are_not_published() {
    let world = TestApp::idle(options()).await;
    let served = Served::of(&world).await;
    let mut socket = served.open(&world, "/ws/agents").await;
    socket.until("subscription.confirmed").await;
    let lead = world.caller(Role::Lead);
    let new = |name: &str| json!({"name": name, "agent_type": "reviewer", "kind": "eap", "capabilities": ["testing"]});
    lead.post(AGENTS, new("one")).await.expect(201);
    lead.post(AGENTS, new("one")).await.problem(409, "ALREADY_EXISTS");
    lead.with("idempotency-key", "again").post(AGENTS, new("two")).await.expect(201);
    lead.with("idempotency-key", "again").post(AGENTS, new("two")).await.problem(409, "SECRET_SHOWN_ONCE");
    lead.post(AGENTS, new("three")).await.expect(201);
    for name in ["one", "two", "three"] {
        assert_eq!(socket.next_event().await["payload"]["name"], name);
    }
}
