//! The moment at which the work reaches the agent: its answer is lost, the process dies, people change their minds.

use std::{
    sync::{
        Arc,
        atomic::{AtomicBool, AtomicUsize, Ordering},
    },
    time::Duration,
};

use futures_util::FutureExt;
use harness::{Caller, Options, PATIENCE, TestApp};
use serde_json::{Value, json};
use shared::{identity::auth::Role, kernel::failure::Failure, platform::queue::job::Job};
use tokio::{
    sync::Notify,
    time::{Instant, sleep},
};

use super::{
    agent::{Hook, Watched, nothing, platform},
    messages::{taken, undelivered},
    scenario,
};

/// How long a step may be silent in these claims.
const LEASE: Duration = Duration::from_millis(500);

/// Loses the answer to the first calls of a kind.
fn lose_answers(verb: &'static str, times: usize) -> Hook {
    let count = Arc::new(AtomicUsize::new(0));
    Box::new(move |call| {
        let breaks_off = call.verb == verb && count.fetch_add(1, Ordering::SeqCst) < times;
        async move {
            if breaks_off { Err(Failure::transient("AGENT_UNREACHABLE", "It broke off its answer.")) } else { Ok(()) }
        }
        .boxed()
    })
}

/// A door in front of a kind of call: callers wait there until it is opened.
#[derive(Default)]
struct Door {
    reached: Notify,
    opened: Notify,
    open: AtomicBool,
}

impl Door {
    fn at(self: &Arc<Self>, verb: &'static str) -> Hook {
        let door = self.clone();
        Box::new(move |call| {
            let door = door.clone();
            async move {
                if call.verb == verb && !door.open.load(Ordering::SeqCst) {
                    let opened = door.opened.notified();
                    door.reached.notify_one();
                    opened.await;
                }
                Ok(())
            }
            .boxed()
        })
    }

    fn open(&self) {
        self.open.store(true, Ordering::SeqCst);
        self.opened.notify_waiters();
    }
}

async fn watched(before: Hook, after: Hook) -> (TestApp, Caller, Arc<Watched>) {
    let agent = Watched::new(before, after);
    let world = TestApp::with(Options { agents: vec![platform(agent.clone())], ..Options::default() }).await;
    let caller = world.caller(Role::Member);
    (world, caller, agent)
}

async fn start(caller: &Caller, script: Value) -> String {
    caller.start_session(json!({"agent_config": {"agent": "watched", "script": script}})).await
}

async fn until(what: &str, mut holds: impl AsyncFnMut() -> bool) {
    let late = Instant::now() + PATIENCE;
    while !holds().await {
        assert!(Instant::now() < late, "{what}");
        sleep(Duration::from_millis(5)).await;
    }
}

#[tokio::test]
async fn a_lost_handover_response_still_leaves_one_run_at_the_agent() {
    let (world, caller, agent) = watched(nothing(), lose_answers("dispatch", 2)).await;
    let id = start(&caller, scenario::one_of_many(3)).await;
    caller.reaches(&id, &["completed"]).await;
    assert_eq!((agent.calls("dispatch").len(), agent.distinct("dispatch").len()), (3, 1));
    assert_eq!(caller.states(&id).await, ["queued", "running", "completed"]);
    scenario::right(&world, &caller, &id).await;
}

#[tokio::test]
async fn a_message_whose_response_is_lost_is_delivered_once() {
    let (world, caller, agent) = watched(nothing(), lose_answers("say", 2)).await;
    let id = start(&caller, scenario::asking()).await;
    scenario::over(&caller, std::slice::from_ref(&id)).await;
    assert_eq!((agent.calls("say").len(), agent.distinct("say").len()), (3, 1));
    scenario::right(&world, &caller, &id).await;
}

#[tokio::test]
async fn a_cancellation_during_the_handover_does_not_wait_for_the_reconciler() {
    let door = Arc::<Door>::default();
    let (world, caller, agent) = watched(door.at("dispatch"), nothing()).await;
    let id = start(&caller, json!([{"do": "wait", "ms": 60_000}])).await;
    door.reached.notified().await;
    caller.act(&format!("/sessions/{id}/unqueue")).await.problem(409, "INVALID_TRANSITION");
    caller.delete(&format!("/sessions/{id}")).await.problem(409, "INVALID_TRANSITION");
    caller.act(&format!("/sessions/{id}/cancel")).await.expect(202);
    // The message of the cancellation finds the step claimed; it must not be discarded.
    door.open();
    caller.reaches(&id, &["cancelled"]).await;
    assert_eq!((agent.distinct("dispatch").len(), agent.distinct("abort").len()), (1, 1));
    scenario::clean(&world, &id).await;
}

