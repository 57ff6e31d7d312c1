//! `POST /agents/external/register`, the token that it answers with, and heartbeats.

use chrono::TimeDelta;
use harness::{Options, TestApp, eap_agent::registration};
use serde_json::json;
use shared::{identity::auth::Role, kernel::clock::Clock};

const REGISTER: &str = "/api/v1/agents/external/register";

#[tokio::test]
async fn an_agent_registers_with_a_key_and_then_calls_with_a_token_of_its_own() {
    let world = TestApp::full().await;
    let (owner, caller) = (world.superuser().await, world.caller(Role::Member));
    let reply = caller.post(REGISTER, registration("BUILDER-1")).await;
    let place = reply.headers["location"].to_str().unwrap().to_owned();
    let made = reply.expect(201);
    assert_eq!(place, format!("/api/v1/agents/{}", made["agent_id"].as_str().unwrap()));
    assert_eq!((&made["status"], &made["delivery"]), (&json!("registered"), &json!("pull")));
    assert_eq!(made["heartbeat_interval_seconds"], 30.0);
    assert_eq!(made.get("signing_secret"), None, "nothing is pushed to it");
    let row = "select concat_ws(' ', kind, agent_type, capabilities::text, skills::text, capacity, liveness) from agents where name = 'BUILDER-1'";
    assert_eq!(owner.texts(row).await, ["eap implementer {code_generation} {rust_expert} 5 alive"]);
    let (id, token) = (made["agent_id"].as_str().unwrap(), made["auth_token"].as_str().unwrap());
    let path = format!("/api/v1/agents/external/{id}/heartbeat");
    let heartbeat = json!({"status": "busy", "current_load": 0.5, "tasks_in_progress": 2, "metrics": {"cpu": 0.3}});
    for agent in
        [world.nobody().with("x-agent-token", token), world.nobody().with("authorization", &format!("Bearer {token}"))]
    {
        assert_eq!(agent.post(&path, heartbeat.clone()).await.status, 204);
    }
    let row = "select concat_ws(' ', reported_status, reported_load, reported_tasks, metrics) from agents where name = 'BUILDER-1'";
    assert_eq!(owner.texts(row).await, [r#"busy 0.5 2 {"cpu": 0.3}"#]);
    let audited = "select action from audit_entries where object_kind in ('agent', 'agent_token') order by seq";
    assert_eq!(owner.texts(audited).await, ["agent.register", "agent_token.create"]);
    for (table, rows) in owner.dump().await {
        assert!(!rows.contains(token.rsplit('_').next().unwrap()), "{table} holds the secret");
    }
}

#[tokio::test]
async fn a_name_is_unique_in_a_tenant_and_free_in_another() {
    let world = TestApp::full().await;
    let (owner, other) = (world.superuser().await, world.another_tenant().await);
    world.puller("BUILDER").await;
    let before = owner.dump().await;
    world.caller(Role::Member).post(REGISTER, registration("BUILDER")).await.problem(409, "ALREADY_EXISTS");
    assert_eq!(owner.dump().await, before);
    world.caller_of(&other, Role::Member).post(REGISTER, registration("BUILDER")).await.expect(201);
}

#[tokio::test]
async fn a_repeated_registration_with_its_key_creates_one_agent_and_repeats_no_token() {
    let world = TestApp::full().await;
    let caller = world.caller(Role::Member).with("idempotency-key", "once");
    let first = caller.post(REGISTER, registration("BUILDER")).await.expect(201);
    let again = caller.post(REGISTER, registration("BUILDER")).await;
    assert_eq!(again.headers["idempotent-replay"], "true");
    let refused = again.problem(409, "SECRET_SHOWN_ONCE");
    let location = format!("/api/v1/agents/{}", first["agent_id"].as_str().unwrap());
    assert_eq!(refused["current"]["location"], location);
    assert_eq!(world.superuser().await.number("select count(*) from agent_tokens").await, 1);
}

#[tokio::test]
async fn every_refused_field_of_a_registration_is_named() {
    let world = TestApp::full().await;
    let caller = world.caller(Role::Member);
    for (field, value) in [
        ("protocol_version", json!("2.0")),
        ("name", json!("builder")),
        ("version", json!("")),
        ("agent_type", json!("wizard")),
        ("capabilities[0]", json!(["No Skill"])),
        ("capacity", json!(51)),
        ("metadata", json!({"a": "x".repeat(20_000)})),
        ("endpoint_url", json!("http://agents.example.com/")),
        ("endpoint_url", json!("https://127.0.0.1/")),
        ("endpoint_url", json!("https://169.254.169.254/latest")),
        ("endpoint_url", json!("https://user:pass@agents.example.com/")),
    ] {
        let mut body = registration("BUILDER");
        body[field.split('[').next().unwrap()] = value;
        let problem = caller.post(REGISTER, body).await.problem(422, "VALIDATION_FAILED");
        assert_eq!(problem["errors"][0]["field"], field);
    }
}

#[tokio::test]
async fn a_push_agent_gets_a_signing_secret_that_is_stored_encrypted() {
    let outbound = "127.0.0.1:9".parse().unwrap();
    let mut options = Options::default();
    options.settings.outbound = outbound;
    let world = TestApp::idle(options).await;
    let agent = world.pushed("PUSHED", "http://127.0.0.1:9/agent/").await;
    let secret = agent.secret.unwrap();
    assert!(secret.starts_with("whsec_"));
    let owner = world.superuser().await;
    assert_eq!(
        owner.texts("select endpoint_url from agents where name = 'PUSHED'").await,
        ["http://127.0.0.1:9/agent"]
    );
    let kept = "select encode(endpoint_secret, 'escape') from agents where name = 'PUSHED'";
    assert!(!owner.texts(kept).await[0].contains(secret.trim_start_matches("whsec_")));
}

#[tokio::test]
async fn a_heartbeat_beyond_its_limits_changes_nothing() {
    let world = TestApp::full().await;
    let (owner, agent) = (world.superuser().await, world.puller("BUILDER").await);
    let before = owner.dump().await;
    let path = format!("/api/v1/agents/external/{}/heartbeat", agent.id);
    for (field, value) in [
        ("status", json!("fine")),
        ("current_load", json!(1.5)),
        ("tasks_in_progress", json!(-1)),
        ("metrics", json!({"a": "x".repeat(20_000)})),
        ("timestamp", json!("yesterday")),
    ] {
        let mut body = json!({"status": "healthy", "current_load": 0, "tasks_in_progress": 0});
        body[field] = value;
        let problem = agent.caller.post(&path, body).await.problem(422, "VALIDATION_FAILED");
        assert_eq!(problem["errors"][0]["field"], field);
    }
    assert_eq!(owner.dump().await, before);
}

#[tokio::test]
async fn a_rotated_token_works_for_ten_minutes_more_beside_the_new_one() {
    let clock = Clock::fixed(Clock::System.now());
    let world = TestApp::idle(Options { clock: clock.clone(), ..Options::default() }).await;
    let agent = world.puller("BUILDER").await;
    let path = format!("/api/v1/agents/external/{}/token/rotate", agent.id);
    let rotated = agent.caller.act(&path).await.expect(200);
    assert_eq!(rotated["overlap_seconds"], 600);
    let mut renewed = agent.clone();
    renewed.caller = world.nobody().with("x-agent-token", rotated["auth_token"].as_str().unwrap());
    for one in [&agent, &renewed] {
        assert_eq!(one.heartbeat().await.status, 204);
    }
    clock.advance(TimeDelta::minutes(10));
    agent.heartbeat().await.problem(401, "UNAUTHENTICATED");
    assert_eq!(renewed.heartbeat().await.status, 204);
    let audited = "select action from audit_entries where object_kind = 'agent_token' order by seq";
    assert_eq!(world.superuser().await.texts(audited).await, ["agent_token.create", "agent_token.rotate"]);
}

#[tokio::test]
async fn an_agent_that_registers_or_returns_gets_waiting_sessions_at_once() {
    let world = TestApp::new().await;
    let (owner, caller) = (world.superuser().await, world.caller(Role::Member));
    owner.without_the_platforms_agents().await;
    let wanted = json!({"agent_config": {"required_capabilities": ["code_generation"]}});
    let first = caller.start_session(wanted.clone()).await;
    let agent = world.puller("BUILDER").await;
    assert_eq!(agent.task().await["session_id"], json!(first));
    assert_eq!(caller.reaches(&first, &["running"]).await["agent"]["id"], agent.id);
    owner.run("update agents set liveness = 'suspect', trusted = true where name = 'BUILDER'").await;
    let second = caller.start_session(wanted).await;
    world.run(shared::platform::queue::job::Job::reconcile()).await;
    assert_eq!(caller.session(&second).await["status"], "queued");
    agent.heartbeat().await;
    assert_eq!(agent.task().await["session_id"], json!(second));
    caller.reaches(&second, &["running"]).await;
}
