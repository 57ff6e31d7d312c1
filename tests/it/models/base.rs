//! `/base-models`: what is trained on, when that is retired, and where that is warned of.

use harness::{Caller, World};
use serde_json::{Value, json};
use shared::auth::Role;

use super::{put, version};

async fn keep(lead: &Caller, body: Value) -> harness::Reply {
    lead.send("PUT", "/api/v1/base-models", Some(body.to_string().into_bytes())).await
}

#[tokio::test]
async fn a_base_model_that_is_retired_is_warned_of_wherever_a_version_stands_on_it() {
    let world = World::full().await;
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
    let warns = |told: &Value| told["warnings"][0].as_str().is_some_and(|text| text.starts_with(warning));
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
async fn base_models_are_listed_by_name_whether_versions_stand_on_them_or_not() {
    let world = World::full().await;
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
