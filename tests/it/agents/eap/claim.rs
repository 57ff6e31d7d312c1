//! `POST /agents/external/{id}/tasks/claim`: work waits for its agent, and is handed out once at a time.

use std::collections::BTreeSet;

use chrono::TimeDelta;
use futures_util::future::join_all;
use harness::{Options, TestApp, eap_agent::result, valkey::Valkey};
use serde_json::{Value, json};
use shared::{
    agents::eap::server::task_waiters::POLL_INTERVAL, identity::auth::Role, kernel::clock::Clock,
    platform::queue::job::Job,
};

#[tokio::test]
async fn a_started_session_is_claimed_worked_on_and_completed() {
    let world = TestApp::new().await;
    let (caller, agent) = (world.caller(Role::Member), world.puller("BUILDER").await);
    let fields = json!({
        "agent_config": {"agent": "BUILDER", "style": "terse"},
        "workspace": {"repository": "https://git.example.com/team/app.git"},
        "model_identifier": "anthropic/claude",
        "metadata": {"private": "not for agents"},
        "max_duration_seconds": 600,
    });
    let id = caller.start_session(fields).await;
    let task = agent.task().await;
    assert_eq!((&task["session_id"], &task["task_type"]), (&json!(id), &json!("execution")));
    let context = json!({
        "title": "Fix the parser",
        "prompt": "Do it.",
        "workspace": {"repository": "https://git.example.com/team/app.git"},
    });
    assert_eq!(task["context"], context);
    assert_eq!(task["input_data"], json!({"style": "terse"}));
    assert_eq!(task["requirements"], json!({"model": "anthropic/claude"}));
    assert!((590..=600).contains(&task["timeout_seconds"].as_i64().unwrap()));
    assert!(task["callback_url"].as_str().unwrap().ends_with(task["task_id"].as_str().unwrap()));
    assert_eq!(task["lease"]["token"], 1);
    assert!(!task.to_string().contains("not for agents"), "only what the task needs: {task}");
    assert_eq!(agent.claim(0).await.status, 204, "it is handed out once at a time");

    agent.report(&task, 1, "Looking at the parser.").await.expect(200);
    caller.sees(&id, "session.message").await;
    assert_eq!(agent.result(&task, result(&task, "Fixed.")).await.status, 202);
    let session = caller.reaches(&id, &["completed"]).await;
    assert_eq!(session["outcome"]["result"], json!({"text": "Fixed."}));
    assert_eq!((&session["usage"]["tokens_output"], &session["usage"]["cost_usd"]), (&json!(30), &json!("0.002000")));
}

/// How many connections of this test's Redis are subscribed to tasks.
async fn listeners(world: &TestApp) -> i64 {
    let asked = redis::cmd("PUBSUB").arg("NUMSUB").arg("external:tasks").to_owned();
    let (_, count): (String, i64) = world.app.cache.query(&asked).await.unwrap();
    count
}

/// A test app with a Redis of its own.
async fn with_own_redis() -> (TestApp, Valkey) {
    let server = Valkey::start(&[]).await;
    let world = TestApp::with(Options { redis_url: Some(server.url()), ..Options::default() }).await;
    (world, server)
}

#[tokio::test]
async fn a_waiting_claim_is_answered_by_a_notification() {
    let (world, _server) = with_own_redis().await;
    let (caller, agent) = (world.caller(Role::Member), world.puller("BUILDER").await);
    let (claimed, id) = tokio::join!(agent.task(), async {
        harness::until(async || listeners(&world).await == 1).await;
        agent.session(&caller).await
    });
    assert_eq!(claimed["session_id"], json!(id));
    // Nobody waits any more; Redis learns of it when it sees the closed connection.
    harness::until(async || listeners(&world).await == 0).await;
}

#[tokio::test]
async fn all_waiting_claims_of_a_process_share_one_connection_to_redis() {
    let (world, _server) = with_own_redis().await;
    let caller = world.caller(Role::Member);
    let mut agents = Vec::new();
    for n in 0..4 {
        agents.push(world.external_of(&world.tenant, &format!("BUILDER-{n}"), json!({"capacity": 2})).await);
    }
    let waiting = join_all(agents.iter().flat_map(|agent| (0..2).map(|_| agent.claim(20))));
    let work = async {
        harness::until(async || listeners(&world).await == 1).await;
        // Each agent has as many waiting claims as it has capacity.
        for agent in &agents {
            harness::until(async || agent.claim(1).await.status == 429).await;
            agent.claim(1).await.problem(429, "QUOTA_EXCEEDED");
            assert_eq!(agent.claim(0).await.status, 204, "a claim that does not wait is answered");
        }
        assert_eq!(listeners(&world).await, 1);
        let began = tokio::time::Instant::now();
        for agent in &agents {
            join_all((0..2).map(|_| agent.session(&caller))).await;
        }
        began
    };
    let (claims, began) = tokio::join!(waiting, work);
    assert!(claims.into_iter().all(|claim| claim.expect(200)["tasks"].as_array().unwrap().len() == 1));
    assert!(began.elapsed() < POLL_INTERVAL * 3, "{:?}", began.elapsed());
}

#[tokio::test]
async fn a_waiting_claim_still_finds_its_task_without_redis() {
    let redis_url = Some("redis://127.0.0.1:1".to_owned());
    let world = TestApp::with(Options { redis_url, ..Options::default() }).await;
    let (caller, agent) = (world.caller(Role::Member), world.puller("BUILDER").await);
    let (claimed, id) = tokio::join!(agent.task(), agent.session(&caller));
    assert_eq!(claimed["session_id"], json!(id));
}

