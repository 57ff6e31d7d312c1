//! `POST /fine-tuning/jobs/{id}/start`.

use futures_util::future::join_all;
use harness::{Options, TestApp};
use serde_json::json;
use shared::{identity::auth::Role, platform::queue::job::QueueName};

#[tokio::test]
async fn a_started_job_is_queued_and_enqueued() {
    let world = TestApp::idle(Options::default()).await;
    let lead = world.caller(Role::Lead);
    let id = lead.new_training(json!({})).await;
    let job = lead.act(&format!("/fine-tuning/jobs/{id}/start")).await.expect(202);
    assert_eq!(job["status"], "queued");
    assert!(job["started_at"].is_string());
    assert_eq!(world.app.queue.depth(QueueName::Train).await.unwrap().ready, 1);
    let problem = lead.act(&format!("/fine-tuning/jobs/{id}/start")).await.problem(409, "INVALID_TRANSITION");
    assert_eq!(problem["current"]["allowed_transitions"], json!(["running", "failed", "cancelled"]));
}

#[tokio::test]
async fn concurrent_starts_never_exceed_the_limit_of_active_jobs() {
    let mut options = Options::default();
    options.settings.tuning.jobs_per_tenant = 3;
    let world = TestApp::idle(options).await;
    let lead = world.caller(Role::Lead);
    let mut ids = Vec::new();
    for _ in 0..8 {
        ids.push(lead.new_training(json!({})).await);
    }
    let lead = &lead;
    let started =
        join_all(ids.iter().map(|id| async move { lead.act(&format!("/fine-tuning/jobs/{id}/start")).await }));
    let replies = started.await;
    assert_eq!(replies.iter().filter(|reply| reply.status == 202).count(), 3);
    for reply in replies.into_iter().filter(|reply| reply.status != 202) {
        let problem = reply.problem(429, "QUOTA_EXCEEDED");
        assert_eq!(problem["retryable"], true);
    }
    let other = world.another_tenant().await;
    world.caller_of(&other, Role::Lead).train(json!({})).await;
    let queued = lead.get("/fine-tuning/jobs?status=queued").await.expect(200);
    let freed = queued["items"][0]["id"].as_str().unwrap();
    lead.act(&format!("/fine-tuning/jobs/{freed}/cancel")).await.expect(202);
    let waiting = lead.get("/fine-tuning/jobs?status=pending").await.expect(200);
    let next = waiting["items"][0]["id"].as_str().unwrap();
    lead.act(&format!("/fine-tuning/jobs/{next}/start")).await.expect(202);
}
