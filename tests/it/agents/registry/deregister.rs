//! `DELETE /agents/{id}`, and what its owner holds it with: maintenance, draining, deregistration, force.

use harness::{TestApp, until};
use serde_json::json;
use shared::{agents::registry::service::deregister_drained, identity::auth::Role, platform::queue::job::Job};

use super::{AGENTS, all, audited, id, named, place, running_on, waiting_for};

#[tokio::test]
async fn an_idle_agent_is_removed_at_once_together_with_its_token() {
    let world = TestApp::full().await;
    let lead = world.caller(Role::Lead);
    let made = lead.post(AGENTS, named("one")).await.expect(201);
    let place = format!("{AGENTS}/{}", made["id"].as_str().unwrap());
    let as_agent = world.nobody().with("x-agent-token", made["auth_token"].as_str().unwrap());
    as_agent.get("/sessions").await.problem(403, "FORBIDDEN");
    lead.with("if-match", "\"2\"").delete(&place).await.problem(412, "VERSION_MISMATCH");
    assert_eq!(lead.delete(&place).await.status, 204);
    as_agent.get("/sessions").await.problem(401, "AGENT_DEREGISTERED");
    for reply in [lead.get(&place).await, lead.delete(&place).await, lead.patch(&place, json!({"capacity": 2})).await] {
        reply.problem(404, "AGENT_NOT_FOUND");
    }
    assert!(!all(&lead.get(AGENTS).await.expect(200), "name").contains(&json!("one")));
    let audit = audited(&world).await;
    assert_eq!(all(&audit, "action"), ["agent.delete", "agent.create"]);
    assert_eq!(
        (&audit["items"][0]["before"]["name"], &audit["items"][0]["after"]["force"]),
        (&json!("one"), &json!(false))
    );
}

#[tokio::test]
async fn a_busy_agent_finishes_its_sessions_before_it_is_removed() {
    let world = TestApp::full().await;
    let (lead, member, owner) = (world.caller(Role::Lead), world.caller(Role::Member), world.superuser().await);
    let place = place(&lead, "one").await;
    let sessions = [running_on(&member, &owner, id(&place)).await, running_on(&member, &owner, id(&place)).await];
    for _ in 0..2 {
        let draining = lead.delete(&place).await.expect(202);
        assert_eq!((&draining["state"], &draining["tasks_in_progress"]), (&json!("draining"), &json!(2)));
    }
    member.post(&format!("/sessions/{}/complete", sessions[0]), json!({"result": {}})).await.expect(200);
    deregister_drained(&world.app).await.unwrap();
    assert_eq!(lead.get(&place).await.expect(200)["state"], "draining", "one is left");
    member.post(&format!("/sessions/{}/complete", sessions[1]), json!({"result": {}})).await.expect(200);
    world.run(Job::reconcile()).await;
    lead.get(&place).await.problem(404, "AGENT_NOT_FOUND");
    let audit = audited(&world).await;
    assert_eq!(all(&audit, "action"), ["agent.delete", "agent.drain", "agent.create"]);
    assert_eq!(audit["items"][0]["actor"]["id"], "drain");
}

#[tokio::test]
async fn a_drain_can_be_cancelled_while_sessions_remain() {
    let world = TestApp::full().await;
    let (lead, member, owner) = (world.caller(Role::Lead), world.caller(Role::Member), world.superuser().await);
    let place = place(&lead, "one").await;
    let session = running_on(&member, &owner, id(&place)).await;
    lead.delete(&place).await.expect(202);
    assert_eq!(lead.patch(&place, json!({"state": "active"})).await.expect(200)["state"], "active");
    member.post(&format!("/sessions/{session}/complete"), json!({"result": {}})).await.expect(200);
    deregister_drained(&world.app).await.unwrap();
    assert_eq!(lead.get(&place).await.expect(200)["state"], "active");
}

#[tokio::test]
async fn a_forced_removal_revokes_the_tokens_and_fails_over_the_sessions_at_once() {
    let world = TestApp::full().await;
    let (lead, member, owner) = (world.caller(Role::Lead), world.caller(Role::Member), world.superuser().await);
    let made = lead.post(AGENTS, named("one")).await.expect(201);
    let place = format!("{AGENTS}/{}", made["id"].as_str().unwrap());
    let session = running_on(&member, &owner, id(&place)).await;
    assert_eq!(lead.delete(&format!("{place}?force=maybe")).await.code(), "VALIDATION_FAILED");
    assert_eq!(lead.delete(&format!("{place}?force=true")).await.status, 204);
    lead.get(&place).await.problem(404, "AGENT_NOT_FOUND");
    let as_agent = world.nobody().with("x-agent-token", made["auth_token"].as_str().unwrap());
    as_agent.get("/sessions").await.problem(401, "AGENT_DEREGISTERED");
    world.run(Job::reassign_sessions(world.tenant.id, id(&place).parse().unwrap())).await;
    let untouched = format!(
        "select count(*) from sessions where id = '{session}' and next_step_at is null and agent_id = '{}'
                             and status in ('running', 'degraded')",
        id(&place)
    );
    assert_eq!(owner.number(&untouched).await, 0, "its next step is due, or it went elsewhere");
    assert_eq!(audited(&world).await["items"][0]["after"]["force"], true);
}

#[tokio::test]
async fn a_session_queued_for_a_named_agent_fails_only_once_the_agent_is_removed() {
    let world = TestApp::full().await;
    let (lead, member, owner) = (world.caller(Role::Lead), world.caller(Role::Member), world.superuser().await);
    let place = place(&lead, "one").await;
    let working = running_on(&member, &owner, id(&place)).await;
    let by_name = waiting_for(&member, &owner, id(&place), Some("one")).await;
    let by_id = waiting_for(&member, &owner, id(&place), Some(id(&place))).await;
    let unnamed = waiting_for(&member, &owner, id(&place), None).await;
    lead.patch(&place, json!({"state": "maintenance"})).await.expect(200);
    lead.delete(&place).await.expect(202);
    world.run(Job::reconcile()).await;
    for session in [&by_name, &by_id] {
        assert_eq!(member.session(session).await["status"], "queued");
    }
    member.post(&format!("/sessions/{working}/complete"), json!({"result": {}})).await.expect(200);
    deregister_drained(&world.app).await.unwrap();
    world.run(Job::reassign_sessions(world.tenant.id, id(&place).parse().unwrap())).await;
    for session in [&by_name, &by_id] {
        let session = member.reaches(session, &["failed"]).await;
        let error = &session["outcome"]["error"];
        assert_eq!(
            (&session["status"], &error["code"], &error["category"]),
            (&json!("failed"), &json!("AGENT_GONE"), &json!("user"))
        );
        assert!(error["remedy"].as_str().unwrap().contains("name another agent"), "{error}");
    }
    assert_ne!(member.session(&unnamed).await["outcome"]["error"]["code"], "AGENT_GONE");
}

#[tokio::test]
async fn an_agent_after_maintenance_gets_waiting_sessions_at_once() {
    let world = TestApp::new().await;
    let (lead, member, owner) = (world.caller(Role::Lead), world.caller(Role::Member), world.superuser().await);
    let place = place(&lead, "one").await;
    owner.run("update agents set liveness = 'alive'").await;
    assert_eq!(lead.patch(&place, json!({"state": "maintenance"})).await.expect(200)["state"], "maintenance");
    let session = waiting_for(&member, &owner, id(&place), Some("one")).await;
    lead.patch(&place, json!({"state": "active"})).await.expect(200);
    until(async || member.session(&session).await["queue"]["until"].is_string()).await;
}
