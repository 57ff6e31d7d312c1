//! The quotas on what a tenant stores.

use harness::{Caller, Options, TestApp, eap_agent::registration};
use serde_json::{Value, json};
use shared::{identity::auth::Role, platform::queue::job::Job};

const KEYS: &str = "/api/v1/api-keys";
const REGISTER: &str = "/api/v1/agents/external/register";

/// Sets the quotas of the tenant, which also makes this process read them anew.
async fn set_quotas(world: &TestApp, quotas: Value) {
    let path = format!("/api/v1/tenants/{}", world.tenant.id);
    let admin = world.caller(Role::Admin);
    // A patch that changes nothing would not clear the cache.
    let note = json!({"note": shared::kernel::id::UserId::new()});
    let changed = admin.patch(&path, json!({"quotas": quotas, "metadata": note})).await.expect(200);
    assert_eq!(changed["quotas"], quotas);
}

/// The limit and the usage of a quota.
async fn quota(world: &TestApp, name: &str) -> (i64, i64) {
    let found = world.caller(Role::Viewer).get("/api/v1/tenant/quotas").await.expect(200);
    let item = found["items"].as_array().unwrap().iter().find(|item| item["name"] == name).unwrap().clone();
    (item["limit"].as_i64().unwrap(), item["used"].as_i64().unwrap())
}

async fn count(world: &TestApp) {
    world.run(Job::reconcile()).await;
}

/// Counts until every event that is written by now is counted, which needs that no older transaction of the server is
/// open; returns the stored bytes.
async fn count_all(world: &TestApp) -> i64 {
    let superuser = world.superuser().await;
    let uncounted = "select count(*) from session_events e left join tenant_storage s using (tenant_id)
        where s.position is null or e.position >= s.position";
    harness::until(async || {
        count(world).await;
        superuser.number(uncounted).await == 0
    })
    .await;
    quota(world, "stored_bytes").await.1
}

fn draft() -> Value {
    json!({"title": "Fix the parser", "initial_prompt": "Do it."})
}

async fn is_refused(caller: &Caller, path: &str, body: Value) {
    let problem = caller.post(path, body).await.problem(429, "QUOTA_EXCEEDED");
    assert_eq!(problem["retryable"], true);
}

#[tokio::test]
async fn a_new_session_is_refused_above_the_quotas_of_sessions_and_bytes() {
    let world = TestApp::full().await;
    let caller = world.caller(Role::Member);
    let first = caller.new_session(json!({})).await;
    caller.new_session(json!({})).await;
    count(&world).await;
    set_quotas(&world, json!({"open_sessions": 2})).await;
    assert_eq!(quota(&world, "open_sessions").await, (2, 2));
    is_refused(&caller, "/sessions", draft()).await;
    is_refused(&caller, &format!("/sessions/{first}/fork"), json!({})).await;
    caller.act(&format!("/sessions/{first}/cancel")).await.expect(200);
    assert!(count_all(&world).await > 0);
    set_quotas(&world, json!({"open_sessions": 2, "stored_bytes": 0})).await;
    caller.post("/sessions", draft()).await.expect(201);
    set_quotas(&world, json!({"open_sessions": 0, "stored_bytes": 1})).await;
    is_refused(&caller, "/sessions", draft()).await;
    let other = world.another_tenant().await;
    world.caller_of(&other, Role::Member).post("/sessions", draft()).await.expect(201);
    set_quotas(&world, json!({})).await;
    assert_eq!(quota(&world, "open_sessions").await, (10_000, 2));
    caller.post("/sessions", draft()).await.expect(201);
}

#[tokio::test]
async fn stored_bytes_are_counted_once_and_go_with_their_session() {
    let world = TestApp::new().await;
    let caller = world.caller(Role::Member);
    let content = "0123456789".repeat(1000);
    let id = caller.run_script(json!([{"do": "write", "path": "a.txt", "content": content}])).await;
    caller.reaches(&id, &["completed"]).await;
    let kept = caller.new_session(json!({"metadata": {"note": "kept"}})).await;
    let used = count_all(&world).await;
    assert!((10_000..100_000).contains(&used), "{used} bytes");
    count(&world).await;
    assert_eq!(quota(&world, "stored_bytes").await.1, used, "nothing is counted twice");
    caller.post(&format!("/sessions/{kept}/messages"), json!({"text": "More."})).await.expect(202);
    let more = count_all(&world).await;
    assert!((used + 1..used + 3000).contains(&more), "{used} {more}");
    assert_eq!(world.caller(Role::Lead).delete(&format!("/sessions/{id}")).await.status, 204);
    assert!(count_all(&world).await < 10_000);
}

