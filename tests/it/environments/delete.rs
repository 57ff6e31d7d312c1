//! `DELETE /environments/{id}`.

use harness::TestApp;
use serde_json::json;
use shared::identity::auth::Role;

use super::{PATH, create_environment};

#[tokio::test]
async fn a_deleted_environment_is_gone_with_its_secrets_and_its_name_is_free() {
    let world = TestApp::full().await;
    let (lead, owner) = (world.caller(Role::Lead), world.superuser().await);
    let id = create_environment(&lead, "backend", json!({"is_default": true})).await;
    let secret = format!("/api/v1/secrets/{id}/TOKEN");
    let value = json!({"value": "hidden words"}).to_string().into_bytes();
    lead.send("PUT", &secret, Some(value.clone())).await.expect(200);
    let at = format!("{PATH}/{id}");
    lead.delete(&at).await.expect(204);
    lead.get(&at).await.problem(404, "ENVIRONMENT_NOT_FOUND");
    lead.get(&format!("{at}/versions")).await.problem(404, "ENVIRONMENT_NOT_FOUND");
    lead.patch(&at, json!({"rules": "x"})).await.problem(404, "ENVIRONMENT_NOT_FOUND");
    lead.delete(&at).await.problem(404, "ENVIRONMENT_NOT_FOUND");
    lead.send("PUT", &secret, Some(value)).await.problem(404, "ENVIRONMENT_NOT_FOUND");
    assert_eq!(owner.number("select count(*) from secrets").await, 0);
    create_environment(&lead, "backend", json!({"is_default": true})).await;
    assert_eq!(lead.get(PATH).await.expect(200)["items"].as_array().unwrap().len(), 1);
}

#[tokio::test]
async fn a_session_keeps_the_version_of_a_deleted_environment() {
    let world = TestApp::full().await;
    let (lead, member) = (world.caller(Role::Lead), world.caller(Role::Member));
    let id = create_environment(&lead, "backend", json!({})).await;
    let session = member.new_session(json!({"environment": "backend"})).await;
    lead.delete(&format!("{PATH}/{id}")).await.expect(204);
    let expected = json!({"id": id, "name": "backend", "version": 1});
    assert_eq!(member.session(&session).await["environment"], expected);
    let fork = member.post(&format!("/sessions/{session}/fork"), json!({})).await.expect(201);
    assert_eq!(fork["environment"], expected, "a fork works where its source did");
}
