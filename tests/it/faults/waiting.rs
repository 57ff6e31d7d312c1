//! Those who wait: for a time, for a parent, for a slot. A crash between two writes must leave none of them behind.

use std::time::Duration;

use harness::{PATIENCE, TestApp};
use rand::RngExt;
use serde_json::json;
use shared::{
    identity::auth::Role,
    platform::queue::job::{Job, QueueName},
};
use tokio::time::{Instant, sleep};

use super::{
    messages::{taken, undelivered},
    scenario,
};
use crate::random::seeded;

/// Short, because each interrupted step holds its session for so long.
const LEASE: Duration = Duration::from_millis(700);

/// Lets a future run for so many polls and drops it there, as a crash would.
async fn interrupted(polls: usize, work: impl Future) -> bool {
    let mut work = Box::pin(work);
    for _ in 0..polls {
        let once = std::future::poll_fn(|context| std::task::Poll::Ready(work.as_mut().poll(context).is_ready()));
        if once.await {
            return true;
        }
        sleep(Duration::from_millis(1)).await;
    }
    false
}

/// The next message, at its time.
async fn next(world: &TestApp, queue_name: QueueName) -> Job {
    let deliveries = world.app.queue.receive(queue_name, 1, Duration::from_secs(10)).await.unwrap();
    world.app.queue.delete(&deliveries[0].receipt).await.unwrap();
    deliveries[0].job.clone().unwrap()
}

async fn reconcile_until(
    world: &TestApp,
    memory: &shared::platform::queue::MemoryQueue,
    what: &str,
    mut holds: impl AsyncFnMut() -> bool,
) {
    let late = Instant::now() + PATIENCE;
    while !holds().await {
        assert!(Instant::now() < late, "{what}");
        functions::jobs::run(&world.app, Job::reconcile()).await.unwrap();
        for job in taken(memory) {
            _ = functions::jobs::run(&world.app, job).await;
        }
        sleep(Duration::from_millis(5)).await;
    }
}

#[tokio::test]
async fn a_paused_session_whose_resumption_is_interrupted_anywhere_still_resumes() {
    let (world, memory) = undelivered(Vec::new(), LEASE).await;
    let caller = world.caller(Role::Member);
    for polls in (1..800).step_by(8) {
        let id = caller.run_script(json!([{"do": "limit", "seconds": 0}, {"do": "say", "text": "Done."}])).await;
        for queue_name in [QueueName::Dispatch, QueueName::Observe] {
            functions::jobs::run(&world.app, next(&world, queue_name).await).await.unwrap();
        }
        assert_eq!(caller.session(&id).await["status"], "paused");
        let wake = next(&world, QueueName::Observe).await;
        let whole = interrupted(polls, functions::jobs::run(&world.app, wake)).await;
        drop(taken(&memory));
        reconcile_until(&world, &memory, "woken", async || caller.session(&id).await["status"] == "completed").await;
        assert_eq!(caller.states(&id).await, ["queued", "running", "paused", "running", "completed"]);
        if whole {
            return;
        }
    }
    panic!("the waking never came to its end");
}

#[tokio::test]
async fn waiting_children_of_a_failed_session_are_cancelled_despite_a_crash_at_its_end() {
    let (world, memory) = undelivered(Vec::new(), LEASE).await;
    let caller = world.caller(Role::Member);
    for polls in (1..800).step_by(8) {
        let script = json!([{"do": "fail", "category": "user", "message": "no"}]);
        let config = json!({"agent": "scripted", "script": script});
        let parent = caller.new_session(json!({"agent_config": config})).await;
        let child = caller.new_session(json!({"parent_id": parent})).await;
        let below = caller.new_session(json!({"parent_id": child})).await;
        caller.act(&format!("/sessions/{parent}/start")).await.expect(202);
        functions::jobs::run(&world.app, next(&world, QueueName::Dispatch).await).await.unwrap();
        let look = next(&world, QueueName::Observe).await;
        let whole = interrupted(polls, functions::jobs::run(&world.app, look)).await;
        drop(taken(&memory));
        reconcile_until(&world, &memory, "orphaned", async || {
            let states = [&parent, &child, &below].map(|id| caller.session(id));
            let [parent, child, below] = futures_util::future::join_all(states).await.try_into().unwrap();
            parent["status"] == "failed" && child["status"] == "orphaned" && below["status"] == "orphaned"
        })
        .await;
        let later = caller.new_session(json!({"parent_id": parent})).await;
        functions::jobs::run(&world.app, Job::reconcile()).await.unwrap();
        assert_eq!(caller.session(&later).await["status"], "pending", "it never waited on the one that failed");
        if whole {
            return;
        }
    }
    panic!("the end never came to its end");
}

#[tokio::test]
async fn queued_sessions_start_despite_a_crash_as_a_slot_became_free() {
    let (world, memory) = undelivered(Vec::new(), LEASE).await;
    let caller = world.caller(Role::Member);
    let mut ids = Vec::new();
    for n in 0..12 {
        ids.push(caller.run_script(scenario::one_of_many(n)).await);
    }
    let mut random = seeded();
    let crashing = async {
        loop {
            functions::jobs::run(&world.app, Job::reconcile()).await.unwrap();
            for job in taken(&memory) {
                // Every other step dies somewhere on its way.
                let polls = if random.random() { random.random_range(1..60) } else { usize::MAX };
                interrupted(polls, functions::jobs::run(&world.app, job)).await;
            }
            sleep(Duration::from_millis(5)).await;
        }
    };
    let most = tokio::select! {
        most = scenario::over(&caller, &ids) => most,
        never = crashing => never,
    };
    assert!(most <= 4, "{most} ran at once");
    for id in &ids {
        scenario::right(&world, &caller, id).await;
    }
    scenario::counted(&world, ids.len()).await;
}
