//! `POST /agents/external/{id}/tasks/{task_id}/secrets`: who receives secrets, which, and for how long.

use harness::{
    Caller, TestApp,
    eap_agent::{EapAgent, result},
};
use serde_json::{Value, json};
use shared::identity::auth::Role;

use super::{ask_for_secrets, put, set};
use crate::{environments::create_environment, tenancy::person};

/// A claimed task of a session of a caller in an environment.
async fn task_in(caller: &Caller, agent: &EapAgent, environment: &str) -> (String, Value) {
    let fields = json!({"agent_config": {"agent": agent.name}, "environment": environment});
    let id = caller.start_session(fields).await;
    (id, agent.task().await)
}

async fn end(caller: &Caller, agent: &EapAgent, id: &str, task: &Value) {
    agent.result(task, result(task, "Done.")).await.expect(202);
    caller.reaches(id, &["completed"]).await;
}

#[tokio::test]
async fn the_holder_of_a_lease_receives_what_the_environment_names_and_nothing_else() {
    let world = TestApp::new().await;
    let (lead, member, agent) = (world.caller(Role::Lead), world.caller(Role::Member), world.puller("BUILDER").await);
    create_environment(&lead, "backend", json!({"secrets": ["GIT", "MISSING", "NPM", "KEY"]})).await;
    set(&lead, "tenant", "NPM", "npm value").await;
    set(&lead, "tenant", "NOT_NAMED", "another value").await;
    let git =
        json!({"value": "git value", "kind": "git", "host": "git.example.com", "username": "bot", "phase": "both"});
    put(&lead, "tenant", "GIT", git).await.expect(200);
    let key = json!({"value": "key value", "kind": "provider", "provider": "openai", "phase": "agent"});
    put(&lead, "tenant", "KEY", key).await.expect(200);
    let (id, task) = task_in(&member, &agent, "backend").await;
    let token = task["lease"]["token"].as_i64().unwrap();
    let received = ask_for_secrets(&agent, &task, token).await.expect(200);
    let expected = json!([
        {"name": "GIT", "value": "git value", "scope": "tenant", "phase": "both", "kind": "git", "host": "git.example.com", "username": "bot"},
        {"name": "NPM", "value": "npm value", "scope": "tenant", "phase": "setup", "kind": "plain"},
        {"name": "KEY", "value": "key value", "scope": "tenant", "phase": "agent", "kind": "provider", "provider": "openai"},
    ]);
    assert_eq!(received, json!({"secrets": expected, "missing": ["MISSING"]}));
    end(&member, &agent, &id, &task).await;
}

#[tokio::test]
async fn the_secret_of_the_user_wins_over_the_environment_and_that_over_the_tenant() {
    let world = TestApp::new().await;
    let (lead, agent) = (world.caller(Role::Lead), world.puller("BUILDER").await);
    let (_, ada) = person(&world, Role::Member).await;
    let (_, ben) = person(&world, Role::Member).await;
    let environment = create_environment(&lead, "backend", json!({"secrets": ["A", "B", "C"]})).await;
    for name in ["A", "B", "C"] {
        set(&lead, "tenant", name, "of the tenant").await;
    }
    for name in ["A", "B"] {
        set(&lead, &environment, name, "of the environment").await;
    }
    set(&ada, "user", "A", "of ada").await;
    for (caller, first) in [(&ada, "of ada"), (&ben, "of the environment")] {
        let (id, task) = task_in(caller, &agent, "backend").await;
        let received = ask_for_secrets(&agent, &task, 1).await.expect(200);
        let values: Vec<_> = received["secrets"].as_array().unwrap().iter().map(|one| one["value"].clone()).collect();
        assert_eq!(values, [first, "of the environment", "of the tenant"]);
        end(caller, &agent, &id, &task).await;
    }
}

#[tokio::test]
async fn secrets_can_be_asked_for_again_until_the_first_report_of_the_lease() {
    let world = TestApp::new().await;
    let (lead, member, agent) = (world.caller(Role::Lead), world.caller(Role::Member), world.puller("BUILDER").await);
    create_environment(&lead, "backend", json!({"secrets": ["NPM"]})).await;
    set(&lead, "tenant", "NPM", "npm value").await;
    let (id, task) = task_in(&member, &agent, "backend").await;
    let first = ask_for_secrets(&agent, &task, 1).await.expect(200);
    assert_eq!(ask_for_secrets(&agent, &task, 1).await.expect(200), first, "an answer may be lost");
    agent.progress(&task, json!({"lease_token": 1, "seq": 1})).await.expect(200);
    ask_for_secrets(&agent, &task, 1).await.expect(200);
    ask_for_secrets(&agent, &task, 2).await.problem(409, "LEASE_LOST");
    agent.report(&task, 2, "Begun.").await.expect(200);
    ask_for_secrets(&agent, &task, 1).await.problem(409, "SECRETS_CLOSED");
    let body = json!({"reclaim": true});
    let path = format!("/api/v1/agents/external/{}/tasks/claim", agent.id);
    let anew = agent.caller.post(&path, body).await.expect(200)["tasks"][0].clone();
    assert_eq!(anew["lease"]["token"], 2);
    ask_for_secrets(&agent, &anew, 1).await.problem(409, "LEASE_LOST");
    assert_eq!(ask_for_secrets(&agent, &anew, 2).await.expect(200), first, "under a new lease they are needed again");
    end(&member, &agent, &id, &anew).await;
    ask_for_secrets(&agent, &anew, 2).await.problem(409, "LEASE_LOST");
}

