//! Faults of providers: each ends in a recorded reason, or is retried.

use harness::{Options, TestApp};
use serde_json::{Value, json};
use shared::identity::auth::Role;

/// Runs a job with this simulation to its end, in a test app with a few good sessions.
async fn ends(extra: Value) -> (TestApp, Value, Vec<Value>) {
    let world = TestApp::new().await;
    let lead = world.caller(Role::Lead);
    lead.good_sessions_on_both_sides().await;
    let id = lead.train(extra).await;
    let job = lead.trains(&id, &["completed", "failed", "cancelled"]).await;
    let events = lead.training_events(&id).await;
    (world, job, events)
}

fn failed_with(job: &Value, code: &str, category: &str) {
    let error = &job["error"];
    assert_eq!((&error["code"], &error["category"]), (&json!(code), &json!(category)), "{job:#}");
    let reported = |field: &str| error[field].as_str().is_some_and(|text| text.len() > 10);
    assert!(reported("message") && reported("remedy"), "{error:#}");
}

/// How often it was warned before the end; calling the training off afterwards has tries of its own.
fn warnings(events: &[Value]) -> usize {
    let ends = ["training.completed", "training.failed"].map(Value::from);
    let before = events.iter().take_while(|event| !ends.contains(&event["type"]));
    before.filter(|event| event["payload"]["level"] == "warn").count()
}

#[tokio::test]
async fn an_unknown_base_model_fails_before_anything_is_curated() {
    let (_world, job, _) = ends(json!({"fail": {"at": "check", "category": "user"}})).await;
    failed_with(&job, "UNKNOWN_BASE_MODEL", "user");
    assert_eq!(job["curated"], Value::Null);
}

#[tokio::test]
async fn parameters_that_the_provider_does_not_know_are_named() {
    for extra in
        [json!({"speed": 2}), json!({"steps": 0}), json!({"duration_seconds": -1}), json!({"fail": {"at": "x"}})]
    {
        let (_world, job, _) = ends(extra).await;
        failed_with(&job, "PARAMETERS", "user");
    }
}

#[tokio::test]
async fn a_refused_credential_fails_at_once_and_names_where_to_set_it() {
    let (_world, job, events) = ends(json!({"fail": {"at": "submit", "category": "auth"}})).await;
    failed_with(&job, "SIMULATED_FAULT", "auth");
    assert!(job["error"]["remedy"].as_str().unwrap().contains("/fine-tuning/providers"), "{job:#}");
    assert_eq!(warnings(&events), 0, "not tried again");
}

#[tokio::test]
async fn a_transient_failure_is_retried_until_it_succeeds() {
    for (at, category) in [
        ("submit", "transient"),
        ("observe", "transient"),
        ("evaluate", "transient"),
        ("submit", "rate_limit"),
        ("observe", "rate_limit"),
    ] {
        let fault = json!({"at": at, "category": category, "times": 3});
        let (_world, job, events) = ends(json!({"duration_seconds": 0.05, "fail": fault})).await;
        assert_eq!(job["status"], "completed", "{at}: {job:#}");
        assert_eq!(warnings(&events), 3, "{at} {category}: {events:#?}");
    }
}

#[tokio::test]
async fn a_permanent_failure_ends_after_a_dozen_tries_with_its_reason() {
    for at in ["submit", "observe"] {
        let fault = json!({"at": at, "category": "transient"});
        let (_world, job, events) = ends(json!({"duration_seconds": 0.05, "fail": fault})).await;
        failed_with(&job, "SIMULATED_FAULT", "transient");
        assert_eq!(warnings(&events), 11, "{at}: {events:#?}");
    }
}

#[tokio::test]
async fn a_job_that_its_provider_forgot_fails_after_three_polls() {
    let (world, job, _) = ends(json!({"duration_seconds": 0.1, "fail": {"at": "lost"}})).await;
    failed_with(&job, "PROVIDER_LOST_JOB", "agent");
    let row = "select count(*) from training_jobs where not_found_polls = 3 and not stopping and next_step_at is null";
    assert_eq!(world.superuser().await.number(row).await, 1, "nothing is to be cancelled");
}

#[tokio::test]
async fn a_training_that_fails_at_its_provider_keeps_its_curve() {
    let (world, job, _) = ends(json!({"duration_seconds": 0.2, "fail": {"at": "training"}})).await;
    failed_with(&job, "SIMULATED_FAULT", "agent");
    let points = world.superuser().await.number("select count(*) from training_points").await;
    assert!(points > 0, "{points}");
}

#[tokio::test]
async fn a_trained_model_is_registered_even_if_its_evaluation_fails() {
    let (_world, job, _) =
        ends(json!({"duration_seconds": 0.05, "fail": {"at": "evaluate", "category": "auth"}})).await;
    assert_eq!((&job["status"], &job["evaluation"]["by"]), (&json!("completed"), &json!("nobody")), "{job:#}");
    assert!(job["evaluation"]["reason"].as_str().unwrap().contains("fails here"), "{job:#}");
}

#[tokio::test]
async fn an_endless_training_is_cancelled_at_its_timeout() {
    let mut options = Options::default();
    options.settings.tuning.longest = std::time::Duration::from_millis(200);
    let world = TestApp::with(options).await;
    let lead = world.caller(Role::Lead);
    lead.good_sessions(3).await;
    let id = lead.train(json!({"duration_seconds": 3600})).await;
    failed_with(&lead.trains(&id, &["failed"]).await, "TRAINING_TIMEOUT", "timeout");
    harness::until(async || lead.training(&id).await["stopping"] == json!(false)).await;
    let reported = "select count(*) from simulated_trainings where cancelled_at is not null";
    assert_eq!(world.superuser().await.number(reported).await, 1);
}

#[tokio::test]
async fn a_provider_that_this_process_does_not_support_fails_the_job_with_a_reason() {
    let world = TestApp::new().await;
    let lead = world.caller(Role::Lead);
    let id = lead.new_training(json!({"provider": "aws"})).await;
    lead.act(&format!("/fine-tuning/jobs/{id}/start")).await.expect(202);
    failed_with(&lead.trains(&id, &["failed"]).await, "PROVIDER_NOT_OFFERED", "policy");
}

#[tokio::test]
async fn repeatedly_interrupted_steps_end_the_job() {
    let mut world = TestApp::idle(Options::default()).await;
    let lead = world.caller(Role::Lead);
    let id = lead.train(json!({})).await;
    let owner = world.superuser().await;
    owner.run("update training_jobs set interrupted_steps = 9, lease_until = now() - interval '1 second'").await;
    world.work();
    failed_with(&lead.trains(&id, &["failed"]).await, "STEP_BROKEN_OFF", "internal");
}
