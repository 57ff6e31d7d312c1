//! The simulated trainer keeps what it plays in the database.

use std::sync::Arc;

use harness::{Options, TestApp, database::Database};
use serde_json::json;
use shared::identity::auth::Role;

#[tokio::test]
async fn a_training_continues_after_a_restart_of_everything() {
    let database = Arc::new(Database::new().await);
    let folder = std::env::temp_dir().join(format!("ioc-{}", shared::kernel::id::SessionId::new()));
    let options = || Options { files: folder.display().to_string(), ..Options::default() };
    let mut first = TestApp::on(database.clone(), options()).await;
    first.work();
    let lead = first.caller(Role::Lead);
    lead.good_sessions(3).await;
    let id = lead.train(json!({"duration_seconds": 4.0})).await;
    lead.trains(&id, &["running"]).await;
    let before = lead.training(&id).await;
    first.crash().await;
    let tenant = first.tenant.clone();
    drop(first);
    let mut second = TestApp::on(database, options()).await;
    second.work();
    let lead = second.caller_of(&tenant, Role::Lead);
    // An interrupted step is resumed when its lease expires.
    harness::until(async || {
        second.run(shared::platform::queue::job::Job::reconcile()).await;
        lead.training(&id).await["status"] == "completed"
    })
    .await;
    let done = lead.trains(&id, &["completed"]).await;
    assert_eq!((&done["external_id"], &done["attempt"]), (&before["external_id"], &json!(1)));
    let curve = lead.get(&format!("/fine-tuning/jobs/{id}/curve")).await.expect(200);
    assert_eq!(curve["total"], 61, "each point once");
    std::fs::remove_dir_all(folder).unwrap();
}
