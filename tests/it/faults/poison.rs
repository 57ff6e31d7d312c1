//! Sessions whose steps fail for a reason of their own, for ever: they can be stopped, they time out, they end, and
//! nothing else is affected.

use std::sync::{
    Arc,
    atomic::{AtomicUsize, Ordering::SeqCst},
};

use async_trait::async_trait;
use chrono::TimeDelta;
use harness::{Caller, Options, TestApp, bucket::Bucket, faults::Fault};
use serde_json::{Value, json};
use shared::{
    agents::{
        contract::{AgentRuntime, Assignment, Observation, RunOutput, RunState, UserMessage},
        registry::{Kind, PlatformAgent},
    },
    identity::auth::Role,
    kernel::{clock::Clock, failure::Failure, id::MessageId},
    platform::queue::job::Job,
};

/// An agent whose runtime panics at some of its calls.
struct Broken {
    panics_at: &'static [&'static str],
    calls: AtomicUsize,
}

impl Broken {
    fn call(&self, verb: &str) {
        self.calls.fetch_add(1, SeqCst);
        assert!(!self.panics_at.contains(&verb), "the call {verb} is broken");
    }
}

#[async_trait]
impl AgentRuntime for Broken {
    async fn dispatch(&self, _: &Assignment) -> Result<RunState, Failure> {
        self.call("dispatch");
        Ok(RunState(json!({})))
    }

    async fn observe(&self, _: &Assignment, _: &RunState) -> Result<Observation, Failure> {
        self.call("observe");
        Err(Failure::transient("AGENT_UNREACHABLE", "It does not answer."))
    }

    async fn send_message(
        &self,
        _: &Assignment,
        state: &RunState,
        _: MessageId,
        _: &UserMessage,
    ) -> Result<RunState, Failure> {
        self.call("say");
        Ok(state.clone())
    }

    async fn abort(&self, _: &Assignment, _: &RunState) -> Result<(), Failure> {
        self.call("abort");
        Ok(())
    }

    async fn collect_output(&self, _: &Assignment, _: &RunState) -> Result<RunOutput, Failure> {
        self.call("collect");
        Ok(RunOutput::default())
    }

    async fn release_workspace(&self, _: &Assignment, _: &RunState) -> Result<(), Failure> {
        self.call("release");
        Ok(())
    }
}

/// A test app whose steps the test runs, with a session on an agent that panics.
struct Scene {
    world: TestApp,
    clock: Clock,
    caller: Caller,
    agent: Arc<Broken>,
    id: String,
}

impl Scene {
    async fn new(panics_at: &'static [&'static str]) -> Self {
        let agent = Arc::new(Broken { panics_at, calls: AtomicUsize::new(0) });
        let runtime: Arc<dyn AgentRuntime> = agent.clone();
        let platform =
            PlatformAgent { name: "broken".to_owned(), kind: Kind::Manual, capacity: None, runtime: Some(runtime) };
        let clock = Clock::fixed(Clock::System.now());
        let options = Options { agents: vec![platform], clock: clock.clone(), ..Options::default() };
        let world = TestApp::idle(options).await;
        let caller = world.caller(Role::Member);
        let config = json!({"agent_config": {"agent": "broken"}, "max_duration_seconds": 60});
        let id = caller.start_session(config).await;
        let scene = Self { world, clock, caller, agent, id };
        scene.step("dispatch").await;
        scene
    }

    /// Runs the step that is due, and says whether it was done.
    async fn step(&self, job: &str) -> bool {
        self.clock.advance(TimeDelta::seconds(1));
        let (tenant, id) = (self.world.tenant.id, self.id.parse().unwrap());
        let job = if job == "dispatch" { Job::dispatch(tenant, id) } else { Job::observe(tenant, id) };
        functions::jobs::run(&self.world.app, job).await.is_ok()
    }

    /// Runs steps until the session is in this state, at most so many.
    async fn reaches(&self, status: &str, job: &str, most: usize) -> Value {
        for _ in 0..most {
            self.step(job).await;
            let session = self.caller.session(&self.id).await;
            if session["status"] == status {
                return session;
            }
        }
        panic!("not {status} after {most} steps: {:#}", self.caller.session(&self.id).await);
    }

    /// Another session of the tenant, on another agent, runs as if nothing were wrong.
    async fn others_complete(&self) {
        let (tenant, other) = (self.world.tenant.id, self.caller.run_script(json!([{"do": "say", "text": "a"}])).await);
        self.world.run(Job::dispatch(tenant, other.parse().unwrap())).await;
        self.clock.advance(TimeDelta::seconds(1));
        self.world.run(Job::observe(tenant, other.parse().unwrap())).await;
        assert_eq!(self.caller.session(&other).await["status"], "completed");
    }
}

#[tokio::test]
async fn a_session_whose_looks_panic_ends_after_five_attempts_and_others_go_on() {
    let scene = Scene::new(&["observe"]).await;
    for attempt in 1..=5 {
        assert!(!scene.step("observe").await, "attempt {attempt}");
        assert_eq!(scene.caller.session(&scene.id).await["status"], "running", "attempt {attempt}");
    }
    scene.others_complete().await;
    let session = scene.reaches("failed", "observe", 1).await;
    let error = &session["outcome"]["error"];
    assert_eq!((&error["code"], &error["category"]), (&json!("INTERNAL_ERROR"), &json!("internal")), "{session:#}");
    scene.caller.delete(&format!("/sessions/{}", scene.id)).await.expect(204);
}

