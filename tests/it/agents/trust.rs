//! Trust in agents: probation, whose sessions an agent takes, and what ends with the person who registered it.

use harness::{Caller, TestApp, eap_agent::registration, push_endpoint::Endpoint};
use serde_json::{Value, json};
use shared::{app::reconciler::reconcile, identity::auth::Role};

const AGENTS: &str = "/api/v1/agents";
const REGISTER: &str = "/api/v1/agents/external/register";

fn long() -> Value {
    json!({"agent_config": {"script": [{"do": "wait", "ms": 600_000}]}})
}

fn short() -> Value {
    json!({"agent_config": {"script": [{"do": "say", "text": "Done."}]}})
}

/// Why a session waits, in words.
async fn wait_detail(caller: &Caller, id: &str) -> String {
    let session = caller.session(id).await;
    assert_eq!((&session["status"], &session["queue"]["waiting_for"]), (&json!("queued"), &json!("agent")));
    session["queue"]["detail"].as_str().unwrap_or_default().to_owned()
}

#[tokio::test]
async fn an_agent_on_probation_gets_one_unnamed_session_at_a_time() {
    let world = TestApp::new().await;
    let owner = world.superuser().await;
    owner.without_the_platforms_agents().await;
    world.agent(&owner, &world.tenant, "newcomer", "trusted = false").await;
    let caller = world.caller(Role::Member);
    let first = caller.start_session(long()).await;
    caller.reaches(&first, &["running"]).await;
    let second = caller.start_session(short()).await;
    reconcile(&world.app).await.unwrap();
    let words = wait_detail(&caller, &second).await;
    assert!(words.starts_with("newcomer: on probation (0 of 3 successes)"), "{words}");
    let mut named = long();
    named["agent_config"]["agent"] = json!("newcomer");
    let named = caller.start_session(named).await;
    caller.reaches(&named, &["running"]).await;
    caller.act(&format!("/sessions/{first}/stop")).await.expect(202);
    caller.reaches(&second, &["completed"]).await;
    for _ in 0..2 {
        let id = caller.start_session(short()).await;
        caller.reaches(&id, &["completed"]).await;
    }
    let both = [caller.start_session(long()).await, caller.start_session(long()).await];
    for id in both {
        caller.reaches(&id, &["running"]).await;
    }
}

#[tokio::test]
async fn a_proven_agent_gets_the_work_before_a_newcomer_and_a_lead_may_trust_one() {
    let world = TestApp::new().await;
    let owner = world.superuser().await;
    owner.without_the_platforms_agents().await;
    world.agent(&owner, &world.tenant, "proven", "capacity = 2").await;
    let newcomer = "trusted = false, agent_type = 'reviewer'";
    let newcomer = world.agent(&owner, &world.tenant, "newcomer", newcomer).await;
    let (caller, lead) = (world.caller(Role::Member), world.caller(Role::Lead));
    let asked = json!({"session_type": "review", "preferred_agent_ids": [newcomer]});
    let answer = caller.post("/api/v1/agents/route", asked).await.expect(200);
    assert_eq!((&answer["chosen"]["name"], &answer["chosen"]["on_probation"]), (&json!("proven"), &json!(false)));
    let second = &answer["runners_up"][0];
    assert_eq!((&second["name"], &second["score"]["preferred_type"]), (&json!("newcomer"), &json!(0.0)));
    for _ in 0..2 {
        let id = caller.start_session(long()).await;
        assert_eq!(caller.reaches(&id, &["running"]).await["agent"]["name"], "proven");
    }
    let canaries = [caller.start_session(long()).await, caller.start_session(long()).await];
    harness::until(async || owner.number("select count(*) from sessions where status = 'running'").await == 3).await;
    caller.patch(&format!("{AGENTS}/{newcomer}"), json!({"trusted": true})).await.problem(403, "FORBIDDEN");
    let shown = lead.patch(&format!("{AGENTS}/{newcomer}"), json!({"trusted": true})).await.expect(200);
    assert_eq!((&shown["trusted"], &shown["on_probation"]), (&json!(true), &json!(false)));
    for id in canaries {
        assert_eq!(caller.reaches(&id, &["running"]).await["agent"]["name"], "newcomer");
    }
    let audited = "select after->>'trusted' from audit_entries where action = 'agent.update'";
    assert_eq!(owner.texts(audited).await, ["true"]);
}

