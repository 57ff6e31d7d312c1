//! Offered is not running: a session stays queued until its agent has claimed it, and goes elsewhere if it does not.

use std::time::Duration;

use chrono::TimeDelta;
use futures_util::future::join_all;
use harness::{
    Caller, Options, TestApp,
    eap_agent::result,
    push_endpoint::{Answer, Endpoint},
    superuser::Superuser,
    until,
};
use serde_json::{Value, json};
use shared::{
    app::reconciler::reconcile,
    identity::{auth::Role, tenants::TenantLimits},
    kernel::clock::Clock,
    platform::queue::job::Job,
};

/// A test app with a stopped clock, whose workers run.
struct Setup {
    world: TestApp,
    owner: Superuser,
    clock: Clock,
    caller: Caller,
}

impl Setup {
    async fn new() -> Self {
        Self::limited(TenantLimits::default()).await
    }

    async fn limited(limits: TenantLimits) -> Self {
        let clock = Clock::fixed(Clock::System.now());
        let world = TestApp::with(Options { clock: clock.clone(), limits, ..Options::default() }).await;
        let (owner, caller) = (world.superuser().await, world.caller(Role::Member));
        owner.without_the_platforms_agents().await;
        Self { world, owner, clock, caller }
    }

    /// Waits until the session's task waits to be claimed.
    async fn is_offered(&self, id: &str) {
        let offered = format!(
            "select count(*) from sessions where id = '{id}' and offered_until is not null and handover is null
             and lease_until is null"
        );
        until(async || self.owner.number(&offered).await == 1).await;
    }

    /// Lets the time of the offers pass, and the due steps run.
    async fn pass(&self, seconds: i64) {
        self.clock.advance(TimeDelta::seconds(seconds));
        self.world.run(Job::reconcile()).await;
    }

    async fn events_with(&self, code: &str) -> i64 {
        self.owner.number(&format!("select count(*) from session_events where payload->>'code' = '{code}'")).await
    }
}

fn unnamed() -> Value {
    json!({"agent_config": {"required_capabilities": ["code_generation"]}})
}

#[tokio::test]
async fn an_offered_session_stays_queued_and_names_its_agent_until_it_is_claimed() {
    let setup = Setup::new().await;
    let agent = setup.world.puller("PULLER").await;
    let id = agent.session(&setup.caller).await;
    setup.is_offered(&id).await;
    let session = setup.caller.session(&id).await;
    let until = setup.clock.now() + TimeDelta::seconds(45);
    assert_eq!((&session["status"], &session["started_at"]), (&json!("queued"), &Value::Null));
    assert_eq!((&session["queue"]["waiting_for"], &session["agent"]["name"]), (&json!("agent"), &json!("PULLER")));
    let shown = format!("PULLER: offered, to be claimed by {} UTC.", until.format("%H:%M:%S"));
    assert_eq!(session["queue"]["detail"], shown);
    assert!(session["queue"]["until"].is_string(), "{session}");
    let logged = format!("Offered to PULLER, which has until {} UTC to claim it.", until.format("%H:%M:%S"));
    let events = setup.caller.events(&id).await;
    assert!(events.iter().any(|event| event["payload"]["message"] == json!(logged)), "{events:#?}");
    setup.clock.advance(TimeDelta::seconds(30));
    agent.task().await;
    let session = setup.caller.reaches(&id, &["running"]).await;
    let started = chrono::DateTime::parse_from_rfc3339(session["started_at"].as_str().unwrap()).unwrap();
    let since = setup.clock.now().signed_duration_since(started);
    assert!(since < TimeDelta::seconds(1), "the duration counts from the claim");
    assert_eq!(session["queue"], Value::Null);
    assert_eq!(setup.caller.states(&id).await, ["queued", "running"]);
}

