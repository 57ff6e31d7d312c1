//! The whole way, from sessions to a registered version.

use std::time::Duration;

use harness::{Options, TestApp, until};
use serde_json::json;
use shared::{identity::auth::Role, platform::queue::job::Job};

#[tokio::test]
async fn good_sessions_become_a_dataset_a_training_and_a_registered_version() {
    let world = TestApp::new().await;
    let lead = world.caller(Role::Lead);
    let sessions = lead.good_sessions_on_both_sides().await;
    let id = lead.train(json!({"duration_seconds": 0.3, "serves_as": "scripted/reviewer"})).await;
    let job = lead.trains(&id, &["completed", "failed"]).await;
    assert_eq!(job["status"], "completed", "{job:#}");
    assert_eq!(lead.training_states(&id).await, ["queued", "running", "evaluating", "completed"]);
    let curated = &job["curated"];
    let (training, held_out) =
        (curated["training_samples"].as_u64().unwrap(), curated["held_out_samples"].as_u64().unwrap());
    assert_eq!(training + held_out, u64::try_from(sessions).unwrap(), "{job:#}");
    assert_eq!(curated["sha256"].as_str().unwrap().len(), 64);
    assert_eq!(job["progress"], 1.0);
    let metrics = &job["metrics"];
    assert!(metrics["final_loss"].as_f64().unwrap() < 1.0, "{job:#}");
    assert!(metrics["tokens_processed"].as_i64().unwrap() > 0, "{job:#}");
    assert_ne!(job["cost_usd"], "0.000000");
    assert_eq!(job["evaluation"], json!({"by": "trainer", "samples": held_out}));
    assert!(held_out > 0 && metrics["accuracy"].as_f64().unwrap() > 0.5 && metrics["eval_loss"].is_f64(), "{job:#}");
    let model = &job["model"];
    assert_eq!((&model["name"], &model["version"]), (&json!("reviewer"), &json!("1.0.0")), "{job:#}");
    assert_eq!(model["model_identifier"], "scripted/reviewer");
    let spent = world.superuser().await.number("select sum(cost_micros)::bigint from tenant_usage").await;
    assert_eq!(format!("0.{spent:06}"), job["cost_usd"].as_str().unwrap());
    let quiet = "select count(*) from training_jobs where next_step_at is not null or lease_until is not null";
    assert_eq!(world.superuser().await.number(quiet).await, 0);
}

#[tokio::test]
async fn a_repeated_training_has_the_same_dataset_and_a_patch_version() {
    let world = TestApp::new().await;
    let lead = world.caller(Role::Lead);
    lead.good_sessions(5).await;
    let mut seen = Vec::new();
    for _ in 0..2 {
        let id = lead.train(json!({"duration_seconds": 0})).await;
        let job = lead.trains(&id, &["completed"]).await;
        seen.push((job["curated"]["sha256"].clone(), job["model"]["version"].clone(), job["metrics"].clone()));
    }
    assert_eq!((&seen[0].0, &seen[0].2), (&seen[1].0, &seen[1].2), "the same data and seed");
    assert_eq!((&seen[0].1, &seen[1].1), (&json!("1.0.0"), &json!("1.0.1")));
}

#[tokio::test]
async fn a_job_without_any_usable_session_fails_with_no_samples() {
    let world = TestApp::new().await;
    let lead = world.caller(Role::Lead);
    lead.good_sessions(0).await;
    let id = lead.train(json!({})).await;
    let job = lead.trains(&id, &["failed"]).await;
    assert_eq!((&job["error"]["code"], &job["error"]["category"]), (&json!("NO_SAMPLES"), &json!("user")));
    assert!(!job["error"]["remedy"].as_str().unwrap().is_empty());
    let events = lead.training_events(&id).await;
    assert_eq!(events.last().unwrap()["payload"]["code"], "NO_SAMPLES");
    assert_eq!(lead.training_states(&id).await, ["queued", "failed"]);
    let audit = lead.get("/api/v1/audit?limit=1").await.expect(200);
    assert_eq!(audit["items"][0]["action"], "training_job.failed");
}

