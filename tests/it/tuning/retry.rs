//! `POST /fine-tuning/jobs/{id}/retry`.

use harness::{Options, World, until};
use serde_json::{Value, json};
use shared::auth::Role;

#[tokio::test]
async fn a_failed_job_is_retried_as_a_new_attempt_that_begins_with_nothing() {
    let world = World::new().await;
    let lead = world.caller(Role::Lead);
    lead.good_sessions(3).await;
    // It fails half-way, each time.
    let id = lead.train(json!({"duration_seconds": 0.1, "fail": {"at": "training"}})).await;
    let failed = lead.trains(&id, &["failed"]).await;
    assert_eq!(failed["error"]["code"], "SIMULATED_FAULT");
    let job = lead.act(&format!("/fine-tuning/jobs/{id}/retry")).await.expect(202);
    assert_eq!((&job["status"], &job["attempt"]), (&json!("pending"), &json!(2)));
    for none in ["error", "progress", "external_id", "curated", "started_at", "submitted_at", "ended_at", "evaluation"]
    {
        assert_eq!(job[none], Value::Null, "{none}");
    }
    assert_eq!(job["metrics"], json!({}));
    lead.act(&format!("/fine-tuning/jobs/{id}/start")).await.expect(202);
    let again = lead.trains(&id, &["failed"]).await;
    assert_eq!(again["attempt"], 2);
    assert!(again["external_id"].as_str().unwrap().ends_with("-2"), "{again:#}");
}

#[tokio::test]
async fn a_job_that_is_not_over_or_is_completed_cannot_be_retried() {
    let world = World::new().await;
    let lead = world.caller(Role::Lead);
    lead.good_sessions(3).await;
    let pending = lead.new_training(json!({})).await;
    lead.act(&format!("/fine-tuning/jobs/{pending}/retry")).await.problem(409, "INVALID_TRANSITION");
    let id = lead.train(json!({"duration_seconds": 0})).await;
    lead.trains(&id, &["completed"]).await;
    let problem = lead.act(&format!("/fine-tuning/jobs/{id}/retry")).await.problem(409, "INVALID_TRANSITION");
    assert_eq!(problem["current"]["allowed_transitions"], json!([]));
}

#[tokio::test]
async fn a_job_whose_provider_is_still_being_told_to_stop_waits_with_its_retry() {
    let mut world = World::idle(Options::default()).await;
    let lead = world.caller(Role::Lead);
    world.work();
    lead.good_sessions(3).await;
    let id = lead.train(json!({"duration_seconds": 3600})).await;
    lead.trains(&id, &["running"]).await;
    world.crash().await;
    lead.act(&format!("/fine-tuning/jobs/{id}/cancel")).await.expect(202);
    let problem = lead.act(&format!("/fine-tuning/jobs/{id}/retry")).await.problem(409, "INVALID_TRANSITION");
    assert!(problem["detail"].as_str().unwrap().contains("not confirmed"), "{problem}");
    world.work();
    // A step that was broken off is taken up when its lease is over.
    until(async || {
        world.run(shared::job::Job::sweep()).await;
        lead.training(&id).await["stopping"] == json!(false)
    })
    .await;
    lead.act(&format!("/fine-tuning/jobs/{id}/retry")).await.expect(202);
}
