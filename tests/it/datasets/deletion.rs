//! Deleted sessions: left out of a dataset in the making, and reported by datasets that contain them.

use std::collections::BTreeSet;

use harness::{TestApp, superuser::Superuser};
use serde_json::json;
use shared::{
    identity::auth::Role,
    kernel::id::TrainingJobId,
    training::datasets::{CurationOutcome, Recipe},
};

use super::{DATASETS, lines, sources, with_samples};

/// Holds every curation right before its row is written, when its files are there already.
pub(super) struct Held<'a>(&'a Superuser, Superuser);

pub(super) async fn held<'a>(world: &TestApp, owner: &'a Superuser) -> Held<'a> {
    let holder = world.superuser().await;
    holder.run("begin; lock table datasets in exclusive mode").await;
    Held(owner, holder)
}

impl Held<'_> {
    /// Waits until somebody is held.
    pub(super) async fn waits(&self) {
        // Other databases of this server have a table of the same number.
        let waiting = "select count(*) from pg_locks where not granted and relation = 'datasets'::regclass
                       and database = (select oid from pg_database where datname = current_database())";
        harness::until(async || self.0.number(waiting).await > 0).await;
    }

    /// Lets whoever is held go on, and holds the next.
    async fn next(&self) {
        self.waits().await;
        self.1.run("commit; begin; lock table datasets in exclusive mode").await;
    }

    pub(super) async fn release(&self) {
        self.waits().await;
        self.1.run("commit").await;
    }
}

#[tokio::test]
async fn a_session_deleted_during_curation_is_not_in_the_dataset() {
    let (world, owner, ids) = with_samples(5).await;
    let held = held(&world, &owner).await;
    let recipe = Recipe::default();
    let making = world.curated(TrainingJobId::new(), &recipe);
    let deleting = async {
        held.waits().await;
        world.caller(Role::Member).delete(&format!("/sessions/{}", ids[2])).await.expect(204);
        held.release().await;
    };
    let (made, ()) = tokio::join!(making, deleting);
    let CurationOutcome::Made(dataset) = made else { panic!("{made:?}") };
    let mut from = BTreeSet::new();
    for split in ["training", "held_out"] {
        from.extend(sources(&lines(&world, &dataset.id.to_string(), split).await));
    }
    let kept: BTreeSet<_> = ids.iter().filter(|id| **id != ids[2]).cloned().collect();
    assert_eq!((from, dataset.deleted_sessions), (kept.clone(), 0));
    let lineage = owner.texts("select session_id::text from dataset_sessions").await;
    assert_eq!(lineage.into_iter().collect::<BTreeSet<_>>(), kept);
}

#[tokio::test]
async fn curation_gives_up_with_a_reason_when_sessions_keep_being_deleted() {
    let (world, owner, ids) = with_samples(12).await;
    let held = held(&world, &owner).await;
    let recipe = Recipe::default();
    // One at each hold, and a try may be held more than once: before its statement is prepared, and before it is run.
    let deleting = async {
        for id in &ids {
            held.waits().await;
            world.caller(Role::Member).delete(&format!("/sessions/{id}")).await.expect(204);
            held.next().await;
        }
    };
    let made = tokio::select! {
        made = world.curated(TrainingJobId::new(), &recipe) => made,
        () = deleting => panic!("it goes on for as long as sessions are deleted"),
    };
    let CurationOutcome::Made(dataset) = made else { panic!("{made:?}") };
    assert!(dataset.deleted_sessions > 0, "{dataset:?}");
    let place = format!("{DATASETS}/{}/sessions?deleted=true", dataset.id);
    let gone = world.caller(Role::Viewer).get(&place).await.expect(200);
    let gone: Vec<_> = gone["items"].as_array().unwrap().iter().map(|one| one["session_id"].clone()).collect();
    assert_eq!(Some(gone.len()), usize::try_from(dataset.deleted_sessions).ok());
    let there = world.caller(Role::Viewer).get("/sessions?limit=200").await.expect(200);
    assert!(there["items"].as_array().unwrap().iter().all(|session| !gone.contains(&session["id"])));
    assert!(gone.iter().all(|id| ids.contains(&id.as_str().unwrap().to_owned())));
}

#[tokio::test]
async fn curation_without_any_remaining_session_reports_no_samples() {
    let (world, owner, ids) = with_samples(1).await;
    let held = held(&world, &owner).await;
    let recipe = Recipe::default();
    let making = world.curated(TrainingJobId::new(), &recipe);
    let deleting = async {
        held.waits().await;
        world.caller(Role::Member).delete(&format!("/sessions/{}", ids[0])).await.expect(204);
        held.release().await;
    };
    let (made, ()) = tokio::join!(making, deleting);
    let CurationOutcome::Refused(failure) = made else { panic!("{made:?}") };
    assert_eq!(failure.code, "NO_SAMPLES");
}

#[tokio::test]
async fn every_dataset_that_holds_a_deleted_session_says_so() {
    let (world, owner, ids) = with_samples(3).await;
    let (first, second) = (world.dataset(&Recipe::default()).await, world.dataset(&Recipe::default()).await);
    world.caller(Role::Member).delete(&format!("/sessions/{}", ids[1])).await.expect(204);
    let viewer = world.caller(Role::Viewer);
    for dataset in [&first, &second] {
        let place = format!("{DATASETS}/{}", dataset.id);
        let shown = viewer.get(&place).await.expect(200);
        assert_eq!((&shown["deleted_sessions"], &shown["sha256"]), (&json!(1), &json!(dataset.sha256)));
        let lineage = viewer.get(&format!("{place}/sessions")).await.expect(200);
        let gone: Vec<_> =
            lineage["items"].as_array().unwrap().iter().filter(|one| !one["deleted_at"].is_null()).collect();
        assert_eq!((gone.len(), &gone[0]["session_id"]), (1, &json!(ids[1])));
    }
    let third = world.dataset(&Recipe::default()).await;
    assert_eq!((third.samples(), third.deleted_sessions), (2, 0), "a new one is made without it");
    assert_eq!(owner.number("select count(*) from dataset_sessions where deleted_at is not null").await, 2);
}

#[tokio::test]
async fn a_tenant_that_is_removed_takes_its_datasets_along() {
    let (world, owner, _) = with_samples(2).await;
    let dataset = world.dataset(&Recipe::default()).await;
    let place = format!("/api/v1/tenants/{}", world.tenant.id);
    let other = world.another_tenant().await;
    let admin = world.caller_of(&other, Role::Admin);
    admin.patch(&place, json!({"is_active": false})).await.expect(200);
    admin.delete(&place).await.expect(204);
    for table in ["datasets", "dataset_sessions"] {
        assert_eq!(owner.number(&format!("select count(*) from {table}")).await, 0);
    }
    assert!(world.app.files.read(&dataset.training.key).await.is_err(), "its file is gone");
}