#[tokio::test]
async fn an_unclaimed_session_goes_to_another_agent_and_counts_against_the_first() {
    let setup = Setup::new().await;
    let silent = setup.world.puller("SILENT").await;
    let id = setup.caller.start_session(unnamed()).await;
    setup.is_offered(&id).await;
    let willing = setup.world.puller("WILLING").await;
    setup.pass(44).await;
    assert_eq!(setup.caller.session(&id).await["agent"]["id"], silent.id);
    silent.heartbeat().await;
    willing.heartbeat().await;
    setup.pass(1).await;
    let task = willing.task().await;
    assert_eq!(task["session_id"], json!(id));
    willing.result(&task, result(&task, "Done.")).await.expect(202);
    let session = setup.caller.reaches(&id, &["completed"]).await;
    assert_eq!(session["agent"]["id"], willing.id);
    assert_eq!(setup.caller.states(&id).await, ["queued", "running", "completed"]);
    assert_eq!(setup.events_with("OFFER_NOT_CLAIMED").await, 1);
    let failed = format!(
        "select count(*) from agent_results where agent_id = '{}' and success = 0 and error_code = 'OFFER_NOT_CLAIMED'",
        silent.id
    );
    assert_eq!(setup.owner.number(&failed).await, 1);
    assert_eq!(silent.claim(0).await.status, 204, "the withdrawn offer can no longer be claimed");
}

#[tokio::test]
async fn a_session_that_names_a_silent_agent_is_offered_again_once_it_claims() {
    let setup = Setup::limited(TenantLimits { max_concurrent_sessions: 1, ..TenantLimits::default() }).await;
    let (silent, other) = (setup.world.puller("SILENT").await, setup.world.puller("OTHER").await);
    let id = silent.session(&setup.caller).await;
    setup.is_offered(&id).await;
    let second = other.session(&setup.caller).await;
    assert_eq!(setup.caller.session(&second).await["queue"]["waiting_for"], "slot");
    setup.pass(45).await;
    setup.is_offered(&second).await;
    let task = other.task().await;
    other.result(&task, result(&task, "Done.")).await.expect(202);
    setup.caller.reaches(&second, &["completed"]).await;
    let queue = setup.caller.session(&id).await["queue"].clone();
    let reason = "SILENT: did not claim what it was offered, and gets no further offers until it claims";
    assert_eq!((&queue["waiting_for"], &queue["detail"]), (&json!("agent"), &json!(reason)));
    setup.world.run(Job::reconcile()).await;
    assert_eq!(setup.caller.session(&id).await["queue"]["detail"], reason, "it takes up no slot meanwhile");
    let task = silent.task().await;
    assert_eq!(task["session_id"], json!(id));
    silent.result(&task, result(&task, "Done.")).await.expect(202);
    setup.caller.reaches(&id, &["completed"]).await;
}

#[tokio::test]
async fn an_agent_at_work_that_claims_one_task_at_a_time_is_not_blamed_for_the_others() {
    let setup = Setup::new().await;
    let agent = setup.world.puller("BUILDER").await;
    let ids = [agent.session(&setup.caller).await, agent.session(&setup.caller).await];
    for id in &ids {
        setup.is_offered(id).await;
    }
    let task = agent.task().await;
    let waiting = ids.iter().find(|id| task["session_id"] != json!(**id)).unwrap();
    setup.pass(45).await;
    until(async || setup.events_with("OFFER_NOT_CLAIMED").await == 1).await;
    assert_eq!(setup.owner.number("select count(*) from agent_results").await, 0);
    agent.result(&task, result(&task, "Done.")).await.expect(202);
    assert_eq!(agent.task().await["session_id"], json!(**waiting));
}

#[tokio::test]
async fn cancelling_unqueueing_or_deleting_an_offered_session_withdraws_the_offer_at_once() {
    let setup = Setup::limited(TenantLimits { max_concurrent_sessions: 1, ..TenantLimits::default() }).await;
    let agent = setup.world.puller("PULLER").await;
    for command in ["cancel", "unqueue", "delete", "fail"] {
        let id = agent.session(&setup.caller).await;
        setup.is_offered(&id).await;
        let next = agent.session(&setup.caller).await;
        let path = format!("/sessions/{id}");
        match command {
            "delete" => _ = setup.caller.delete(&path).await.expect(204),
            "fail" => _ = setup.caller.post(&format!("{path}/fail"), json!({"message": "No."})).await.expect(200),
            verb => _ = setup.caller.act(&format!("{path}/{verb}")).await.expect(200),
        }
        setup.is_offered(&next).await;
        let task = agent.task().await;
        assert_eq!(task["session_id"], json!(next), "{command}: the freed slot is offered to the next");
        assert_eq!(agent.claim(0).await.status, 204, "{command}: the withdrawn offer cannot be claimed");
        agent.result(&task, result(&task, "Done.")).await.expect(202);
        setup.caller.reaches(&next, &["completed"]).await;
    }
    let blamed = "select count(*) from agent_results where error_code = 'OFFER_NOT_CLAIMED'";
    assert_eq!(setup.owner.number(blamed).await, 0);
}

