//! `/fine-tuning/providers`.

use harness::TestApp;
use serde_json::{Value, json};
use shared::identity::auth::Role;

const OPENAI: &str = "/fine-tuning/providers/openai";

#[tokio::test]
async fn provider_settings_are_shown_without_the_key() {
    let world = TestApp::full().await;
    let lead = world.caller(Role::Lead);
    let empty = json!({"provider": "openai", "offered": true, "base_url": null, "api_key_set": false,
        "updated_by": null, "updated_at": null});
    assert_eq!(lead.get(OPENAI).await.expect(200), empty);
    let put = async |body: Value| lead.send("PUT", OPENAI, Some(body.to_string().into_bytes())).await;
    let key = "sk-live-abcdefghijklmnopqrstuvwxyz";
    let set = put(json!({"base_url": "https://models.example.com/v1", "api_key": key})).await.expect(200);
    assert_eq!((&set["base_url"], &set["api_key_set"]), (&json!("https://models.example.com/v1"), &json!(true)));
    let shown = world.caller(Role::Viewer).get(OPENAI).await.expect(200);
    assert_eq!(shown, set);
    let all = lead.get("/fine-tuning/providers").await.expect(200);
    let names: Vec<_> = all["items"].as_array().unwrap().iter().map(|one| one["provider"].clone()).collect();
    assert_eq!(names, [json!("simulated"), json!("openai"), json!("aws"), json!("command")]);
    let everywhere = format!("{:?}", world.superuser().await.dump().await) + &all.to_string();
    assert!(!everywhere.contains("abcdefghijklmnop"), "the key stands somewhere in clear");
    assert!(!everywhere.contains(&hex::encode(key)), "the key stands somewhere in clear");
    let audit = lead.get("/api/v1/audit?limit=1").await.expect(200);
    assert_eq!(audit["items"][0]["action"], "training_provider.set");
    assert_eq!(audit["items"][0]["object_id"], "openai");
    lead.delete(OPENAI).await.expect(204);
    lead.delete(OPENAI).await.expect(204);
    assert_eq!(lead.get(OPENAI).await.expect(200), empty);
}

/// A lead who does not know the key must not have it sent to a place of his own.
#[tokio::test]
async fn a_stored_key_is_sent_only_to_the_address_that_it_was_set_for() {
    let world = TestApp::full().await;
    let lead = world.caller(Role::Lead);
    let put = async |body: Value| lead.send("PUT", OPENAI, Some(body.to_string().into_bytes())).await;
    put(json!({"base_url": "https://a.example.com", "api_key": "sk-one"})).await.expect(200);
    assert_eq!(put(json!({"base_url": "https://a.example.com"})).await.expect(200)["api_key_set"], true);
    for elsewhere in [json!({"base_url": "https://b.example.com"}), json!({})] {
        let problem = put(elsewhere).await.problem(422, "VALIDATION_FAILED");
        assert_eq!(problem["errors"][0]["field"], "api_key");
    }
    let without = put(json!({"base_url": "https://b.example.com", "api_key": null})).await.expect(200);
    assert_eq!(without["api_key_set"], false);
    assert_eq!(put(json!({"api_key": "sk-two"})).await.expect(200)["base_url"], Value::Null);
}

#[tokio::test]
async fn a_closed_address_and_an_unknown_provider_are_refused() {
    let world = TestApp::full().await;
    let lead = world.caller(Role::Lead);
    let put = async |path: &str, body: Value| lead.send("PUT", path, Some(body.to_string().into_bytes())).await;
    for closed in
        ["http://models.example.com", "https://127.0.0.1/", "https://169.254.169.254/", "https://u:p@a.example.com"]
    {
        let problem = put(OPENAI, json!({"base_url": closed})).await.problem(422, "VALIDATION_FAILED");
        assert_eq!(problem["errors"][0]["field"], "base_url", "{closed}");
    }
    put(OPENAI, json!({"api_key": ""})).await.problem(422, "VALIDATION_FAILED");
    put(OPENAI, json!({"key": "x"})).await.problem(422, "VALIDATION_FAILED");
    for none in ["magic", "simulated"] {
        let path = format!("/fine-tuning/providers/{none}");
        let problem = put(&path, json!({"api_key": "x"})).await.problem(422, "VALIDATION_FAILED");
        assert_eq!(problem["errors"][0]["field"], "provider");
    }
    lead.get("/fine-tuning/providers/magic").await.problem(422, "VALIDATION_FAILED");
}

#[tokio::test]
async fn provider_settings_belong_to_one_tenant() {
    let world = TestApp::full().await;
    let body = json!({"api_key": "sk-one"}).to_string().into_bytes();
    world.caller(Role::Lead).send("PUT", OPENAI, Some(body)).await.expect(200);
    let other = world.another_tenant().await;
    assert_eq!(world.caller_of(&other, Role::Lead).get(OPENAI).await.expect(200)["api_key_set"], false);
}
