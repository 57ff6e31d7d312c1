//! `POST /models`: a version that was trained elsewhere.

use futures_util::future::join_all;
use harness::TestApp;
use serde_json::{Value, json};
use shared::identity::auth::Role;

use super::version;

#[tokio::test]
async fn a_version_that_was_trained_elsewhere_is_registered_and_shown() {
    let world = TestApp::full().await;
    let lead = world.caller(Role::Lead);
    let body = json!({
        "name": "code-reviewer", "base_model": "meta/llama", "model_identifier": "openai/ft:gpt-4o:acme::abc",
        "artifact": "s3://bucket/adapter", "provider": "elsewhere", "parameters": {"epochs": 2},
        "metrics": {"eval_loss": 0.25, "accuracy": 0.9}, "notes": "By hand.",
    });
    let reply = lead.post("/api/v1/models", body).await;
    assert_eq!(reply.headers["location"], "/api/v1/models/code-reviewer/versions/1.0.0");
    let made = reply.expect(201);
    assert_eq!((&made["version"], &made["archived"], &made["aliases"]), (&json!("1.0.0"), &json!(false), &json!([])));
    assert_eq!(made["metrics"], json!({"eval_loss": 0.25, "accuracy": 0.9}));
    assert_eq!(made["lineage"]["job_id"], Value::Null);
    let viewer = world.caller(Role::Viewer);
    assert_eq!(viewer.get("/api/v1/models/code-reviewer/versions/1.0.0").await.expect(200), made);
    let again = json!({"name": "code-reviewer", "base_model": "meta/llama"});
    assert_eq!(lead.post("/api/v1/models", again).await.expect(201)["version"], "1.1.0");
    let entries = lead.get("/api/v1/audit?action=model.register").await.expect(200);
    assert_eq!(entries["items"].as_array().unwrap().len(), 2);
    assert_eq!(entries["items"][1]["object_id"], "code-reviewer@1.0.0");
}

#[tokio::test]
async fn an_existing_version_is_refused_even_if_registered_concurrently() {
    let world = TestApp::full().await;
    let lead = world.caller(Role::Lead);
    let body = json!({"name": "reviewer", "version": "2.0.0-rc1", "base_model": "meta/llama"});
    let replies = join_all((0..6).map(|_| lead.post("/api/v1/models", body.clone()))).await;
    let (made, refused): (Vec<_>, Vec<_>) = replies.into_iter().partition(|reply| reply.status == 201);
    assert_eq!((made.len(), refused.len()), (1, 5));
    for reply in refused {
        reply.problem(409, "ALREADY_EXISTS");
    }
    version(&lead, "reviewer", "2.0.0").await;
}

#[tokio::test]
async fn every_fault_of_a_version_is_named_at_once_and_nothing_is_created() {
    let world = TestApp::full().await;
    let (lead, owner) = (world.caller(Role::Lead), world.superuser().await);
    let before = owner.dump().await;
    let body = json!({"name": "a/b", "version": "1", "base_model": "", "model_identifier": "registry/a@b",
        "metrics": {"accuracy": 2}});
    let problem = lead.post("/api/v1/models", body).await.problem(422, "VALIDATION_FAILED");
    let fields: Vec<_> = problem["errors"].as_array().unwrap().iter().map(|one| one["field"].clone()).collect();
    assert_eq!(fields, ["name", "version", "base_model", "model_identifier", "metrics.accuracy"]);
    let unknown = json!({"name": "a", "base_model": "b", "metrics": {"loss": 1}});
    let problem = lead.post("/api/v1/models", unknown).await.problem(422, "VALIDATION_FAILED");
    assert_eq!(problem["errors"][0]["field"], "metrics.loss");
    assert_eq!(owner.dump().await, before);
}

#[tokio::test]
async fn the_same_name_is_another_model_in_another_tenant() {
    let world = TestApp::full().await;
    let other = world.another_tenant().await;
    version(&world.caller(Role::Lead), "reviewer", "3.0.0").await;
    let theirs = world.caller_of(&other, Role::Lead);
    theirs.get("/api/v1/models/reviewer").await.problem(404, "MODEL_NOT_FOUND");
    let made = theirs.post("/api/v1/models", json!({"name": "reviewer", "base_model": "b"})).await.expect(201);
    assert_eq!(made["version"], "1.0.0");
    assert_eq!(world.caller(Role::Viewer).get("/api/v1/models/reviewer").await.expect(200)["versions"], 1);
}
