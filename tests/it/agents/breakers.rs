//! Circuit breakers: what opens them, for whom, and when work goes on.

use std::sync::{
    Arc,
    atomic::{AtomicBool, Ordering},
};

use harness::{
    Caller, Tenant, TestApp,
    eap_agent::result,
    push_endpoint::{Answer, Endpoint},
    superuser::Superuser,
};
use rand::{RngExt, SeedableRng, rngs::SmallRng};
use serde_json::{Value, json};
use shared::identity::auth::Role;

/// Runs a session of a caller on the agent `scripted` to its end.
async fn run(caller: &Caller, script: Value) -> Value {
    let id = caller.start_session(json!({"agent_config": {"agent": "scripted", "script": script}})).await;
    caller.reaches(&id, &["completed", "failed"]).await
}

fn fails() -> Value {
    json!([{"do": "fail", "category": "agent", "message": "It broke."}])
}

fn succeeds() -> Value {
    json!([{"do": "say", "text": "Done."}])
}

/// How an agent looks to a caller, by its name.
async fn agent(caller: &Caller, name: &str) -> Value {
    let listed = caller.get(&format!("/api/v1/agents?q={name}")).await.expect(200);
    listed["items"].as_array().unwrap().iter().find(|one| one["name"] == name).unwrap().clone()
}

#[tokio::test]
async fn the_failures_of_one_tenant_never_close_an_agent_for_another() {
    let world = TestApp::new().await;
    let (ours, theirs) = (world.caller(Role::Member), world.another_tenant().await);
    let theirs = world.caller_of(&theirs, Role::Member);
    for _ in 0..5 {
        run(&ours, fails()).await;
    }
    let breaker = &agent(&ours, "scripted").await["breaker"];
    assert_eq!((&breaker["state"], &breaker["cause"]), (&json!("open"), &json!("work")), "{breaker}");
    let config = json!({"agent_config": {"agent": "scripted", "script": succeeds()}});
    let waiting = ours.start_session(config).await;
    let queue = ours.session(&waiting).await["queue"].clone();
    assert_eq!((&queue["waiting_for"], &queue["detail"]), (&json!("agent"), &breaker["detail"]), "{queue}");
    assert_eq!(queue["until"], breaker["until"]);
    assert_eq!(agent(&theirs, "scripted").await["breaker"]["state"], "closed");
    assert_eq!(run(&theirs, succeeds()).await["status"], "completed");
}

#[tokio::test]
async fn the_failures_of_three_tenants_close_an_agent_for_everybody() {
    let world = TestApp::new().await;
    let mut tenants = vec![world.caller(Role::Member)];
    for _ in 0..3 {
        tenants.push(world.caller_of(&world.another_tenant().await, Role::Member));
    }
    let bystander = tenants.pop().unwrap();
    for (at, tenant) in tenants.iter().enumerate() {
        assert_eq!(agent(&bystander, "scripted").await["breaker"]["state"], "closed", "after {at} tenants");
        for _ in 0..5 {
            run(tenant, fails()).await;
        }
    }
    let breaker = &agent(&bystander, "scripted").await["breaker"];
    assert_eq!((&breaker["state"], &breaker["failures"]), (&json!("open"), &json!(15)), "{breaker}");
    let owner = world.superuser().await;
    owner.run("update agents set breaker_opened_at = breaker_opened_at - interval '10 minutes'").await;
    assert_eq!(run(&bystander, succeeds()).await["status"], "completed", "it closes by itself");
}

#[tokio::test]
async fn reports_of_people_are_no_evidence_about_an_agent() {
    let world = TestApp::new().await;
    let caller = world.caller(Role::Member);
    let long = json!({"agent_config": {"agent": "scripted", "script": [{"do": "wait", "ms": 600_000}]}});
    for _ in 0..6 {
        for (verb, body) in [("fail", json!({"message": "x"})), ("complete", json!({"result": {"text": "done"}}))] {
            let id = caller.start_session(long.clone()).await;
            caller.reaches(&id, &["running"]).await;
            caller.post(&format!("/sessions/{id}/{verb}"), body).await.expect(200);
        }
        let id = caller.start_session(long.clone()).await;
        caller.reaches(&id, &["running"]).await;
        caller.act(&format!("/sessions/{id}/stop")).await.expect(202);
        caller.reaches(&id, &["stopped"]).await;
    }
    let shown = agent(&caller, "scripted").await;
    assert_eq!((&shown["figures"]["finished"], &shown["breaker"]), (&json!(0), &json!({"state": "closed"})));
}

/// Writes results of sessions of a tenant for an agent, as the end of a run does.
async fn record(owner: &Superuser, caller: &Caller, tenant: &Tenant, agent: &str, successes: &[f64]) {
    let session = caller.new_session(json!({})).await;
    for (run, success) in successes.iter().enumerate() {
        let sql = format!(
            "select record_agent_result('{}', '{session}', {run}, '{agent}', {success}, {success}, 1000, 2000, 10, null, '{{}}', now())",
            tenant.id
        );
        owner.run(&sql).await;
    }
}

