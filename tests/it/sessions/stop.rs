//! `POST /sessions/{id}/stop`, also in the middle of a step.

use std::sync::Arc;

use async_trait::async_trait;
use harness::{Options, TestApp};
use serde_json::{Value, json};
use shared::{
    agents::{
        contract::{
            AgentRuntime, Assignment, Observation, Phase, Question, QuestionKind, RunOutput, RunState, UserMessage,
        },
        registry::{Kind, PlatformAgent},
    },
    identity::auth::Role,
    kernel::{failure::Failure, id::MessageId, usage::Usage},
    platform::{
        queue::job::{Job, JobOutcome},
        redis::lock::{AcquireOptions, AcquireOutcome, Resource},
    },
};
use tokio::sync::Semaphore;

/// An agent that asks or works, but shows it only when it is let.
struct Slow {
    asks: bool,
    looked_at: Semaphore,
    may_show: Semaphore,
}

#[async_trait]
impl AgentRuntime for Slow {
    async fn dispatch(&self, _: &Assignment) -> Result<RunState, Failure> {
        Ok(RunState(json!({})))
    }

    async fn observe(&self, _: &Assignment, state: &RunState) -> Result<Observation, Failure> {
        self.looked_at.add_permits(1);
        self.may_show.acquire().await.unwrap().forget();
        let (question_id, text) = ("q1".to_owned(), "Which?".to_owned());
        let question =
            Question { question_id, kind: QuestionKind::Input, text, options: Vec::new(), details: Value::Null };
        Ok(Observation {
            state: state.clone(),
            phase: if self.asks { Phase::Waiting(question) } else { Phase::Working },
            transcript: Vec::new(),
            usage_scope: "slow".to_owned(),
            usage: Usage::default(),
            turns_with_changes: 0,
        })
    }

    async fn send_message(
        &self,
        _: &Assignment,
        state: &RunState,
        _: MessageId,
        _: &UserMessage,
    ) -> Result<RunState, Failure> {
        Ok(state.clone())
    }

    async fn abort(&self, _: &Assignment, _: &RunState) -> Result<(), Failure> {
        Ok(())
    }

    async fn collect_output(&self, _: &Assignment, _: &RunState) -> Result<RunOutput, Failure> {
        Ok(RunOutput::default())
    }

    async fn release_workspace(&self, _: &Assignment, _: &RunState) -> Result<(), Failure> {
        Ok(())
    }
}

fn slow(asks: bool) -> (Arc<Slow>, PlatformAgent) {
    let slow = Arc::new(Slow { asks, looked_at: Semaphore::new(0), may_show: Semaphore::new(0) });
    let agent =
        PlatformAgent { name: "slow".to_owned(), kind: Kind::Manual, capacity: None, runtime: Some(slow.clone()) };
    (slow, agent)
}

/// A session whose agent is being looked at.
async fn looked_at() -> (TestApp, Arc<Slow>, String) {
    let (slow, agent) = slow(true);
    let world = TestApp::with(Options { agents: vec![agent], ..Options::default() }).await;
    let id = world.caller(Role::Member).start_session(json!({"agent_config": {"agent": "slow"}})).await;
    slow.looked_at.acquire().await.unwrap().forget();
    (world, slow, id)
}

#[tokio::test]
async fn a_stop_requested_as_the_agent_asks_a_question_is_carried_out() {
    let (world, slow, id) = looked_at().await;
    let caller = world.caller(Role::Member);
    caller.act(&format!("/sessions/{id}/stop")).await.expect(202);
    slow.may_show.add_permits(100);
    caller.reaches(&id, &["stopped", "paused"]).await;
    assert_eq!(caller.states(&id).await, ["queued", "running", "stopped"]);
}

#[tokio::test]
async fn an_end_reported_during_an_observation_is_kept() {
    let (world, slow, id) = looked_at().await;
    let (caller, owner) = (world.caller(Role::Member), world.superuser().await);
    caller.post(&format!("/sessions/{id}/complete"), json!({"result": 1})).await.expect(200);
    slow.may_show.add_permits(100);
    // The step after the end aborts the agent, and keeps the row for a day.
    let tidied = "select count(*) from sessions where lease_until is null and next_step_at > now() + interval '1 hour'";
    harness::until(async || owner.number(tidied).await == 1).await;
    assert_eq!(caller.states(&id).await, ["queued", "running", "completed"]);
    assert_eq!(caller.session(&id).await["outcome"]["result"], 1);
}