#[tokio::test]
async fn a_members_agent_takes_only_the_members_sessions_until_a_lead_trusts_it() {
    let world = TestApp::new().await;
    let owner = world.superuser().await;
    owner.without_the_platforms_agents().await;
    let (member, lead) = (world.caller(Role::Member), world.caller(Role::Lead));
    let made = member.post(REGISTER, registration("MEMBERS")).await.expect(201);
    assert_eq!(made["restricted"], true);
    let body = json!({"name": "other-door", "agent_type": "reviewer", "kind": "eap", "capabilities": ["testing"]});
    assert_eq!(member.post(AGENTS, body).await.expect(201)["restricted"], true, "both doors are alike");
    let (id, token) = (made["agent_id"].as_str().unwrap(), made["auth_token"].as_str().unwrap());
    let agent = world.nobody().with("x-agent-token", token);
    let claim = format!("/api/v1/agents/external/{id}/tasks/claim");
    let theirs = lead.start_session(json!({})).await;
    reconcile(&world.app).await.unwrap();
    let words = wait_detail(&lead, &theirs).await;
    assert!(words.contains("MEMBERS: takes only the sessions of whoever registered it"), "{words}");
    assert_eq!(agent.post(&claim, json!({})).await.status, 204);
    let named = lead.start_session(json!({"agent_config": {"agent": "MEMBERS"}})).await;
    reconcile(&world.app).await.unwrap();
    let words = wait_detail(&lead, &named).await;
    assert!(words.starts_with("MEMBERS: takes only the sessions of whoever registered it"), "{words}");
    let own = member.start_session(json!({})).await;
    let tasks = agent.post(&claim, json!({"wait_seconds": 20})).await.expect(200);
    assert_eq!(tasks["tasks"][0]["session_id"], own);
    lead.patch(&format!("{AGENTS}/{id}"), json!({"trusted": true})).await.expect(200);
    let tasks = agent.post(&claim, json!({"wait_seconds": 20})).await.expect(200);
    let claimed: Vec<_> = tasks["tasks"].as_array().unwrap().iter().map(|task| task["session_id"].clone()).collect();
    assert!(claimed.iter().all(|one| *one == json!(theirs) || *one == json!(named)), "{claimed:?}");
}

#[tokio::test]
async fn a_required_conformance_run_keeps_unnamed_sessions_from_other_agents() {
    let world = TestApp::new().await;
    let owner = world.superuser().await;
    owner.without_the_platforms_agents().await;
    let untested = world.agent(&owner, &world.tenant, "untested", "").await;
    let (caller, lead) = (world.caller(Role::Member), world.caller(Role::Lead));
    let shown = lead.patch("/api/v1/tenant", json!({"require_conformance": true})).await.expect(200);
    assert_eq!(shown["require_conformance"], true);
    let unnamed = caller.start_session(short()).await;
    let mut named = short();
    named["agent_config"]["agent"] = json!("untested");
    let named = caller.start_session(named).await;
    caller.reaches(&named, &["completed"]).await;
    reconcile(&world.app).await.unwrap();
    assert_eq!(caller.session(&unnamed).await["status"], "queued");
    let answer = caller.post("/api/v1/agents/route", json!({})).await.expect(200);
    let why = answer["left_out"].as_array().unwrap().iter().find(|one| one["name"] == "untested").unwrap();
    assert_eq!(why["reason"], "lacks_conformance");
    let passed = json!({"conformance_passed": true});
    assert!(lead.patch(&format!("{AGENTS}/{untested}"), passed).await.expect(200)["conformance_passed_at"].is_string());
    caller.reaches(&unnamed, &["completed"]).await;
}

/// A person of the tenant with a key of their own: the id and the caller.
async fn person(world: &TestApp, email: &str, role: &str) -> (String, Caller) {
    let admin = world.caller(Role::Admin);
    let body = json!({"email": email, "full_name": "Ada", "role": role});
    let id = admin.post("/api/v1/users", body).await.expect(201)["id"].as_str().unwrap().to_owned();
    let key = admin.post("/api/v1/api-keys", json!({"name": "theirs", "user_id": id})).await.expect(201);
    let text = key["secret"].as_str().unwrap().to_owned();
    let caller = world.nobody().with("authorization", &format!("Bearer {text}"));
    (id, caller.with("x-tenant-id", &world.tenant.slug))
}

/// Registers an agent: its id and a caller with its token.
async fn registered(world: &TestApp, by: &Caller, name: &str) -> (String, Caller) {
    let made = by.post(REGISTER, registration(name)).await.expect(201);
    let token = made["auth_token"].as_str().unwrap();
    (made["agent_id"].as_str().unwrap().to_owned(), world.nobody().with("x-agent-token", token))
}

async fn heartbeat(agent: &Caller, id: &str) -> u16 {
    let body = json!({"status": "healthy", "current_load": 0, "tasks_in_progress": 0});
    agent.post(&format!("{AGENTS}/external/{id}/heartbeat"), body).await.status.as_u16()
}

