//! Agents that fall silent: suspect, offline, back; and what becomes of their work.

use chrono::TimeDelta;
use harness::{
    Caller, Options, TestApp,
    eap_agent::{EapAgent, result},
    superuser::Superuser,
    until,
};
use serde_json::{Value, json};
use shared::{identity::auth::Role, kernel::clock::Clock, platform::queue::job::Job};

/// A test app with a stopped clock and one agent.
struct Setup {
    world: TestApp,
    owner: Superuser,
    clock: Clock,
    caller: Caller,
    agent: EapAgent,
}

impl Setup {
    async fn new() -> Self {
        let clock = Clock::fixed(Clock::System.now());
        let world = TestApp::with(Options { clock: clock.clone(), ..Options::default() }).await;
        let (owner, caller) = (world.superuser().await, world.caller(Role::Member));
        let agent = world.puller("BUILDER").await;
        Self { world, owner, clock, caller, agent }
    }

    /// A session that the agent has claimed. Its handover is written: no step is under way that time could overtake.
    async fn at_work(&self) -> (String, Value) {
        let id = self.agent.session(&self.caller).await;
        let task = self.agent.task().await;
        self.caller.reaches(&id, &["running"]).await;
        let handed_over =
            format!("select count(*) from sessions where id = '{id}' and handover is null and lease_until is null");
        until(async || self.owner.number(&handed_over).await == 1).await;
        (id, task)
    }

    async fn pass(&self, seconds: i64) {
        self.clock.advance(TimeDelta::seconds(seconds));
        self.world.run(Job::reconcile()).await;
    }

    async fn liveness(&self) -> String {
        self.owner.texts("select liveness from agents where name = 'BUILDER'").await.remove(0)
    }

    async fn tasks(&self) -> Vec<String> {
        self.owner.texts("select status from agent_tasks order by run").await
    }
}

#[tokio::test]
async fn two_missed_heartbeats_make_an_agent_suspect_four_offline_and_one_brings_it_back() {
    let setup = Setup::new().await;
    for (seconds, liveness) in [(59, "alive"), (1, "suspect"), (59, "suspect"), (1, "offline"), (600, "offline")] {
        setup.pass(seconds).await;
        assert_eq!(setup.liveness().await, liveness);
    }
    assert_eq!(setup.agent.heartbeat().await.status, 204);
    assert_eq!(setup.liveness().await, "alive");
    setup.pass(60).await;
    assert_eq!(setup.liveness().await, "suspect");
    setup.agent.heartbeat().await;
    setup.pass(59).await;
    assert_eq!(setup.liveness().await, "alive");
}

#[tokio::test]
async fn one_reconciler_run_finds_a_thousand_agents_that_went_silent() {
    let setup = Setup::new().await;
    let (tenant, now) = (setup.world.tenant.id, setup.clock.now().to_rfc3339());
    setup
        .owner
        .run(&format!(
            "insert into agents (id, tenant_id, name, kind, capacity, last_heartbeat_at, created_at, updated_at)
             select gen_random_uuid(), '{tenant}', 'SILENT-' || n, 'eap', 5, '{now}', '{now}', '{now}' from generate_series(1, 1000) n"
        ))
        .await;
    for (seconds, liveness) in [(60, "suspect"), (60, "offline")] {
        setup.clock.advance(TimeDelta::seconds(seconds - 1));
        setup.agent.heartbeat().await;
        setup.pass(1).await;
        let count = format!("select count(*) from agents where liveness = '{liveness}'");
        assert_eq!(setup.owner.number(&count).await, 1000);
        assert_eq!(setup.liveness().await, "alive");
    }
}

#[tokio::test]
async fn a_silent_agent_keeps_its_task_until_the_time_limit() {
    let setup = Setup::new().await;
    let (id, task) = setup.at_work().await;
    setup.pass(119).await;
    assert_eq!((setup.liveness().await.as_str(), setup.tasks().await), ("suspect", vec!["leased".to_owned()]));
    setup.agent.heartbeat().await;
    setup.agent.report(&task, 1, "Back.").await.expect(200);
    setup.agent.result(&task, result(&task, "Done.")).await.expect(202);
    setup.caller.reaches(&id, &["completed"]).await;
}

#[tokio::test]
async fn an_agent_that_returns_before_failover_keeps_its_task() {
    let setup = Setup::new().await;
    let (id, task) = setup.at_work().await;
    setup.owner.run("update agents set liveness = 'offline' where name = 'BUILDER'").await;
    setup.agent.heartbeat().await;
    setup.pass(1).await;
    assert_eq!(setup.tasks().await, ["leased"]);
    setup.agent.result(&task, result(&task, "Done.")).await.expect(202);
    setup.caller.reaches(&id, &["completed"]).await;
}

#[tokio::test]
async fn an_offline_agent_loses_its_task_and_its_late_writes_are_refused() {
    let setup = Setup::new().await;
    let (id, task) = setup.at_work().await;
    setup.pass(120).await;
    assert_eq!(setup.liveness().await, "offline");
    assert_eq!(setup.tasks().await[0], "lost");
    setup.agent.heartbeat().await;
    setup.agent.report(&task, 1, "I was asleep.").await.problem(409, "LEASE_LOST");
    setup.agent.result(&task, result(&task, "Done.")).await.problem(409, "LEASE_LOST");
    let lost = "select count(*) from session_events where payload->>'code' = 'AGENT_LOST'";
    until(async || {
        setup.clock.advance(TimeDelta::seconds(1));
        setup.world.run(Job::observe(setup.world.tenant.id, id.parse().unwrap())).await;
        setup.owner.number(lost).await == 1
    })
    .await;
}

#[tokio::test]
async fn an_unclaimed_task_is_lost_with_its_agent_too() {
    let setup = Setup::new().await;
    setup.agent.session(&setup.caller).await;
    until(async || setup.tasks().await == ["waiting"]).await;
    setup.pass(120).await;
    assert_eq!(setup.tasks().await[0], "lost");
}

/// How far an agent came before it was killed.
#[derive(Clone, Copy, Debug)]
enum Step {
    Claimed,
    Reported,
    BeforeResult,
    AfterResult,
}

#[tokio::test]
async fn an_agent_killed_at_any_step_finishes_its_task_after_a_restart() {
    for step in [Step::Claimed, Step::Reported, Step::BeforeResult, Step::AfterResult] {
        let setup = Setup::new().await;
        let (id, task) = setup.at_work().await;
        if !matches!(step, Step::Claimed) {
            setup.agent.report(&task, 1, "One.").await.expect(200);
        }
        if matches!(step, Step::BeforeResult) {
            setup.agent.report(&task, 2, "Two.").await.expect(200);
        }
        if matches!(step, Step::AfterResult) {
            // The answer to it was lost with the agent, which does it all once more.
            setup.agent.result(&task, result(&task, "Done.")).await.expect(202);
            assert_eq!(setup.agent.result(&task, result(&task, "Done.")).await.status, 200);
        } else {
            setup.agent.heartbeat().await;
            setup.clock.advance(TimeDelta::seconds(120));
            setup.agent.heartbeat().await;
            let again = setup.agent.task().await;
            assert_eq!((&again["task_id"], &again["lease"]["token"]), (&task["task_id"], &json!(2)), "{step:?}");
            setup.agent.report(&again, 3, "Once more.").await.expect(200);
            setup.agent.result(&again, result(&again, "Done.")).await.expect(202);
        }
        let session = setup.caller.reaches(&id, &["completed"]).await;
        assert_eq!(session["outcome"]["result"], json!({"text": "Done."}), "{step:?}");
    }
}
