//! The limits of a tenant: slots, the queue, tokens; and what a slot that frees does.

use std::time::{Duration, Instant};

use chrono::{Datelike, Months, NaiveDate};
use futures_util::future::join_all;
use harness::{Caller, Options, TestApp};
use serde_json::{Value, json};
use shared::{
    app::reconciler::reconcile,
    engine::tenant_update::set_tenant_limits,
    identity::{
        auth::Role,
        tenants::{Admission, TenantLimits},
    },
    platform::queue::job::Job,
};

fn slots(most: i32) -> TenantLimits {
    TenantLimits { max_concurrent_sessions: most, ..TenantLimits::default() }
}

async fn idle(limits: TenantLimits) -> TestApp {
    TestApp::idle(Options { limits, ..Options::default() }).await
}

fn manual() -> Value {
    json!({"agent_config": {"agent": "manual"}})
}

/// The status of a session, or `offered` while it is queued and takes up a slot already.
async fn status(caller: &Caller, id: &str) -> String {
    let session = caller.session(id).await;
    let is_offered = session["queue"]["until"].is_string() && session["queue"]["waiting_for"] == "agent";
    if is_offered { "offered".to_owned() } else { session["status"].as_str().unwrap().to_owned() }
}

/// Hands an offered session to its agent.
async fn hand_over(world: &TestApp, id: &str) {
    world.run(Job::dispatch(world.tenant.id, id.parse().unwrap())).await;
}

