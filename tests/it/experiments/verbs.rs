//! `POST /experiments/{id}/start`, `/stop`, `/promote`.

use futures_util::future::join_all;
use harness::TestApp;
use serde_json::{Value, json};
use shared::identity::auth::Role;

use super::{PATH, made, started, two_versions};
use crate::models::{put, version};

#[tokio::test]
async fn starting_an_experiment_pins_the_versions_of_its_arms() {
    let world = TestApp::full().await;
    let lead = world.caller(Role::Lead);
    two_versions(&lead).await;
    let id = made(&lead, "one", json!({})).await;
    version(&lead, "coder", "1.2.0").await;
    put(&lead, "coder", "champion", "1.2.0").await.expect(200);
    let running = lead.act(&format!("{PATH}/{id}/start")).await.expect(200);
    assert_eq!(running["status"], "running");
    assert_eq!(running["arms"][0]["runs_on"]["version"], "1.2.0");
    put(&lead, "coder", "champion", "1.0.0").await.expect(200);
    let shown = lead.get(&format!("{PATH}/{id}")).await.expect(200);
    assert_eq!(shown["arms"][0]["runs_on"]["model_identifier"], "served/coder-1.2.0");
}

#[tokio::test]
async fn an_experiment_moves_only_from_draft_to_running_to_stopped() {
    let world = TestApp::full().await;
    let lead = world.caller(Role::Lead);
    two_versions(&lead).await;
    let id = made(&lead, "one", json!({})).await;
    let path = |verb: &str| format!("{PATH}/{id}/{verb}");
    let problem = lead.act(&path("stop")).await.problem(409, "INVALID_TRANSITION");
    assert_eq!(problem["current"]["allowed_transitions"], json!(["running"]));
    lead.post(&path("promote"), json!({"arm": "control", "alias": "champion"}))
        .await
        .problem(409, "INVALID_TRANSITION");
    let start = path("start");
    let starts = join_all((0..4).map(|_| lead.act(&start))).await;
    assert_eq!(starts.iter().filter(|reply| reply.status == 200).count(), 1, "at once just one starts it");
    let stopped = lead.post(&path("stop"), json!({"reason": "Enough."})).await.expect(200);
    assert_eq!((&stopped["status"], &stopped["stop_reason"]), (&json!("stopped"), &json!("Enough.")));
    lead.act(&path("stop")).await.problem(409, "INVALID_TRANSITION");
    lead.act(&path("start")).await.problem(409, "INVALID_TRANSITION");
    let entries = lead.get(&format!("/api/v1/audit?object_kind=experiment&object_id={id}")).await.expect(200);
    let actions: Vec<_> = entries["items"].as_array().unwrap().iter().map(|one| one["action"].clone()).collect();
    assert_eq!(actions, ["experiment.stop", "experiment.start", "experiment.create"]);
}

#[tokio::test]
async fn two_experiments_share_a_target_only_for_different_session_types() {
    let world = TestApp::full().await;
    let lead = world.caller(Role::Lead);
    two_versions(&lead).await;
    started(&lead, "one", json!({})).await;
    let second = made(&lead, "two", json!({})).await;
    lead.act(&format!("{PATH}/{second}/start")).await.problem(409, "ALREADY_EXISTS");
    started(&lead, "reviews", json!({"session_type": "review"})).await;
}

#[tokio::test]
async fn an_experiment_with_a_vanished_arm_is_not_started() {
    let world = TestApp::full().await;
    let lead = world.caller(Role::Lead);
    two_versions(&lead).await;
    let id = made(&lead, "one", json!({})).await;
    lead.patch("/api/v1/models/coder/versions/1.1.0", json!({"archived": true})).await.expect(200);
    let problem = lead.act(&format!("{PATH}/{id}/start")).await.problem(422, "VALIDATION_FAILED");
    assert_eq!(problem["errors"][0]["field"], "arms[1].model");
    assert_eq!(lead.get(&format!("{PATH}/{id}")).await.expect(200)["status"], "draft");
}

#[tokio::test]
async fn a_promotion_points_the_alias_at_the_version_of_the_arm_and_ends_the_experiment() {
    let world = TestApp::full().await;
    let lead = world.caller(Role::Lead);
    two_versions(&lead).await;
    let arms = json!([{"name": "control", "model": "registry/coder@champion"}, {"name": "treatment", "model": "registry/coder@1.1.0"}, {"name": "other", "model": "a/b"}]);
    let id = started(&lead, "one", json!({"arms": arms})).await;
    let promote = async |arm: &str, alias: &str| {
        lead.post(&format!("{PATH}/{id}/promote"), json!({"arm": arm, "alias": alias})).await
    };
    assert_eq!(promote("nobody", "champion").await.problem(422, "VALIDATION_FAILED")["errors"][0]["field"], "arm");
    promote("other", "champion").await.problem(422, "VALIDATION_FAILED");
    promote("treatment", "1.0.0").await.problem(422, "VALIDATION_FAILED");
    let promoted = promote("treatment", "champion").await.expect(200);
    assert_eq!(promoted["status"], "stopped");
    let expected = json!({"arm": "treatment", "model": "coder", "version": "1.1.0", "alias": "champion"});
    assert_eq!(promoted["promoted"], expected);
    let model = lead.get("/api/v1/models/coder").await.expect(200);
    assert_eq!(model["aliases"][0]["version"], "1.1.0");
    let back = lead.act("/api/v1/models/coder/aliases/champion/rollback").await.expect(200);
    assert_eq!((&back["version"], &back["previous_version"]), (&json!("1.0.0"), &json!("1.1.0")));
    assert_ne!(promote("control", "champion").await.expect(200)["promoted"], Value::Null, "also once it is stopped");
}
