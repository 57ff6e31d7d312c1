//! The workspace of a session that is gone, with its tenant or alone: its agent gives it back, whatever dies or stays away.

use std::{
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
    },
    time::Duration,
};

use chrono::TimeDelta;
use futures_util::FutureExt;
use harness::{Options, World, owner::Owner};
use serde_json::json;
use shared::{
    auth::Role,
    clock::Clock,
    job::{Job, Lane},
    queue::{Limits, Memory, Queue},
    session::outcome::Failure,
};

use super::agent::{Hook, Watched, nothing, platform};

const LEFT: &str = "select count(*) from workspaces_left";

/// A world with a completed session at an agent that can be out of reach.
struct Stage {
    world: World,
    memory: Memory,
    owner: Owner,
    agent: Arc<Watched>,
    away: Arc<AtomicBool>,
    id: String,
}

impl Stage {
    async fn new() -> Self {
        let away = Arc::new(AtomicBool::new(false));
        let agent = Watched::new(unreachable_when(&away), nothing());
        let memory = Memory::new(Limits::default());
        let world = World::idle(Options {
            clock: Clock::fixed(Clock::System.now()),
            agents: vec![platform(agent.clone())],
            queue: Some(Queue::Memory(memory.clone())),
            ..Options::default()
        })
        .await;
        let config = json!({"agent": "watched", "script": [{"do": "say", "text": "Done."}]});
        let caller = world.caller(Role::Member);
        let id = caller.start_session(json!({"agent_config": config})).await;
        let stage = Self { owner: world.owner().await, world, memory, agent, away, id };
        while caller.session(&stage.id).await["status"] != "completed" {
            stage.after(Duration::from_secs(1)).await;
        }
        stage
    }

    /// Does all that is due after some time, found by the sweep alone.
    async fn after(&self, time: Duration) {
        self.world.app.clock.advance(TimeDelta::from_std(time).unwrap());
        self.forget_bells();
        self.world.run(Job::sweep()).await;
        for job in Lane::ALL.into_iter().flat_map(|lane| self.memory.drain(lane)) {
            self.world.run(job).await;
        }
    }

    /// As when the process dies right after the commit.
    fn forget_bells(&self) {
        for lane in Lane::ALL {
            self.memory.drain(lane);
        }
    }

    async fn delete_session(&self) {
        self.world.caller(Role::Member).delete(&format!("/sessions/{}", self.id)).await.expect(204);
    }

    fn given_back(&self) -> usize {
        self.agent.calls("release").len()
    }
}

fn unreachable_when(away: &Arc<AtomicBool>) -> Hook {
    let away = away.clone();
    Box::new(move |_| {
        let away = away.load(Ordering::SeqCst);
        async move { if away { Err(Failure::transient("AGENT_UNREACHABLE", "It is away.")) } else { Ok(()) } }.boxed()
    })
}

#[tokio::test]
async fn a_deletion_rings_for_the_workspace_and_asks_the_agent_nothing_itself() {
    let stage = Stage::new().await;
    stage.forget_bells();
    stage.delete_session().await;
    assert_eq!(stage.given_back(), 0);
    let bell = Job::give_back(stage.world.tenant.id, stage.id.parse().unwrap());
    assert_eq!(stage.memory.drain(Lane::Observe), std::slice::from_ref(&bell));
    stage.world.run(bell.clone()).await;
    assert_eq!((stage.given_back(), stage.owner.number(LEFT).await), (1, 0));
    stage.world.run(bell).await;
    assert_eq!(stage.given_back(), 1, "a bell that rings twice finds nothing to do");
}

#[tokio::test]
async fn a_workspace_whose_bell_was_lost_is_given_back_by_the_sweep() {
    let stage = Stage::new().await;
    stage.delete_session().await;
    stage.after(Duration::ZERO).await;
    assert_eq!((stage.given_back(), stage.owner.number(LEFT).await), (1, 0));
    let call = stage.agent.calls("release").remove(0);
    assert_eq!((&call.session, call.run), (&stage.id, 1), "by the names that the agent knows it by");
}

#[tokio::test]
async fn an_agent_that_is_away_is_asked_again_later_and_later() {
    let stage = Stage::new().await;
    stage.away.store(true, Ordering::SeqCst);
    stage.delete_session().await;
    for (minutes, attempts) in [(0, 1), (1, 1), (1, 2), (2, 2), (2, 3), (8, 4), (16, 5), (32, 6), (60, 7), (59, 7)] {
        stage.after(Duration::from_mins(minutes)).await;
        assert_eq!(stage.owner.number("select attempts::bigint from workspaces_left").await, attempts);
    }
    stage.away.store(false, Ordering::SeqCst);
    stage.after(Duration::from_mins(1)).await;
    assert_eq!((stage.given_back(), stage.owner.number(LEFT).await), (1, 0));
}

#[tokio::test]
async fn after_a_week_a_workspace_is_given_up() {
    let stage = Stage::new().await;
    stage.away.store(true, Ordering::SeqCst);
    stage.delete_session().await;
    stage.after(Duration::from_hours(6 * 24)).await;
    assert_eq!(stage.owner.number(LEFT).await, 1);
    stage.after(Duration::from_hours(24)).await;
    assert_eq!(stage.owner.number(LEFT).await, 0);
}

#[tokio::test]
async fn the_workspaces_of_a_removed_tenant_are_given_back_when_their_agent_is_there_again() {
    let stage = Stage::new().await;
    stage.away.store(true, Ordering::SeqCst);
    let other = stage.world.another_tenant().await;
    let (admin, place) =
        (stage.world.caller_of(&other, Role::Admin), format!("/api/v1/tenants/{}", stage.world.tenant.id));
    admin.patch(&place, json!({"is_active": false})).await.expect(200);
    assert_eq!(admin.delete(&place).await.status, 204);
    assert_eq!(stage.owner.number("select count(*) from sessions").await, 0);
    stage.after(Duration::ZERO).await;
    assert_eq!((stage.given_back(), stage.owner.number(LEFT).await), (0, 1));
    stage.away.store(false, Ordering::SeqCst);
    stage.after(Duration::from_mins(2)).await;
    assert_eq!((stage.given_back(), stage.owner.number(LEFT).await), (1, 0));
}

#[tokio::test]
async fn a_workspace_that_was_given_back_before_is_not_asked_for_again() {
    let stage = Stage::new().await;
    stage.after(Duration::from_hours(25)).await;
    assert_eq!(stage.given_back(), 1);
    stage.delete_session().await;
    assert_eq!(stage.owner.number(LEFT).await, 0);
}

#[tokio::test]
async fn a_deletion_that_is_not_committed_leaves_no_workspace_to_give_back() {
    let stage = Stage::new().await;
    stage.owner.run("alter table audit_entries add constraint no check (action <> 'session.delete')").await;
    let refused = stage.world.caller(Role::Member).delete(&format!("/sessions/{}", stage.id)).await;
    assert_eq!(refused.status, 500);
    assert_eq!(stage.owner.number(LEFT).await, 0);
    stage.after(Duration::ZERO).await;
    assert_eq!(stage.given_back(), 0);
}
