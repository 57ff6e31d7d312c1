//! `POST /fine-tuning/jobs/{id}/retry`.

use harness::{Options, TestApp, until};
use serde_json::{Value, json};
use shared::identity::auth::Role;

#[tokio::test]
async fn a_failed_job_is_retried_as_a_new_attempt_from_the_beginning() {
    let world = TestApp::new().await;
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
async fn an_unfinished_or_completed_job_cannot_be_retried() {
    let world = TestApp::new().await;
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
async fn a_retry_waits_until_the_cancellation_at_the_provider_is_done() {
    let mut world = TestApp::idle(Options::default()).await;
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
    // An interrupted step is resumed when its lease expires.
    until(async || {
        world.run(shared::platform::queue::job::Job::reconcile()).await;
        lead.training(&id).await["stopping"] == json!(false)
    })
    .await;
    lead.act(&format!("/fine-tuning/jobs/{id}/retry")).await.expect(202);
}
