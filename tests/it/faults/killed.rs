//! The process that does the work is killed, or frozen, at every single thing that it asks of Postgres, Redis or the
//! agent, and another takes over.

use std::{sync::Arc, time::Duration};

use futures_util::future::join_all;
use harness::{Caller, Options, PATIENCE, World, redis_url};
use nix::sys::signal::Signal;
use serde_json::json;
use shared::{auth::Role, job::Lane};
use tokio::time::{Instant, sleep};

use super::{
    agent::{Watched, nothing, platform},
    fuse::{Fuse, Wire, address, through},
    host::{Agent, Host, options},
    story,
};

/// How many worlds share the points among them.
const LANES: u64 = 4;

/// A world whose work is done by another process, behind a fuse.
struct Stage {
    world: World,
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
        let world = World::idle(Options { agents: vec![platform(runtime)], ..options() }).await;
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

    /// Hands the bells that the API rang over to the process.
    async fn carry_bells(&mut self) {
        for lane in [Lane::Dispatch, Lane::Observe] {
            for delivery in self.world.app.queue.receive(lane, 10, Duration::ZERO).await.unwrap() {
                if let (Ok(job), Some(host)) = (&delivery.job, &mut self.host) {
                    host.ring(job).await;
                }
                self.world.app.queue.delete(&delivery.receipt).await.unwrap();
            }
        }
    }

    /// Plays a session, with the signal sent to its process at a point. Answers its id and whether the point was reached.
    async fn play(&mut self, point: u64, signal: Signal) -> (String, bool) {
        let config = json!({"agent": "watched", "script": story::asking()});
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
            self.carry_bells().await;
            let session = self.caller.session(&id).await;
            if story::is_over(&session) {
                break;
            }
            if session["pause_reason"] == "input" {
                story::answer(&self.caller, &id).await;
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

    async fn check(&self, id: &str, point: u64, told: &[String]) {
        story::right(&self.world, &self.caller, id).await;
        assert_eq!((self.agent.count("dispatch", id), self.agent.count("say", id)), (2, 1), "point {point}");
        let events = self.caller.events(id).await;
        let gists: Vec<_> = events.iter().map(story::gist).collect();
        assert_eq!(gists, told, "point {point}");
    }

    /// Plays a session for each of the points of this lane, until one runs through untouched; says how many were hit.
    async fn every_point(mut self, lane: u64, step: u64, signal: Signal) -> u64 {
        let (untouched, _) = self.play(u64::MAX, signal).await;
        let told: Vec<_> = self.caller.events(&untouched).await.iter().map(story::gist).collect();
        self.check(&untouched, u64::MAX, &told).await;
        let (mut hits, mut stories) = (0, 1);
        for point in (lane..).step_by(usize::try_from(step).unwrap()) {
            let (id, reached) = self.play(point, signal).await;
            self.check(&id, point, &told).await;
            stories += 1;
            if !reached {
                break;
            }
            hits += 1;
        }
        story::counted(&self.world, stories).await;
        hits
    }
}

async fn all_points(step: u64, signal: Signal) -> u64 {
    let lanes = (0..LANES).map(|lane| async move { Stage::new().await.every_point(lane, step, signal).await });
    join_all(lanes).await.iter().sum()
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_process_killed_at_any_step_is_taken_over_and_the_story_is_told_once() {
    let hits = all_points(LANES, Signal::SIGKILL).await;
    println!("killed at {hits} points");
    assert!(hits > 40, "only {hits} points");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_process_that_wakes_after_its_lease_was_taken_over_changes_nothing() {
    let hits = all_points(3 * LANES, Signal::SIGSTOP).await;
    println!("frozen at {hits} points");
    assert!(hits > 12, "only {hits} points");
}
