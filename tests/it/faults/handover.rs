//! The moment at which the work reaches the agent: its answer is lost, the process dies, people change their minds.

use std::{
    sync::{
        Arc,
        atomic::{AtomicBool, AtomicUsize, Ordering},
    },
    time::Duration,
};

use futures_util::FutureExt;
use harness::{Caller, Options, PATIENCE, World};
use serde_json::{Value, json};
use shared::{auth::Role, job::Job, session::outcome::Failure};
use tokio::{
    sync::Notify,
    time::{Instant, sleep},
};

use super::{
    agent::{Hook, Watched, nothing, platform},
    messages::{taken, undelivered},
    story,
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

async fn watched(before: Hook, after: Hook) -> (World, Caller, Arc<Watched>) {
    let agent = Watched::new(before, after);
    let world = World::with(Options { agents: vec![platform(agent.clone())], ..Options::default() }).await;
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
async fn a_handover_whose_answer_is_lost_is_one_run_at_the_agent() {
    let (world, caller, agent) = watched(nothing(), lose_answers("dispatch", 2)).await;
    let id = start(&caller, story::one_of_many(3)).await;
    caller.reaches(&id, &["completed"]).await;
    assert_eq!((agent.calls("dispatch").len(), agent.distinct("dispatch").len()), (3, 1));
    assert_eq!(caller.states(&id).await, ["queued", "running", "degraded", "running", "completed"]);
    story::right(&world, &caller, &id).await;
}

#[tokio::test]
async fn a_message_whose_answer_is_lost_is_told_once() {
    let (world, caller, agent) = watched(nothing(), lose_answers("say", 2)).await;
    let id = start(&caller, story::asking()).await;
    story::over(&caller, std::slice::from_ref(&id)).await;
    assert_eq!((agent.calls("say").len(), agent.distinct("say").len()), (3, 1));
    story::right(&world, &caller, &id).await;
}

#[tokio::test]
async fn a_stop_during_the_handover_is_carried_out_without_waiting_for_a_sweep() {
    let door = Arc::<Door>::default();
    let (world, caller, agent) = watched(door.at("dispatch"), nothing()).await;
    let id = start(&caller, json!([{"do": "wait", "ms": 60_000}])).await;
    door.reached.notified().await;
    caller.act(&format!("/sessions/{id}/stop")).await.expect(202);
    // The bell of the stop finds the step taken; it must not be thrown away.
    door.open();
    caller.reaches(&id, &["stopped"]).await;
    assert_eq!((agent.distinct("dispatch").len(), agent.distinct("abort").len()), (1, 1));
    story::clean(&world, &id).await;
}

#[tokio::test]
async fn a_stop_after_a_handover_that_nobody_wrote_down_still_brings_the_agent_to_rest() {
    let door = Arc::<Door>::default();
    // The agent has the work; the process dies before it hears so.
    let (mut world, caller, agent) = watched(nothing(), door.at("dispatch")).await;
    let id = start(&caller, json!([{"do": "wait", "ms": 60_000}])).await;
    door.reached.notified().await;
    world.crash().await;
    door.open();
    caller.act(&format!("/sessions/{id}/stop")).await.expect(202);
    world.work();
    until("stopped by another", async || {
        functions::work::run(&world.app, Job::sweep()).await.unwrap();
        caller.session(&id).await["status"] == "stopped"
    })
    .await;
    assert_eq!((agent.distinct("dispatch").len(), agent.distinct("abort").len()), (1, 1), "the agent works on");
    story::clean(&world, &id).await;
}

#[tokio::test]
async fn a_session_that_was_completed_during_its_handover_stays_so_and_its_agent_lets_go() {
    let door = Arc::<Door>::default();
    let (world, caller, agent) = watched(door.at("dispatch"), nothing()).await;
    let id = start(&caller, json!([{"do": "wait", "ms": 60_000}])).await;
    door.reached.notified().await;
    caller.post(&format!("/sessions/{id}/complete"), json!({"result": {"text": "Done by hand."}})).await.expect(200);
    door.open();
    until("the agent was told to let go", async || agent.distinct("abort").len() == 1).await;
    assert_eq!(caller.states(&id).await, ["queued", "running", "completed"]);
    story::clean(&world, &id).await;
}

#[tokio::test]
async fn what_is_said_during_the_last_look_reaches_the_agent_before_the_end() {
    let door = Arc::<Door>::default();
    let (world, caller, agent) = watched(nothing(), door.at("observe")).await;
    let id = start(&caller, json!([{"do": "say", "text": "Done."}])).await;
    door.reached.notified().await;
    caller.post(&format!("/sessions/{id}/messages"), json!({"text": "And the tests?"})).await.expect(202);
    door.open();
    caller.reaches(&id, &["completed"]).await;
    assert_eq!(agent.distinct("say").len(), 1);
    story::clean(&world, &id).await;
}

#[tokio::test]
async fn a_step_that_was_silent_for_too_long_is_refused_by_the_fence() {
    let (world, memory) = undelivered(vec![platform(Watched::new(nothing(), nothing()))], LEASE).await;
    let caller = world.caller(Role::Member);
    let id = start(&caller, story::one_of_many(3)).await;
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
            let app = harness::world::app(&database_url, &harness::redis_url(), Options { agents, ..short() });
            functions::work::run(&app, job).await.map(|_| ()).map_err(|error| error.detail().to_owned())
        })
    });
    until("asleep", async || asleep.load(Ordering::SeqCst)).await;
    let mut second = World::on(
        world.database.clone(),
        Options { agents: vec![platform(Watched::new(nothing(), nothing()))], ..short() },
    )
    .await;
    second.work();
    until("taken over", async || {
        functions::work::run(&second.app, Job::sweep()).await.unwrap();
        caller.session(&id).await["status"] == "completed"
    })
    .await;
    let before = caller.events(&id).await;
    opened.wait();
    let refused = tokio::task::spawn_blocking(move || first.join().unwrap()).await.unwrap();
    assert!(refused.is_err(), "a step was written after it was taken over");
    assert_eq!(caller.events(&id).await, before);
    story::right(&world, &caller, &id).await;
}

fn short() -> Options {
    let mut options = Options::default();
    options.settings.step_lease = LEASE;
    options
}
