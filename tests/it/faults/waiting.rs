//! Those who wait: for a time, for a parent, for a slot. A crash between two writes must leave none of them behind.

use std::time::Duration;

use harness::{PATIENCE, World};
use serde_json::json;
use shared::{
    auth::Role,
    job::{Job, Lane},
};
use tokio::time::{Instant, sleep};

use super::{
    messages::{taken, undelivered},
    story,
};

/// Short, because each step that is broken off keeps its session so long.
const LEASE: Duration = Duration::from_millis(700);

/// Lets a future run for so many polls and drops it there, as a crash would.
async fn broken_off(polls: usize, work: impl Future) -> bool {
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
async fn next(world: &World, lane: Lane) -> Job {
    let deliveries = world.app.queue.receive(lane, 1, Duration::from_secs(10)).await.unwrap();
    world.app.queue.delete(&deliveries[0].receipt).await.unwrap();
    deliveries[0].job.clone().unwrap()
}

async fn sweep_until(world: &World, memory: &shared::queue::Memory, what: &str, mut holds: impl AsyncFnMut() -> bool) {
    let late = Instant::now() + PATIENCE;
    while !holds().await {
        assert!(Instant::now() < late, "{what}");
        functions::work::run(&world.app, Job::sweep()).await.unwrap();
        for job in taken(memory) {
            _ = functions::work::run(&world.app, job).await;
        }
        sleep(Duration::from_millis(5)).await;
    }
}

#[tokio::test]
async fn a_held_session_whose_waking_is_broken_off_anywhere_wakes_all_the_same() {
    let (world, memory) = undelivered(Vec::new(), LEASE).await;
    let caller = world.caller(Role::Member);
    for polls in (1..800).step_by(8) {
        let id = caller.run_script(json!([{"do": "limit", "seconds": 0}, {"do": "say", "text": "Done."}])).await;
        for lane in [Lane::Dispatch, Lane::Observe] {
            functions::work::run(&world.app, next(&world, lane).await).await.unwrap();
        }
        assert_eq!(caller.session(&id).await["status"], "paused");
        let wake = next(&world, Lane::Observe).await;
        let whole = broken_off(polls, functions::work::run(&world.app, wake)).await;
        drop(taken(&memory));
        sweep_until(&world, &memory, "woken", async || caller.session(&id).await["status"] == "completed").await;
        assert_eq!(caller.states(&id).await, ["queued", "running", "paused", "running", "completed"]);
        if whole {
            return;
        }
    }
    panic!("the waking never came to its end");
}

#[tokio::test]
async fn children_of_a_failed_session_are_called_off_though_the_process_died_right_after_its_end() {
    let (world, memory) = undelivered(Vec::new(), LEASE).await;
    let caller = world.caller(Role::Member);
    for polls in (1..800).step_by(8) {
        let script = json!([{"do": "fail", "category": "user", "message": "no"}]);
        let config = json!({"agent": "scripted", "script": script});
        let parent = caller.new_session(json!({"agent_config": config})).await;
        let child = caller.new_session(json!({"parent_id": parent})).await;
        let below = caller.new_session(json!({"parent_id": child})).await;
        caller.act(&format!("/sessions/{parent}/start")).await.expect(202);
        functions::work::run(&world.app, next(&world, Lane::Dispatch).await).await.unwrap();
        let look = next(&world, Lane::Observe).await;
        let whole = broken_off(polls, functions::work::run(&world.app, look)).await;
        drop(taken(&memory));
        sweep_until(&world, &memory, "called off", async || {
            let states = [&parent, &child, &below].map(|id| caller.session(id));
            let [parent, child, below] = futures_util::future::join_all(states).await.try_into().unwrap();
            parent["status"] == "failed" && child["status"] == "orphaned" && below["status"] == "orphaned"
        })
        .await;
        let later = caller.new_session(json!({"parent_id": parent})).await;
        functions::work::run(&world.app, Job::sweep()).await.unwrap();
        assert_eq!(caller.session(&later).await["status"], "pending", "it never waited on the one that failed");
        if whole {
            return;
        }
    }
    panic!("the end never came to its end");
}

#[tokio::test]
async fn queued_sessions_start_though_the_process_died_as_a_slot_became_free() {
    let (world, memory) = undelivered(Vec::new(), LEASE).await;
    let caller = world.caller(Role::Member);
    let mut ids = Vec::new();
    for n in 0..12 {
        ids.push(caller.run_script(story::one_of_many(n)).await);
    }
    let crashing = async {
        loop {
            functions::work::run(&world.app, Job::sweep()).await.unwrap();
            for job in taken(&memory) {
                // Every other step dies somewhere on its way.
                let polls = if rand::random() { rand::random_range(1..60) } else { usize::MAX };
                broken_off(polls, functions::work::run(&world.app, job)).await;
            }
            sleep(Duration::from_millis(5)).await;
        }
    };
    let most = tokio::select! {
        most = story::over(&caller, &ids) => most,
        never = crashing => never,
    };
    assert!(most <= 4, "{most} ran at once");
    for id in &ids {
        story::right(&world, &caller, id).await;
    }
    story::counted(&world, ids.len()).await;
}
