//! The credential of a runner: what it opens, and how it is rotated and ends.

use chrono::TimeDelta;
use harness::{
    Options, TestApp,
    openapi::{guarded, of_agents, of_runners},
};
use serde_json::json;
use shared::{
    identity::auth::{
        Role,
        runner_credentials::{CREDENTIAL_LIFETIME, CREDENTIAL_OVERLAP},
    },
    kernel::clock::Clock,
};

const UNKNOWN: &str = "01900000-0000-7000-8000-000000000000";

#[tokio::test]
async fn a_runners_credential_reaches_no_operation_of_people_or_agents() {
    let world = TestApp::full().await;
    let (owner, runner) = (world.superuser().await, world.runner("farm", "one").await);
    // The first use of a credential is recorded.
    runner.heartbeat("active").await;
    let before = owner.dump().await;
    for operation in guarded() {
        let path = operation.path_of(UNKNOWN, UNKNOWN);
        runner.caller.send(&operation.method, &path, operation.body()).await.problem(403, "FORBIDDEN");
    }
    let mut refused = 0;
    for operation in of_agents().into_iter().filter(|one| !one.path.contains("/tasks/")) {
        let path = operation.path_of(&runner.agents["opencode"], UNKNOWN);
        runner.caller.send(&operation.method, &path, operation.body()).await.problem(403, "AGENT_TOKEN_REQUIRED");
        refused += 1;
    }
    assert!(refused >= 3, "heartbeat, leaving and rotation are the agent's own");
    assert_eq!(owner.dump().await, before);
}

#[tokio::test]
async fn runner_operations_accept_neither_people_nor_agents_nor_other_runners() {
    let world = TestApp::full().await;
    let (runner, other) = (world.runner("farm", "one").await, world.runner("farm", "two").await);
    let theirs = world.runner_of(&world.another_tenant().await, "farm", "one").await;
    let agent = world.puller("AGENT").await;
    for operation in of_runners().into_iter().filter(harness::openapi::Operation::names_an_object) {
        for caller in Role::ALL.map(|role| world.caller(role)).iter().chain([&agent.caller]) {
            let path = operation.path_of(&runner.id, UNKNOWN);
            caller.send(&operation.method, &path, operation.body()).await.problem(403, "RUNNER_CREDENTIAL_REQUIRED");
        }
        for named in [&other.id, &theirs.id, UNKNOWN] {
            let path = operation.path_of(named, UNKNOWN);
            runner.caller.send(&operation.method, &path, operation.body()).await.problem(404, "RUNNER_NOT_FOUND");
        }
    }
}

#[tokio::test]
async fn a_runner_works_as_the_agents_of_its_own_pool_only() {
    let world = TestApp::idle(Options::default()).await;
    let runner = world.runner("farm", "one").await;
    let lab = world.runner("lab", "one").await;
    let theirs = world.runner_of(&world.another_tenant().await, "farm", "one").await;
    let own = world.puller("AGENT").await;
    assert_eq!(runner.claim(0).await.status, 204);
    for agent in [&lab.agents["opencode"], &theirs.agents["opencode"], &own.id] {
        let path = format!("/api/v1/agents/external/{agent}/tasks/claim");
        runner.caller.post(&path, json!({})).await.problem(404, "AGENT_NOT_FOUND");
    }
}

#[tokio::test]
async fn a_rotated_credential_ends_after_its_overlap_and_is_rotated_once() {
    let clock = Clock::fixed(Clock::System.now());
    let world = TestApp::idle(Options { clock: clock.clone(), ..Options::default() }).await;
    let runner = world.runner("farm", "one").await;
    let rotate = format!("/api/v1/runners/{}/credential/rotate", runner.id);
    let lost = runner.caller.act(&rotate).await.expect(200);
    let made = runner.caller.act(&rotate).await.expect(200);
    assert_eq!(made["overlap_seconds"], CREDENTIAL_OVERLAP.num_seconds());
    let text = |answer: &serde_json::Value| answer["credential"].as_str().unwrap().to_owned();
    let (lost, new) = (runner.with_credential(&world, &text(&lost)), runner.with_credential(&world, &text(&made)));
    lost.heartbeat_with(json!({"state": "active"})).await.problem(401, "UNAUTHENTICATED");
    new.heartbeat("active").await;
    runner.heartbeat("active").await;
    runner.caller.act(&rotate).await.problem(401, "UNAUTHENTICATED");
    clock.advance(CREDENTIAL_OVERLAP);
    runner.heartbeat_with(json!({"state": "active"})).await.problem(401, "UNAUTHENTICATED");
    new.heartbeat("active").await;
    clock.advance(CREDENTIAL_LIFETIME - CREDENTIAL_OVERLAP - TimeDelta::seconds(1));
    new.heartbeat("active").await;
    clock.advance(TimeDelta::seconds(1));
    new.heartbeat_with(json!({"state": "active"})).await.problem(401, "UNAUTHENTICATED");
}

#[tokio::test]
async fn a_forged_credential_is_refused_like_one_that_there_is_not() {
    let world = TestApp::idle(Options::default()).await;
    let runner = world.runner("farm", "one").await;
    let secret = runner.credential.rsplit('_').next().unwrap();
    let other = world.runner("farm", "two").await;
    for forged in [
        runner.credential.replacen("iocrc_", "iocr_", 1),
        runner.credential.replacen("iocrc_", "ioca_", 1),
        runner.credential.replacen("_test_", "_prod_", 1),
        runner.credential.replace(secret, other.credential.rsplit('_').next().unwrap()),
        runner.credential[..runner.credential.len() - 1].to_owned(),
    ] {
        let call = runner.with_credential(&world, &forged).heartbeat_with(json!({"state": "active"})).await;
        assert_eq!(call.problem(401, "UNAUTHENTICATED")["detail"], "The credential is not valid.");
    }
}
