//! The workspace of a session that is gone, with its tenant or alone: its agent gives it back, whatever dies or stays
//! away.

use std::{
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
    },
    time::Duration,
};

use chrono::TimeDelta;
use futures_util::FutureExt;
use harness::{Options, TestApp, superuser::Superuser};
use serde_json::json;
use shared::{
    identity::auth::Role,
    kernel::{clock::Clock, failure::Failure},
    platform::queue::{
        Limits, MemoryQueue, Queue,
        job::{Job, QueueName},
    },
};

use super::agent::{Hook, Watched, nothing, platform};

const LEFT: &str = "select count(*) from workspace_releases";

/// A test app with a completed session at an agent that can be made unreachable.
struct Stage {
    world: TestApp,
    memory: MemoryQueue,
    owner: Superuser,
    agent: Arc<Watched>,
    away: Arc<AtomicBool>,
    id: String,
}

impl Stage {
    async fn new() -> Self {
        let away = Arc::new(AtomicBool::new(false));
        let agent = Watched::new(unreachable_when(&away), nothing());
        let memory = MemoryQueue::new(Limits::default());
        let world = TestApp::idle(Options {
            clock: Clock::fixed(Clock::System.now()),
            agents: vec![platform(agent.clone())],
            queue: Some(Queue::Memory(memory.clone())),
            ..Options::default()
        })
        .await;
        let config = json!({"agent": "watched", "script": [{"do": "say", "text": "Done."}]});
        let caller = world.caller(Role::Member);
        let id = caller.start_session(json!({"agent_config": config})).await;
        let stage = Self { owner: world.superuser().await, world, memory, agent, away, id };
        while caller.session(&stage.id).await["status"] != "completed" {
            stage.after(Duration::from_secs(1)).await;
        }
        stage
    }

    /// Runs everything that is due after some time, found by the reconciler alone.
    async fn after(&self, time: Duration) {
        self.world.app.clock.advance(TimeDelta::from_std(time).unwrap());
        self.discard_messages();
        self.world.run(Job::reconcile()).await;
        for job in QueueName::ALL.into_iter().flat_map(|queue_name| self.memory.drain(queue_name)) {
            self.world.run(job).await;
        }
    }

    /// As when the process dies right after the commit.
    fn discard_messages(&self) {
        for queue_name in QueueName::ALL {
            self.memory.drain(queue_name);
        }
    }

    async fn delete_session(&self) {
        self.world.caller(Role::Member).delete(&format!("/sessions/{}", self.id)).await.expect(204);
    }

    fn releases(&self) -> usize {
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
async fn a_deletion_enqueues_the_workspace_release_and_does_not_call_the_agent() {
    let stage = Stage::new().await;
    stage.discard_messages();
    stage.delete_session().await;
    assert_eq!(stage.releases(), 0);
    let job = Job::release_workspace(stage.world.tenant.id, stage.id.parse().unwrap());
    assert_eq!(stage.memory.drain(QueueName::Observe), std::slice::from_ref(&job));
    stage.world.run(job.clone()).await;
    assert_eq!((stage.releases(), stage.owner.number(LEFT).await), (1, 0));
    stage.world.run(job).await;
    assert_eq!(stage.releases(), 1, "a message that is delivered twice finds nothing to do");
}

#[tokio::test]
async fn a_workspace_whose_wake_up_was_lost_is_released_by_the_reconciler() {
    let stage = Stage::new().await;
    stage.delete_session().await;
    stage.after(Duration::ZERO).await;
    assert_eq!((stage.releases(), stage.owner.number(LEFT).await), (1, 0));
    let call = stage.agent.calls("release").remove(0);
    assert_eq!((&call.session, call.run), (&stage.id, 1), "by the names that the agent knows it by");
}

#[tokio::test]
async fn the_workspace_release_at_an_absent_agent_is_retried_with_back_off() {
    let stage = Stage::new().await;
    stage.away.store(true, Ordering::SeqCst);
    stage.delete_session().await;
    for (minutes, attempts) in [(0, 1), (1, 1), (1, 2), (2, 2), (2, 3), (8, 4), (16, 5), (32, 6), (60, 7), (59, 7)] {
        stage.after(Duration::from_mins(minutes)).await;
        assert_eq!(stage.owner.number("select attempts::bigint from workspace_releases").await, attempts);
    }
    stage.away.store(false, Ordering::SeqCst);
    stage.after(Duration::from_mins(1)).await;
    assert_eq!((stage.releases(), stage.owner.number(LEFT).await), (1, 0));
}

#[tokio::test]
async fn the_release_of_a_workspace_is_abandoned_after_a_week() {
    let stage = Stage::new().await;
    stage.away.store(true, Ordering::SeqCst);
    stage.delete_session().await;
    stage.after(Duration::from_hours(6 * 24)).await;
    assert_eq!(stage.owner.number(LEFT).await, 1);
    stage.after(Duration::from_hours(24)).await;
    assert_eq!(stage.owner.number(LEFT).await, 0);
}

#[tokio::test]
async fn workspaces_of_a_removed_tenant_are_released_when_their_agent_returns() {
    let stage = Stage::new().await;
    stage.away.store(true, Ordering::SeqCst);
    let other = stage.world.another_tenant().await;
    let (admin, place) =
        (stage.world.caller_of(&other, Role::Admin), format!("/api/v1/tenants/{}", stage.world.tenant.id));
    admin.patch(&place, json!({"is_active": false})).await.expect(200);
    assert_eq!(admin.delete(&place).await.status, 204);
    assert_eq!(stage.owner.number("select count(*) from sessions").await, 0);
    stage.after(Duration::ZERO).await;
    assert_eq!((stage.releases(), stage.owner.number(LEFT).await), (0, 1));
    stage.away.store(false, Ordering::SeqCst);
    stage.after(Duration::from_mins(2)).await;
    assert_eq!((stage.releases(), stage.owner.number(LEFT).await), (1, 0));
}

#[tokio::test]
async fn a_released_workspace_is_not_released_again() {
    let stage = Stage::new().await;
    stage.after(Duration::from_hours(25)).await;
    assert_eq!(stage.releases(), 1);
    stage.delete_session().await;
    assert_eq!(stage.owner.number(LEFT).await, 0);
}

#[tokio::test]
async fn an_uncommitted_deletion_schedules_no_workspace_release() {
    let stage = Stage::new().await;
    stage.owner.run("alter table audit_entries add constraint no check (action <> 'session.delete')").await;
    let refused = stage.world.caller(Role::Member).delete(&format!("/sessions/{}", stage.id)).await;
    assert_eq!(refused.status, 500);
    assert_eq!(stage.owner.number(LEFT).await, 0);
    stage.after(Duration::ZERO).await;
    assert_eq!(stage.releases(), 0);
}