/// A suspended agent would call with a new token and get no work, so the remedy comes first.
async fn is_reissued_once_it_is_taken_over(world: &TestApp, lead: &Caller, id: &str) {
    let path = format!("{AGENTS}/{id}");
    let problem = lead.act(&format!("{path}/token")).await.problem(409, "AGENT_SUSPENDED");
    assert!(problem["remedy"].as_str().unwrap().contains("trusted"), "{problem}");
    assert_eq!(lead.get(&format!("{path}/tokens")).await.expect(200)["items"], json!([]));
    lead.patch(&path, json!({"trusted": true, "state": "active"})).await.expect(200);
    let issued = lead.act(&format!("{path}/token")).await.expect(201);
    let agent = world.nobody().with("x-agent-token", issued["auth_token"].as_str().unwrap());
    assert_eq!(heartbeat(&agent, id).await, 204);
}

#[tokio::test]
async fn a_lost_token_of_an_agent_under_maintenance_is_replaced() {
    let world = TestApp::full().await;
    let admin = world.caller(Role::Admin);
    let (_, caller) = person(&world, "ada@example.org", "member").await;
    let (id, _) = registered(&world, &caller, "RESTS").await;
    admin.patch(&format!("{AGENTS}/{id}"), json!({"state": "maintenance"})).await.expect(200);
    admin.act(&format!("{AGENTS}/{id}/token")).await.expect(201);
}

#[tokio::test]
async fn agents_end_with_their_person_unless_a_lead_trusts_them() {
    let world = TestApp::full().await;
    let admin = world.caller(Role::Admin);
    for (at, ending) in ["delete", "deactivate", "demote"].into_iter().enumerate() {
        let (user, caller) = person(&world, &format!("ada{at}@example.org"), "member").await;
        let (left, left_agent) = registered(&world, &caller, &format!("LEFT-{at}")).await;
        let (kept, kept_agent) = registered(&world, &caller, &format!("KEPT-{at}")).await;
        admin.patch(&format!("{AGENTS}/{kept}"), json!({"trusted": true})).await.expect(200);
        let path = format!("/api/v1/users/{user}");
        match ending {
            "delete" => assert_eq!(admin.delete(&path).await.status, 204),
            "deactivate" => drop(admin.patch(&path, json!({"is_active": false})).await.expect(200)),
            _ => drop(admin.patch(&path, json!({"role": "viewer"})).await.expect(200)),
        }
        assert_eq!(heartbeat(&left_agent, &left).await, 401, "{ending}");
        assert_eq!(heartbeat(&kept_agent, &kept).await, 204, "{ending}");
        assert_eq!(admin.get(&format!("{AGENTS}/{left}")).await.expect(200)["state"], "maintenance", "{ending}");
        assert_eq!(admin.get(&format!("{AGENTS}/{kept}")).await.expect(200)["state"], "active", "{ending}");
        let tokens = admin.get(&format!("{AGENTS}/{left}/tokens")).await.expect(200);
        assert_eq!(tokens["items"], json!([]));
        is_reissued_once_it_is_taken_over(&world, &admin, &left).await;
    }
    let owner = world.superuser().await;
    let audited = "select count(*) from audit_entries where action = 'agent.suspend'";
    assert_eq!(owner.number(audited).await, 3);
}

#[tokio::test]
async fn a_lead_who_becomes_a_member_keeps_only_their_own_sessions_on_their_agents() {
    let world = TestApp::full().await;
    let admin = world.caller(Role::Admin);
    let (user, lead) = person(&world, "grace@example.org", "lead").await;
    let (id, agent) = registered(&world, &lead, "LEADS").await;
    assert_eq!(admin.get(&format!("{AGENTS}/{id}")).await.expect(200)["restricted"], false);
    admin.patch(&format!("/api/v1/users/{user}"), json!({"role": "member"})).await.expect(200);
    let shown = admin.get(&format!("{AGENTS}/{id}")).await.expect(200);
    assert_eq!((&shown["restricted"], &shown["state"]), (&json!(true), &json!("active")));
    assert_eq!(heartbeat(&agent, &id).await, 204);
}

