//! Curating survives running twice, at once, and an end anywhere: one dataset, one set of files.

use std::time::Duration;

use harness::samples::prose;
use serde_json::json;
use shared::{
    identity::auth::Role,
    kernel::id::TrainingJobId,
    training::datasets::{CurationOutcome, Recipe, service},
};

use super::{DATASETS, lines, with_samples};

fn made(curated: CurationOutcome) -> shared::training::datasets::Dataset {
    match curated {
        CurationOutcome::Made(dataset) => dataset,
        CurationOutcome::Refused(failure) => panic!("{failure:?}"),
    }
}

#[tokio::test]
async fn repeated_curation_returns_the_same_dataset_whatever_changed_since() {
    let (world, owner, _) = with_samples(3).await;
    let job = TrainingJobId::new();
    let first = made(world.curated(job, &Recipe::default()).await);
    world.caller(Role::Member).answered(&owner, json!({}), &prose(99)).await;
    owner.run("update tenants set training_consent = false").await;
    assert_eq!(made(world.curated(job, &Recipe::default()).await), first);
    owner.run("update tenants set training_consent = true").await;
    let again = service::curate_dataset(&world.app, world.tenant.id, job, 1, &Recipe::default()).await.unwrap();
    assert_eq!(made(again).samples(), 4, "another attempt looks anew");
    let entries = world.caller(Role::Lead).get("/api/v1/audit?object_kind=dataset").await.expect(200);
    assert_eq!(entries["items"].as_array().unwrap().len(), 2);
    assert_eq!(entries["items"][1]["after"]["sha256"], first.sha256);
}

#[tokio::test]
async fn concurrent_curations_create_one_dataset_and_keep_its_files() {
    let (world, owner, _) = with_samples(12).await;
    let (job, recipe) = (TrainingJobId::new(), Recipe::default());
    let run = || world.curated(job, &recipe);
    let (a, b, c, d) = tokio::join!(run(), run(), run(), run());
    let first = made(a);
    for other in [b, c, d] {
        assert_eq!(made(other), first);
    }
    assert_eq!(owner.number("select count(*) from datasets").await, 1);
    assert_eq!(owner.number("select count(*) from dataset_sessions").await, 12);
    assert_eq!(lines(&world, &first.id.to_string(), "training").await.len() as u64, first.training.samples);
}

#[tokio::test]
async fn curation_interrupted_anywhere_leaves_no_dataset_and_the_next_run_succeeds() {
    let (world, owner, _) = with_samples(20).await;
    let (job, recipe) = (TrainingJobId::new(), Recipe::default());
    let mut died = 0;
    for micros in (0..).step_by(700).take(40) {
        let run = world.curated(job, &recipe);
        if tokio::time::timeout(Duration::from_micros(micros), run).await.is_ok() {
            break;
        }
        died += 1;
        let shown = world.caller(Role::Viewer).get(DATASETS).await.expect(200);
        for dataset in shown["items"].as_array().unwrap() {
            // A visible dataset is complete: the process died after it was recorded.
            let id = dataset["id"].as_str().unwrap();
            assert_eq!(lines(&world, id, "training").await.len(), dataset["training"]["samples"]);
        }
    }
    assert!(died > 3, "it was given up in several places");
    let dataset = made(world.curated(job, &recipe).await);
    assert_eq!(owner.number("select count(*) from datasets").await, 1);
    assert_eq!(dataset.samples(), 20);
    assert_eq!(lines(&world, &dataset.id.to_string(), "training").await.len() as u64, dataset.training.samples);
}