#[tokio::test]
async fn a_stopped_session_has_a_checkpoint_and_its_output_and_can_be_retried() {
    let world = TestApp::new().await;
    let caller = world.caller(Role::Member);
    let script = json!([{"do": "write", "path": "a.rs", "content": "a"}, {"do": "wait", "ms": 600_000}]);
    let id = caller.run_script(script).await;
    caller.sees(&id, "session.file_changed").await;
    caller.post(&format!("/sessions/{id}/stop"), json!({"reason": "enough"})).await.expect(202);
    caller.post(&format!("/sessions/{id}/pause"), json!({})).await.problem(409, "INVALID_TRANSITION");
    let stopped = caller.reaches(&id, &["stopped"]).await;
    assert_eq!((&stopped["recoverable"], &stopped["pending_action"]), (&json!(true), &json!(null)));
    let checkpoints = caller.get(&format!("/sessions/{id}/checkpoints")).await.expect(200);
    assert_eq!(checkpoints["items"][0]["cause"], "stop");
    assert_eq!(checkpoints["items"][0]["actor"]["name"], "member");
    let diff = caller.get(&format!("/sessions/{id}/diff")).await.expect(200);
    assert_eq!(diff["items"][0]["path"], "a.rs");
}

#[tokio::test]
async fn a_session_cancelled_before_its_handover_never_reaches_its_agent() {
    let mut world = TestApp::idle(Options::default()).await;
    let caller = world.caller(Role::Member);
    let id = caller.run_script(json!([{"do": "write", "path": "a.rs", "content": "a"}])).await;
    shared::app::reconciler::reconcile(&world.app).await.unwrap();
    let offered = caller.session(&id).await;
    assert_eq!((&offered["status"], &offered["queue"]["waiting_for"]), (&json!("queued"), &json!("agent")));
    assert_eq!(offered["queue"]["detail"], "scripted: offered, being handed over.");
    caller.act(&format!("/sessions/{id}/stop")).await.problem(409, "INVALID_TRANSITION");
    caller.act(&format!("/sessions/{id}/cancel")).await.expect(200);
    world.work();
    shared::app::reconciler::reconcile(&world.app).await.unwrap();
    let second = caller.run_script(json!([{"do": "say", "text": "Done."}])).await;
    caller.reaches(&second, &["completed"]).await;
    assert_eq!(caller.states(&id).await, ["queued", "cancelled"]);
    assert_eq!(caller.get(&format!("/sessions/{id}/checkpoints")).await.expect(200)["items"], json!([]));
}

#[tokio::test]
async fn a_message_sent_during_an_observation_is_delivered_by_the_next_one_at_once() {
    let (slow, agent) = slow(false);
    let mut options = Options { agents: vec![agent], ..Options::default() };
    let hour = std::time::Duration::from_hours(1);
    (options.settings.poll.interval_min, options.settings.poll.interval_max) = (hour, hour);
    let world = TestApp::with(options).await;
    let (caller, owner) = (world.caller(Role::Member), world.superuser().await);
    let id = caller.new_session(json!({"agent_config": {"agent": "slow"}})).await;
    let path = format!("/sessions/{id}/messages");
    caller.post(&path, json!({"text": "Before."})).await.expect(202);
    caller.act(&format!("/sessions/{id}/start")).await.expect(202);
    slow.looked_at.acquire().await.unwrap().forget();
    caller.post(&path, json!({"text": "Meanwhile."})).await.expect(202);
    slow.may_show.add_permits(100);
    let reported = "select count(*) from session_messages where delivered_at is not null";
    harness::until(async || owner.number(reported).await == 2).await;
}

#[tokio::test]
async fn an_intent_set_as_a_step_releases_its_lock_is_not_lost() {
    let world = TestApp::idle(Options::default()).await;
    let (caller, owner) = (world.caller(Role::Member), world.superuser().await);
    let id = caller.new_session(json!({})).await;
    owner.place(&id, "running").await;
    caller.act(&format!("/sessions/{id}/stop")).await.expect(202);
    let (tenant_id, session_id) = (world.tenant.id, id.parse().unwrap());
    let resource = Resource::session(tenant_id, session_id);
    let locks = &world.app.locks;
    let AcquireOutcome::Granted(grant) = locks.acquire(&resource, &AcquireOptions::new("a step")).await.unwrap() else {
        panic!("taken")
    };
    let observe = || functions::jobs::run(&world.app, Job::observe(tenant_id, session_id));
    assert!(matches!(observe().await, Ok(JobOutcome::Snooze(_))), "it has written: the wish is for the next");
    owner.run("update sessions set lease_until = now() + interval '10 minutes'").await;
    assert!(matches!(observe().await, Ok(JobOutcome::Complete)), "it has not written: it will see the wish");
    owner.run("update sessions set lease_until = null").await;
    locks.release(&grant).await.unwrap();
    assert!(matches!(observe().await, Ok(JobOutcome::Complete)));
    assert_eq!(caller.session(&id).await["status"], "stopped");
}