#[tokio::test]
async fn a_lead_lists_and_revokes_the_tokens_of_an_agent() {
    let world = TestApp::full().await;
    let (lead, agent) = (world.caller(Role::Lead), world.puller("BUILDER").await);
    let path = format!("{AGENTS}/{}/tokens", agent.id);
    world.caller(Role::Member).get(&path).await.problem(403, "FORBIDDEN");
    let listed = lead.get(&path).await.expect(200);
    let token = &listed["items"][0];
    assert_eq!((&token["expires_at"], &token["rotated_to"]), (&Value::Null, &Value::Null));
    assert!(!listed.to_string().contains(&agent.token));
    let other = world.puller("OTHER").await;
    let one = format!("{AGENTS}/{}/tokens/{}", other.id, token["id"].as_str().unwrap());
    lead.delete(&one).await.problem(404, "AGENT_TOKEN_NOT_FOUND");
    let one = format!("{path}/{}", token["id"].as_str().unwrap());
    assert_eq!(lead.delete(&one).await.status, 204);
    agent.heartbeat().await.problem(401, "UNAUTHENTICATED");
    lead.delete(&one).await.problem(404, "AGENT_TOKEN_NOT_FOUND");
}

#[tokio::test]
async fn an_admin_puts_an_agent_of_the_platform_into_maintenance() {
    let world = TestApp::new().await;
    let (admin, lead) = (world.caller(Role::Admin), world.caller(Role::Lead));
    let listed = admin.get(&format!("{AGENTS}?q=scripted")).await.expect(200);
    let path = format!("{AGENTS}/{}", listed["items"][0]["id"].as_str().unwrap());
    assert_eq!(listed["items"][0]["trusted"], true, "the operator configured it");
    let maintenance = json!({"state": "maintenance"});
    let problem = lead.patch(&path, maintenance.clone()).await.problem(403, "AGENT_NOT_OWNED");
    assert!(problem["remedy"].as_str().unwrap().contains("changed by an admin"), "{problem}");
    admin.patch(&path, json!({"capacity": 1})).await.problem(422, "VALIDATION_FAILED");
    assert_eq!(admin.patch(&path, maintenance).await.expect(200)["state"], "maintenance");
    let waiting = lead
        .start_session(json!({"agent_config": {"agent": "scripted", "script": [{"do": "say", "text": "Done."}]}}))
        .await;
    reconcile(&world.app).await.unwrap();
    assert_eq!(wait_detail(&lead, &waiting).await, "scripted: in maintenance");
    assert_eq!(admin.patch(&path, json!({"state": "active"})).await.expect(200)["state"], "active");
    lead.reaches(&waiting, &["completed"]).await;
    let owner = world.superuser().await;
    assert_eq!(owner.number("select count(*) from audit_entries where action = 'agent.update'").await, 2);
}

#[tokio::test]
async fn an_agent_that_never_answered_is_offline_and_gets_no_unnamed_session() {
    let endpoint = Endpoint::accepting().await;
    let world = TestApp::with(endpoint.options()).await;
    let owner = world.superuser().await;
    owner.without_the_platforms_agents().await;
    let lead = world.caller(Role::Lead);
    let mut body = registration("ANSWERS");
    body["endpoint_url"] = json!(endpoint.url);
    let made = lead.post(REGISTER, body).await.expect(201);
    assert_eq!(made["probe"]["ok"], true, "{made}");
    let answers = lead.get(&format!("{AGENTS}/{}", made["agent_id"].as_str().unwrap())).await.expect(200);
    assert_eq!(answers["status"], "healthy");
    let dead = json!({"name": "dead", "agent_type": "implementer", "kind": "a2a", "capabilities": ["testing"],
                      "endpoint_url": "https://agents.invalid/a"});
    let made = lead.post(AGENTS, dead).await.expect(201);
    assert_eq!((&made["probe"]["ok"], &made["status"]), (&json!(false), &json!("offline")));
    assert!(!made["probe"]["detail"].as_str().unwrap().is_empty());
    let answer = lead.post("/api/v1/agents/route", json!({})).await.expect(200);
    assert_eq!(answer["chosen"]["name"], "ANSWERS");
    let why = answer["left_out"].as_array().unwrap().iter().find(|one| one["name"] == "dead").unwrap();
    assert_eq!((&why["reason"], &why["cause"]), (&json!("breaker_open"), &json!("server")));
}

#[tokio::test]
async fn me_lists_what_a_role_may_do_with_agents() {
    let world = TestApp::full().await;
    for (role, writes) in [(Role::Viewer, false), (Role::Member, true), (Role::Lead, true)] {
        let caller = world.caller(role);
        let me = caller.get("/api/v1/me").await.expect(200);
        let permissions = me["permissions"].as_array().unwrap();
        assert_eq!(permissions.contains(&json!("agents:write")), writes, "{}", role.name());
        let status = caller.post(REGISTER, registration(&format!("OF-{}", role.name().to_uppercase()))).await.status;
        assert_eq!(status.as_u16() == 201, writes, "{}", role.name());
    }
}
