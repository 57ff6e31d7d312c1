//! `POST /sessions/{id}/stop`, also in the middle of a step.

use std::sync::Arc;

use async_trait::async_trait;
use harness::{Options, World};
use serde_json::{Value, json};
use shared::{
    agent::{Kind, PlatformAgent},
    auth::Role,
    id::MessageId,
    job::{Job, Verdict},
    lock::{Acquired, Ask, Resource},
    runtime::{AgentRuntime, Assignment, Observation, Phase, Question, QuestionKind, RunState, Said, Work},
    session::{outcome::Failure, usage::Usage},
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

    async fn say(&self, _: &Assignment, state: &RunState, _: MessageId, _: &Said) -> Result<RunState, Failure> {
        Ok(state.clone())
    }

    async fn abort(&self, _: &Assignment, _: &RunState) -> Result<(), Failure> {
        Ok(())
    }

    async fn collect(&self, _: &Assignment, _: &RunState) -> Result<Work, Failure> {
        Ok(Work::default())
    }

    async fn release(&self, _: &Assignment, _: &RunState) -> Result<(), Failure> {
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
async fn looked_at() -> (World, Arc<Slow>, String) {
    let (slow, agent) = slow(true);
    let world = World::with(Options { agents: vec![agent], ..Options::default() }).await;
    let id = world.caller(Role::Member).start_session(json!({"agent_config": {"agent": "slow"}})).await;
    slow.looked_at.acquire().await.unwrap().forget();
    (world, slow, id)
}

#[tokio::test]
async fn a_stop_that_comes_while_the_agent_begins_to_ask_is_carried_out() {
    let (world, slow, id) = looked_at().await;
    let caller = world.caller(Role::Member);
    caller.act(&format!("/sessions/{id}/stop")).await.expect(202);
    slow.may_show.add_permits(100);
    caller.reaches(&id, &["stopped", "paused"]).await;
    assert_eq!(caller.states(&id).await, ["queued", "running", "stopped"]);
}

#[tokio::test]
async fn an_end_that_comes_while_the_agent_is_looked_at_stands() {
    let (world, slow, id) = looked_at().await;
    let (caller, owner) = (world.caller(Role::Member), world.owner().await);
    caller.post(&format!("/sessions/{id}/complete"), json!({"result": 1})).await.expect(200);
    slow.may_show.add_permits(100);
    // The step after the end tells the agent to let go, and leaves the row for a day.
    let tidied = "select count(*) from sessions where lease_until is null and next_step_at > now() + interval '1 hour'";
    harness::until(async || owner.number(tidied).await == 1).await;
    assert_eq!(caller.states(&id).await, ["queued", "running", "completed"]);
    assert_eq!(caller.session(&id).await["outcome"]["result"], 1);
}

#[tokio::test]
async fn a_stopped_session_has_a_checkpoint_and_its_work_and_can_be_retried() {
    let world = World::new().await;
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
async fn a_session_stopped_before_its_agent_had_it_can_be_retried_from_the_beginning() {
    let mut world = World::idle(Options::default()).await;
    let caller = world.caller(Role::Member);
    let id = caller.run_script(json!([{"do": "write", "path": "a.rs", "content": "a"}])).await;
    shared::sweep::sweep(&world.app).await.unwrap();
    assert_eq!(caller.session(&id).await["status"], "running");
    caller.act(&format!("/sessions/{id}/stop")).await.expect(202);
    world.work();
    let stopped = caller.reaches(&id, &["stopped"]).await;
    assert_eq!((&stopped["recoverable"], &stopped["checkpoint_count"]), (&json!(true), &json!(1)));
    caller.act(&format!("/sessions/{id}/retry")).await.expect(202);
    caller.act(&format!("/sessions/{id}/start")).await.expect(202);
    caller.reaches(&id, &["completed"]).await;
    let diff = caller.get(&format!("/sessions/{id}/diff")).await.expect(200);
    assert_eq!(diff["items"][0]["path"], "a.rs");
}

#[tokio::test]
async fn what_is_said_while_the_agent_is_looked_at_is_told_by_the_next_look_at_once() {
    let (slow, agent) = slow(false);
    let mut options = Options { agents: vec![agent], ..Options::default() };
    let hour = std::time::Duration::from_hours(1);
    (options.settings.pace.shortest, options.settings.pace.longest) = (hour, hour);
    let world = World::with(options).await;
    let (caller, owner) = (world.caller(Role::Member), world.owner().await);
    let id = caller.new_session(json!({"agent_config": {"agent": "slow"}})).await;
    let path = format!("/sessions/{id}/messages");
    caller.post(&path, json!({"text": "Before."})).await.expect(202);
    caller.act(&format!("/sessions/{id}/start")).await.expect(202);
    slow.looked_at.acquire().await.unwrap().forget();
    caller.post(&path, json!({"text": "Meanwhile."})).await.expect(202);
    slow.may_show.add_permits(100);
    let told = "select count(*) from session_messages where delivered_at is not null";
    harness::until(async || owner.number(told).await == 2).await;
}

#[tokio::test]
async fn a_wish_that_comes_as_a_step_lets_go_of_its_lock_is_not_lost() {
    let world = World::idle(Options::default()).await;
    let (caller, owner) = (world.caller(Role::Member), world.owner().await);
    let id = caller.new_session(json!({})).await;
    owner.place(&id, "running").await;
    caller.act(&format!("/sessions/{id}/stop")).await.expect(202);
    let (tenant_id, session_id) = (world.tenant.id, id.parse().unwrap());
    let resource = Resource::session(tenant_id, session_id);
    let locks = &world.app.locks;
    let Acquired::Granted(grant) = locks.acquire(&resource, &Ask::new("a step")).await.unwrap() else {
        panic!("taken")
    };
    let observe = || functions::work::run(&world.app, Job::observe(tenant_id, session_id));
    assert!(matches!(observe().await, Ok(Verdict::Later(_))), "it has written: the wish is for the next");
    owner.run("update sessions set lease_until = now() + interval '1 hour'").await;
    assert!(matches!(observe().await, Ok(Verdict::Done)), "it has not written: it will see the wish");
    owner.run("update sessions set lease_until = null").await;
    locks.release(&grant).await.unwrap();
    assert!(matches!(observe().await, Ok(Verdict::Done)));
    assert_eq!(caller.session(&id).await["status"], "stopped");
}
