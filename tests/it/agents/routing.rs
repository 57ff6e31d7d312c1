//! Sessions that name no agent: they go to one that suits, when there is one.

use harness::{Options, TestApp};
use serde_json::{Value, json};
use shared::{
    agents::{
        registry::{Kind, PlatformAgent},
        scripted::ScriptedAgent,
    },
    app::reconciler::reconcile,
    identity::auth::Role,
    kernel::clock::Clock,
};

fn short() -> Value {
    json!([{"do": "say", "text": "Done."}])
}

fn long() -> Value {
    json!([{"do": "wait", "ms": 600_000}])
}

/// A session with a script, and what it asks of its agent.
fn wants(script: Value, mut wanted: Value) -> Value {
    wanted["script"] = script;
    json!({"agent_config": wanted})
}

#[tokio::test]
async fn a_session_goes_to_an_agent_with_the_requested_capabilities() {
    let world = TestApp::new().await;
    let owner = world.superuser().await;
    owner.without_the_platforms_agents().await;
    world.agent(&owner, &world.tenant, "writer", "capabilities = '{documentation}'").await;
    let auditor = "capabilities = '{security_audit,code_review}', skills = '{rust}'";
    world.agent(&owner, &world.tenant, "auditor", auditor).await;
    let caller = world.caller(Role::Member);
    for (wanted, name) in [
        (json!({"required_capabilities": ["security_audit"]}), "auditor"),
        (json!({"required_capabilities": ["code_review"], "skills": ["rust"]}), "auditor"),
        (json!({"required_capabilities": ["documentation"]}), "writer"),
    ] {
        let id = caller.start_session(wants(short(), wanted)).await;
        let session = caller.reaches(&id, &["completed"]).await;
        assert_eq!(session["agent"]["name"], name);
    }
}

#[tokio::test]
async fn a_session_waits_until_a_suitable_agent_exists() {
    let world = TestApp::new().await;
    let owner = world.superuser().await;
    owner.without_the_platforms_agents().await;
    let id = world.agent(&owner, &world.tenant, "writer", "capabilities = '{documentation}'").await;
    let caller = world.caller(Role::Member);
    let waiting = caller.start_session(wants(short(), json!({"skills": ["python_expert"]}))).await;
    let other = caller.start_session(wants(short(), json!({}))).await;
    caller.reaches(&other, &["completed"]).await;
    reconcile(&world.app).await.unwrap();
    let session = caller.session(&waiting).await;
    assert_eq!((&session["status"], &session["queue"]["waiting_for"]), (&json!("queued"), &json!("agent")));
    owner.run(&format!("update agents set skills = '{{python_expert}}' where id = '{id}'")).await;
    reconcile(&world.app).await.unwrap();
    caller.reaches(&waiting, &["completed"]).await;
}

#[tokio::test]
async fn a_disabled_silent_unhealthy_or_full_agent_gets_no_new_session() {
    let held_back = [
        "state = 'draining'",
        "state = 'maintenance'",
        "state = 'deregistered', deregistered_at = now()",
        "liveness = 'suspect'",
        "liveness = 'offline'",
        "reported_status = 'degraded'",
        "reported_status = 'offline'",
        "breaker_opened_at = now()",
        "routable = false",
    ];
    let world = TestApp::new().await;
    let owner = world.superuser().await;
    owner.without_the_platforms_agents().await;
    for (at, set) in held_back.iter().enumerate() {
        world.agent(&owner, &world.tenant, &format!("agent-{at}"), set).await;
    }
    let full = world.agent(&owner, &world.tenant, "full", "capacity = 1").await;
    let caller = world.caller(Role::Member);
    let first = caller.start_session(wants(long(), json!({}))).await;
    assert_eq!(caller.reaches(&first, &["running"]).await["agent"]["id"], full);
    let second = caller.start_session(wants(short(), json!({}))).await;
    reconcile(&world.app).await.unwrap();
    assert_eq!(caller.session(&second).await["status"], "queued");
    caller.act(&format!("/sessions/{first}/stop")).await.expect(202);
    assert_eq!(caller.reaches(&second, &["completed"]).await["agent"]["id"], full);
}

#[tokio::test]
async fn sessions_spread_over_agents_and_no_capacity_is_exceeded() {
    let world = TestApp::new().await;
    let owner = world.superuser().await;
    owner.without_the_platforms_agents().await;
    for name in ["one", "two", "three"] {
        world.agent(&owner, &world.tenant, name, "capacity = 2").await;
    }
    let caller = world.caller(Role::Member);
    let start = || caller.start_session(wants(long(), json!({})));
    futures_util::future::join_all((0..9).map(|_| start())).await;
    let running = "select count(*) from sessions where status = 'running'";
    harness::until(async || owner.number(running).await == 6).await;
    reconcile(&world.app).await.unwrap();
    let per_agent = "select a.name || ' ' || count(*) from sessions s join agents a on a.id = s.agent_id
                     where s.status = 'running' group by a.name order by 1";
    assert_eq!(owner.texts(per_agent).await, ["one 2", "three 2", "two 2"]);
}

