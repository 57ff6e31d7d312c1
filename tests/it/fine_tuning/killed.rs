//! The process that trains is killed, or frozen, at every single thing that it asks of Postgres, and another takes
//! over: each step is done once as seen from outside.

use std::{path::PathBuf, sync::Arc, time::Duration};

use futures_util::future::join_all;
use harness::{Caller, Options, PATIENCE, TestApp, redis_url, test_app::app};
use nix::sys::signal::Signal;
use serde_json::{Value, json};
use shared::{identity::auth::Role, kernel::id::SessionId, platform::queue::job::QueueName};
use tokio::time::{Instant, sleep};

use crate::faults::{
    host::{self, Host},
    kill_points::{Fuse, Wire, address, through},
};

/// How many test apps share the kill points.
const WORLDS: u64 = 4;

const QUEUES: [QueueName; 5] =
    [QueueName::Train, QueueName::Train, QueueName::Poll, QueueName::Poll, QueueName::Reconcile];

#[tokio::test]
#[ignore = "a process that other claims start"]
async fn a_process_that_trains() {
    let Some([database_url, folder]) = host::places::<2>() else { return };
    let app = app(&database_url, &redis_url(), Options { files: folder, ..host::options() });
    host::work(&app, &QUEUES).await;
}

/// A test app whose training another process runs, behind kill points.
struct Stage {
    world: TestApp,
    lead: Caller,
    fuse: Arc<Fuse>,
    database: Wire,
    folder: PathBuf,
    host: Option<Host>,
}

impl Drop for Stage {
    fn drop(&mut self) {
        _ = std::fs::remove_dir_all(&self.folder);
    }
}

impl Stage {
    async fn new() -> Self {
        let folder = std::env::temp_dir().join(format!("ioc-{}", SessionId::new()));
        let options = || Options { files: folder.display().to_string(), ..host::options() };
        let mut world = TestApp::idle(options()).await;
        world.work();
        let lead = world.caller(Role::Lead);
        lead.good_sessions_on_both_sides().await;
        world.crash().await;
        let fuse = Arc::<Fuse>::default();
        let database = Wire::to(address(&world.database.url, 5432).await, fuse.clone()).await;
        Self { world, lead, fuse, database, folder, host: None }
    }

    fn start(&self) -> Host {
        let places = format!("{} {}", through(&self.world.database.url, &self.database), self.folder.display());
        Host::play("fine_tuning::killed::a_process_that_trains", &places)
    }

    /// Trains a job, with the signal sent to its process at a point. Answers it as it ended, and whether the point was
    /// reached.
    async fn play(&mut self, point: u64, signal: Signal) -> (Value, bool) {
        let host = self.host.take().unwrap_or_else(|| self.start());
        let id = self.lead.new_training(json!({"parameters": {"extra": {"duration_seconds": 0.15}}})).await;
        self.fuse.arm(host.id(), point, signal);
        self.host = Some(host);
        self.lead.act(&format!("/fine-tuning/jobs/{id}/start")).await.expect(202);
        let (mut replaced, mut frozen) = (false, None);
        let late = Instant::now() + PATIENCE;
        loop {
            if self.fuse.blown() && !replaced {
                replaced = true;
                match self.host.take() {
                    Some(dead) if signal == Signal::SIGKILL => dead.gone().await,
                    other => frozen = other,
                }
                self.host = Some(self.start());
            }
            let job = self.lead.training(&id).await;
            if job["status"] == "completed" || job["status"] == "failed" {
                break;
            }
            assert!(Instant::now() < late, "point {point}: {job:#}");
            sleep(Duration::from_millis(10)).await;
        }
        self.fuse.disarm();
        let reached = self.fuse.blown();
        if reached && !replaced {
            frozen = self.host.take();
        }
        if let Some(frozen) = frozen {
            if signal == Signal::SIGSTOP { frozen.thaw().await } else { frozen.gone().await }
        }
        (self.lead.training(&id).await, reached)
    }

    async fn check(&self, job: &Value, point: u64) {
        assert_eq!(job["status"], "completed", "point {point}: {job:#}");
        let id = job["id"].as_str().unwrap();
        let states = self.lead.training_states(id).await;
        assert_eq!(states, ["queued", "running", "evaluating", "completed"], "point {point}");
        let events = self.lead.training_events(id).await;
        let count = |kind: &str| events.iter().filter(|event| event["type"] == kind).count();
        assert_eq!((count("training.completed"), count("training.failed")), (1, 0), "point {point}");
        let curve = self.lead.get(&format!("/fine-tuning/jobs/{id}/curve")).await.expect(200);
        assert_eq!(curve["total"], 61, "point {point}");
    }

    /// Trains a job for each kill point of this test app, until one runs through untouched; returns how many were hit.
    async fn every_point(mut self, first: u64, step: u64, signal: Signal) -> u64 {
        let (job, _) = self.play(u64::MAX, signal).await;
        self.check(&job, u64::MAX).await;
        let (cost, mut jobs, mut hits) = (job["cost_usd"].clone(), 1, 0);
        for point in (first..).step_by(usize::try_from(step).unwrap()) {
            let (job, reached) = self.play(point, signal).await;
            self.check(&job, point).await;
            assert_eq!(job["cost_usd"], cost, "point {point}");
            jobs += 1;
            if !reached {
                break;
            }
            hits += 1;
        }
        let owner = self.world.superuser().await;
        let spent = owner.number("select sum(cost_micros)::bigint from tenant_usage").await;
        let each: i64 = cost.as_str().unwrap().replace('.', "").parse().unwrap();
        assert_eq!(spent, jobs * each, "each job is paid once");
        let left = "select count(*) from training_jobs where lease_until is not null or next_step_at is not null";
        assert_eq!(owner.number(left).await, 0);
        hits
    }
}

async fn all_points(step: u64, signal: Signal) -> u64 {
    let worlds = (0..WORLDS).map(|first| async move { Stage::new().await.every_point(first, step, signal).await });
    join_all(worlds).await.iter().sum()
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_process_killed_at_any_training_step_is_taken_over_and_the_job_runs_once() {
    let hits = all_points(WORLDS, Signal::SIGKILL).await;
    println!("killed at {hits} points");
    assert!(hits > 10, "only {hits} points");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_process_that_wakes_when_its_training_was_taken_over_changes_nothing() {
    let hits = all_points(4 * WORLDS, Signal::SIGSTOP).await;
    println!("frozen at {hits} points");
    assert!(hits > 3, "only {hits} points");
}