#[tokio::test]
async fn concurrent_claims_receive_different_tasks() {
    let world = TestApp::new().await;
    let (caller, agent) = (world.caller(Role::Member), world.puller("BUILDER").await);
    let started: Vec<_> = join_all((0..5).map(|_| agent.session(&caller))).await;
    let claims =
        join_all((0..8).map(|_| async { agent.claim(2).await.json()["tasks"][0]["session_id"].clone() })).await;
    let claimed: Vec<_> = claims.iter().filter_map(Value::as_str).collect();
    assert_eq!(claimed.len(), 5, "{claimed:?}");
    let distinct: BTreeSet<_> = claimed.iter().map(|id| (*id).to_owned()).collect();
    assert_eq!(distinct, started.into_iter().collect());
}

#[tokio::test]
async fn a_claim_receives_as_many_tasks_as_it_requests() {
    let world = TestApp::new().await;
    let (caller, agent) = (world.caller(Role::Member), world.puller("BUILDER").await);
    for _ in 0..3 {
        agent.session(&caller).await;
    }
    let path = format!("/api/v1/agents/external/{}/tasks/claim", agent.id);
    harness::until(async || {
        world.superuser().await.number("select count(*) from agent_tasks where status = 'waiting'").await == 3
    })
    .await;
    let first = agent.caller.post(&path, json!({"max": 2})).await.expect(200);
    assert_eq!(first["tasks"].as_array().unwrap().len(), 2);
    assert_eq!(agent.caller.act(&path).await.expect(200)["tasks"].as_array().unwrap().len(), 1);
    for (field, value) in
        [("max", json!(11)), ("max", json!(0)), ("wait_seconds", json!(21)), ("wait_seconds", json!(-1))]
    {
        let problem = agent.caller.post(&path, json!({field: value})).await.problem(422, "VALIDATION_FAILED");
        assert_eq!(problem["errors"][0]["field"], field);
    }
}

#[tokio::test]
async fn another_agent_of_the_same_tenant_cannot_access_the_task() {
    let world = TestApp::new().await;
    let caller = world.caller(Role::Member);
    let (agent, other) = (world.puller("BUILDER").await, world.puller("OTHER").await);
    let id = agent.session(&caller).await;
    let task = agent.task().await;
    assert_eq!(task["session_id"], json!(id));
    assert_eq!(other.claim(0).await.status, 204);
    other.report(&task, 1, "Mine!").await.problem(404, "TASK_NOT_FOUND");
    other.result(&task, result(&task, "Mine!")).await.problem(404, "TASK_NOT_FOUND");
}

#[tokio::test]
async fn an_expired_lease_makes_its_task_claimable_again_at_most_three_times() {
    let clock = Clock::fixed(Clock::System.now());
    let mut world = TestApp::idle(Options { clock: clock.clone(), ..Options::default() }).await;
    world.work();
    let (caller, agent) = (world.caller(Role::Member), world.puller("BUILDER").await);
    let id = agent.session(&caller).await;
    let mut before: Option<Value> = None;
    for token in 1..=3 {
        let task = agent.task().await;
        // The clock stands still until the claim is observed.
        caller.reaches(&id, &["running"]).await;
        assert_eq!(task["lease"]["token"], token);
        if let Some(before) = &before {
            agent.report(before, 9, "Still here.").await.problem(409, "LEASE_LOST");
            agent.result(before, with_lease(before, "Late.")).await.problem(409, "LEASE_LOST");
        }
        // A report renews it: from now on it lasts its whole time.
        clock.advance(TimeDelta::seconds(119));
        agent.report(&task, token, "At work.").await.expect(200);
        clock.advance(TimeDelta::seconds(119));
        assert_eq!(agent.claim(0).await.status, 204);
        clock.advance(TimeDelta::seconds(1));
        before = Some(task);
    }
    assert_eq!(agent.claim(0).await.status, 204, "it was given three times");
    let owner = world.superuser().await;
    let failed = "select count(*) from session_events where payload->>'code' = 'LEASE_EXPIRED'";
    harness::until(async || {
        // An observation just before the lease expired has scheduled the next one for a little later.
        clock.advance(TimeDelta::seconds(1));
        world.run(Job::observe(world.tenant.id, id.parse().unwrap())).await;
        owner.number(failed).await == 1
    })
    .await;
    assert_eq!(owner.texts("select status from agent_tasks order by run limit 1").await, ["lost"]);
}

fn with_lease(task: &Value, text: &str) -> Value {
    let mut body = result(task, text);
    body["lease_token"] = task["lease"]["token"].clone();
    body
}

#[tokio::test]
async fn an_interrupted_observation_that_gave_up_a_task_repeats_its_reason() {
    let clock = Clock::fixed(Clock::System.now());
    let world = TestApp::idle(Options { clock: clock.clone(), ..Options::default() }).await;
    let (caller, agent) = (world.caller(Role::Member), world.puller("BUILDER").await);
    let id = agent.session(&caller).await;
    for _ in 0..2 {
        world.run(Job::dispatch(world.tenant.id, id.parse().unwrap())).await;
    }
    for _ in 1..=3 {
        agent.task().await;
        // It runs once it is claimed.
        world.run(Job::observe(world.tenant.id, id.parse().unwrap())).await;
        clock.advance(TimeDelta::seconds(120));
    }
    // As such a look leaves it.
    let owner = world.superuser().await;
    owner.run("update agent_tasks set status = 'lost'").await;
    world.run(Job::observe(world.tenant.id, id.parse().unwrap())).await;
    let codes = "select distinct payload->>'code' from session_events where payload->>'code' is not null";
    assert_eq!(owner.texts(codes).await, ["LEASE_EXPIRED"]);
}
