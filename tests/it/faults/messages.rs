//! Each message comes twice, or never, or late and out of order: the rows say what is due, and that alone is done.

use std::{ops::ControlFlow, time::Duration};

use futures_util::future::join_all;
use harness::{Caller, Options, World};
use serde_json::json;
use shared::{
    agent::PlatformAgent,
    app::App,
    auth::Role,
    job::{Job, Lane},
    queue::{Limits, Memory, Queue},
    tenant,
};
use tokio::{task::JoinSet, time::sleep};

use super::story;

const SESSIONS: usize = 12;
const AT_ONCE: usize = 4;

/// A world whose messages a test delivers itself, with the lease of a step.
pub(super) async fn undelivered(agents: Vec<PlatformAgent>, lease: Duration) -> (World, Memory) {
    let memory = Memory::new(Limits::default());
    let limits = tenant::Limits { max_concurrent_sessions: 4, ..tenant::Limits::default() };
    let queue = Some(Queue::Memory(memory.clone()));
    let mut options = Options { queue, limits, agents, ..Options::default() };
    options.settings.step_lease = lease;
    (World::idle(options).await, memory)
}

/// Takes all messages that were sent.
pub(super) fn taken(memory: &Memory) -> Vec<Job> {
    Lane::ALL.into_iter().flat_map(|lane| memory.drain(lane)).collect()
}

async fn start_many(caller: &Caller) -> Vec<String> {
    let mut ids = Vec::new();
    for n in 0..SESSIONS {
        ids.push(caller.run_script(story::one_of_many(n)).await);
    }
    ids
}

/// Does a job as a host would: an error is logged there, and the sweep comes back to the row.
async fn work(app: App, job: Job) {
    if let Ok(shared::job::Verdict::Later(after)) = functions::work::run(&app, job.clone()).await {
        app.queue.send_after(&job, after).await.unwrap();
    }
}

/// Runs many sessions with a way of delivering messages, until all are over; checks each.
async fn run_with(deliver: impl AsyncFn(&World, &Memory) -> ControlFlow<()>) {
    let (world, memory) = undelivered(Vec::new(), Duration::from_secs(5)).await;
    let caller = world.caller(Role::Member);
    let ids = start_many(&caller).await;
    let delivery = async {
        while deliver(&world, &memory).await.is_continue() {
            tokio::task::yield_now().await;
        }
    };
    let most = tokio::select! {
        most = story::over(&caller, &ids) => most,
        () = delivery => unreachable!("messages are delivered for ever"),
    };
    assert!(most <= AT_ONCE, "{most} sessions ran at once");
    // What was broken off with the delivery is due again and done now, so that nothing but the end is looked at.
    while let Some(job) = taken(&memory).pop() {
        work(world.app.clone(), job).await;
    }
    for id in &ids {
        story::right(&world, &caller, id).await;
    }
    story::counted(&world, SESSIONS).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn messages_that_come_twice_at_once_have_one_effect() {
    run_with(async |world, _| {
        // Those that are on their way come at their time; each is done by two at once.
        for lane in [Lane::Dispatch, Lane::Observe] {
            let deliveries = world.app.queue.receive(lane, 10, Duration::from_millis(2)).await.unwrap();
            let mut twice = JoinSet::new();
            for delivery in deliveries {
                let job = delivery.job.clone().unwrap();
                twice.spawn(work(world.app.clone(), job.clone()));
                twice.spawn(work(world.app.clone(), job));
                world.app.queue.delete(&delivery.receipt).await.unwrap();
            }
            twice.join_all().await;
        }
        ControlFlow::Continue(())
    })
    .await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn when_every_message_is_lost_the_sweep_alone_brings_all_to_their_end() {
    run_with(async |world, memory| {
        drop(taken(memory));
        functions::work::run(&world.app, Job::sweep()).await.unwrap();
        join_all(taken(memory).into_iter().map(|job| work(world.app.clone(), job))).await;
        sleep(Duration::from_millis(5)).await;
        ControlFlow::Continue(())
    })
    .await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn messages_that_come_late_out_of_order_and_some_of_them_twice_do_no_harm() {
    let late: std::sync::Mutex<Vec<Job>> = std::sync::Mutex::default();
    run_with(async |world, memory| {
        let picked: Vec<Job> = {
            let mut late = late.lock().unwrap();
            late.extend(taken(memory));
            let count = late.len();
            (0..count.min(8))
                .map(|_| {
                    let at = rand::random_range(0..late.len());
                    // Some come again later.
                    if rand::random_bool(0.3) { late[at].clone() } else { late.swap_remove(at) }
                })
                .collect()
        };
        let mut working = JoinSet::new();
        for job in picked {
            let app = world.app.clone();
            working.spawn(async move {
                sleep(Duration::from_millis(rand::random_range(0..40))).await;
                work(app, job).await;
            });
        }
        working.join_all().await;
        // A message that came before its time is spent: the sweep rings again.
        functions::work::run(&world.app, Job::sweep()).await.unwrap();
        ControlFlow::Continue(())
    })
    .await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn two_workers_at_one_step_have_one_effect_also_without_redis() {
    // An address where nobody listens: the rows alone keep the two apart.
    let options = Options { redis_url: Some("redis://127.0.0.1:1".to_owned()), ..Options::default() };
    let world = World::idle(options).await;
    let caller = world.caller(Role::Member);
    let id = caller.run_script(json!([{"do": "say", "text": "I begin."}, {"do": "say", "text": "Done."}])).await;
    // How many messages it takes depends on who meets whom: one who admits while others ask leaves the handover to a
    // message of its own.
    while caller.session(&id).await["status"] != "completed" {
        for lane in [Lane::Dispatch, Lane::Observe] {
            for delivery in world.app.queue.receive(lane, 10, Duration::from_millis(20)).await.unwrap() {
                let job = delivery.job.clone().unwrap();
                join_all((0..4).map(|_| work(world.app.clone(), job.clone()))).await;
                world.app.queue.delete(&delivery.receipt).await.unwrap();
            }
        }
    }
    assert_eq!(caller.session(&id).await["status"], "completed");
    let events = caller.events(&id).await;
    let said: Vec<_> = events.iter().filter_map(|event| event["payload"]["text"].as_str()).collect();
    assert_eq!(said, ["I begin.", "Done."]);
    assert_eq!(caller.states(&id).await, ["queued", "running", "completed"]);
}
