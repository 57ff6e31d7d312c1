//! Agents that come back, go away or lose something: their leases, their tokens, their registration.

use chrono::TimeDelta;
use harness::{
    Caller, Options, TestApp,
    eap_agent::{EapAgent, result},
    push_endpoint::Endpoint,
    superuser::Superuser,
    until,
};
use serde_json::{Value, json};
use shared::{identity::auth::Role, kernel::clock::Clock, platform::queue::job::Job};

/// A test app with a stopped clock and one agent that pulls.
struct Setup {
    world: TestApp,
    owner: Superuser,
    clock: Clock,
    caller: Caller,
    agent: EapAgent,
}

impl Setup {
    async fn new() -> Self {
        let clock = Clock::fixed(Clock::System.now());
        let world = TestApp::with(Options { clock: clock.clone(), ..Options::default() }).await;
        let (owner, caller) = (world.superuser().await, world.caller(Role::Member));
        owner.without_the_platforms_agents().await;
        let agent = world.puller("BUILDER").await;
        Self { world, owner, clock, caller, agent }
    }

    /// A session that the agent has claimed.
    async fn at_work(&self) -> (String, Value) {
        let id = self.agent.session(&self.caller).await;
        let task = self.agent.task().await;
        self.caller.reaches(&id, &["running"]).await;
        (id, task)
    }

    async fn ask(&self, agent: &EapAgent, body: Value) -> Vec<Value> {
        let reply = agent.caller.post(&format!("/api/v1/agents/external/{}/tasks/claim", agent.id), body).await;
        if reply.status == 204 { Vec::new() } else { reply.expect(200)["tasks"].as_array().unwrap().clone() }
    }

    async fn liveness(&self) -> String {
        self.owner.texts("select liveness from agents where name = 'BUILDER'").await.remove(0)
    }
}

#[tokio::test]
async fn every_call_of_an_agent_is_a_sign_of_life() {
    let setup = Setup::new().await;
    let (id, task) = setup.at_work().await;
    for seq in 1..=5 {
        setup.clock.advance(TimeDelta::seconds(50));
        setup.agent.report(&task, seq, "At work.").await.expect(200);
        setup.world.run(Job::reconcile()).await;
        assert_eq!(setup.liveness().await, "alive");
    }
    setup.agent.result(&task, result(&task, "Done.")).await.expect(202);
    setup.caller.reaches(&id, &["completed"]).await;
    for _ in 0..3 {
        setup.clock.advance(TimeDelta::seconds(50));
        assert_eq!(setup.agent.claim(0).await.status, 204);
        setup.world.run(Job::reconcile()).await;
        assert_eq!(setup.liveness().await, "alive");
    }

    setup.agent.claim(0).await;
    setup.clock.advance(TimeDelta::seconds(4));
    let before = setup.owner.texts("select last_heartbeat_at::text from agents where name = 'BUILDER'").await;
    setup.agent.claim(0).await;
    let after = setup.owner.texts("select last_heartbeat_at::text from agents where name = 'BUILDER'").await;
    assert_eq!(before, after, "not each call is written");
}

#[tokio::test]
async fn a_restarted_agent_gets_the_leases_of_its_tasks_anew_at_once() {
    let setup = Setup::new().await;
    let (id, task) = setup.at_work().await;
    let mut token = 1;
    for body in [json!({"held_task_ids": [task["task_id"]]}), json!({"reclaim": true}), json!({"reclaim": true})] {
        let again = setup.ask(&setup.agent, body).await.remove(0);
        token += 1;
        assert_eq!((&again["task_id"], &again["lease"]["token"]), (&task["task_id"], &json!(token)));
    }
    setup.agent.report(&task, 1, "I am the old one.").await.problem(409, "LEASE_LOST");
    assert!(setup.ask(&setup.agent, json!({})).await.is_empty(), "nothing new");
    // The agent asked for these leases itself: they do not count towards the limit of three.
    setup.clock.advance(TimeDelta::seconds(120));
    let again = setup.agent.task().await;
    assert_eq!(again["lease"]["token"], 5);
    setup.agent.result(&again, result(&again, "Done.")).await.expect(202);
    setup.caller.reaches(&id, &["completed"]).await;
    let unknown = "01900000-0000-7000-8000-000000000000";
    assert!(setup.ask(&setup.agent, json!({"held_task_ids": [task["task_id"], unknown]})).await.is_empty());
    let many = vec![unknown; 51];
    let path = format!("/api/v1/agents/external/{}/tasks/claim", setup.agent.id);
    let problem = setup.agent.caller.post(&path, json!({"held_task_ids": many})).await;
    assert_eq!(problem.problem(422, "VALIDATION_FAILED")["errors"][0]["field"], "held_task_ids");
}