#[tokio::test]
async fn one_consumer_alone_raises_no_tier_and_no_rate_for_others() {
    let world = TestApp::full().await;
    let owner = world.superuser().await;
    let offered = world.agent(&owner, &world.tenant, "offered", "shared_with_all = true").await;
    let consumers = [world.another_tenant().await, world.another_tenant().await, world.another_tenant().await];
    for consumer in &consumers {
        let sql = format!("insert into agent_enablements values ('{}', '{offered}', '{{}}', now())", consumer.id);
        owner.run(&sql).await;
    }
    let callers = consumers.each_ref().map(|one| world.caller_of(one, Role::Member));
    let seen = async |caller: &Caller| {
        let shown = agent(caller, "offered").await;
        (shown["tier"].clone(), shown["figures"]["finished"].clone())
    };
    let publisher = world.caller(Role::Member);
    record(&owner, &callers[0], &consumers[0], &offered, &[1.0; 30]).await;
    assert_eq!(seen(&callers[0]).await, (json!("elite"), json!(30)), "its own results count in full for itself");
    for other in [&publisher, &callers[1], &callers[2]] {
        assert_eq!(seen(other).await, (json!("standard"), json!(0)));
    }
    record(&owner, &callers[1], &consumers[1], &offered, &[0.0; 4]).await;
    assert_eq!(seen(&callers[2]).await, (json!("competent"), json!(24)), "20 of the one and 4 of the other");
    assert_eq!(seen(&publisher).await, (json!("competent"), json!(24)));
    assert_eq!(seen(&callers[1]).await, (json!("standard"), json!(4)), "there is one other only");
}

#[tokio::test]
async fn totals_over_tenants_are_the_sum_of_their_capped_results() {
    let world = TestApp::full().await;
    let owner = world.superuser().await;
    let agent = world.agent(&owner, &world.tenant, "measured", "").await;
    let tenants = [world.another_tenant().await, world.another_tenant().await, world.another_tenant().await];
    let mut random = SmallRng::seed_from_u64(19);
    for tenant in &tenants {
        let caller = world.caller_of(tenant, Role::Member);
        let successes: Vec<_> =
            (0..random.random_range(1..45)).map(|_| f64::from(random.random_range(0_u8..3)) / 2.0).collect();
        record(&owner, &caller, tenant, &agent, &successes).await;
        let differences = "select count(*) from agents a, (
                select sum(least(finished, 20)) as finished, sum(capped_sum(succeeded, finished)) as succeeded,
                       sum(least(quality_count, 20)) as rated, sum(capped_sum(quality_sum, quality_count)) as quality,
                       sum(capped_sum(cost_micros_sum, finished)) as cost, count(*) as tenants from agent_tenant_stats) s
            where a.name = 'measured' and (a.finished <> s.finished or abs(a.succeeded - s.succeeded) > 1e-6
                or a.quality_count <> s.rated or abs(a.quality_sum - s.quality) > 1e-6
                or abs(a.cost_micros_sum - s.cost) > 1e-3 or a.result_tenants <> s.tenants)";
        assert_eq!(owner.number(differences).await, 0, "{successes:?}");
    }
}

#[tokio::test]
async fn an_unreachable_server_is_paused_at_once_and_gets_work_soon_after_its_return() {
    let is_up = Arc::new(AtomicBool::new(false));
    let state = is_up.clone();
    let endpoint = Endpoint::start_with_pings(move |call, _| {
        if !state.load(Ordering::SeqCst) {
            return Answer::Status(503, "down".to_owned());
        }
        match call.verb.as_str() {
            "task" => Answer::Status(200, result(&call.json(), "Done.").to_string()),
            _ => Answer::Status(200, "{}".to_owned()),
        }
    })
    .await;
    let world = TestApp::with(endpoint.options()).await;
    let caller = world.caller(Role::Member);
    let pushed = world.pushed("PUSHED", &endpoint.url).await;
    pushed.session(&caller).await;
    let breaker = harness::found(async || {
        let shown = agent(&caller, "PUSHED").await;
        (shown["breaker"]["state"] == "open").then(|| shown.clone())
    })
    .await;
    assert_eq!((&breaker["breaker"]["cause"], &breaker["status"]), (&json!("server"), &json!("offline")));
    let waiting = pushed.session(&caller).await;
    let queue = caller.session(&waiting).await["queue"].clone();
    let words = queue["detail"].as_str().unwrap();
    assert!(words.starts_with("PUSHED: paused after ") && words.contains("of its server, next try "), "{words}");
    is_up.store(true, Ordering::SeqCst);
    let ended = caller.reaches(&waiting, &["completed"]).await;
    assert_eq!(ended["outcome"]["result"]["text"], "Done.");
    assert_eq!(agent(&caller, "PUSHED").await["breaker"], json!({"state": "closed"}));
    let ping = endpoint.calls("ping").pop().unwrap();
    assert!(ping.is_signed_with(&pushed.secret.clone().unwrap()));
}

#[tokio::test]
async fn a_failed_call_to_a_server_that_answers_opens_no_breaker() {
    let endpoint = Endpoint::start_with_pings(|call, _| match call.verb.as_str() {
        "task" => Answer::Status(500, "this task breaks it".to_owned()),
        _ => Answer::Status(404, String::new()),
    })
    .await;
    let world = TestApp::with(endpoint.options()).await;
    let caller = world.caller(Role::Member);
    let pushed = world.pushed("PUSHED", &endpoint.url).await;
    pushed.session(&caller).await;
    endpoint.called("ping", 1).await;
    endpoint.called("task", 2).await;
    let shown = agent(&caller, "PUSHED").await;
    assert_eq!((&shown["breaker"]["state"], &shown["figures"]["finished"]), (&json!("closed"), &json!(0)));
}
