//! What agents report about their own usage is a claim: a run books it up to a bound, and keeps the rest as claimed.

use chrono::TimeDelta;
use harness::{Caller, Options, TestApp, eap_agent::result, until};
use serde_json::{Value, json};
use shared::{
    app::Settings,
    identity::{auth::Role, tenants::TenantLimits},
    kernel::clock::Clock,
    platform::queue::job::Job,
    sessions::UsageBounds,
};

/// What no agent uses in a life.
const ABSURD: i64 = 1_000_000_000_000;

/// 1000 tokens and a dollar, however long a run takes.
fn per_run() -> UsageBounds {
    UsageBounds {
        tokens_per_run: 1000,
        tokens_per_minute: 0,
        cost_micros_per_run: 1_000_000,
        cost_micros_per_minute: 0,
    }
}

fn bounded(usage_bounds: UsageBounds) -> Options {
    let options = Options::default();
    let limits = TenantLimits { max_tokens_per_month: 10_000, ..TenantLimits::default() };
    Options { limits, settings: Settings { usage_bounds, ..options.settings.clone() }, ..options }
}

async fn tokens_this_month(caller: &Caller) -> i64 {
    caller.get("/sessions/stats").await.expect(200)["tokens_this_month"].as_i64().unwrap()
}

/// The warnings in a session's log that something was withheld.
async fn warnings(caller: &Caller, id: &str) -> Vec<Value> {
    let events = caller.events(id).await;
    events.into_iter().filter(|event| event["payload"]["code"] == "USAGE_WITHHELD").collect()
}

#[tokio::test]
async fn a_report_beyond_the_bound_is_kept_as_claimed_and_not_booked() {
    let world = TestApp::with(bounded(per_run())).await;
    let (caller, agent) = (world.caller(Role::Member), world.puller("BUILDER").await);
    let id = agent.session(&caller).await;
    let task = agent.task().await;
    for seq in 1..=2 {
        let body = json!({"seq": seq, "tokens_used": ABSURD, "cost_usd": 999_999});
        agent.progress(&task, body).await.expect(200);
        until(async || caller.session(&id).await["usage"]["tokens_output"] != 0).await;
    }
    let mut end = result(&task, "Done.");
    end["tokens_used"] = json!(ABSURD);
    agent.result(&task, end).await.expect(202);
    let session = caller.reaches(&id, &["completed"]).await;
    let usage = json!({"tokens_input": 0, "tokens_output": 1000, "tokens_reasoning": 0, "tokens_cached": 0, "cost_usd": "1.000000",
        "claimed": {"tokens": ABSURD - 1000, "cost_usd": "999998.000000"}});
    assert_eq!(session["usage"], usage);
    let stats = caller.get("/sessions/stats").await.expect(200);
    assert_eq!((&stats["tokens_this_month"], &stats["cost_usd_this_month"]), (&json!(1000), &json!("1.000000")));
    let owner = world.superuser().await;
    assert_eq!(owner.texts("select tokens || ' ' || cost_micros from agent_results").await, ["1000 1000000"]);
    let found = warnings(&caller, &id).await;
    assert_eq!((found.len(), &found[0]["payload"]["level"]), (1, &json!("warning")), "once per run");
    assert!(found[0]["payload"]["message"].as_str().unwrap().contains("999999999000 tokens"), "{}", found[0]);
}

#[tokio::test]
async fn a_report_within_the_bound_is_booked_whole_and_nothing_is_claimed() {
    let world = TestApp::with(bounded(per_run())).await;
    let (caller, agent) = (world.caller(Role::Member), world.puller("BUILDER").await);
    let id = agent.session(&caller).await;
    let task = agent.task().await;
    agent.progress(&task, json!({"seq": 1, "tokens_used": 1000, "cost_usd": 1})).await.expect(200);
    agent.result(&task, result(&task, "Done.")).await.expect(202);
    let usage = caller.reaches(&id, &["completed"]).await["usage"].clone();
    assert_eq!((&usage["tokens_output"], &usage["cost_usd"]), (&json!(1000), &json!("1.000000")));
    assert!(usage.get("claimed").is_none(), "{usage}");
    assert!(warnings(&caller, &id).await.is_empty());
}