#[tokio::test]
async fn an_agent_cannot_reclaim_the_tasks_of_another() {
    let setup = Setup::new().await;
    let other = setup.world.puller("OTHER").await;
    let (_, task) = setup.at_work().await;
    assert!(setup.ask(&other, json!({"held_task_ids": [task["task_id"]], "reclaim": true})).await.is_empty());
    setup.agent.report(&task, 1, "Still mine.").await.expect(200);
}

#[tokio::test]
async fn an_agent_that_is_pushed_to_reclaims_its_tasks_too() {
    let endpoint = Endpoint::accepting().await;
    let world = TestApp::with(endpoint.options()).await;
    let (caller, agent) = (world.caller(Role::Member), world.pushed("PUSHED", &endpoint.url).await);
    let id = agent.session(&caller).await;
    let task = endpoint.called("task", 1).await.remove(0).json();
    caller.reaches(&id, &["running"]).await;
    let path = format!("/api/v1/agents/external/{}/tasks/claim", agent.id);
    let again = agent.caller.post(&path, json!({"reclaim": true})).await.expect(200)["tasks"][0].clone();
    assert_eq!((&again["task_id"], &again["lease"]["token"]), (&task["task_id"], &json!(2)));
    agent.result(&again, result(&again, "Done.")).await.expect(202);
    caller.reaches(&id, &["completed"]).await;
}

#[tokio::test]
async fn an_agent_that_reports_offline_hands_its_work_back_at_once() {
    let setup = Setup::new().await;
    let unnamed = || json!({"agent_config": {"required_capabilities": ["code_generation"]}});
    // On probation, an agent gets one session at a time that names none.
    let trust = "update agents set trusted = true where kind = 'eap'";
    setup.owner.run(trust).await;
    let working = setup.caller.start_session(unnamed()).await;
    let task = setup.agent.task().await;
    setup.caller.reaches(&working, &["running"]).await;
    let offered = setup.caller.start_session(unnamed()).await;
    until(async || setup.owner.number("select count(*) from agent_tasks where status = 'waiting'").await == 1).await;
    let other = setup.world.puller("OTHER").await;
    setup.owner.run(trust).await;
    let path = format!("/api/v1/agents/external/{}/heartbeat", setup.agent.id);
    setup.agent.caller.post(&path, json!({"status": "offline"})).await.expect(204);
    let mut ids = vec![other.task().await["session_id"].clone(), other.task().await["session_id"].clone()];
    let mut expected = vec![json!(working), json!(offered)];
    ids.sort_by_key(Value::to_string);
    expected.sort_by_key(Value::to_string);
    assert_eq!(ids, expected, "both continue elsewhere");
    setup.agent.result(&task, result(&task, "Late.")).await.problem(409, "LEASE_LOST");
    assert_eq!(setup.agent.claim(0).await.status, 204);
    assert_eq!(setup.agent.heartbeat().await.status, 204);
}

