//! `POST /fine-tuning/jobs` and `GET /fine-tuning/jobs/{id}`.

use harness::{Options, TestApp};
use serde_json::{Value, json};
use shared::{identity::auth::Role, training::trainers::Provider};

#[tokio::test]
async fn a_job_is_created_as_pending_with_the_documented_defaults() {
    let world = TestApp::full().await;
    let lead = world.caller(Role::Lead);
    let reply = lead.post("/fine-tuning/jobs", json!({"base_model": "tiny", "target_model_name": "reviewer"})).await;
    let (location, etag) = (reply.headers["location"].clone(), reply.headers["etag"].clone());
    let job = reply.expect(201);
    assert_eq!((job["status"].as_str(), job["attempt"].as_i64()), (Some("pending"), Some(1)), "{job:#}");
    assert_eq!(job["provider"], "simulated", "the first that is offered");
    let parameters = json!({"epochs": 3, "learning_rate": 5e-5, "batch_size": 4, "lora_rank": 8, "lora_alpha": 16,
        "target_modules": ["q_proj", "v_proj"], "method": "sft", "extra": {}});
    assert_eq!(job["parameters"], parameters);
    assert_eq!(job["dataset"]["min_success_rate"], 0.9);
    assert_eq!(job["allowed_transitions"], json!(["queued", "cancelled", "failed"]));
    assert_eq!((&job["started_at"], &job["error"], &job["model"]), (&Value::Null, &Value::Null, &Value::Null));
    assert_eq!(location, format!("/api/v1/fine-tuning/jobs/{}", job["id"].as_str().unwrap()));
    assert_eq!(etag, "\"1\"");
    let again = world.caller(Role::Viewer).get(location.to_str().unwrap()).await.expect(200);
    assert_eq!(again, job);
}

#[tokio::test]
async fn every_fault_is_named_at_once() {
    let world = TestApp::full().await;
    let body = json!({
        "base_model": "", "target_model_name": "no blanks",
        "parameters": {"epochs": 101, "learning_rate": 0, "batch_size": 0, "lora_rank": 513, "lora_alpha": 0,
                       "target_modules": [], "extra": {"a": "x".repeat(17_000)}},
        "dataset": {"min_success_rate": 1.1, "limit": 0},
    });
    let problem = world.caller(Role::Lead).post("/fine-tuning/jobs", body).await.problem(422, "VALIDATION_FAILED");
    let errors = problem["errors"].as_array().unwrap();
    let mut named: Vec<_> = errors.iter().map(|error| error["field"].as_str().unwrap()).collect();
    named.sort_unstable();
    let all = [
        "base_model",
        "dataset.limit",
        "dataset.min_success_rate",
        "parameters.batch_size",
        "parameters.epochs",
        "parameters.extra",
        "parameters.learning_rate",
        "parameters.lora_alpha",
        "parameters.lora_rank",
        "parameters.target_modules",
        "target_model_name",
    ];
    assert_eq!(named, all);
    assert_eq!(world.superuser().await.number("select count(*) from training_jobs").await, 0);
}

#[tokio::test]
async fn an_unknown_field_is_refused_by_its_path() {
    let world = TestApp::full().await;
    let lead = world.caller(Role::Lead);
    for (body, field) in [
        (json!({"base_model": "tiny"}), "target_model_name"),
        (json!({"base_model": "tiny", "target_model_name": "a", "epochs": 3}), "epochs"),
        (json!({"base_model": "tiny", "target_model_name": "a", "parameters": {"epoch": 3}}), "parameters.epoch"),
        (json!({"base_model": "tiny", "target_model_name": "a", "parameters": {"epochs": "3"}}), "parameters.epochs"),
        (json!({"base_model": "tiny", "target_model_name": "a", "provider": "magic"}), "provider"),
        (json!({"base_model": "tiny", "target_model_name": "a", "dataset": {"tag": "a"}}), "dataset.tag"),
    ] {
        let problem = lead.post("/fine-tuning/jobs", body).await.problem(422, "VALIDATION_FAILED");
        assert_eq!(problem["errors"][0]["field"], field, "{problem}");
    }
}

#[tokio::test]
async fn an_unavailable_provider_is_refused_and_the_available_ones_are_named() {
    let mut options = Options::default();
    options.settings.tuning.offered = [Provider::Openai].into();
    let world = TestApp::idle(options).await;
    let body = json!({"base_model": "tiny", "target_model_name": "reviewer", "provider": "simulated"});
    let problem = world.caller(Role::Lead).post("/fine-tuning/jobs", body).await.problem(422, "VALIDATION_FAILED");
    assert!(problem["errors"][0]["message"].as_str().unwrap().contains("openai"), "{problem}");
}

#[tokio::test]
async fn preference_training_is_refused_where_no_pairs_are_available() {
    let world = TestApp::full().await;
    let lead = world.caller(Role::Lead);
    let body = |provider: &str| json!({"base_model": "tiny", "target_model_name": "reviewer", "provider": provider, "parameters": {"method": "dpo"}});
    for provider in ["openai", "aws", "simulated"] {
        let problem = lead.post("/fine-tuning/jobs", body(provider)).await.problem(422, "VALIDATION_FAILED");
        assert_eq!(problem["errors"][0]["field"], "parameters.method", "{problem}");
        assert!(problem["errors"][0]["message"].as_str().unwrap().contains("pairs"), "{problem}");
    }
    lead.post("/fine-tuning/jobs", body("command")).await.expect(201);
}

#[tokio::test]
async fn a_repeated_request_creates_one_job() {
    let world = TestApp::full().await;
    let lead = world.caller(Role::Lead).with("idempotency-key", "one");
    let body = json!({"base_model": "tiny", "target_model_name": "reviewer"});
    let first = lead.post("/fine-tuning/jobs", body.clone()).await.expect(201);
    let again = lead.post("/fine-tuning/jobs", body).await;
    assert_eq!(again.headers["idempotent-replay"], "true");
    assert_eq!(again.expect(201)["id"], first["id"]);
    assert_eq!(world.superuser().await.number("select count(*) from training_jobs").await, 1);
}

#[tokio::test]
async fn the_configuration_of_a_job_is_audited() {
    let world = TestApp::full().await;
    let lead = world.caller(Role::Lead);
    let id = lead.new_training(json!({})).await;
    let audit = lead.get("/api/v1/audit?limit=1").await.expect(200);
    let entry = &audit["items"][0];
    assert_eq!((&entry["action"], &entry["object_id"]), (&json!("training_job.create"), &json!(id)), "{entry:#}");
    assert_eq!(entry["after"]["base_model"], "tiny");
}
