//! `GET /models/{name}/compare`: two versions side by side.

use harness::TestApp;
use serde_json::{Value, json};
use shared::identity::auth::Role;

use super::put;

#[tokio::test]
async fn a_comparison_shows_metrics_side_by_side_and_names_other_differences() {
    let world = TestApp::full().await;
    let lead = world.caller(Role::Lead);
    let make = async |fields: Value| lead.post("/api/v1/models", fields).await.expect(201);
    make(json!({"name": "coder", "base_model": "meta/llama", "parameters": {"epochs": 2, "seed": 1},
        "metrics": {"eval_loss": 0.5, "accuracy": 0.8, "tokens_processed": 100}}))
    .await;
    make(json!({"name": "coder", "base_model": "mistral/small", "parameters": {"epochs": 3, "seed": 1},
        "metrics": {"eval_loss": 0.25, "accuracy": 0.7, "final_loss": 0.1}}))
    .await;
    put(&lead, "coder", "challenger", "2.0.0").await.expect(200);
    let body = json!({"base_model": "mistral/small", "retires_on": "2020-01-01"});
    lead.send("PUT", "/api/v1/base-models", Some(body.to_string().into_bytes())).await.expect(200);
    let viewer = world.caller(Role::Viewer);
    let reported = viewer.get("/api/v1/models/coder/compare?a=1.0.0&b=challenger").await.expect(200);
    let metric =
        |name: &str| reported["metrics"].as_array().unwrap().iter().find(|one| one["metric"] == name).unwrap().clone();
    assert_eq!(
        metric("eval_loss"),
        json!({"metric": "eval_loss", "a": 0.5, "b": 0.25, "difference": -0.25, "better": "b"})
    );
    assert_eq!(metric("accuracy")["better"], "a");
    assert_eq!(
        metric("final_loss"),
        json!({"metric": "final_loss", "a": null, "b": 0.1, "difference": null, "better": null})
    );
    assert_eq!(metric("tokens_processed")["better"], Value::Null);
    let differs: Vec<_> = reported["differs"].as_array().unwrap().iter().map(|one| one["field"].clone()).collect();
    assert_eq!(differs, ["base_model", "parameters.epochs"]);
    assert_eq!((&reported["a"]["version"], &reported["b"]["version"]), (&json!("1.0.0"), &json!("2.0.0")));
    assert!(
        reported["warnings"][0].as_str().unwrap().contains("2.0.0: The base model mistral/small is retired"),
        "{reported}"
    );
}

#[tokio::test]
async fn a_missing_version_cannot_be_compared() {
    let world = TestApp::full().await;
    let lead = world.caller(Role::Lead);
    super::version(&lead, "coder", "1.0.0").await;
    let path = "/api/v1/models/coder/compare";
    let problem = lead.get(path).await.problem(422, "VALIDATION_FAILED");
    assert_eq!(problem["errors"].as_array().unwrap().len(), 2);
    lead.get(&format!("{path}?a=1.0.0&b=1.1.0")).await.problem(404, "MODEL_VERSION_NOT_FOUND");
    lead.get(&format!("{path}?a=1.0.0&b=champion")).await.problem(404, "ALIAS_NOT_FOUND");
    lead.get("/api/v1/models/nobody/compare?a=1.0.0&b=1.0.0").await.problem(404, "MODEL_NOT_FOUND");
}
