//! Runners that are silent: they are offline, their tasks go to others, and the agent of the pool stays alive while one
//! lives.

use chrono::TimeDelta;
use harness::{Caller, Options, TestApp, runner::TestRunner, superuser::Superuser, until};
use serde_json::{Value, json};
use shared::{identity::auth::Role, kernel::clock::Clock, platform::queue::job::Job};

struct Setup {
    world: TestApp,
    owner: Superuser,
    clock: Clock,
    caller: Caller,
    one: TestRunner,
    two: TestRunner,
}

impl Setup {
    async fn new() -> Self {
        let clock = Clock::fixed(Clock::System.now());
        let world = TestApp::with(Options { clock: clock.clone(), ..Options::default() }).await;
        let (owner, caller) = (world.superuser().await, world.caller(Role::Member));
        let (one, two) = (world.runner("farm", "one").await, world.runner("farm", "two").await);
        Self { world, owner, clock, caller, one, two }
    }

    /// A session that a runner has claimed, and whose handover is written.
    async fn at_work(&self, runner: &TestRunner) -> (String, Value) {
        let id = runner.session(&self.caller).await;
        let task = runner.task().await;
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

    async fn state(&self, runner: &TestRunner) -> Value {
        self.caller.get(&format!("/api/v1/runners/{}", runner.id)).await.expect(200)["state"].clone()
    }

    async fn agent(&self) -> (Value, Value) {
        let agent = self.caller.get(&format!("/api/v1/agents/{}", self.one.agents["opencode"])).await.expect(200);
        (agent["status"].clone(), agent["capacity"].clone())
    }
}

#[tokio::test]
async fn a_runner_is_offline_after_four_missed_heartbeats_and_back_with_the_next() {
    let setup = Setup::new().await;
    setup.pass(59).await;
    assert_eq!(setup.state(&setup.one).await, "active");
    setup.two.heartbeat("active").await;
    setup.pass(1).await;
    assert_eq!((setup.state(&setup.one).await, setup.state(&setup.two).await), (json!("offline"), json!("active")));
    assert_eq!(setup.agent().await, (json!("healthy"), json!(4)), "another runner of the pool lives");
    setup.pass(60).await;
    assert_eq!(setup.agent().await, (json!("offline"), json!(0)), "no runner of the pool lives");
    setup.one.heartbeat("active").await;
    assert_eq!(setup.agent().await, (json!("healthy"), json!(4)));
    assert_eq!(setup.two.claim(0).await.status, 204);
    assert_eq!(setup.agent().await, (json!("healthy"), json!(8)), "a claim is a sign of life too");
}

#[tokio::test]
async fn the_task_of_a_silent_runner_goes_to_another_of_its_pool() {
    let setup = Setup::new().await;
    let (id, lost) = setup.at_work(&setup.one).await;
    let (_, kept) = setup.at_work(&setup.two).await;
    setup.clock.advance(TimeDelta::seconds(45));
    setup.two.progress(&kept, json!({"seq": 1})).await.expect(200);
    assert_eq!(setup.two.claim(0).await.status, 204, "the lease of the silent one has not ended");
    setup.pass(15).await;
    let again = setup.two.claim(0).await.expect(200)["tasks"][0].clone();
    assert_eq!((&again["session_id"], &again["task_id"]), (&json!(id), &lost["task_id"]));
    setup.one.progress(&lost, json!({"seq": 1, "message": "I am back."})).await.problem(409, "LEASE_LOST");
    assert_eq!(setup.two.result(&again, "Done.").await.status, 202);
    setup.caller.reaches(&id, &["completed"]).await;
    setup.world.may_leave_work("the other task is kept");
}

#[tokio::test]
async fn a_runner_that_says_it_stops_hands_its_tasks_over_at_once() {
    let setup = Setup::new().await;
    let (id, lost) = setup.at_work(&setup.one).await;
    setup.one.heartbeat("offline").await;
    let again = setup.two.claim(0).await.expect(200)["tasks"][0].clone();
    assert_eq!(again["session_id"], json!(id));
    setup.one.progress(&lost, json!({"seq": 1})).await.problem(409, "LEASE_LOST");
    assert_eq!(setup.two.result(&again, "Done.").await.status, 202);
    setup.caller.reaches(&id, &["completed"]).await;
}

#[tokio::test]
async fn runners_that_are_long_gone_are_deleted() {
    let setup = Setup::new().await;
    setup.pass(60).await;
    setup.two.heartbeat("active").await;
    setup.pass(7 * 24 * 3600 - 30).await;
    let left = setup.owner.texts("select name from runners").await;
    assert_eq!(left, ["two"], "one is deleted, and the other is only offline");
}
