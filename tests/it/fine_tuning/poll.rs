//! `POST /fine-tuning/jobs/poll`.

use std::time::Duration;

use harness::{Options, TestApp};
use serde_json::json;
use shared::{identity::auth::Role, platform::queue::job::Job};

#[tokio::test]
async fn every_running_job_of_the_tenant_is_polled_at_once() {
    let mut options = Options::default();
    let far = Duration::from_hours(10);
    (options.settings.tuning.pace.first, options.settings.tuning.pace.longest) = (far, far);
    let world = TestApp::with(options).await;
    let lead = world.caller(Role::Lead);
    lead.good_sessions(3).await;
    let ids = [lead.train(json!({"duration_seconds": 0})).await, lead.train(json!({"duration_seconds": 0})).await];
    lead.new_training(json!({})).await;
    for id in &ids {
        assert_eq!(lead.trains(id, &["running"]).await["polled_at"], json!(null));
    }
    let other = world.another_tenant().await;
    let none = world.caller_of(&other, Role::Lead).act("/fine-tuning/jobs/poll").await.expect(200);
    assert_eq!(none, json!({"updated_count": 0}));
    assert_eq!(lead.act("/fine-tuning/jobs/poll").await.expect(200), json!({"updated_count": 2}));
    for id in &ids {
        lead.trains(id, &["completed"]).await;
    }
    assert_eq!(lead.act("/fine-tuning/jobs/poll").await.expect(200), json!({"updated_count": 0}));
}

#[tokio::test]
async fn concurrent_polls_and_polls_of_finished_jobs_change_nothing() {
    let world = TestApp::new().await;
    let lead = world.caller(Role::Lead);
    lead.good_sessions(3).await;
    let id = lead.train(json!({"duration_seconds": 0.3})).await;
    lead.trains(&id, &["running", "evaluating", "completed"]).await;
    let job = id.parse().unwrap();
    let (poll, train) = (Job::poll_training(world.tenant.id, job), Job::train(world.tenant.id, job));
    for _ in 0..20 {
        let twice = || world.run(poll.clone());
        tokio::join!(twice(), twice(), world.run(train.clone()));
        lead.act("/fine-tuning/jobs/poll").await.expect(200);
    }
    lead.trains(&id, &["completed"]).await;
    for job in [poll, train] {
        world.run(job).await;
    }
    assert_eq!(lead.training_states(&id).await, ["queued", "running", "evaluating", "completed"]);
    let spent = world.superuser().await.number("select coalesce(sum(cost_micros), 0)::bigint from tenant_usage").await;
    let cost = lead.training(&id).await["cost_usd"].as_str().unwrap().replace('.', "").parse::<i64>().unwrap();
    assert_eq!((spent, cost > 0), (cost, true), "charged once");
}
