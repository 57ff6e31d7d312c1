//! Each message comes twice, or never, or late and out of order: the rows say what is due, and that alone is done.

use std::{ops::ControlFlow, sync::Mutex, time::Duration};

use futures_util::future::join_all;
use harness::{Caller, Options, TestApp};
use rand::{RngExt, rngs::SmallRng};
use serde_json::json;
use shared::{
    agents::registry::PlatformAgent,
    app::App,
    identity::{auth::Role, tenants},
    platform::queue::{
        Limits, MemoryQueue, Queue,
        job::{Job, QueueName},
    },
};
use tokio::{task::JoinSet, time::sleep};

use super::scenario;
use crate::random::seeded;

const SESSIONS: usize = 12;
const AT_ONCE: usize = 4;

/// A test app whose messages the test delivers itself, with the lease of a step.
pub(super) async fn undelivered(agents: Vec<PlatformAgent>, lease: Duration) -> (TestApp, MemoryQueue) {
    let memory = MemoryQueue::new(Limits::default());
    let limits = tenants::TenantLimits { max_concurrent_sessions: 4, ..tenants::TenantLimits::default() };
    let queue = Some(Queue::Memory(memory.clone()));
    let mut options = Options { queue, limits, agents, ..Options::default() };
    options.settings.step_lease = lease;
    (TestApp::idle(options).await, memory)
}

/// Takes all messages that were sent.
pub(super) fn taken(memory: &MemoryQueue) -> Vec<Job> {
    QueueName::ALL.into_iter().flat_map(|queue_name| memory.drain(queue_name)).collect()
}

async fn start_many(caller: &Caller) -> Vec<String> {
    let mut ids = Vec::new();
    for n in 0..SESSIONS {
        ids.push(caller.run_script(scenario::one_of_many(n)).await);
    }
    ids
}

/// Runs a job like a host: an error is logged, and the reconciler finds the row again.
async fn work(app: App, job: Job) {
    if let Ok(shared::platform::queue::job::JobOutcome::Snooze(after)) = functions::jobs::run(&app, job.clone()).await {
        app.queue.send_after(&job, after).await.unwrap();
    }
}

/// Runs many sessions with a way of delivering messages, until all are over; checks each.
async fn run_with(deliver: impl AsyncFn(&TestApp, &MemoryQueue) -> ControlFlow<()>) {
    let (world, memory) = undelivered(Vec::new(), Duration::from_secs(5)).await;
    let caller = world.caller(Role::Member);
    let ids = start_many(&caller).await;
    let delivery = async {
        while deliver(&world, &memory).await.is_continue() {
            tokio::task::yield_now().await;
        }
    };
    let most = tokio::select! {
        most = scenario::over(&caller, &ids) => most,
        () = delivery => unreachable!("messages are delivered for ever"),
    };
    assert!(most <= AT_ONCE, "{most} sessions ran at once");
    // Interrupted jobs are due again and run now, so that only the final state is checked.
    while let Some(job) = taken(&memory).pop() {
        work(world.app.clone(), job).await;
    }
    for id in &ids {
        scenario::right(&world, &caller, id).await;
    }
    scenario::counted(&world, SESSIONS).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn messages_delivered_twice_concurrently_have_one_effect() {
    run_with(async |world, _| {
        // Those that are on their way come at their time; each is done by two at once.
        for queue_name in [QueueName::Dispatch, QueueName::Observe] {
            let deliveries = world.app.queue.receive(queue_name, 10, Duration::from_millis(2)).await.unwrap();
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
async fn the_reconciler_alone_finishes_all_sessions_when_every_message_is_lost() {
    run_with(async |world, memory| {
        drop(taken(memory));
        functions::jobs::run(&world.app, Job::reconcile()).await.unwrap();
        join_all(taken(memory).into_iter().map(|job| work(world.app.clone(), job))).await;
        sleep(Duration::from_millis(5)).await;
        ControlFlow::Continue(())
    })
    .await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn late_reordered_and_repeated_messages_do_no_harm() {
    let late: Mutex<(Vec<Job>, SmallRng)> = Mutex::new((Vec::new(), seeded()));
    run_with(async |world, memory| {
        let picked: Vec<(Job, Duration)> = {
            let (late, random) = &mut *late.lock().unwrap();
            late.extend(taken(memory));
            let count = late.len();
            (0..count.min(8))
                .map(|_| {
                    let at = random.random_range(0..late.len());
                    // Some are delivered again later.
                    let job = if random.random_bool(0.3) { late[at].clone() } else { late.swap_remove(at) };
                    (job, Duration::from_millis(random.random_range(0..40)))
                })
                .collect()
        };
        let mut working = JoinSet::new();
        for (job, delay) in picked {
            let app = world.app.clone();
            working.spawn(async move {
                sleep(delay).await;
                work(app, job).await;
            });
        }
        working.join_all().await;
        // A message that arrived before its time is consumed: the reconciler enqueues it again.
        functions::jobs::run(&world.app, Job::reconcile()).await.unwrap();
        ControlFlow::Continue(())
    })
    .await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn two_workers_on_one_step_have_one_effect_even_without_redis() {
    // An address where nobody listens: the rows alone keep the two apart.
    let options = Options { redis_url: Some("redis://127.0.0.1:1".to_owned()), ..Options::default() };
    let world = TestApp::idle(options).await;
    let caller = world.caller(Role::Member);
    let id = caller.run_script(json!([{"do": "say", "text": "I begin."}, {"do": "say", "text": "Done."}])).await;
    // How many messages it takes depends on who meets whom: one who admits while others ask leaves the handover to a
    // message of its own.
    while caller.session(&id).await["status"] != "completed" {
        for queue_name in [QueueName::Dispatch, QueueName::Observe] {
            for delivery in world.app.queue.receive(queue_name, 10, Duration::from_millis(20)).await.unwrap() {
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
