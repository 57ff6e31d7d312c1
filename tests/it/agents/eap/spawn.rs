//! `POST` and `GET /agents/external/{id}/tasks/{task_id}/sessions`: an agent at work creates sessions below its own, on
//! behalf of whoever created that, and waits for them.

use harness::{
    Caller, Reply, TestApp,
    eap_agent::{EapAgent, result},
};
use serde_json::{Value, json};
use shared::{identity::auth::Role, kernel::id::SessionId};

use crate::tenancy::person;

fn path(agent: &EapAgent, task: &Value) -> String {
    format!("/api/v1/agents/external/{}/tasks/{}/sessions", agent.id, task["task_id"].as_str().unwrap())
}

/// Asks for a session under the lease of a task.
async fn spawn(agent: &EapAgent, task: &Value, request: &str) -> Reply {
    let body = json!({"lease_token": task["lease"]["token"], "request_id": request, "prompt": "Do a part.\nNow."});
    agent.caller.post(&path(agent, task), body).await
}

/// A child of the session of a task.
async fn child_of(agent: &EapAgent, task: &Value) -> String {
    let request = SessionId::new().to_string();
    spawn(agent, task, &request).await.expect(201)["id"].as_str().unwrap().to_owned()
}

async fn states(agent: &EapAgent, task: &Value, ids: &str) -> Reply {
    let query = format!("?lease_token={}&ids={ids}", task["lease"]["token"]);
    agent.caller.get(&format!("{}{query}", path(agent, task))).await
}

/// The session of an agent with its task.
async fn session_with_task(caller: &Caller, agent: &EapAgent) -> (String, Value) {
    (agent.session(caller).await, agent.task().await)
}

async fn end(caller: &Caller, agent: &EapAgent, (id, task): (&str, &Value), text: &str) {
    agent.result(task, result(task, text)).await.expect(202);
    caller.reaches(id, &["completed"]).await;
}

#[tokio::test]
async fn an_agent_creates_a_session_that_may_do_no_more_than_its_own() {
    let world = TestApp::new().await;
    let (member, agent) = (world.caller(Role::Member), world.puller("BUILDER").await);
    let config = json!({"agent": "BUILDER", "permissions": {"edit": "ask"}, "network": {"mode": "none"}});
    let fields =
        json!({"agent_config": config, "max_duration_seconds": 600, "tags": ["night"], "metadata": {"own": 1}});
    let parent = member.start_session(fields).await;
    let task = agent.task().await;
    let made = spawn(&agent, &task, "1").await.expect(201);
    let id = made["id"].as_str().unwrap();
    assert_eq!((&made["title"], &made["is_over"]), (&json!("Do a part."), &json!(false)), "{made:#}");
    let (of_parent, child) = (member.session(&parent).await, member.session(id).await);
    for field in ["agent_config", "max_duration_seconds", "tags", "created_by", "workspace", "environment"] {
        assert_eq!(child[field], of_parent[field], "{field}");
    }
    assert_eq!((&child["parent_id"], &child["initial_prompt"]), (&json!(parent), &json!("Do a part.\nNow.")));
    let of_child = agent.task().await;
    assert_eq!((&of_child["session_id"], &of_child["input_data"]), (&json!(id), &task["input_data"]));
    end(&member, &agent, (id, &of_child), "The part is done.").await;
    let read = states(&agent, &task, id).await.expect(200)["sessions"][0].clone();
    let expected =
        json!({"id": id, "title": "Do a part.", "status": "completed", "is_over": true, "text": "The part is done."});
    assert_eq!(read, expected);
    end(&member, &agent, (&parent, &task), "Done.").await;
}

#[tokio::test]
async fn a_request_that_is_repeated_creates_one_session() {
    let world = TestApp::new().await;
    let (member, agent) = (world.caller(Role::Member), world.puller("BUILDER").await);
    let (parent, task) = session_with_task(&member, &agent).await;
    let repeated = (0..5).map(|_| spawn(&agent, &task, "same"));
    let replies = futures_util::future::join_all(repeated).await;
    assert_eq!(replies.iter().filter(|reply| reply.status == 201).count(), 1);
    let ids: Vec<_> = replies.into_iter().map(|reply| reply.json()["id"].clone()).collect();
    assert!(ids.iter().all(|id| *id == ids[0] && id.is_string()), "{ids:?}");
    let tree = member.get(&format!("/sessions/{parent}/tree")).await.expect(200);
    assert_eq!(tree["children"].as_array().unwrap().len(), 1, "{tree:#}");
    let child = ids[0].as_str().unwrap();
    member.act(&format!("/sessions/{child}/cancel")).await;
    member.reaches(child, &["cancelled"]).await;
    member.delete(&format!("/sessions/{child}")).await.expect(204);
    spawn(&agent, &task, "same").await.problem(404, "SESSION_NOT_FOUND");
    end(&member, &agent, (&parent, &task), "Done.").await;
}

