//! `GET /sessions/{id}/models`: from a session to what was trained on it.

use harness::TestApp;
use serde_json::json;
use shared::{
    identity::auth::Role,
    kernel::id::{DatasetId, TrainingJobId},
};

use super::{made_of, registered};

#[tokio::test]
async fn the_versions_trained_on_a_session_are_listed_even_after_its_deletion() {
    let world = TestApp::full().await;
    let (member, owner) = (world.caller(Role::Member), world.superuser().await);
    let (trained, other) = (member.new_session(json!({})).await, member.new_session(json!({})).await);
    let mut numbers = Vec::new();
    for split in ["training", "held_out"] {
        let (dataset_id, hash) = (DatasetId::new(), "a".repeat(64));
        owner
            .run(&format!(
                "insert into datasets (tenant_id, id, job_id, attempt, recipe, sha256, training_key, training_sha256, training_bytes,
                     training_samples, tally, created_at)
                 values ('{0}', '{dataset_id}', '{dataset_id}', 0, '{{}}', '{hash}', 'a', '{hash}', 1, 1, '{{}}', now());
                 insert into dataset_sessions values ('{0}', '{dataset_id}', '{trained}', '{split}', null)",
                world.tenant.id
            ))
            .await;
        let mut new = made_of(TrainingJobId::new(), "meta/llama", 'a', split);
        new.dataset_id = Some(dataset_id);
        numbers.push((registered(&world, &new).await.version, split));
    }
    registered(&world, &made_of(TrainingJobId::new(), "meta/llama", 'b', "r")).await;
    let viewer = world.caller(Role::Viewer);
    let reported = async |id: &str| {
        let items = viewer.get(&format!("/sessions/{id}/models")).await.expect(200)["items"].clone();
        let text = |value: &serde_json::Value| value.as_str().unwrap().to_owned();
        let listed = items.as_array().unwrap().iter();
        listed.map(|one| (text(&one["version"]["version"]), text(&one["split"]))).collect::<Vec<_>>()
    };
    let newest_first: Vec<_> =
        numbers.iter().rev().map(|(number, split)| (number.clone(), (*split).to_owned())).collect();
    assert_eq!(reported(&trained).await, newest_first);
    assert_eq!(reported(&other).await, []);
    member.delete(&format!("/sessions/{trained}")).await;
    assert_eq!(reported(&trained).await, newest_first);
    member.delete(&format!("/sessions/{other}")).await;
    viewer.get(&format!("/sessions/{other}/models")).await.problem(404, "SESSION_NOT_FOUND");
    let theirs = world.caller_of(&world.another_tenant().await, Role::Viewer);
    theirs.get(&format!("/sessions/{trained}/models")).await.problem(404, "SESSION_NOT_FOUND");
}