#[tokio::test]
async fn an_agent_of_another_tenant_cannot_empty_the_months_tokens() {
    let world = TestApp::with(bounded(per_run())).await;
    let consumer = world.another_tenant().await;
    let agent = world.puller("SHARED").await;
    let share = format!("/api/v1/agents/{}/shares/{}", agent.id, consumer.slug);
    world.caller(Role::Lead).send("PUT", &share, None).await.expect(200);
    let listing = format!("/api/v1/marketplace/{}", agent.id);
    world.caller_of(&consumer, Role::Lead).send("PUT", &listing, None).await.expect(200);
    let caller = world.caller_of(&consumer, Role::Member);
    let id = agent.session(&caller).await;
    let task = agent.task().await;
    agent.progress(&task, json!({"seq": 1, "tokens_used": ABSURD})).await.expect(200);
    until(async || !caller.session(&id).await["usage"]["claimed"].is_null()).await;
    assert_eq!(tokens_this_month(&caller).await, 1000);
    assert_eq!(tokens_this_month(&world.caller(Role::Viewer)).await, 0, "nor are they those of the owner");
    let other = caller.run_script(json!([{"do": "say", "text": "Done."}])).await;
    caller.reaches(&other, &["completed"]).await;
    agent.result(&task, result(&task, "Done.")).await.expect(202);
    caller.reaches(&id, &["completed"]).await;
    assert_eq!(caller.states(&id).await, ["queued", "running", "completed"], "it was not paused for its quota");
}

#[tokio::test]
async fn the_bound_grows_with_the_minutes_of_a_run() {
    // Within a month, whose tokens are counted.
    let clock = Clock::fixed("2030-06-15T12:00:00Z".parse().unwrap());
    let bounds = UsageBounds { tokens_per_minute: 300, ..per_run() };
    let world = TestApp::with(Options { clock: clock.clone(), ..bounded(bounds) }).await;
    let (caller, agent) = (world.caller(Role::Member), world.puller("BUILDER").await);
    let id = agent.session(&caller).await;
    let task = agent.task().await;
    agent.progress(&task, json!({"seq": 1, "tokens_used": ABSURD})).await.expect(200);
    for (minute, booked) in [300, 600, 900, 1000].into_iter().enumerate() {
        until(async || {
            clock.advance(TimeDelta::milliseconds(1));
            world.run(Job::observe(world.tenant.id, id.parse().unwrap())).await;
            caller.session(&id).await["usage"]["tokens_output"] == booked
        })
        .await;
        assert_eq!(tokens_this_month(&caller).await, booked);
        clock.advance(TimeDelta::seconds(60));
        agent.progress(&task, json!({"seq": minute + 2})).await.expect(200);
    }
    assert_eq!(warnings(&caller, &id).await.len(), 1);
}

#[tokio::test]
async fn a_new_run_of_a_session_has_a_bound_of_its_own() {
    let world = TestApp::with(bounded(per_run())).await;
    let (caller, agent) = (world.caller(Role::Member), world.puller("BUILDER").await);
    let id = agent.session(&caller).await;
    for booked in [1000, 2000] {
        let task = agent.task().await;
        agent.progress(&task, json!({"seq": 1, "tokens_used": ABSURD})).await.expect(200);
        until(async || caller.session(&id).await["usage"]["tokens_output"] == booked).await;
        caller.act(&format!("/sessions/{id}/stop")).await.expect(202);
        caller.reaches(&id, &["stopped"]).await;
        caller.act(&format!("/sessions/{id}/retry")).await.expect(202);
    }
    assert_eq!(warnings(&caller, &id).await.len(), 2);
}

#[tokio::test]
async fn only_the_platforms_own_agents_are_believed_what_they_used() {
    let world = TestApp::with(bounded(per_run())).await;
    let owner = world.superuser().await;
    world.agent(&owner, &world.tenant, "theirs", "").await;
    let caller = world.caller(Role::Member);
    let script = json!([{"do": "spend", "tokens_input": 700, "tokens_cached": 800, "cost_micros": 3_000_000}]);
    for (agent, tokens, claimed) in
        [("scripted", (700, 800), Value::Null), ("theirs", (700, 300), json!({"tokens": 500, "cost_usd": "2.000000"}))]
    {
        let id = caller.start_session(json!({"agent_config": {"agent": agent, "script": script}})).await;
        let usage = caller.reaches(&id, &["completed"]).await["usage"].clone();
        assert_eq!((&usage["tokens_input"], &usage["tokens_cached"]), (&json!(tokens.0), &json!(tokens.1)), "{agent}");
        assert_eq!(usage["claimed"], claimed, "{agent}");
    }
}