#[tokio::test]
async fn only_an_agent_that_a_lead_enrolled_or_trusts_receives_secrets() {
    let world = TestApp::new().await;
    let lead = world.caller(Role::Lead);
    let (_, ada) = person(&world, Role::Member).await;
    create_environment(&lead, "backend", json!({"secrets": ["NPM"]})).await;
    set(&lead, "tenant", "NPM", "npm value").await;
    let body = json!({
        "protocol_version": "1.0", "name": "OWN", "version": "1", "agent_type": "implementer", "capabilities": [],
        "metadata": {"isolation": "sandbox", "trusted": true},
    });
    let made = ada.post("/api/v1/agents/external/register", body).await.expect(201);
    let (id, token) = (made["agent_id"].as_str().unwrap().to_owned(), made["auth_token"].as_str().unwrap().to_owned());
    let caller = world.nobody().with("x-agent-token", &token);
    let own = EapAgent { id: id.clone(), name: "OWN".to_owned(), token, secret: None, caller };
    let (session, task) = task_in(&ada, &own, "backend").await;
    ask_for_secrets(&own, &task, 1).await.problem(403, "SECRETS_FORBIDDEN");
    let other = world.puller("OTHER").await;
    ask_for_secrets(&other, &task, 1).await.problem(404, "TASK_NOT_FOUND");
    lead.patch(&format!("/api/v1/agents/{id}"), json!({"trusted": true})).await.expect(200);
    let received = ask_for_secrets(&own, &task, 1).await.expect(200);
    assert_eq!(received["secrets"][0]["value"], "npm value");
    end(&ada, &own, &session, &task).await;
}

#[tokio::test]
async fn an_agent_of_another_tenant_receives_no_secrets() {
    let world = TestApp::new().await;
    let theirs = world.another_tenant().await;
    let (lead, member) = (world.caller(Role::Lead), world.caller(Role::Member));
    create_environment(&lead, "backend", json!({"secrets": ["NPM"]})).await;
    set(&lead, "tenant", "NPM", "npm value").await;
    let agent = world.external_of(&theirs, "SHARED", json!({})).await;
    let publisher = world.caller_of(&theirs, Role::Lead);
    publisher.patch(&format!("/api/v1/agents/{}", agent.id), json!({"trusted": true})).await.expect(200);
    let share = format!("/api/v1/agents/{}/shares/{}", agent.id, world.tenant.slug);
    publisher.send("PUT", &share, None).await.expect(200);
    lead.send("PUT", &format!("/api/v1/marketplace/{}", agent.id), None).await.expect(200);
    let (session, task) = task_in(&member, &agent, "backend").await;
    ask_for_secrets(&agent, &task, 1).await.problem(403, "SECRETS_FORBIDDEN");
    end(&member, &agent, &session, &task).await;
}

#[tokio::test]
async fn a_task_without_an_environment_has_no_secrets() {
    let world = TestApp::new().await;
    let (member, agent) = (world.caller(Role::Member), world.puller("BUILDER").await);
    set(&world.caller(Role::Lead), "tenant", "NPM", "npm value").await;
    let id = agent.session(&member).await;
    let task = agent.task().await;
    assert_eq!(ask_for_secrets(&agent, &task, 1).await.expect(200), json!({"secrets": [], "missing": []}));
    end(&member, &agent, &id, &task).await;
}

#[tokio::test]
async fn the_audit_log_says_who_received_which_secrets() {
    let world = TestApp::new().await;
    let (lead, member, agent) = (world.caller(Role::Lead), world.caller(Role::Member), world.puller("BUILDER").await);
    create_environment(&lead, "backend", json!({"secrets": ["NPM", "MISSING"]})).await;
    set(&lead, "tenant", "NPM", "hidden words").await;
    let (id, task) = task_in(&member, &agent, "backend").await;
    ask_for_secrets(&agent, &task, 1).await.expect(200);
    let log = lead.get("/api/v1/audit?limit=200").await.expect(200);
    let entry = log["items"].as_array().unwrap().iter().find(|one| one["action"] == "session.issue_secrets").unwrap();
    assert_eq!((&entry["object_id"], &entry["actor"]["id"]), (&json!(id), &json!(agent.id)));
    assert_eq!(entry["after"], json!({"lease_token": 1, "names": ["NPM"], "missing": ["MISSING"]}));
    assert!(!log.to_string().contains("hidden words"));
    end(&member, &agent, &id, &task).await;
}