#[tokio::test]
async fn only_the_holder_of_the_lease_creates_sessions_and_reads_them() {
    let world = TestApp::new().await;
    let (member, agent) = (world.caller(Role::Member), world.puller("BUILDER").await);
    let (parent, task) = session_with_task(&member, &agent).await;
    let child = child_of(&agent, &task).await;
    let mut other = task.clone();
    other["lease"]["token"] = json!(2);
    spawn(&agent, &other, "1").await.problem(409, "LEASE_LOST");
    states(&agent, &other, &child).await.problem(409, "LEASE_LOST");
    let stranger = world.puller("OTHER").await;
    spawn(&stranger, &task, "1").await.problem(404, "TASK_NOT_FOUND");
    member.act(&format!("/sessions/{parent}/stop")).await.expect(202);
    member.reaches(&parent, &["stopped"]).await;
    spawn(&agent, &task, "2").await.problem(409, "LEASE_LOST");
}

#[tokio::test]
async fn an_agent_reads_no_session_but_the_children_of_its_own() {
    let world = TestApp::new().await;
    let (member, agent) = (world.caller(Role::Member), world.puller("BUILDER").await);
    let (parent, task) = session_with_task(&member, &agent).await;
    let child = child_of(&agent, &task).await;
    let of_child = agent.task().await;
    let grandchild = child_of(&agent, &of_child).await;
    let unrelated = member.new_session(json!({})).await;
    let theirs = world.another_tenant().await;
    let foreign = world.caller_of(&theirs, Role::Member).new_session(json!({})).await;
    states(&agent, &task, &child).await.expect(200);
    for id in [&parent, &grandchild, &unrelated, &foreign] {
        states(&agent, &task, &format!("{child},{id}")).await.problem(404, "SESSION_NOT_FOUND");
    }
    for ids in ["", "one", &vec![child.as_str(); 21].join(",")] {
        let problem = states(&agent, &task, ids).await.problem(422, "VALIDATION_FAILED");
        assert_eq!(problem["errors"][0]["field"], "ids");
    }
    world.may_leave_work("the agents keep their tasks");
}

#[tokio::test]
async fn an_agent_that_no_lead_trusts_creates_no_session() {
    let world = TestApp::new().await;
    let lead = world.caller(Role::Lead);
    let (_, ada) = person(&world, Role::Member).await;
    let body = json!({"protocol_version": "1.0", "name": "OWN", "version": "1", "agent_type": "implementer"});
    let made = ada.post("/api/v1/agents/external/register", body).await.expect(201);
    let text = |field: &str| made[field].as_str().unwrap().to_owned();
    let caller = world.nobody().with("x-agent-token", &text("auth_token"));
    let own =
        EapAgent { id: text("agent_id"), name: "OWN".to_owned(), token: text("auth_token"), secret: None, caller };
    let (id, task) = session_with_task(&ada, &own).await;
    spawn(&own, &task, "1").await.problem(403, "SPAWN_FORBIDDEN");
    let child = ada.new_session(json!({"parent_id": id})).await;
    states(&own, &task, &child).await.problem(403, "SPAWN_FORBIDDEN");
    let wait = json!({"question_id": "1", "kind": "sessions", "text": "Waits.", "details": {"sessions": [child]}});
    own.progress(&task, json!({"seq": 1, "question": wait})).await.expect(200);
    let answer = harness::found(async || {
        let report = own.progress(&task, json!({"seq": 2})).await.expect(200);
        report["messages"][0]["answer"]["text"].as_str().map(str::to_owned)
    });
    assert!(answer.await.starts_with("SPAWN_FORBIDDEN"));
    lead.patch(&format!("/api/v1/agents/{}", own.id), json!({"trusted": true})).await.expect(200);
    spawn(&own, &task, "1").await.expect(201);
    states(&own, &task, &child).await.expect(200);
    world.may_leave_work("the agent keeps its tasks");
}

#[tokio::test]
async fn an_agent_of_another_tenant_creates_no_session() {
    let world = TestApp::new().await;
    let theirs = world.another_tenant().await;
    let (lead, member) = (world.caller(Role::Lead), world.caller(Role::Member));
    let agent = world.external_of(&theirs, "SHARED", json!({})).await;
    let publisher = world.caller_of(&theirs, Role::Lead);
    publisher.patch(&format!("/api/v1/agents/{}", agent.id), json!({"trusted": true})).await.expect(200);
    let share = format!("/api/v1/agents/{}/shares/{}", agent.id, world.tenant.slug);
    publisher.send("PUT", &share, None).await.expect(200);
    lead.send("PUT", &format!("/api/v1/marketplace/{}", agent.id), None).await.expect(200);
    let (id, task) = session_with_task(&member, &agent).await;
    spawn(&agent, &task, "1").await.problem(403, "SPAWN_FORBIDDEN");
    end(&member, &agent, (&id, &task), "Done.").await;
}

