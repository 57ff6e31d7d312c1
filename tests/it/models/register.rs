//! Registration by jobs: numbers follow from base model and dataset, one version per job, also concurrently.

use std::collections::BTreeSet;

use futures_util::future::join_all;
use harness::TestApp;
use serde_json::json;
use shared::{
    identity::auth::Role,
    kernel::{
        actor::{Actor, By},
        id::TrainingJobId,
    },
    models::registry::service,
};

use super::{made_of, registered, version};

#[tokio::test]
async fn a_version_number_follows_from_base_model_and_dataset() {
    let world = TestApp::full().await;
    let number = async |base_model, data, recipe| {
        registered(&world, &made_of(TrainingJobId::new(), base_model, data, recipe)).await.version
    };
    assert_eq!(number("meta/llama", 'a', "r").await, "1.0.0");
    assert_eq!(number("meta/llama", 'a', "r").await, "1.0.1");
    assert_eq!(number("meta/llama", 'b', "r").await, "1.1.0");
    assert_eq!(number("meta/llama", 'b', "other").await, "1.2.0");
    assert_eq!(number("mistral/small", 'b', "other").await, "2.0.0");
    // A number that people chose is what goes on from there.
    version(&world.caller(Role::Lead), "reviewer", "5.1.2-rc1").await;
    assert_eq!(number("meta/llama", 'c', "r").await, "5.2.0");
}

#[tokio::test]
async fn a_job_that_registers_again_gets_its_existing_version() {
    let world = TestApp::full().await;
    let new = made_of(TrainingJobId::new(), "meta/llama", 'a', "r");
    let first = registered(&world, &new).await;
    let before = world.superuser().await.dump().await;
    assert_eq!(registered(&world, &new).await, first);
    let after = world.superuser().await.dump().await;
    for table in ["model_versions", "audit_entries"] {
        assert_eq!(after[table], before[table], "{table}");
    }
    let reported = "select payload->>'version' from tenant_events where type = 'model.registered'";
    assert_eq!(world.superuser().await.texts(reported).await, ["1.0.0"]);
    let found = world.caller(Role::Viewer).get("/api/v1/models/reviewer/versions/1.0.0").await.expect(200);
    assert_eq!(found["id"], json!(first.id));
    assert_eq!(found["lineage"]["job_id"], json!(new.job_id));
    assert_eq!(found["lineage"]["dataset_id"], json!(new.dataset_id));
    assert_eq!((&found["cost_usd"], &found["metrics"]), (&json!("1.500000"), &json!({"final_loss": 0.5})));
}

#[tokio::test]
async fn jobs_that_end_concurrently_get_distinct_numbers_without_a_gap() {
    let world = TestApp::full().await;
    let jobs: Vec<_> = (0..12).map(|_| made_of(TrainingJobId::new(), "meta/llama", 'a', "r")).collect();
    // Each ends twice at once, as a step that is done again would.
    let all = join_all(jobs.iter().chain(&jobs).map(|new| registered(&world, new))).await;
    let numbers: BTreeSet<_> = all.iter().map(|one| one.version.clone()).collect();
    let expected: BTreeSet<_> = (0..12).map(|patch| format!("1.0.{patch}")).collect();
    assert_eq!(numbers, expected);
    for (once, again) in all[..12].iter().zip(&all[12..]) {
        assert_eq!(once, again);
    }
}

#[tokio::test]
async fn a_version_registered_in_a_failed_transaction_does_not_exist() {
    let world = TestApp::full().await;
    let new = made_of(TrainingJobId::new(), "meta/llama", 'a', "r");
    let mut tx = world.app.db.tenant(world.tenant.id).await.unwrap();
    let by = By::from(Actor::system_part("trainer"));
    service::register_version(&mut tx, world.tenant.id, by, world.app.clock.now(), &new).await.unwrap();
    drop(tx);
    world.caller(Role::Viewer).get("/api/v1/models/reviewer").await.problem(404, "MODEL_NOT_FOUND");
    assert_eq!(registered(&world, &new).await.version, "1.0.0");
}

#[tokio::test]
async fn only_notes_and_archival_of_a_version_can_be_changed_in_the_database() {
    let world = TestApp::full().await;
    let owner = world.superuser().await;
    registered(&world, &made_of(TrainingJobId::new(), "meta/llama", 'a', "r")).await;
    for change in
        ["base_model = 'other'", "metrics = '{}'", "patch = 7", "model_identifier = 'a/b'", "created_at = now()"]
    {
        let refused = owner.refusal(&format!("update model_versions set {change}")).await;
        assert_eq!(refused.as_deref(), Some("model_version_immutable"), "{change}");
    }
    assert_eq!(owner.refusal("update model_versions set notes = 'Good.', archived_at = now()").await, None);
}