/// Starts a session; again where the answer is that a service had no time, as it says that this may be tried again.
async fn start_surely(caller: &Caller, id: &str) {
    for tries in 0.. {
        let reply = caller.act(&format!("/sessions/{id}/start")).await;
        if reply.status == 503 {
            continue;
        }
        assert!(reply.status == 202 || (tries > 0 && reply.status == 409), "{}", reply.json());
        return;
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn two_hundred_concurrent_starts_never_exceed_the_slots_and_all_finish() {
    let world = TestApp::limited(slots(10)).await;
    let (caller, owner) = (&world.caller(Role::Member), world.superuser().await);
    let script = json!({"agent_config": {"script": [{"do": "say", "text": "Done."}]}});
    let ids: Vec<String> = join_all((0..200).map(|_| caller.new_session(script.clone()))).await;
    let sample = async {
        let (mut most, mut samples) = (0, 0);
        loop {
            let counts = owner
                .texts("select (count(*) filter (where occupies_slot(status, offered_until)))::text || ' ' || count(*) filter (where ended_at is null) from sessions")
                .await;
            let (active, open) = counts[0].split_once(' ').unwrap();
            most = most.max(active.parse::<i64>().unwrap());
            samples += 1;
            if open == "0" {
                return (most, samples);
            }
            tokio::task::yield_now().await;
        }
    };
    let starts = join_all(ids.iter().map(|id| start_surely(caller, id)));
    let began = Instant::now();
    let all = async { tokio::join!(sample, starts) };
    let ((most, samples), _) = tokio::time::timeout(Duration::from_mins(2), all).await.expect("all end");
    println!("200 sessions on 10 slots: {} ms, most at once {most}, {samples} samples", began.elapsed().as_millis());
    assert!((1..=10).contains(&most), "{most} at once");
    assert_eq!(owner.number("select count(*) from sessions where status = 'completed'").await, 200);
    let reported =
        "select count(*) from session_events where type = 'session.status_changed' and payload->>'to' = 'running'";
    assert_eq!(owner.number(reported).await, 200, "each ran once");
}

#[tokio::test]
async fn a_freed_slot_starts_the_next_session_at_once_without_the_reconciler() {
    let world = idle(slots(1)).await;
    let caller = world.caller(Role::Member);
    let mut ids = Vec::new();
    for _ in 0..4 {
        ids.push(caller.start_session(manual()).await);
    }
    world.run(Job::dispatch(world.tenant.id, ids[0].parse().unwrap())).await;
    let ends = ["complete", "fail", "complete"];
    for (pair, end) in ids.windows(2).zip(ends) {
        assert_eq!(
            (status(&caller, &pair[0]).await.as_str(), status(&caller, &pair[1]).await.as_str()),
            ("running", "queued")
        );
        let body = if end == "fail" { json!({"message": "It broke."}) } else { json!({"result": 1}) };
        caller.post(&format!("/sessions/{}/{end}", pair[0]), body).await.expect(200);
        assert_eq!(status(&caller, &pair[1]).await, "offered");
        hand_over(&world, &pair[1]).await;
    }
}

#[tokio::test]
async fn with_workers_each_start_follows_the_end_before_it() {
    let world = TestApp::limited(slots(1)).await;
    let caller = world.caller(Role::Member);
    let mut ids = Vec::new();
    for _ in 0..10 {
        ids.push(caller.run_script(json!([{"do": "say", "text": "Done."}])).await);
    }
    let mut turns = Vec::new();
    for id in &ids {
        caller.reaches(id, &["completed"]).await;
        let events = caller.events(id).await;
        let at = |state: &str| {
            let event = events.iter().find(|event| event["payload"]["to"] == state).unwrap();
            chrono::DateTime::parse_from_rfc3339(event["at"].as_str().unwrap()).unwrap()
        };
        turns.push((at("running"), at("completed")));
    }
    turns.sort();
    let gaps: Vec<_> = turns.windows(2).map(|pair| (pair[1].0 - pair[0].1).num_milliseconds()).collect();
    println!("from an end to the next start, ms: {gaps:?}");
    assert!(gaps.iter().all(|gap| *gap >= 0), "two at once: {turns:?}");
}

#[tokio::test]
async fn the_queue_limit_holds_under_concurrent_starts() {
    let world = idle(TenantLimits { max_queued_sessions: 5, ..slots(0) }).await;
    let (caller, owner) = (&world.caller(Role::Member), world.superuser().await);
    let ids: Vec<String> = join_all((0..20).map(|_| caller.new_session(json!({})))).await;
    let replies =
        join_all(ids.iter().map(|id| async move { caller.act(&format!("/sessions/{id}/start")).await })).await;
    let (taken, refused): (Vec<_>, Vec<_>) = replies.into_iter().partition(|reply| reply.status == 202);
    assert_eq!((taken.len(), refused.len()), (5, 15));
    for reply in refused {
        assert_eq!(reply.problem(429, "QUOTA_EXCEEDED")["retryable"], true);
    }
    let before = owner.dump().await;
    let body = json!({"title": "One more", "initial_prompt": "Do it.", "start": true});
    caller.post("/sessions", body).await.problem(429, "QUOTA_EXCEEDED");
    assert_eq!(owner.dump().await, before, "nothing is made that cannot start");
    set_tenant_limits(&world.app, world.tenant.id, TenantLimits { max_queued_sessions: 6, ..slots(0) }).await.unwrap();
    caller.start_session(json!({})).await;
}

#[tokio::test]
async fn the_queue_limit_holds_where_starts_cease_to_share_its_lock() {
    let world = idle(slots(0)).await;
    let (caller, owner) = (&world.caller(Role::Member), world.superuser().await);
    // Starts share the lock while the queue is further from its limit than the server has connections.
    let connections = owner.number("select current_setting('max_connections')::bigint").await;
    owner.run(&format!("update tenants set max_queued_sessions = {}", connections + 10)).await;
    let ids: Vec<String> = join_all((0..60).map(|_| caller.new_session(json!({})))).await;
    let start = async |ids: &[String]| {
        let replies = join_all(ids.iter().map(|id| async move { caller.act(&format!("/sessions/{id}/start")).await }));
        let (taken, refused): (Vec<_>, Vec<_>) = replies.await.into_iter().partition(|reply| reply.status == 202);
        for reply in refused {
            reply.problem(429, "QUOTA_EXCEEDED");
        }
        taken.len()
    };
    assert_eq!(start(&ids[..30]).await, 30);
    let names = "select string_agg(quote_ident(attname), ', ' order by attnum) from pg_attribute
                 where attrelid = 'sessions'::regclass and attnum > 0 and not attisdropped and attgenerated = ''";
    let names = owner.texts(names).await.remove(0);
    let copies = format!(
        "insert into sessions ({names}) select {names} from (
             select (jsonb_populate_record(s, jsonb_build_object('id', n.id, 'root_id', n.id))).*
             from sessions s, (select uuidv7() as id from generate_series(1, {})) n where s.id = '{}') copied",
        connections - 30,
        ids[0]
    );
    owner.run(&copies).await;
    assert_eq!(start(&ids[30..]).await, 10);
    assert_eq!(owner.number("select count(*) from sessions where status = 'queued'").await, connections + 10);
}

#[tokio::test]
async fn a_session_started_twice_at_once_is_queued_once() {
    let world = idle(slots(0)).await;
    let (caller, owner) = (&world.caller(Role::Member), world.superuser().await);
    for _ in 0..5 {
        let id = caller.new_session(json!({})).await;
        let place = format!("/sessions/{id}/start");
        let replies = join_all((0..4).map(|_| caller.act(&place))).await;
        let (taken, refused): (Vec<_>, Vec<_>) = replies.into_iter().partition(|reply| reply.status == 202);
        assert_eq!(taken.len(), 1);
        for reply in refused {
            reply.problem(409, "INVALID_TRANSITION");
        }
        let queued =
            format!("select count(*) from session_events where session_id = '{id}' and payload->>'to' = 'queued'");
        assert_eq!(owner.number(&queued).await, 1);
    }
}

#[tokio::test]
async fn a_resumed_session_does_not_count_against_a_full_queue() {
    let world = idle(TenantLimits { max_queued_sessions: 1, ..slots(0) }).await;
    let (caller, owner) = (&world.caller(Role::Member), world.superuser().await);
    let held = caller.new_session(json!({})).await;
    owner.place(&held, "paused").await;
    caller.start_session(json!({})).await;
    let before = owner.dump().await;
    caller.act(&format!("/sessions/{held}/resume")).await.problem(429, "QUOTA_EXCEEDED");
    assert_eq!(owner.dump().await, before);
    set_tenant_limits(&world.app, world.tenant.id, TenantLimits { max_queued_sessions: 2, ..slots(0) }).await.unwrap();
    caller.act(&format!("/sessions/{held}/resume")).await.expect(202);
    // A message to a queued session takes no further slot of the queue.
    caller.post(&format!("/sessions/{held}/messages"), json!({"text": "And then?"})).await.expect(202);
}

#[tokio::test]
async fn a_tenant_that_rejects_answers_429_beyond_its_limit_instead_of_queueing() {
    let world = idle(TenantLimits { admission: Admission::Reject, ..slots(3) }).await;
    let (caller, owner) = (world.caller(Role::Member), world.superuser().await);
    let waiting = caller.new_session(json!({})).await;
    let body = json!({"title": "At once", "initial_prompt": "Do it.", "start": true});
    let replies = join_all((0..20).map(|_| caller.post("/sessions", body.clone()))).await;
    let (made, refused): (Vec<_>, Vec<_>) = replies.into_iter().partition(|reply| reply.status == 201);
    assert_eq!((made.len(), refused.len()), (3, 17));
    for reply in refused {
        reply.problem(429, "QUOTA_EXCEEDED");
    }
    let before = owner.dump().await;
    caller.act(&format!("/sessions/{waiting}/start")).await.problem(429, "QUOTA_EXCEEDED");
    let body = json!({"title": "Not started", "initial_prompt": "Do it."});
    caller.post("/sessions", body).await.problem(429, "QUOTA_EXCEEDED");
    caller.post(&format!("/sessions/{waiting}/fork"), json!({})).await.problem(429, "QUOTA_EXCEEDED");
    assert_eq!(owner.dump().await, before);
}

#[tokio::test]
async fn a_raised_limit_applies_at_the_next_reconciliation_and_a_lowered_one_stops_nobody() {
    let world = idle(slots(1)).await;
    let caller = world.caller(Role::Member);
    let first = caller.start_session(manual()).await;
    let second = caller.start_session(manual()).await;
    reconcile(&world.app).await.unwrap();
    assert_eq!(status(&caller, &first).await, "offered");
    hand_over(&world, &first).await;
    assert_eq!(status(&caller, &first).await, "running");
    let queue = caller.session(&second).await["queue"].clone();
    assert_eq!((&queue["place"], &queue["waiting_for"]), (&json!(1), &json!("slot")));
    set_tenant_limits(&world.app, world.tenant.id, slots(2)).await.unwrap();
    reconcile(&world.app).await.unwrap();
    assert_eq!(status(&caller, &second).await, "offered");
    hand_over(&world, &second).await;
    set_tenant_limits(&world.app, world.tenant.id, slots(0)).await.unwrap();
    reconcile(&world.app).await.unwrap();
    assert_eq!((status(&caller, &first).await, status(&caller, &second).await), ("running".into(), "running".into()));
}

fn month_end() -> String {
    let today = shared::kernel::clock::Clock::System.now().date_naive();
    let first = NaiveDate::from_ymd_opt(today.year(), today.month(), 1).unwrap();
    format!("{}T00:00:00Z", first.checked_add_months(Months::new(1)).unwrap())
}

#[tokio::test]
async fn exhausted_tokens_pause_sessions_until_the_month_ends_or_the_limit_is_raised() {
    let limits = TenantLimits { max_tokens_per_month: 1000, ..TenantLimits::default() };
    let world = TestApp::limited(limits).await;
    let caller = world.caller(Role::Member);
    let script = json!([{"do": "spend", "tokens_input": 900, "tokens_output": 100}, {"do": "wait", "ms": 600_000}]);
    let id = caller.run_script(script).await;
    let paused = caller.reaches(&id, &["paused"]).await;
    assert_eq!(paused["pause"]["reason"], "quota");
    assert_eq!(paused["pause"]["resume_at"], month_end());
    let waits = caller.start_session(json!({})).await;
    assert_eq!(caller.session(&waits).await["queue"]["waiting_for"], "tokens");
    reconcile(&world.app).await.unwrap();
    assert_eq!((status(&caller, &id).await, status(&caller, &waits).await), ("paused".into(), "queued".into()));
    set_tenant_limits(&world.app, world.tenant.id, TenantLimits { max_tokens_per_month: 2000, ..limits })
        .await
        .unwrap();
    reconcile(&world.app).await.unwrap();
    caller.reaches(&id, &["running"]).await;
    caller.reaches(&waits, &["completed"]).await;
    caller.post(&format!("/sessions/{id}/complete"), json!({"result": 1})).await.expect(200);
    assert_eq!(caller.states(&id).await, ["queued", "running", "paused", "running", "completed"]);
    assert_eq!(caller.get("/sessions/stats").await.expect(200)["tokens_this_month"], 1000);
}

#[tokio::test]
async fn without_tokens_a_rejecting_tenant_answers_429_and_an_unlimited_one_continues() {
    let limits = TenantLimits { max_tokens_per_month: 1000, admission: Admission::Reject, ..TenantLimits::default() };
    let world = idle(limits).await;
    let (caller, owner) = (world.caller(Role::Member), world.superuser().await);
    let id = caller.new_session(json!({})).await;
    let spend =
        "insert into tenant_usage select id, date_trunc('month', now() at time zone 'UTC')::date, 1000, 0 from tenants";
    owner.run(spend).await;
    let before = owner.dump().await;
    caller.act(&format!("/sessions/{id}/start")).await.problem(429, "TOKEN_QUOTA_EXCEEDED");
    assert_eq!(owner.dump().await, before);
    set_tenant_limits(&world.app, world.tenant.id, TenantLimits { max_tokens_per_month: 0, ..limits }).await.unwrap();
    caller.act(&format!("/sessions/{id}/start")).await.expect(202);
}

#[tokio::test]
async fn two_sessions_never_run_at_once_in_one_workspace() {
    let world = idle(TenantLimits::default()).await;
    let (caller, owner) = (world.caller(Role::Member), world.superuser().await);
    let there = |directory: &str| json!({"agent_config": {"agent": "manual"}, "workspace": {"directory": directory}});
    let first = caller.start_session(there("/srv/app")).await;
    let second = caller.start_session(there("/srv/app/")).await;
    let elsewhere = caller.start_session(there("/srv/other")).await;
    let anywhere = caller.start_session(manual()).await;
    reconcile(&world.app).await.unwrap();
    for id in [&first, &elsewhere, &anywhere] {
        assert_eq!(status(&caller, id).await, "offered");
        hand_over(&world, id).await;
        assert_eq!(status(&caller, id).await, "running");
    }
    let queue = caller.session(&second).await["queue"].clone();
    let detail = "Another session works in the same workspace.";
    assert_eq!(queue, json!({"place": 1, "waiting_for": "workspace", "detail": detail}));
    let offer = format!("update sessions set offered_until = now() where id = '{second}'");
    assert_eq!(owner.refusal(&offer).await.as_deref(), Some("sessions_workspace_taken"));
    let force =
        format!("update sessions set status = 'running', queued_at = null, active_since = now() where id = '{second}'");
    assert_eq!(owner.refusal(&force).await.as_deref(), Some("sessions_workspace_taken"));
    caller.post(&format!("/sessions/{first}/complete"), json!({"result": 1})).await.expect(200);
    assert_eq!(status(&caller, &second).await, "offered");
}

#[tokio::test]
async fn a_session_that_waits_for_its_workspace_does_not_block_the_next_one() {
    let world = idle(slots(0)).await;
    let caller = world.caller(Role::Member);
    let shared = json!({"agent_config": {"agent": "manual"}, "workspace": {"directory": "/srv/app"}});
    let mut ids = Vec::new();
    for fields in [shared.clone(), shared.clone(), shared, manual()] {
        ids.push(caller.start_session(fields).await);
    }
    set_tenant_limits(&world.app, world.tenant.id, slots(2)).await.unwrap();
    reconcile(&world.app).await.unwrap();
    let mut states = Vec::new();
    for id in &ids {
        states.push(status(&caller, id).await);
    }
    assert_eq!(states, ["offered", "queued", "queued", "offered"]);
}

#[tokio::test]
async fn sessions_on_one_repository_and_branch_run_at_once() {
    let world = idle(slots(2)).await;
    let caller = world.caller(Role::Member);
    let workspace = json!({"repository": "https://git.example.com/team/app.git", "ref": "main"});
    for _ in 0..2 {
        let id = caller.start_session(json!({"agent_config": {"agent": "manual"}, "workspace": workspace})).await;
        reconcile(&world.app).await.unwrap();
        assert_eq!(status(&caller, &id).await, "offered");
    }
}

#[tokio::test]
async fn a_resumed_session_waits_in_the_queue_while_no_slot_or_workspace_is_free() {
    let mut world = idle(slots(1)).await;
    world.work();
    let caller = world.caller(Role::Member);
    let first = caller.start_session(manual()).await;
    caller.reaches(&first, &["running"]).await;
    caller.act(&format!("/sessions/{first}/pause")).await.expect(202);
    caller.reaches(&first, &["paused"]).await;
    let second = caller.start_session(manual()).await;
    caller.reaches(&second, &["running"]).await;
    assert_eq!(caller.act(&format!("/sessions/{first}/resume")).await.expect(202)["status"], "queued");
    caller.post(&format!("/sessions/{second}/complete"), json!({"result": 1})).await.expect(200);
    caller.reaches(&first, &["running"]).await;
    assert_eq!(caller.states(&first).await, ["queued", "running", "paused", "queued", "running"]);
}