#[tokio::test]
async fn an_agent_creates_nothing_for_a_creator_who_may_not_any_more() {
    let world = TestApp::new().await;
    let (admin, agent) = (world.caller(Role::Admin), world.puller("BUILDER").await);
    let (user, ada) = person(&world, Role::Member).await;
    let (id, task) = session_with_task(&ada, &agent).await;
    spawn(&agent, &task, "1").await.expect(201);
    let change = async |body: Value| admin.patch(&format!("/api/v1/users/{user}"), body).await.expect(200);
    change(json!({"role": "viewer"})).await;
    spawn(&agent, &task, "2").await.problem(403, "CREATOR_FORBIDDEN");
    change(json!({"role": "member"})).await;
    spawn(&agent, &task, "2").await.expect(201);
    change(json!({"is_active": false})).await;
    spawn(&agent, &task, "3").await.problem(403, "CREATOR_FORBIDDEN");
    let member = world.caller(Role::Member);
    assert_eq!(member.get(&format!("/sessions/{id}/tree")).await.expect(200)["children"].as_array().unwrap().len(), 2);
    world.may_leave_work("the agent keeps its tasks");
}

#[tokio::test]
async fn an_agent_works_for_the_successor_of_a_key_and_not_for_a_revoked_one() {
    let world = TestApp::new().await;
    let (admin, agent) = (world.caller(Role::Admin), world.puller("BUILDER").await);
    let key = admin.post("/api/v1/api-keys", json!({"name": "robot", "role": "member"})).await.expect(201);
    let robot = world.nobody().with("authorization", &format!("Bearer {}", key["secret"].as_str().unwrap()));
    let (_, task) = session_with_task(&robot, &agent).await;
    let rotate = format!("/api/v1/api-keys/{}/rotate", key["id"].as_str().unwrap());
    let next = admin.post(&rotate, json!({"overlap_seconds": 0})).await.expect(201);
    spawn(&agent, &task, "1").await.expect(201);
    admin.delete(&format!("/api/v1/api-keys/{}", next["id"].as_str().unwrap())).await.expect(204);
    spawn(&agent, &task, "2").await.problem(403, "CREATOR_FORBIDDEN");
    world.may_leave_work("the agent keeps its task");
}

#[tokio::test]
async fn sessions_of_agents_keep_the_limits_of_trees_and_of_the_queue() {
    let world = TestApp::new().await;
    let (member, agent) = (world.caller(Role::Member), world.puller("BUILDER").await);
    let owner = world.superuser().await;
    let (parent, task) = session_with_task(&member, &agent).await;
    let refused = async |request: &str| {
        let problem = spawn(&agent, &task, request).await.problem(422, "VALIDATION_FAILED");
        assert_eq!(problem["errors"][0]["field"], "parent_id", "{problem:#}");
    };
    owner.run(&format!("update sessions set depth = 10 where id = '{parent}'")).await;
    refused("1").await;
    owner.run(&format!("update sessions set depth = 1, tree_size = 500 where id = '{parent}'")).await;
    refused("2").await;
    owner.run(&format!("update sessions set tree_size = 1 where id = '{parent}'")).await;
    owner.run("update tenants set max_queued_sessions = 0").await;
    spawn(&agent, &task, "3").await.problem(429, "QUOTA_EXCEEDED");
    let body = json!({"lease_token": 1, "request_id": "", "prompt": " ", "title": "untitled"});
    let problem = agent.caller.post(&path(&agent, &task), body).await.problem(422, "VALIDATION_FAILED");
    let fields: Vec<_> = problem["errors"].as_array().unwrap().iter().map(|one| one["field"].clone()).collect();
    assert_eq!(fields, ["request_id", "prompt", "title"]);
    end(&member, &agent, (&parent, &task), "Done.").await;
}

#[tokio::test]
async fn the_audit_log_names_the_agent_the_session_and_its_creator() {
    let world = TestApp::new().await;
    let (lead, member, agent) = (world.caller(Role::Lead), world.caller(Role::Member), world.puller("BUILDER").await);
    let (parent, task) = session_with_task(&member, &agent).await;
    let child = child_of(&agent, &task).await;
    let log = lead.get("/api/v1/audit?limit=200").await.expect(200);
    let is_creation = |one: &&Value| one["action"] == "session.create" && one["object_id"] == json!(child);
    let entry = log["items"].as_array().unwrap().iter().find(is_creation).unwrap();
    assert_eq!((&entry["actor"]["kind"], &entry["actor"]["id"]), (&json!("agent"), &json!(agent.id)));
    assert_eq!(entry["after"]["parent_id"], json!(parent));
    assert_eq!(entry["after"]["on_behalf_of"], member.session(&parent).await["created_by"], "{entry:#}");
    let created = member.events(&child).await.into_iter().find(|event| event["type"] == "session.created").unwrap();
    assert_eq!((&created["actor"]["kind"], &created["payload"]["parent_id"]), (&json!("agent"), &json!(parent)));
    world.may_leave_work("the agent keeps its task");
}
