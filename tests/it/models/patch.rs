//! `PATCH /models/{name}/versions/{version}`: notes and archive.

use harness::TestApp;
use serde_json::{Value, json};
use shared::identity::auth::Role;

use super::{archive, put, version};

#[tokio::test]
async fn only_the_notes_of_a_version_can_be_set_and_removed() {
    let world = TestApp::full().await;
    let lead = world.caller(Role::Lead);
    version(&lead, "coder", "1.0.0").await;
    let path = "/api/v1/models/coder/versions/1.0.0";
    assert_eq!(lead.patch(path, json!({"notes": "Good at tests."})).await.expect(200)["notes"], "Good at tests.");
    assert_eq!(lead.patch(path, json!({"archived": false})).await.expect(200)["notes"], "Good at tests.");
    assert_eq!(lead.patch(path, json!({"notes": null})).await.expect(200)["notes"], Value::Null);
    lead.patch(path, json!({"base_model": "other"})).await.problem(422, "VALIDATION_FAILED");
    lead.patch("/api/v1/models/coder/versions/1.0.1", json!({})).await.problem(404, "MODEL_VERSION_NOT_FOUND");
    let entries = lead.get("/api/v1/audit?action=model.update").await.expect(200);
    assert_eq!(entries["items"].as_array().unwrap().len(), 2, "what changed nothing is not on record");
}

#[tokio::test]
async fn an_aliased_version_is_not_archived_and_an_archived_one_not_aliased() {
    let world = TestApp::full().await;
    let lead = world.caller(Role::Lead);
    version(&lead, "coder", "1.0.0").await;
    version(&lead, "coder", "1.1.0").await;
    put(&lead, "coder", "champion", "1.0.0").await.expect(200);
    let problem = archive(&lead, "coder", "1.0.0", true).await.problem(409, "MODEL_VERSION_IN_USE");
    assert_eq!(problem["current"]["aliases"], json!(["champion"]));
    put(&lead, "coder", "champion", "1.1.0").await.expect(200);
    let archived = archive(&lead, "coder", "1.0.0", true).await.expect(200);
    assert!(archived["archived_at"].is_string());
    let again = archive(&lead, "coder", "1.0.0", true).await.expect(200);
    assert_eq!(again["archived_at"], archived["archived_at"], "since it was first archived");
    put(&lead, "coder", "champion", "1.0.0").await.problem(409, "MODEL_VERSION_ARCHIVED");
    archive(&lead, "coder", "1.0.0", false).await.expect(200);
    put(&lead, "coder", "champion", "1.0.0").await.expect(200);
}

#[tokio::test]
async fn a_concurrent_alias_and_archive_never_both_succeed() {
    let world = TestApp::full().await;
    let lead = world.caller(Role::Lead);
    for round in 0..6 {
        let number = format!("1.{round}.0");
        version(&lead, "coder", &number).await;
        let (moved, archived) =
            tokio::join!(put(&lead, "coder", "champion", &number), archive(&lead, "coder", &number, true));
        assert!((moved.status == 200) != (archived.status == 200), "{moved:?} {archived:?}");
    }
}