#[tokio::test]
async fn an_agent_leaves_with_its_own_token_and_its_name_is_free() {
    let setup = Setup::new().await;
    let other = setup.world.puller("OTHER").await;
    let path = format!("/api/v1/agents/external/{}", setup.agent.id);
    other.caller.delete(&path).await.problem(404, "AGENT_NOT_FOUND");
    setup.world.caller(Role::Lead).delete(&path).await.problem(403, "AGENT_TOKEN_REQUIRED");
    setup.agent.caller.delete(&path).await.expect(204);
    let problem = setup.agent.heartbeat().await.problem(401, "AGENT_DEREGISTERED");
    assert!(problem["remedy"].as_str().unwrap().contains("Register the agent anew"), "{problem}");
    let audited =
        "select actor->>'kind' || ' ' || action from audit_entries where object_kind = 'agent' order by seq desc";
    assert_eq!(setup.owner.texts(audited).await[0], "agent agent.delete");
    setup.world.puller("BUILDER").await.heartbeat().await.expect(204);
}

#[tokio::test]
async fn a_rotation_whose_answer_was_lost_is_repeated_with_the_old_token() {
    let setup = Setup::new().await;
    let path = format!("/api/v1/agents/external/{}/token/rotate", setup.agent.id);
    let keyed = setup.agent.caller.with("idempotency-key", "once");
    let lost = keyed.act(&path).await.expect(200)["auth_token"].as_str().unwrap().to_owned();
    let got = keyed.act(&path).await.expect(200)["auth_token"].as_str().unwrap().to_owned();
    let with =
        |token: &str| EapAgent { caller: setup.world.nobody().with("x-agent-token", token), ..setup.agent.clone() };
    with(&lost).heartbeat().await.problem(401, "UNAUTHENTICATED");
    with(&got).heartbeat().await.expect(204);
    setup.agent.caller.act(&path).await.problem(404, "AGENT_TOKEN_NOT_FOUND");
    setup.clock.advance(TimeDelta::minutes(10));
    setup.agent.heartbeat().await.problem(401, "UNAUTHENTICATED");
    with(&got).heartbeat().await.expect(204);
}

#[tokio::test]
async fn a_lead_issues_a_new_token_for_an_agent_that_lost_its_own() {
    let setup = Setup::new().await;
    let path = format!("/api/v1/agents/{}/token", setup.agent.id);
    setup.caller.act(&path).await.problem(403, "FORBIDDEN");
    let lead = setup.world.caller(Role::Lead);
    let issued = lead.act(&path).await.expect(201);
    assert_eq!(issued["overlap_seconds"], 600);
    let token = issued["auth_token"].as_str().unwrap();
    let renewed = EapAgent { caller: setup.world.nobody().with("x-agent-token", token), ..setup.agent.clone() };
    renewed.heartbeat().await.expect(204);
    setup.agent.heartbeat().await.expect(204);
    setup.clock.advance(TimeDelta::minutes(10));
    setup.agent.heartbeat().await.problem(401, "UNAUTHENTICATED");
    renewed.heartbeat().await.expect(204);
    let audited =
        "select actor->>'name' || ' ' || action from audit_entries where object_kind = 'agent_token' order by seq desc";
    assert_eq!(setup.owner.texts(audited).await[0], "lead agent_token.create");
    lead.act("/api/v1/agents/01900000-0000-7000-8000-000000000000/token").await.problem(404, "AGENT_NOT_FOUND");
}

#[tokio::test]
async fn a_result_needs_no_figures_and_a_heartbeat_only_its_status() {
    let setup = Setup::new().await;
    let (id, task) = setup.at_work().await;
    let path = format!("/api/v1/agents/external/{}/heartbeat", setup.agent.id);
    setup.agent.caller.post(&path, json!({"status": "healthy"})).await.expect(204);
    setup.agent.progress(&task, json!({"seq": 1, "tokens_used": 12, "cost_usd": "0.5"})).await.expect(200);
    let body = json!({"task_id": task["task_id"], "status": "completed", "output_data": {"text": "Done."}});
    setup.agent.result(&task, body).await.expect(202);
    let session = setup.caller.reaches(&id, &["completed"]).await;
    assert_eq!((&session["usage"]["tokens_output"], &session["usage"]["cost_usd"]), (&json!(12), &json!("0.500000")));
}
