//! The simulated trainer keeps what it plays in the database.

use std::sync::Arc;

use harness::{Options, World, database::Database};
use serde_json::json;
use shared::auth::Role;

#[tokio::test]
async fn a_training_goes_on_where_it_was_when_everything_is_started_again() {
    let database = Arc::new(Database::new().await);
    let folder = std::env::temp_dir().join(format!("ioc-{}", shared::id::SessionId::new()));
    let options = || Options { files: folder.display().to_string(), ..Options::default() };
    let mut first = World::on(database.clone(), options()).await;
    first.work();
    let lead = first.caller(Role::Lead);
    lead.good_sessions(3).await;
    let id = lead.train(json!({"duration_seconds": 4.0})).await;
    lead.trains(&id, &["running"]).await;
    let before = lead.training(&id).await;
    first.crash().await;
    let tenant = first.tenant.clone();
    drop(first);
    let mut second = World::on(database, options()).await;
    second.work();
    let lead = second.caller_of(&tenant, Role::Lead);
    // A step that was broken off is taken up when its lease is over.
    harness::until(async || {
        second.run(shared::job::Job::sweep()).await;
        lead.training(&id).await["status"] == "completed"
    })
    .await;
    let done = lead.trains(&id, &["completed"]).await;
    assert_eq!((&done["external_id"], &done["attempt"]), (&before["external_id"], &json!(1)));
    let curve = lead.get(&format!("/fine-tuning/jobs/{id}/curve")).await.expect(200);
    assert_eq!(curve["total"], 61, "each point once");
    std::fs::remove_dir_all(folder).unwrap();
}
