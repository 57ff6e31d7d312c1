//! The file store fails while a dataset is made or handed over: nothing half-written is trained with, and nothing
//! stays.

use harness::{Caller, Options, TestApp, bucket::Bucket, faults::Fault};
use serde_json::{Value, json};
use shared::{identity::auth::Role, platform::queue::job::Job};

async fn world(bucket: &Bucket) -> (TestApp, Caller) {
    let world = TestApp::with(Options { store: Some(bucket.files.clone()), ..Options::default() }).await;
    let lead = world.caller(Role::Lead);
    lead.good_sessions_on_both_sides().await;
    (world, lead)
}

/// The files of datasets, sorted.
async fn files(world: &TestApp, bucket: &Bucket) -> Vec<String> {
    let mut keys = bucket.files.list(&format!("{}/datasets", world.tenant.id)).await.unwrap();
    keys.sort();
    keys
}

/// Holds that the job was trained once, with its dataset as it stands, and that no other file is there.
async fn trained_with_its_dataset_alone(world: &TestApp, bucket: &Bucket, job: &Value) {
    assert_eq!(job["status"], "completed", "{job:#}");
    let (id, dataset) = (job["id"].as_str().unwrap(), job["curated"]["dataset_id"].as_str().unwrap());
    let folder = format!("{}/datasets/{id}/{}/{dataset}", world.tenant.id, job["attempt"]);
    let both = ["held_out", "training"].map(|side| format!("{folder}/{side}.jsonl"));
    assert_eq!(files(world, bucket).await, both);
    let owner = world.superuser().await;
    assert_eq!(owner.number("select count(*) from datasets").await, 1);
    assert_eq!(owner.number("select count(*) from simulated_trainings where tokens > 0").await, 1);
    let lead = world.caller(Role::Lead);
    for (side, count) in [("training", "training_samples"), ("held_out", "held_out_samples")] {
        let reply = lead.get(&format!("/fine-tuning/datasets/{dataset}/content?split={side}")).await;
        let lines =
            reply.bytes.split(|b| *b == b'\n').filter(|line| serde_json::from_slice::<Value>(line).is_ok()).count();
        assert_eq!(json!(lines), job["curated"][count], "{side}");
    }
}

fn warned(events: &[Value]) -> usize {
    events.iter().filter(|event| event["payload"]["level"] == "warn").count()
}

#[tokio::test]
async fn a_half_written_dataset_is_written_again_and_leaves_no_files() {
    let refused = || Fault::status(500);
    for faults in [
        vec![("PUT", "/training.jsonl", refused())],
        vec![("PUT", "/held_out.jsonl", refused())],
        vec![("PUT", "/training.jsonl", Fault::LoseAnswer)],
        // Nor can what was written be removed at once.
        vec![("PUT", "/training.jsonl", Fault::LoseAnswer), ("POST", "", refused()), ("DELETE", "", refused())],
        vec![("PUT", "/held_out.jsonl", Fault::LoseAnswer), ("GET", "", refused())],
    ] {
        let bucket = Bucket::start().await;
        let (world, lead) = world(&bucket).await;
        for (method, end, fault) in &faults {
            bucket.faults.add(&format!("{method} {}*{end}", bucket.path), fault.clone());
        }
        let id = lead.train(json!({"duration_seconds": 0.05})).await;
        let job = lead.trains(&id, &["completed", "failed"]).await;
        assert!(warned(&lead.training_events(&id).await) >= 1, "{faults:?}: it was tried again, on record");
        world.run(Job::reconcile()).await;
        trained_with_its_dataset_alone(&world, &bucket, &job).await;
    }
}

