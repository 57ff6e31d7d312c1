//! The process that does the work is killed, or frozen, at every single thing that it asks of Postgres, Redis or the
//! agent, and another takes over.

use std::{sync::Arc, time::Duration};

use futures_util::future::join_all;
use harness::{Caller, Options, PATIENCE, TestApp, redis_url};
use nix::sys::signal::Signal;
use serde_json::json;
use shared::{identity::auth::Role, platform::queue::job::QueueName};
use tokio::time::{Instant, sleep};

use super::{
    agent::{Watched, nothing, platform},
    host::{Agent, Host, options},
    kill_points::{Fuse, Wire, address, through},
    scenario,
};

/// How many test apps share the kill points.
const QUEUES: u64 = 4;

/// A test app whose jobs another process runs, behind kill points.
struct Stage {
    world: TestApp,
    caller: Caller,
    fuse: Arc<Fuse>,
    agent: Agent,
    database: Wire,
    redis: Wire,
    host: Option<Host>,
}

impl Stage {
    async fn new() -> Self {
        let runtime = Watched::new(nothing(), nothing());
        let world = TestApp::idle(Options { agents: vec![platform(runtime)], ..options() }).await;
        let fuse = Arc::<Fuse>::default();
        let database = Wire::to(address(&world.database.url, 5432).await, fuse.clone()).await;
        let redis = Wire::to(address(&redis_url(), 6379).await, fuse.clone()).await;
        let agent = Agent::start(fuse.clone()).await;
        Self { caller: world.caller(Role::Member), world, fuse, agent, database, redis, host: None }
    }

    fn start(&self) -> Host {
        let database = through(&self.world.database.url, &self.database);
        Host::start(&database, &through(&redis_url(), &self.redis), self.agent.addr)
    }

    /// Passes the messages that the API enqueued to the process.
    async fn carry_messages(&mut self) {
        for queue_name in [QueueName::Dispatch, QueueName::Observe] {
            for delivery in self.world.app.queue.receive(queue_name, 10, Duration::ZERO).await.unwrap() {
                if let (Ok(job), Some(host)) = (&delivery.job, &mut self.host) {
                    host.enqueue(job).await;
                }
                self.world.app.queue.delete(&delivery.receipt).await.unwrap();
            }
        }
    }

    /// Plays a session, with the signal sent to its process at a point. Answers its id and whether the point was
    /// reached.
    async fn play(&mut self, point: u64, signal: Signal) -> (String, bool) {
        let config = json!({"agent": "watched", "script": scenario::asking()});
        let id = self.caller.new_session(json!({"agent_config": config})).await;
        let host = self.host.take().unwrap_or_else(|| self.start());
        self.fuse.arm(host.id(), point, signal);
        self.host = Some(host);
        self.caller.act(&format!("/sessions/{id}/start")).await.expect(202);
        let mut frozen = None;
        let late = Instant::now() + PATIENCE;
        let mut replaced = false;
        loop {
            if self.fuse.blown() && !replaced {
                replaced = true;
                match self.host.take() {
                    Some(dead) if signal == Signal::SIGKILL => dead.gone().await,
                    other => frozen = other,
                }
                self.host = Some(self.start());
            }
            self.carry_messages().await;
            let session = self.caller.session(&id).await;
            if scenario::is_over(&session) {
                break;
            }
            if session["pause_reason"] == "input" {
                scenario::answer(&self.caller, &id).await;
            }
            assert!(Instant::now() < late, "point {point}: {session:#}");
            sleep(Duration::from_millis(15)).await;
        }
        self.fuse.disarm();
        let reached = self.fuse.blown();
        if reached && !replaced {
            frozen = self.host.take();
        }
        if let Some(frozen) = frozen {
            if signal == Signal::SIGSTOP { frozen.thaw().await } else { frozen.gone().await }
        }
        (id, reached)
    }

    async fn check(&self, id: &str, point: u64, reported: &[String]) {
        scenario::right(&self.world, &self.caller, id).await;
        assert_eq!((self.agent.count("dispatch", id), self.agent.count("say", id)), (2, 1), "point {point}");
        let events = self.caller.events(id).await;
        let gists: Vec<_> = events.iter().map(scenario::gist).collect();
        assert_eq!(gists, reported, "point {point}");
    }

    /// Plays a session for each of the points of this queue, until one runs through untouched; says how many were hit.
    async fn every_point(mut self, queue_name: u64, step: u64, signal: Signal) -> u64 {
        let (untouched, _) = self.play(u64::MAX, signal).await;
        let reported: Vec<_> = self.caller.events(&untouched).await.iter().map(scenario::gist).collect();
        self.check(&untouched, u64::MAX, &reported).await;
        let (mut hits, mut stories) = (0, 1);
        for point in (queue_name..).step_by(usize::try_from(step).unwrap()) {
            let (id, reached) = self.play(point, signal).await;
            self.check(&id, point, &reported).await;
            stories += 1;
            if !reached {
                break;
            }
            hits += 1;
        }
        scenario::counted(&self.world, stories).await;
        hits
    }
}

async fn all_points(step: u64, signal: Signal) -> u64 {
    let queues =
        (0..QUEUES).map(|queue_name| async move { Stage::new().await.every_point(queue_name, step, signal).await });
    join_all(queues).await.iter().sum()
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_process_killed_at_any_step_is_taken_over_and_every_event_is_written_once() {
    let hits = all_points(QUEUES, Signal::SIGKILL).await;
    println!("killed at {hits} points");
    assert!(hits > 40, "only {hits} points");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_process_that_wakes_after_its_lease_was_taken_over_changes_nothing() {
    let hits = all_points(3 * QUEUES, Signal::SIGSTOP).await;
    println!("frozen at {hits} points");
    assert!(hits > 12, "only {hits} points");
}