#[tokio::test]
async fn a_session_whose_handover_panics_ends_after_five_attempts() {
    let scene = Scene::new(&["dispatch"]).await;
    let session = scene.reaches("failed", "dispatch", 5).await;
    assert_eq!(session["outcome"]["error"]["code"], "INTERNAL_ERROR", "{session:#}");
    assert_eq!(scene.agent.calls.load(SeqCst), 5);
}

#[tokio::test]
async fn a_session_that_panics_at_every_call_can_be_stopped_and_deleted() {
    let scene = Scene::new(&["observe", "abort", "collect", "release"]).await;
    assert!(!scene.step("observe").await);
    scene.caller.act(&format!("/sessions/{}/stop", scene.id)).await.expect(202);
    scene.reaches("stopped", "observe", 3).await;
    scene.others_complete().await;
    let owner = scene.world.superuser().await;
    let running = "select count(*) from sessions where status in ('running', 'degraded')";
    assert_eq!(owner.number(running).await, 0, "its slot is free");
    // The cleanup panics as well: it is given up in its turn, and tried once more after the retention.
    for _ in 0..10 {
        scene.clock.advance(TimeDelta::minutes(2));
        scene.step("observe").await;
    }
    let calls = scene.agent.calls.load(SeqCst);
    scene.clock.advance(TimeDelta::minutes(2));
    scene.step("observe").await;
    assert_eq!(scene.agent.calls.load(SeqCst), calls, "the cleanup goes on for ever");
    scene.caller.delete(&format!("/sessions/{}", scene.id)).await.expect(204);
}

#[tokio::test]
async fn a_session_that_panics_at_every_call_is_paused_on_request() {
    let scene = Scene::new(&["observe", "abort", "collect"]).await;
    scene.caller.act(&format!("/sessions/{}/pause", scene.id)).await.expect(202);
    let session = scene.reaches("paused", "observe", 3).await;
    assert_eq!(session["pause_reason"], "manual");
}

#[tokio::test]
async fn a_session_that_panics_at_every_call_ends_with_its_time() {
    let scene = Scene::new(&["observe", "abort", "collect"]).await;
    assert!(!scene.step("observe").await);
    scene.clock.advance(TimeDelta::seconds(60));
    let session = scene.reaches("timeout", "observe", 2).await;
    assert_eq!(session["outcome"]["error"]["code"], "MAX_DURATION", "{session:#}");
}

#[tokio::test]
async fn a_session_whose_events_the_database_refuses_ends_and_others_go_on() {
    let scene = Scene::new(&[]).await;
    let owner = scene.world.superuser().await;
    owner.run("alter table session_events add constraint poison check (payload::text not like '%poison%')").await;
    let id = scene.caller.run_script(json!([{"do": "say", "text": "poison"}])).await;
    let poisoned = Scene { id, ..scene };
    poisoned.step("dispatch").await;
    let session = poisoned.reaches("failed", "observe", 6).await;
    assert_eq!(session["outcome"]["error"]["code"], "INTERNAL_ERROR", "{session:#}");
    poisoned.others_complete().await;
}

#[tokio::test]
async fn a_wait_longer_than_time_itself_is_refused_and_takes_no_slot() {
    let scene = Scene::new(&[]).await;
    for step in [
        json!({"do": "wait", "ms": i64::MAX}),
        json!({"do": "limit", "seconds": i64::MAX}),
        json!({"do": "spend", "tokens_output": i64::MAX}),
    ] {
        let id = scene.caller.run_script(json!([step])).await;
        scene.world.run(Job::dispatch(scene.world.tenant.id, id.parse().unwrap())).await;
        let session = scene.caller.session(&id).await;
        assert_eq!(session["outcome"]["error"]["code"], "SCRIPT_UNREADABLE", "{session:#}");
    }
}

#[tokio::test]
async fn an_outage_of_the_object_store_counts_as_no_attempt() {
    let bucket = Bucket::start().await;
    let clock = Clock::fixed(Clock::System.now());
    let options = Options { store: Some(bucket.files.clone()), clock: clock.clone(), ..Options::default() };
    let world = TestApp::idle(options).await;
    let caller = world.caller(Role::Member);
    let id = caller.run_script(json!([{"do": "write", "path": "a.txt", "content": "a"}])).await;
    let job = || Job::observe(world.tenant.id, id.parse().unwrap());
    world.run(Job::dispatch(world.tenant.id, id.parse().unwrap())).await;
    for _ in 0..20 {
        bucket.faults.add("PUT ", Fault::status(503));
        clock.advance(TimeDelta::seconds(1));
        assert!(functions::jobs::run(&world.app, job()).await.is_err());
    }
    bucket.faults.end();
    for _ in 0..3 {
        clock.advance(TimeDelta::seconds(1));
        world.run(job()).await;
    }
    let session = caller.session(&id).await;
    assert_eq!(session["status"], "completed", "{session:#}");
}
