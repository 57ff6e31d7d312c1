//! `/base-models`: what is trained on, when that is retired, and where that is warned of.

use harness::{Caller, TestApp};
use serde_json::{Value, json};
use shared::identity::auth::Role;

use super::{put, version};

async fn keep(lead: &Caller, body: Value) -> harness::Reply {
    lead.send("PUT", "/api/v1/base-models", Some(body.to_string().into_bytes())).await
}

#[tokio::test]
async fn every_version_of_a_retired_base_model_has_a_warning() {
    let world = TestApp::full().await;
    let lead = world.caller(Role::Lead);
    let quiet = version(&lead, "coder", "1.0.0").await;
    assert_eq!(quiet["warnings"], json!([]));
    let kept = keep(&lead, json!({"base_model": "meta/llama", "retires_on": "2020-06-30", "note": "Use 4."}))
        .await
        .expect(200);
    assert_eq!(
        (&kept["versions"], &kept["retires_on"], &kept["note"]),
        (&json!(1), &json!("2020-06-30"), &json!("Use 4."))
    );
    let warning = "The base model meta/llama is retired since 2020-06-30";
    let warns = |reported: &Value| reported["warnings"][0].as_str().is_some_and(|text| text.starts_with(warning));
    assert!(warns(&kept));
    assert!(warns(&lead.get("/api/v1/models/coder/versions/1.0.0").await.expect(200)));
    assert!(warns(&version(&lead, "coder", "1.1.0").await));
    assert!(warns(&put(&lead, "coder", "champion", "1.0.0").await.expect(200)));
    let kept = keep(&lead, json!({"base_model": "meta/llama"})).await.expect(200);
    assert_eq!((&kept["retires_on"], &kept["warnings"]), (&Value::Null, &json!([])));
    let entries = lead.get("/api/v1/audit?action=model.retirement").await.expect(200);
    assert_eq!(entries["items"][0]["before"], json!({"base_model": "meta/llama", "retires_on": "2020-06-30"}));
}

#[tokio::test]
async fn a_training_job_on_a_retired_base_model_has_a_warning_and_a_log_entry() {
    let world = TestApp::full().await;
    let lead = world.caller(Role::Lead);
    let make = async || {
        let body = json!({"base_model": "meta/llama", "target_model_name": "reviewer"});
        lead.post("/fine-tuning/jobs", body).await.expect(201)
    };
    let reported = async |job: &Value| {
        let events = lead.training_events(job["id"].as_str().unwrap()).await;
        let warns = events.iter().filter(|event| event["payload"]["level"] == "warn");
        warns.map(|event| event["payload"]["message"].clone()).collect::<Vec<_>>()
    };
    let quiet = make().await;
    assert_eq!((&quiet["warnings"], reported(&quiet).await), (&json!([]), vec![]));
    let soon = (world.app.clock.now() + chrono::TimeDelta::days(89)).date_naive();
    for (day, word) in [("2020-06-30".to_owned(), "is retired since 2020-06-30"), (soon.to_string(), "is retired on")] {
        keep(&lead, json!({"base_model": "meta/llama", "retires_on": day})).await.expect(200);
        let job = make().await;
        let warning = job["warnings"][0].as_str().unwrap_or_default();
        assert!(warning.contains("meta/llama") && warning.contains(word), "{job:#}");
        assert_eq!(reported(&job).await, [json!(warning)]);
        let shown = lead.get(&format!("/fine-tuning/jobs/{}", job["id"].as_str().unwrap())).await.expect(200);
        assert_eq!(shown["warnings"], job["warnings"]);
    }
    let listed = lead.get("/fine-tuning/jobs").await.expect(200);
    let of_first = listed["items"].as_array().unwrap().iter().find(|job| job["id"] == quiet["id"]).unwrap();
    assert_eq!(of_first["warnings"].as_array().unwrap().len(), 1, "what is known now");
    assert_eq!(reported(&quiet).await, Vec::<Value>::new(), "what was known then");
    let other = world.another_tenant().await;
    let body = json!({"base_model": "meta/llama", "target_model_name": "reviewer"});
    let theirs = world.caller_of(&other, Role::Lead).post("/fine-tuning/jobs", body).await.expect(201);
    assert_eq!(theirs["warnings"], json!([]), "each tenant notes its own");
}

#[tokio::test]
async fn base_models_are_listed_by_name_with_or_without_versions() {
    let world = TestApp::full().await;
    let lead = world.caller(Role::Lead);
    version(&lead, "coder", "1.0.0").await;
    keep(&lead, json!({"base_model": "another/one", "retires_on": "2199-12-31"})).await.expect(200);
    let first = world.caller(Role::Viewer).get("/api/v1/base-models?limit=1").await.expect(200);
    assert_eq!(
        (&first["items"][0]["base_model"], &first["next_cursor"]),
        (&json!("another/one"), &json!("another/one"))
    );
    let second = lead.get("/api/v1/base-models?cursor=another/one").await.expect(200);
    assert_eq!((&second["items"][0]["base_model"], &second["items"][0]["versions"]), (&json!("meta/llama"), &json!(1)));
    for wrong in [
        json!({"base_model": " "}),
        json!({"base_model": "a", "retires_on": "soon"}),
        json!({"base_model": "a", "retires_on": "1999-12-31"}),
    ] {
        keep(&lead, wrong).await.problem(422, "VALIDATION_FAILED");
    }
    let other = world.another_tenant().await;
    let theirs = world.caller_of(&other, Role::Viewer).get("/api/v1/base-models").await.expect(200);
    assert_eq!(theirs["items"], json!([]));
}
