//! `POST /fine-tuning/jobs/{id}/cancel`.

use std::time::Duration;

use harness::{Options, TestApp, until};
use serde_json::{Value, json};
use shared::{identity::auth::Role, platform::queue::job::QueueName};

#[tokio::test]
async fn a_job_without_a_provider_job_is_cancelled_at_once() {
    let world = TestApp::idle(Options::default()).await;
    let lead = world.caller(Role::Lead);
    let id = lead.new_training(json!({})).await;
    let job = lead.act(&format!("/fine-tuning/jobs/{id}/cancel")).await.expect(202);
    assert_eq!((&job["status"], &job["stopping"]), (&json!("cancelled"), &json!(false)));
    assert!(job["ended_at"].is_string());
    lead.act(&format!("/fine-tuning/jobs/{id}/cancel")).await.problem(409, "INVALID_TRANSITION");
    let queued = lead.train(json!({})).await;
    let job = lead.act(&format!("/fine-tuning/jobs/{queued}/cancel")).await.expect(202);
    assert_eq!((&job["status"], &job["stopping"]), (&json!("cancelled"), &json!(false)));
}

#[tokio::test]
async fn a_running_job_is_cancelled_at_its_provider_too() {
    let world = TestApp::new().await;
    let lead = world.caller(Role::Lead);
    lead.good_sessions(3).await;
    let id = lead.train(json!({"duration_seconds": 3600})).await;
    lead.trains(&id, &["running"]).await;
    let job = lead.act(&format!("/fine-tuning/jobs/{id}/cancel")).await.expect(202);
    assert_eq!(job["status"], "cancelled");
    until(async || lead.training(&id).await["stopping"] == json!(false)).await;
    let reported = "select count(*) from simulated_trainings where cancelled_at is not null";
    assert_eq!(world.superuser().await.number(reported).await, 1);
    assert_eq!(lead.training_states(&id).await, ["queued", "running", "cancelled"]);
    assert_eq!(lead.training(&id).await["model"], Value::Null);
}

#[tokio::test]
async fn an_unreachable_provider_ends_the_cancellation_with_an_audit_entry() {
    let world = TestApp::new().await;
    let lead = world.caller(Role::Lead);
    lead.good_sessions(3).await;
    let fault = json!({"at": "cancel", "category": "transient"});
    let id = lead.train(json!({"duration_seconds": 3600, "fail": fault})).await;
    lead.trains(&id, &["running"]).await;
    lead.act(&format!("/fine-tuning/jobs/{id}/cancel")).await.expect(202);
    until(async || lead.training(&id).await["stopping"] == json!(false)).await;
    let events = lead.training_events(&id).await;
    let reported = |event: &&Value| event["payload"]["level"] == "error";
    let message = events.iter().find(reported).expect("an error is logged")["payload"]["message"].as_str().unwrap();
    assert!(message.contains("could not be cancelled"), "{message}");
}

#[tokio::test]
async fn a_cancelled_job_whose_submission_failed_is_never_submitted() {
    let world = TestApp::new().await;
    let lead = world.caller(Role::Lead);
    lead.good_sessions(3).await;
    let fault = json!({"at": "submit", "category": "transient", "times": 1, "retry_after_seconds": 3600});
    let id = lead.train(json!({"duration_seconds": 3600, "fail": fault})).await;
    let owner = world.superuser().await;
    let failed = "select count(*) from training_jobs where status = 'queued' and transient_failures = 1";
    until(async || owner.number(failed).await == 1).await;
    let job = lead.act(&format!("/fine-tuning/jobs/{id}/cancel")).await.expect(202);
    assert_eq!((&job["status"], &job["stopping"]), (&json!("cancelled"), &json!(true)), "it may be there");
    until(async || lead.training(&id).await["stopping"] == json!(false)).await;
    assert_eq!(owner.number("select count(*) from simulated_trainings where tokens > 0").await, 0);
    let events = lead.training_events(&id).await;
    assert!(!events.iter().any(|event| event["payload"]["level"] == "error"), "{events:#?}");
}

/// Whichever of the two comes first: nothing is registered after a cancel, and no provider goes on with it.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_cancellation_at_any_step_leaves_nothing_behind() {
    let world = TestApp::new().await;
    let lead = world.caller(Role::Lead);
    lead.good_sessions(3).await;
    let owner = world.superuser().await;
    let mut cancelled = 0;
    for pause in 0..24 {
        let id = lead.train(json!({"duration_seconds": 0.02})).await;
        // The cancel meets another step in each round.
        tokio::time::sleep(Duration::from_millis(4 * pause)).await;
        let reply = lead.act(&format!("/fine-tuning/jobs/{id}/cancel")).await;
        let job = lead.trains(&id, &["cancelled", "completed"]).await;
        until(async || lead.training(&id).await["stopping"] == json!(false)).await;
        assert_eq!(reply.status == 202, job["status"] == "cancelled", "{reply:?} {job:#}");
        assert_eq!(job["status"] == "completed", job["model"].is_object(), "{job:#}");
        cancelled += i64::from(job["status"] == "cancelled");
        let left = "select count(*) from training_jobs where lease_until is not null or stopping
                    or status in ('completed', 'cancelled') and next_step_at is not null";
        until(async || owner.number(left).await == 0).await;
    }
    let playing = "select count(*) from simulated_trainings s join training_jobs j on j.id = s.job_id
                   where j.status = 'cancelled' and s.cancelled_at is null and j.trained is null";
    assert_eq!(owner.number(playing).await, 0, "a provider still runs a cancelled training");
    assert!(cancelled > 0, "no cancel came in time");
    for queue_name in [QueueName::Train, QueueName::Poll] {
        assert_eq!(world.app.queue.depth(queue_name).await.unwrap().dead, 0);
    }
}