#[tokio::test]
async fn a_tenant_reaches_its_own_agents_the_platforms_and_those_it_enabled_and_no_other() {
    let world = TestApp::idle(Options::default()).await;
    let owner = world.superuser().await;
    owner.without_the_platforms_agents().await;
    let theirs = world.another_tenant().await;
    let agent = world.agent(&owner, &theirs, "theirs", "shared_with_all = true").await;
    let caller = world.caller(Role::Member);
    let id = caller.start_session(wants(long(), json!({}))).await;
    reconcile(&world.app).await.unwrap();
    assert_eq!(caller.session(&id).await["status"], "queued");
    let named = json!({"title": "Name it", "initial_prompt": "Do it.", "agent_config": {"agent": "theirs"}});
    let problem = caller.post("/sessions", named).await.problem(422, "VALIDATION_FAILED");
    assert_eq!(problem["errors"][0]["field"], "agent_config.agent");
    owner.run(&format!("insert into agent_enablements values ('{}', '{agent}', '{{}}', now())", world.tenant.id)).await;
    reconcile(&world.app).await.unwrap();
    assert_eq!(caller.session(&id).await["queue"]["detail"], "theirs: offered, being handed over.");
}

#[tokio::test]
async fn the_requirements_of_an_agent_config_are_validated_by_field() {
    let world = TestApp::idle(Options::default()).await;
    let caller = world.caller(Role::Member);
    for (field, value) in [
        ("agent", json!("")),
        ("agent", json!(7)),
        ("required_capabilities", json!(["flying"])),
        ("required_capabilities", json!("testing")),
        ("skills", json!(["Python Expert"])),
        ("skills", json!([1])),
        ("preferred_agent_ids", json!(["no id"])),
        ("preferred_agent_type", json!("wizard")),
        ("minimum_tier", json!("gold")),
    ] {
        let body = json!({"title": "Fix the parser", "initial_prompt": "Do it.", "agent_config": {field: value}});
        let problem = caller.post("/sessions", body).await.problem(422, "VALIDATION_FAILED");
        assert_eq!(problem["errors"][0]["field"], format!("agent_config.{field}"), "{problem}");
    }
}

#[tokio::test]
async fn a_dry_run_names_the_agent_its_score_parts_the_runners_up_and_the_rejected() {
    let world = TestApp::idle(Options::default()).await;
    let owner = world.superuser().await;
    owner.without_the_platforms_agents().await;
    let best = "capabilities = '{testing}', agent_type = 'debugger'";
    let best = world.agent(&owner, &world.tenant, "best", best).await;
    for name in ["second", "third", "fourth", "fifth"] {
        world.agent(&owner, &world.tenant, name, "capabilities = '{testing,debugging}'").await;
    }
    world.agent(&owner, &world.tenant, "unable", "").await;
    let asked = json!({"required_capabilities": ["testing"], "preferred_agent_type": "debugger"});
    let answer = world.caller(Role::Member).post("/api/v1/agents/route", asked).await.expect(200);
    assert_eq!(answer["chosen"]["id"], best);
    let score = answer["chosen"]["score"].as_object().unwrap();
    let parts: f64 = score.iter().filter(|(part, _)| *part != "total").map(|(_, value)| value.as_f64().unwrap()).sum();
    assert!((parts - score["total"].as_f64().unwrap()).abs() < 1e-9 && (parts - 0.9).abs() < 1e-9, "{score:?}");
    assert_eq!(answer["runners_up"].as_array().unwrap().len(), 3);
    let left_out = answer["left_out"].as_array().unwrap();
    let why = |name: &str| left_out.iter().find(|one| one["name"] == name).unwrap();
    assert_eq!(why("unable")["reason"], "missing_capabilities");
    assert_eq!(why("unable")["missing"], json!(["testing"]));
    assert_eq!((&why("scripted")["reason"], &why("manual")["reason"]), (&json!("maintenance"), &json!("only_by_name")));
    let none = json!({"required_capabilities": ["deployment"]});
    let answer = world.caller(Role::Member).post("/api/v1/agents/route", none).await.expect(200);
    assert_eq!((&answer["chosen"], &answer["left_out_count"]), (&json!(null), &json!(8)));
}

#[tokio::test]
async fn scripted_and_manual_agents_get_only_sessions_that_name_or_prefer_them() {
    let runtime = std::sync::Arc::new(ScriptedAgent::new(Clock::System));
    let agent =
        PlatformAgent { name: "other".to_owned(), kind: Kind::Scripted, capacity: None, runtime: Some(runtime) };
    let world = TestApp::with(Options { agents: vec![agent], ..Options::default() }).await;
    let caller = world.caller(Role::Member);
    let answer = caller.post("/api/v1/agents/route", json!({})).await.expect(200);
    assert_eq!(answer["chosen"]["name"], "scripted", "the tests prefer it");
    let left_out = answer["left_out"].as_array().unwrap().iter();
    let by_name: std::collections::BTreeSet<_> = left_out.map(|one| one["name"].as_str().unwrap()).collect();
    assert_eq!(by_name, ["manual", "other"].into());
    let named = caller.start_session(json!({"agent_config": {"agent": "other", "script": short()}})).await;
    assert_eq!(caller.reaches(&named, &["completed"]).await["agent"]["name"], "other");
}
