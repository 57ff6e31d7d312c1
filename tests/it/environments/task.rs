//! The environment in the task of an external agent.

use harness::{TestApp, eap_agent::result};
use serde_json::json;
use shared::identity::auth::Role;

use super::{PATH, create_environment};

#[tokio::test]
async fn a_task_carries_the_environment_at_the_version_of_the_session() {
    let world = TestApp::new().await;
    let (lead, member) = (world.caller(Role::Lead), world.caller(Role::Member));
    let agent = world.puller("BUILDER").await;
    let fields = json!({
        "repositories": [{"url": "https://git.example.com/team/app.git"}],
        "setup": {"script": "make deps"},
        "variables": {"RUST_LOG": "debug"},
        "secrets": ["TOKEN"],
        "network": {"agent": "allowlist", "domains": ["example.com"]},
        "rules": "One.",
        "cpu": 2.0,
        "memory_mb": 1024,
        "agent": {"model": "anthropic/claude", "permissions": {"execute": "ask"}},
    });
    let id = create_environment(&lead, "backend", fields.clone()).await;
    let value = json!({"value": "words that stay hidden"}).to_string().into_bytes();
    lead.send("PUT", "/api/v1/secrets/tenant/TOKEN", Some(value)).await.expect(200);
    let fields_of_session = json!({"agent_config": {"agent": "BUILDER"}, "environment": "backend"});
    let session = member.new_session(fields_of_session).await;
    lead.patch(&format!("{PATH}/{id}"), json!({"rules": "Two."})).await.expect(200);
    member.act(&format!("/sessions/{session}/start")).await.expect(202);
    let task = agent.task().await;
    let environment = &task["context"]["environment"];
    assert_eq!((&environment["id"], &environment["name"]), (&json!(id), &json!("backend")));
    assert_eq!((&environment["version"], &environment["rules"]), (&json!(1), &json!("One.")));
    assert_eq!((&environment["secrets"], &environment["variables"]), (&fields["secrets"], &fields["variables"]));
    assert_eq!(environment["setup"], json!({"script": "make deps", "timeout_seconds": 300}));
    assert!(!task.to_string().contains("stay hidden"), "{task}");
    let requirements = json!({"model": "anthropic/claude", "cpu_limit": 2.0, "memory_limit_mb": 1024});
    assert_eq!(task["requirements"], requirements);
    let network = json!({"mode": "allowlist", "domains": ["example.com"]});
    assert_eq!(task["input_data"], json!({"permissions": {"execute": "ask"}, "network": network}));
    agent.result(&task, result(&task, "Fixed.")).await.expect(202);
    member.reaches(&session, &["completed"]).await;
}

#[tokio::test]
async fn a_session_wins_over_its_environment_in_what_it_says_itself() {
    let world = TestApp::new().await;
    let (lead, member) = (world.caller(Role::Lead), world.caller(Role::Member));
    let agent = world.puller("BUILDER").await;
    let fields = json!({"cpu": 2.0, "memory_mb": 1024, "agent": {"model": "a/b", "permissions": {"execute": "deny"}}});
    create_environment(&lead, "backend", fields).await;
    let own = json!({
        "environment": "backend",
        "model_identifier": "c/d",
        "cpu_limit": 1.0,
        "memory_limit_mb": 512,
        "agent_config": {"agent": "BUILDER", "permissions": {"execute": "ask"}, "network": {"mode": "open"}},
    });
    let session = member.start_session(own).await;
    let task = agent.task().await;
    assert_eq!(task["requirements"], json!({"model": "c/d", "cpu_limit": 1.0, "memory_limit_mb": 512}));
    let input = json!({"permissions": {"execute": "ask"}, "network": {"mode": "open"}});
    assert_eq!(task["input_data"], input);
    agent.result(&task, result(&task, "Fixed.")).await.expect(202);
    member.reaches(&session, &["completed"]).await;
}

#[tokio::test]
async fn a_failure_has_the_code_and_the_category_that_its_agent_reports() {
    let world = TestApp::new().await;
    let (member, agent) = (world.caller(Role::Member), world.puller("BUILDER").await);
    let session = agent.session(&member).await;
    let task = agent.task().await;
    let mut failed = json!({
        "task_id": task["task_id"], "status": "failed", "error_message": "make: no rule", "error_code": "setup failed",
        "error_category": "user", "execution_time_ms": 1,
    });
    let problem = agent.result(&task, failed.clone()).await.problem(422, "VALIDATION_FAILED");
    assert_eq!(problem["errors"][0]["field"], "error_code");
    failed["error_code"] = json!("SETUP_FAILED");
    agent.result(&task, failed).await.expect(202);
    let ended = member.reaches(&session, &["failed"]).await;
    let error = &ended["outcome"]["error"];
    assert_eq!((&error["code"], &error["category"]), (&json!("SETUP_FAILED"), &json!("user")), "{ended}");
    assert_eq!(error["message"], "make: no rule");
}