#[tokio::test]
async fn a_lost_wake_up_is_enqueued_again_by_the_reconciler_at_every_step() {
    let mut options = Options::default();
    options.settings.step_lease = Duration::from_millis(300);
    let mut world = TestApp::idle(options).await;
    let lead = world.caller(Role::Lead);
    world.work();
    lead.good_sessions(3).await;
    world.crash().await;
    let id = lead.train(json!({"duration_seconds": 0.1})).await;
    let shared::platform::queue::Queue::Memory(memory) = world.app.queue.clone() else { panic!("a queue in memory") };
    until(async || {
        // Every message is lost except those of the reconciler.
        for queue_name in
            [shared::platform::queue::job::QueueName::Train, shared::platform::queue::job::QueueName::Poll]
        {
            memory.drain(queue_name);
        }
        world.run(Job::reconcile()).await;
        for queue_name in
            [shared::platform::queue::job::QueueName::Train, shared::platform::queue::job::QueueName::Poll]
        {
            for job in memory.drain(queue_name) {
                world.run(job).await;
            }
        }
        lead.training(&id).await["status"] == "completed"
    })
    .await;
    assert_eq!(lead.training_states(&id).await, ["queued", "running", "evaluating", "completed"]);
}

#[tokio::test]
async fn no_training_is_started_for_an_inactive_tenant() {
    let mut world = TestApp::idle(Options::default()).await;
    let lead = world.caller(Role::Lead);
    world.work();
    lead.good_sessions(3).await;
    world.crash().await;
    let id = lead.train(json!({"duration_seconds": 0})).await;
    let owner = world.superuser().await;
    owner.run("update tenants set is_active = false").await;
    world.run(Job::train(world.tenant.id, id.parse().unwrap())).await;
    let asleep = "select count(*) from training_jobs where status = 'queued' and dataset is null and next_step_at > now() + interval '1 minute'";
    assert_eq!(owner.number(asleep).await, 1);
}

#[tokio::test]
async fn a_submitted_training_continues_for_an_inactive_tenant() {
    let mut world = TestApp::idle(Options::default()).await;
    let lead = world.caller(Role::Lead);
    world.work();
    lead.good_sessions(3).await;
    world.crash().await;
    let fault = json!({"at": "submit", "category": "transient", "times": 1});
    let id = lead.train(json!({"duration_seconds": 3600, "fail": fault})).await;
    let owner = world.superuser().await;
    let step = async || {
        owner.run("update training_jobs set next_step_at = now()").await;
        world.run(Job::train(world.tenant.id, id.parse().unwrap())).await;
    };
    step().await;
    step().await;
    let handed_over = "select count(*) from training_jobs where status = 'queued' and submitted_at is not null";
    assert_eq!(owner.number(handed_over).await, 1);
    owner.run("update tenants set is_active = false").await;
    step().await;
    assert_eq!(owner.number("select count(*) from training_jobs where status = 'running'").await, 1);
}

#[tokio::test]
async fn a_curation_that_takes_longer_than_a_lease_is_not_taken_over() {
    let mut options = Options::default();
    options.settings.step_lease = Duration::from_millis(150);
    let world = TestApp::with(options).await;
    let lead = world.caller(Role::Lead);
    lead.good_sessions(3).await;
    let owner = world.superuser().await;
    // Readers of sessions wait: the curation takes several leases.
    owner.run("begin; lock table session_events in access exclusive mode").await;
    let id = lead.train(json!({"duration_seconds": 0})).await;
    // The lease is renewed until several of them have passed.
    let renewed = "select count(*) from training_jobs where lease_until > updated_at + interval '900 milliseconds'";
    until(async || owner.number(renewed).await == 1).await;
    for _ in 0..5 {
        world.run(Job::train(world.tenant.id, id.parse().unwrap())).await;
    }
    owner.run("commit").await;
    lead.trains(&id, &["completed"]).await;
    let fences = owner.number("select fence from training_jobs").await;
    assert_eq!(fences, 5, "curate, submit, observe, evaluate, register: a claim each");
}

#[tokio::test]
async fn the_sessions_of_a_tenant_without_consent_are_not_trained_on() {
    let world = TestApp::new().await;
    let lead = world.caller(Role::Lead);
    let id = lead.train(json!({})).await;
    let job = lead.trains(&id, &["failed"]).await;
    assert_eq!((&job["error"]["code"], &job["error"]["category"]), (&json!("NO_CONSENT"), &json!("policy")));
    assert_eq!(job["curated"], json!(null));
}