#[tokio::test]
async fn a_store_outage_fails_the_job_and_the_reconciler_removes_its_files() {
    let bucket = Bucket::start().await;
    let (world, lead) = world(&bucket).await;
    for _ in 0..12 {
        bucket.faults.add(&format!("PUT {}*/training.jsonl", bucket.path), Fault::LoseAnswer);
        for method in ["POST", "DELETE", "GET"] {
            bucket.faults.add(&format!("{method} {}*", bucket.path), Fault::status(503));
        }
    }
    let id = lead.train(json!({"duration_seconds": 0.05})).await;
    let job = lead.trains(&id, &["completed", "failed"]).await;
    let error = &job["error"];
    assert_eq!(
        (&error["code"], &error["category"]),
        (&json!("DEPENDENCY_UNAVAILABLE"), &json!("transient")),
        "{job:#}"
    );
    assert!(error["message"].as_str().unwrap().contains("file store"), "{error:#}");
    bucket.faults.end();
    assert!(files(&world, &bucket).await.len() > 1, "the tries left files");
    let owner = world.superuser().await;
    assert_eq!(owner.number("select count(*) from simulated_trainings where tokens > 0").await, 0);
    assert_eq!(owner.number("select count(*) from datasets").await, 0);
    // The store is down again: the next reconciliation retries.
    bucket.faults.add(&format!("GET {}*", bucket.path), Fault::status(500));
    world.run(Job::reconcile()).await;
    assert!(!files(&world, &bucket).await.is_empty());
    world.run(Job::reconcile()).await;
    assert_eq!(files(&world, &bucket).await, Vec::<String>::new());
    lead.act(&format!("/fine-tuning/jobs/{id}/retry")).await.expect(202);
    lead.act(&format!("/fine-tuning/jobs/{id}/start")).await.expect(202);
    let job = lead.trains(&id, &["completed", "failed"]).await;
    world.run(Job::reconcile()).await;
    trained_with_its_dataset_alone(&world, &bucket, &job).await;
    assert_eq!(owner.number("select count(*) from training_jobs where may_have_orphaned_files").await, 0);
}

#[tokio::test]
async fn a_corrupt_read_of_a_dataset_during_submission_is_retried() {
    for fault in [
        Fault::status(500),
        Fault::Answer(404, vec![], ""),
        Fault::Answer(200, vec![("last-modified", "Sun, 06 Nov 1994 08:49:37 GMT"), ("etag", "\"1\"")], ""),
        Fault::Answer(200, vec![("last-modified", "Sun, 06 Nov 1994 08:49:37 GMT"), ("etag", "\"1\"")], "{}\n"),
    ] {
        let bucket = Bucket::start().await;
        let (world, lead) = world(&bucket).await;
        bucket.faults.add(&format!("GET {}*/training.jsonl", bucket.path), fault.clone());
        let id = lead.train(json!({"duration_seconds": 0.05})).await;
        let job = lead.trains(&id, &["completed", "failed"]).await;
        assert!(bucket.faults.are_used_up(), "{fault:?}");
        assert_eq!(warned(&lead.training_events(&id).await), 1, "{fault:?}: {job:#}");
        world.run(Job::reconcile()).await;
        trained_with_its_dataset_alone(&world, &bucket, &job).await;
    }
}

#[tokio::test]
async fn a_job_cancelled_while_its_dataset_is_written_leaves_no_file() {
    let bucket = Bucket::start().await;
    let (world, lead) = world(&bucket).await;
    for round in 0..8 {
        let id = lead.train(json!({"duration_seconds": 3600})).await;
        // The cancel meets another moment of the curation in each round.
        tokio::time::sleep(std::time::Duration::from_millis(10 * round)).await;
        let _ = lead.act(&format!("/fine-tuning/jobs/{id}/cancel")).await;
        lead.trains(&id, &["cancelled"]).await;
    }
    let owner = world.superuser().await;
    let at_it = "select count(*) from training_jobs where lease_until is not null or stopping";
    harness::until(async || owner.number(at_it).await == 0).await;
    world.run(Job::reconcile()).await;
    let recorded = owner.number("select count(*) + count(held_out_key) from datasets").await;
    assert_eq!(i64::try_from(files(&world, &bucket).await.len()).unwrap(), recorded, "those of datasets alone");
}
