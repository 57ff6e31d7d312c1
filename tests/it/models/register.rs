//! What jobs register: numbers by what a version was made of, one version per job, whoever comes at once.

use std::collections::BTreeSet;

use futures_util::future::join_all;
use harness::World;
use serde_json::json;
use shared::{
    audit::By,
    auth::{Actor, Role},
    id::TrainingJobId,
    model::service,
};

use super::{made_of, registered, version};

#[tokio::test]
async fn a_version_is_numbered_by_what_it_was_made_of() {
    let world = World::full().await;
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
async fn a_job_that_registers_again_gets_the_version_that_it_has() {
    let world = World::full().await;
    let new = made_of(TrainingJobId::new(), "meta/llama", 'a', "r");
    let first = registered(&world, &new).await;
    let before = world.owner().await.dump().await;
    assert_eq!(registered(&world, &new).await, first);
    let after = world.owner().await.dump().await;
    for table in ["model_versions", "audit_entries"] {
        assert_eq!(after[table], before[table], "{table}");
    }
    let told = "select payload->>'version' from tenant_events where type = 'model.registered'";
    assert_eq!(world.owner().await.texts(told).await, ["1.0.0"]);
    let found = world.caller(Role::Viewer).get("/api/v1/models/reviewer/versions/1.0.0").await.expect(200);
    assert_eq!(found["id"], json!(first.id));
    assert_eq!(found["lineage"]["job_id"], json!(new.job_id));
    assert_eq!(found["lineage"]["dataset_id"], json!(new.dataset_id));
    assert_eq!((&found["cost_usd"], &found["metrics"]), (&json!("1.500000"), &json!({"final_loss": 0.5})));
}

#[tokio::test]
async fn jobs_that_end_at_once_get_numbers_of_their_own_without_a_gap() {
    let world = World::full().await;
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
async fn what_is_registered_in_a_transaction_that_fails_is_not_there() {
    let world = World::full().await;
    let new = made_of(TrainingJobId::new(), "meta/llama", 'a', "r");
    let mut tx = world.app.db.tenant(world.tenant.id).await.unwrap();
    let by = By::from(Actor::system("trainer"));
    service::register(&mut tx, world.tenant.id, by, world.app.clock.now(), &new).await.unwrap();
    drop(tx);
    world.caller(Role::Viewer).get("/api/v1/models/reviewer").await.problem(404, "MODEL_NOT_FOUND");
    assert_eq!(registered(&world, &new).await.version, "1.0.0");
}

#[tokio::test]
async fn a_version_cannot_be_changed_in_the_database_but_for_its_notes_and_its_archive() {
    let world = World::full().await;
    let owner = world.owner().await;
    registered(&world, &made_of(TrainingJobId::new(), "meta/llama", 'a', "r")).await;
    for change in
        ["base_model = 'other'", "metrics = '{}'", "patch = 7", "model_identifier = 'a/b'", "created_at = now()"]
    {
        let refused = owner.refusal(&format!("update model_versions set {change}")).await;
        assert_eq!(refused.as_deref(), Some("model_version_immutable"), "{change}");
    }
    assert_eq!(owner.refusal("update model_versions set notes = 'Good.', archived_at = now()").await, None);
}