#[tokio::test]
async fn a_claim_at_the_moment_of_a_cancellation_has_the_task_or_not_and_never_both() {
    let setup = Setup::new().await;
    let agent = setup.world.puller("PULLER").await;
    for _ in 0..10 {
        let id = agent.session(&setup.caller).await;
        setup.is_offered(&id).await;
        let path = format!("/sessions/{id}/cancel");
        let (cancelled, claimed) = tokio::join!(setup.caller.act(&path), agent.claim(0));
        if claimed.status == 200 {
            let task = claimed.json()["tasks"][0].clone();
            if cancelled.status == 200 {
                assert_eq!(agent.report(&task, 1, "At work.").await.expect(200)["cancel"], true);
            }
            agent.result(&task, result(&task, "Done.")).await;
        } else {
            cancelled.expect(200);
        }
        setup.caller.reaches(&id, &["cancelled", "completed"]).await;
    }
}

/// The most slots of the tenant, and the most places of one agent, that were taken at once until all sessions ended.
async fn sample_occupied_slots(owner: &Superuser) -> (i64, i64) {
    let counts = "select (select count(*) from sessions where occupies_slot(status, offered_until))::text || ' '
                      || (select coalesce(max(n), 0) from (select count(*) as n from sessions
                          where occupies_slot(status, offered_until) group by agent_id) x) || ' '
                      || (select count(*) from sessions where ended_at is null)";
    let (mut most, mut most_of_agent) = (0, 0);
    loop {
        let counts: Vec<i64> = owner.texts(counts).await[0].split(' ').map(|n| n.parse().unwrap()).collect();
        (most, most_of_agent) = (most.max(counts[0]), most_of_agent.max(counts[1]));
        if counts[2] == 0 {
            return (most, most_of_agent);
        }
        tokio::task::yield_now().await;
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn two_hundred_concurrent_starts_with_offers_never_exceed_the_slots_or_the_capacity() {
    let limits = TenantLimits { max_concurrent_sessions: 7, ..TenantLimits::default() };
    let world = TestApp::limited(limits).await;
    let (caller, owner) = (&world.caller(Role::Member), world.superuser().await);
    owner.without_the_platforms_agents().await;
    let agents = join_all(["ONE", "TWO", "THREE"].map(|name| world.puller(name))).await;
    owner.run("update agents set capacity = 3 where kind = 'eap'").await;
    let ids: Vec<String> = join_all((0..200).map(|_| caller.new_session(unnamed()))).await;
    let sample = sample_occupied_slots(&owner);
    let starts = join_all(
        ids.iter().map(|id| async move { while caller.act(&format!("/sessions/{id}/start")).await.status == 503 {} }),
    );
    let working = join_all(agents.iter().map(|agent| async move {
        loop {
            let claimed = agent.claim(1).await;
            if claimed.status == 200 {
                let task = claimed.json()["tasks"][0].clone();
                agent.result(&task, result(&task, "Done.")).await;
            }
        }
    }));
    let all = async { tokio::join!(sample, starts).0 };
    let most = tokio::select! {
        most = tokio::time::timeout(Duration::from_mins(2), all) => most.expect("all end"),
        _ = working => unreachable!("agents work on"),
    };
    assert!((1..=7).contains(&most.0) && (1..=3).contains(&most.1), "{most:?} at once");
    assert_eq!(owner.number("select count(*) from sessions where status = 'completed'").await, 200);
}

/// Waits until a session has completed, with the reconciler in place of lost messages.
async fn completes_by_reconciling(world: &TestApp, caller: &Caller, id: &str) {
    until(async || {
        reconcile(&world.app).await.unwrap();
        caller.session(id).await["status"] == "completed"
    })
    .await;
}

#[tokio::test]
async fn a_crash_between_offer_and_claim_loses_neither_the_claim_nor_the_withdrawal() {
    for is_claimed in [true, false] {
        let clock = Clock::fixed(Clock::System.now());
        let mut world = TestApp::idle(Options { clock: clock.clone(), ..Options::default() }).await;
        let (owner, caller) = (world.superuser().await, world.caller(Role::Member));
        let agent = world.puller("PULLER").await;
        let id = agent.session(&caller).await;
        for _ in 0..2 {
            world.run(Job::dispatch(world.tenant.id, id.parse().unwrap())).await;
        }
        world.work();
        if is_claimed {
            let task = agent.task().await;
            // The process dies before the session is observed; its message is lost.
            world.crash().await;
            owner.run(&format!("update sessions set next_step_at = offered_until where id = '{id}'")).await;
            agent.result(&task, result(&task, "Done.")).await.expect(202);
        } else {
            // The process dies after the task was taken back, and before the session is written.
            world.crash().await;
            owner.run("update agent_tasks set status = 'lost'").await;
        }
        clock.advance(TimeDelta::seconds(60));
        agent.heartbeat().await;
        world.work();
        if !is_claimed {
            until(async || {
                reconcile(&world.app).await.unwrap();
                owner.number("select count(*) from agent_tasks where status = 'waiting'").await == 1
            })
            .await;
            let task = agent.task().await;
            agent.result(&task, result(&task, "Done.")).await.expect(202);
        }
        completes_by_reconciling(&world, &caller, &id).await;
        assert_eq!(caller.states(&id).await, ["queued", "running", "completed"]);
    }
}

#[tokio::test]
async fn the_first_failure_of_an_agent_on_probation_sends_the_session_elsewhere() {
    let setup = Setup::new().await;
    let (first, second) = (setup.world.puller("FIRST").await, setup.world.puller("SECOND").await);
    let id = setup.caller.start_session(unnamed()).await;
    setup.is_offered(&id).await;
    let is_first = setup.caller.session(&id).await["agent"]["id"] == json!(first.id);
    let (failing, other) = if is_first { (first, second) } else { (second, first) };
    let task = failing.task().await;
    let failed = json!({"task_id": task["task_id"], "status": "failed", "error_message": "I cannot.",
                        "execution_time_ms": 1, "tokens_used": 0, "cost_usd": 0});
    failing.result(&task, failed.clone()).await.expect(202);
    let task = other.task().await;
    assert_eq!(task["session_id"], json!(id));
    let counted = format!("select count(*) from agent_results where agent_id = '{}' and success = 0", failing.id);
    assert_eq!(setup.owner.number(&counted).await, 1);
    let mut again = failed;
    again["task_id"] = task["task_id"].clone();
    other.result(&task, again).await.expect(202);
    let session = setup.caller.reaches(&id, &["failed"]).await;
    assert_eq!(session["outcome"]["error"]["code"], "AGENT_FAILED", "it is moved once");
}

#[tokio::test]
async fn a_session_moves_from_an_endpoint_that_refuses_it_to_another_agent_once() {
    let gone = Endpoint::start(|_, _| Answer::Status(503, String::new())).await;
    let mut options = gone.options();
    options.settings.poll.agent_offline = Duration::from_secs(6);
    let world = TestApp::with(options).await;
    let (owner, caller) = (world.superuser().await, world.caller(Role::Member));
    owner.without_the_platforms_agents().await;
    let broken = world.pushed("BROKEN", &gone.url).await;
    let named = broken.session(&caller).await;
    let id = caller.start_session(unnamed()).await;
    gone.called("task", 2).await;
    let willing = world.puller("WILLING").await;
    let task = willing.task().await;
    assert_eq!(task["session_id"], json!(id));
    willing.result(&task, result(&task, "Done.")).await.expect(202);
    caller.reaches(&id, &["completed"]).await;
    assert_eq!(caller.states(&id).await, ["queued", "running", "completed"], "it never seemed to run at the first");
    let failed = caller.reaches(&named, &["failed"]).await;
    assert_eq!(failed["outcome"]["error"]["code"], "AGENT_ERROR");
    assert_eq!(caller.states(&named).await, ["queued", "failed"]);
}