#[tokio::test]
async fn a_cancellation_after_an_unrecorded_handover_still_aborts_the_agent() {
    let door = Arc::<Door>::default();
    // The agent has the work; the process dies before it hears so.
    let (mut world, caller, agent) = watched(nothing(), door.at("dispatch")).await;
    let id = start(&caller, json!([{"do": "wait", "ms": 60_000}])).await;
    door.reached.notified().await;
    world.crash().await;
    door.open();
    caller.act(&format!("/sessions/{id}/cancel")).await.expect(202);
    world.work();
    until("cancelled by another", async || {
        functions::jobs::run(&world.app, Job::reconcile()).await.unwrap();
        caller.session(&id).await["status"] == "cancelled"
    })
    .await;
    assert_eq!((agent.distinct("dispatch").len(), agent.distinct("abort").len()), (1, 1), "the agent works on");
    scenario::clean(&world, &id).await;
}

#[tokio::test]
async fn a_session_failed_during_its_handover_stays_failed_and_frees_its_agent() {
    let door = Arc::<Door>::default();
    let (world, caller, agent) = watched(door.at("dispatch"), nothing()).await;
    let id = start(&caller, json!([{"do": "wait", "ms": 60_000}])).await;
    door.reached.notified().await;
    caller.post(&format!("/sessions/{id}/fail"), json!({"message": "Not needed."})).await.expect(200);
    door.open();
    until("the agent was aborted", async || agent.distinct("abort").len() == 1).await;
    assert_eq!(caller.states(&id).await, ["queued", "failed"]);
    scenario::clean(&world, &id).await;
}

#[tokio::test]
async fn a_message_sent_during_the_last_observation_reaches_the_agent_before_the_end() {
    let door = Arc::<Door>::default();
    let (world, caller, agent) = watched(nothing(), door.at("observe")).await;
    let id = start(&caller, json!([{"do": "say", "text": "Done."}])).await;
    door.reached.notified().await;
    caller.post(&format!("/sessions/{id}/messages"), json!({"text": "And the tests?"})).await.expect(202);
    door.open();
    caller.reaches(&id, &["completed"]).await;
    assert_eq!(agent.distinct("say").len(), 1);
    scenario::clean(&world, &id).await;
}

#[tokio::test]
async fn a_step_that_stalled_too_long_is_refused_by_the_fence() {
    let (world, memory) = undelivered(vec![platform(Watched::new(nothing(), nothing()))], LEASE).await;
    let caller = world.caller(Role::Member);
    let id = start(&caller, scenario::one_of_many(3)).await;
    let job = taken(&memory).pop().unwrap();
    // The first worker sleeps, thread and all, in the middle of its step: nothing renews its lease.
    let (database_url, opened) = (world.database.url.clone(), Arc::new(std::sync::Barrier::new(2)));
    let (wakes, asleep) = (opened.clone(), Arc::new(AtomicBool::new(false)));
    let sleeper = asleep.clone();
    let frozen: Hook = Box::new(move |call| {
        if call.verb == "dispatch" {
            sleeper.store(true, Ordering::SeqCst);
            wakes.wait();
        }
        async { Ok(()) }.boxed()
    });
    let first = std::thread::spawn(move || {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
        runtime.block_on(async {
            let agents = vec![platform(Watched::new(nothing(), frozen))];
            let app = harness::test_app::app(&database_url, &harness::redis_url(), Options { agents, ..short() });
            functions::jobs::run(&app, job).await.map(|_| ()).map_err(|error| error.detail().to_owned())
        })
    });
    until("asleep", async || asleep.load(Ordering::SeqCst)).await;
    let agents = vec![platform(Watched::new(nothing(), nothing()))];
    let mut second = TestApp::on(world.database.clone(), Options { agents, ..short() }).await;
    second.work();
    until("taken over", async || {
        functions::jobs::run(&second.app, Job::reconcile()).await.unwrap();
        caller.session(&id).await["status"] == "completed"
    })
    .await;
    let before = caller.events(&id).await;
    opened.wait();
    let refused = tokio::task::spawn_blocking(move || first.join().unwrap()).await.unwrap();
    assert!(refused.is_err(), "a step was written after it was taken over");
    assert_eq!(caller.events(&id).await, before);
    scenario::right(&world, &caller, &id).await;
}

fn short() -> Options {
    let mut options = Options::default();
    options.settings.step_lease = LEASE;
    options
}