#[tokio::test]
async fn a_full_log_leaves_entries_of_the_agent_out_and_says_how_many() {
    let mut options = Options::default();
    options.settings.max_events = 20;
    let world = TestApp::with(options).await;
    let caller = world.caller(Role::Member);
    let mut script = vec![json!({"do": "say", "text": "Again."}); 60];
    script.push(json!({"do": "write", "path": "a.txt", "content": "kept"}));
    let id = caller.run_script(Value::Array(script)).await;
    caller.reaches(&id, &["completed"]).await;
    let events = caller.events(&id).await;
    let (said, full): (Vec<_>, Vec<_>) = (
        events.iter().filter(|event| event["type"] == "session.message").collect(),
        events.iter().filter(|event| event["payload"]["code"] == "LOG_FULL").collect(),
    );
    assert!(said.len() < 20 && events.len() < 40, "{} events, {} of the agent", events.len(), said.len());
    let omitted = |event: &&Value| {
        let words = event["payload"]["message"].as_str().unwrap().split(' ');
        words.filter_map(|word| word.parse::<usize>().ok()).next_back().unwrap()
    };
    // The prompt is a message as well, and a written file an entry or two.
    assert!((60..=64).contains(&(said.len() + full.iter().map(omitted).sum::<usize>())));
    let diff = caller.get(&format!("/sessions/{id}/diff")).await.expect(200);
    assert_eq!(diff["items"][0]["path"], "a.txt", "its work is whole");
}

#[tokio::test]
async fn a_key_above_the_quota_is_refused_until_another_ends() {
    let world = TestApp::full().await;
    let lead = world.caller(Role::Lead);
    let (_, used) = quota(&world, "api_keys").await;
    set_quotas(&world, json!({"api_keys": used + 1})).await;
    let key = lead.post(KEYS, json!({"name": "one"})).await.expect(201);
    let place = format!("{KEYS}/{}", key["id"].as_str().unwrap());
    is_refused(&lead, KEYS, json!({"name": "two"})).await;
    is_refused(&lead, &format!("{place}/rotate"), json!({})).await;
    let many = futures_util::future::join_all((0..5).map(|_| lead.post(KEYS, json!({"name": "many"})))).await;
    assert!(many.iter().all(|reply| reply.status == 429));
    assert_eq!(lead.delete(&place).await.status, 204);
    lead.post(KEYS, json!({"name": "two"})).await.expect(201);
    assert_eq!(quota(&world, "api_keys").await, (used + 1, used + 1));
}

#[tokio::test]
async fn an_agent_above_the_quota_is_refused_at_both_doors() {
    let world = TestApp::full().await;
    let lead = world.caller(Role::Lead);
    set_quotas(&world, json!({"agents": 1})).await;
    let agent = lead.post(REGISTER, registration("ONE")).await.expect(201);
    is_refused(&lead, REGISTER, registration("TWO")).await;
    let new = json!({"name": "two", "kind": "eap", "agent_type": "implementer", "capabilities": []});
    is_refused(&lead, "/api/v1/agents", new.clone()).await;
    assert_eq!(lead.delete(&format!("/api/v1/agents/{}", agent["agent_id"].as_str().unwrap())).await.status, 204);
    lead.post("/api/v1/agents", new).await.expect(201);
    assert_eq!(quota(&world, "agents").await, (1, 1));
}

#[tokio::test]
async fn a_quota_is_validated_and_only_an_admin_changes_it() {
    let world = TestApp::full().await;
    let path = format!("/api/v1/tenants/{}", world.tenant.id);
    let admin = world.caller(Role::Admin);
    for (name, value) in [("open_sessions", -1), ("stored_bytes", i64::MAX), ("api_keys", -5), ("agents", i64::MIN)] {
        let problem = admin.patch(&path, json!({"quotas": {name: value}})).await.problem(422, "VALIDATION_FAILED");
        assert_eq!(problem["errors"][0]["field"], format!("quotas.{name}"));
    }
    admin.patch(&path, json!({"quotas": {"sessions": 1}})).await.expect(422);
    world.caller(Role::Lead).patch(&path, json!({"quotas": {}})).await.problem(403, "FORBIDDEN");
}
