//! `Idempotency-Key`: sent again, a request has one effect and gets the answer of the first.

use std::sync::Arc;

use chrono::TimeDelta;
use futures_util::future::join_all;
use harness::{Caller, Options, TestApp};
use serde_json::{Value, json};
use shared::{
    engine::tenant_update::set_tenant_limits,
    identity::{
        auth::{self, Principal, Role},
        idempotency::{self, StoredResponse},
        tenants::{Admission, TenantLimits},
    },
    kernel::clock::Clock,
    platform::queue::job::Job,
    sessions::{
        draft::{SessionDraft, SessionInput},
        service,
    },
};

fn draft() -> Value {
    json!({"title": "Fix the parser", "initial_prompt": "Do it."})
}

fn keyed(caller: &Caller, key: &str) -> Caller {
    caller.with("idempotency-key", key)
}

async fn sessions(world: &TestApp) -> i64 {
    world.superuser().await.number("select count(*) from sessions").await
}

#[tokio::test]
async fn a_repeated_request_gets_the_same_response_and_no_second_effect() {
    let world = TestApp::full().await;
    let caller = keyed(&world.caller(Role::Member), "one");
    let first = caller.post("/sessions", draft()).await;
    assert!(!first.headers.contains_key("idempotent-replay"));
    let again = caller.post("/sessions", draft()).await;
    assert_eq!(again.headers["idempotent-replay"], "true");
    for header in ["etag", "location", "content-type"] {
        assert_eq!(first.headers[header], again.headers[header]);
    }
    assert_eq!(first.status, again.status);
    assert_eq!(first.bytes, again.bytes);
    assert_eq!(sessions(&world).await, 1);
    assert_eq!(world.superuser().await.number("select count(*) from audit_entries").await, 1);
}

#[tokio::test]
async fn a_hundred_identical_concurrent_calls_have_one_effect_and_one_response() {
    let world = TestApp::full().await;
    let caller = keyed(&world.caller(Role::Member), "hundred");
    let replies = join_all((0..100).map(|_| caller.post("/sessions", draft()))).await;
    let (made, refused): (Vec<_>, Vec<_>) = replies.into_iter().partition(|reply| reply.status == 201);
    assert!(!made.is_empty());
    for reply in &made {
        assert_eq!(reply.bytes, made[0].bytes);
    }
    for reply in refused {
        let problem = reply.problem(409, "IDEMPOTENCY_IN_PROGRESS");
        assert_eq!(problem["retryable"], true);
    }
    assert_eq!(sessions(&world).await, 1);
    assert_eq!(caller.post("/sessions", draft()).await.bytes, made[0].bytes);
}

#[tokio::test]
async fn every_session_command_is_replayed_and_not_refused_as_already_done() {
    let world = TestApp::new().await;
    let caller = world.caller(Role::Member);
    let id = caller.new_session(json!({"agent_config": {"agent": "manual"}})).await;
    let path = |verb: &str| format!("/sessions/{id}/{verb}");
    let twice = async |key: &str, path: &str, body: Value| {
        let caller = keyed(&caller, key);
        let (first, again) = (caller.post(path, body.clone()).await, caller.post(path, body).await);
        assert!(first.status.is_success(), "{path}: {first:?}");
        assert_eq!((first.status, &first.bytes), (again.status, &again.bytes), "{path}");
        assert_eq!(again.headers["idempotent-replay"], "true");
    };
    twice("start", &path("start"), json!({})).await;
    caller.reaches(&id, &["running"]).await;
    twice("say", &path("messages"), json!({"text": "Go on."})).await;
    twice("pause", &path("pause"), json!({})).await;
    caller.reaches(&id, &["paused"]).await;
    twice("resume", &path("resume"), json!({})).await;
    caller.reaches(&id, &["running"]).await;
    twice("checkpoint", &path("checkpoints"), json!({"note": "here"})).await;
    twice("fork", &path("fork"), json!({})).await;
    twice("complete", &path("complete"), json!({"result": {"text": "done"}})).await;
    let said = caller.events(&id).await;
    let prompts = said.iter().filter(|event| event["type"] == "session.message").count();
    assert_eq!(prompts, 1, "{said:?}");
    let delete = keyed(&caller, "delete");
    delete.delete(&format!("/sessions/{id}")).await.expect(204);
    delete.delete(&format!("/sessions/{id}")).await.expect(204);
    caller.get(&format!("/sessions/{id}")).await.problem(404, "SESSION_NOT_FOUND");
}

#[tokio::test]
async fn work_after_the_commit_is_still_done_with_an_idempotency_key() {
    let world = TestApp::new().await;
    let caller = world.caller(Role::Member);
    let script = json!({"agent": "scripted", "script": [{"do": "say", "text": "Done."}]});
    let body = json!({"title": "Fix the parser", "initial_prompt": "Do it.", "agent_config": script, "start": true});
    let made = keyed(&caller, "start").post("/sessions", body).await.expect(201);
    assert_eq!(made["status"], "queued");
    let id = made["id"].as_str().unwrap();
    caller.reaches(id, &["completed"]).await;
    // A parent that is stopped with a key calls its waiting children off, and hands its slot on.
    let parent = caller.start_session(json!({"agent_config": {"agent": "manual"}})).await;
    caller.reaches(&parent, &["running"]).await;
    let child = caller.new_session(json!({"parent_id": parent})).await;
    let fail = json!({"message": "It broke."});
    keyed(&caller, "fail").post(&format!("/sessions/{parent}/fail"), fail).await.expect(200);
    caller.reaches(&child, &["orphaned"]).await;
}

#[tokio::test]
async fn the_same_key_with_another_request_is_refused() {
    let world = TestApp::full().await;
    let caller = keyed(&world.caller(Role::Member), "reused");
    let made = caller.post("/sessions", draft()).await.expect(201);
    let other = json!({"title": "Another thing", "initial_prompt": "Do it."});
    caller.post("/sessions", other).await.problem(422, "IDEMPOTENCY_KEY_REUSED");
    let start = format!("/sessions/{}/start", made["id"].as_str().unwrap());
    caller.act(&start).await.problem(422, "IDEMPOTENCY_KEY_REUSED");
    assert_eq!(sessions(&world).await, 1);
}

#[tokio::test]
async fn an_invalid_idempotency_key_is_reported_before_any_other_error() {
    let world = TestApp::full().await;
    let caller = keyed(&world.caller(Role::Member), "first");
    caller.post("/sessions", draft()).await.expect(201);
    let never_asks_postgres = json!({"title": ""});
    caller.post("/sessions", never_asks_postgres).await.problem(422, "IDEMPOTENCY_KEY_REUSED");
    caller.act("/sessions/00000000-0000-7000-8000-000000000000/stop").await.problem(422, "IDEMPOTENCY_KEY_REUSED");
    assert_eq!(sessions(&world).await, 1);
}

#[tokio::test]
async fn a_key_that_is_in_use_is_refused_at_once_where_its_work_would_wait() {
    let world = TestApp::full().await;
    let (tenant, key) = (world.tenant.id, world.tenant.key_id(Role::Member));
    let owner = world.superuser().await;
    for name in [format!("idempotency:{tenant}:key:{key}:busy"), format!("queue:{tenant}")] {
        owner.run(&format!("select pg_advisory_lock(hashtextextended('{name}', 0))")).await;
    }
    let start = json!({"title": "Fix the parser", "initial_prompt": "Do it.", "start": true});
    let caller = keyed(&world.caller(Role::Member), "busy");
    let answered = tokio::time::timeout(std::time::Duration::from_secs(4), caller.post("/sessions", start.clone()));
    answered.await.unwrap().problem(409, "IDEMPOTENCY_IN_PROGRESS");
    caller.post("/sessions", draft()).await.problem(409, "IDEMPOTENCY_IN_PROGRESS");
    owner.run("select pg_advisory_unlock_all()").await;
    caller.post("/sessions", start).await.expect(201);
    assert_eq!(sessions(&world).await, 1);
}

#[tokio::test]
async fn an_idempotency_key_belongs_to_its_caller() {
    let world = TestApp::full().await;
    let other = world.another_tenant().await;
    let callers = [
        world.caller(Role::Member),
        world.caller(Role::Lead),
        world.caller_of(&other, Role::Member),
        world.caller(Role::Admin).with("x-tenant-id", &other.slug),
    ];
    let mut ids = Vec::new();
    for caller in callers {
        ids.push(keyed(&caller, "shared").post("/sessions", draft()).await.expect(201)["id"].clone());
    }
    ids.dedup();
    assert_eq!(ids.len(), 4);
    // The same credential, but on another tenant: another request.
    let admin = keyed(&world.caller(Role::Admin), "shared");
    admin.post("/sessions", draft()).await.problem(422, "IDEMPOTENCY_KEY_REUSED");
}

#[tokio::test]
async fn a_request_that_was_refused_may_be_sent_again_with_its_key() {
    let world = TestApp::full().await;
    let caller = keyed(&world.caller(Role::Member), "refused");
    caller.post("/sessions", json!({"title": ""})).await.problem(422, "VALIDATION_FAILED");
    caller.post("/sessions", draft()).await.expect(201);
    assert_eq!(sessions(&world).await, 1);
}

#[tokio::test]
async fn a_quota_or_agent_refusal_is_the_same_with_a_key_and_leaves_nothing() {
    let limits = TenantLimits { admission: Admission::Reject, max_concurrent_sessions: 1, ..TenantLimits::default() };
    let world = TestApp::idle(Options { limits, ..Options::default() }).await;
    let (member, owner) = (world.caller(Role::Member), world.superuser().await);
    let caller = keyed(&member, "refused");
    let parent = member.new_session(json!({})).await;
    let before = owner.dump().await;
    let unknown = json!({"title": "Fix the parser", "initial_prompt": "Do it.", "agent_config": {"agent": "nobody"}});
    let problem = caller.post("/sessions", unknown).await.problem(422, "VALIDATION_FAILED");
    assert_eq!(problem["errors"][0]["field"], "agent_config.agent");
    assert_eq!(owner.dump().await, before);
    member.act(&format!("/sessions/{parent}/start")).await.expect(202);
    let before = owner.dump().await;
    let child = json!({"title": "Below", "initial_prompt": "Do it.", "parent_id": parent});
    for body in [draft(), child] {
        caller.post("/sessions", body).await.problem(429, "QUOTA_EXCEEDED");
    }
    caller.post(&format!("/sessions/{parent}/fork"), json!({})).await.problem(429, "QUOTA_EXCEEDED");
    assert_eq!(owner.dump().await, before);
    set_tenant_limits(&world.app, world.tenant.id, TenantLimits { max_concurrent_sessions: 2, ..limits })
        .await
        .unwrap();
    caller.post("/sessions", draft()).await.expect(201);
}

#[tokio::test]
async fn a_stored_response_is_replayed_even_if_the_request_would_be_refused_now() {
    let limits = TenantLimits { admission: Admission::Reject, max_concurrent_sessions: 1, ..TenantLimits::default() };
    let world = TestApp::idle(Options { limits, ..Options::default() }).await;
    let member = world.caller(Role::Member);
    let caller = keyed(&member, "last");
    let made = caller.post("/sessions", draft()).await;
    let id = made.json()["id"].as_str().unwrap().to_owned();
    member.act(&format!("/sessions/{id}/start")).await.expect(202);
    member.post("/sessions", draft()).await.problem(429, "QUOTA_EXCEEDED");
    let again = caller.post("/sessions", draft()).await;
    assert_eq!((again.status, &again.bytes), (made.status, &made.bytes));
    assert_eq!(again.headers["idempotent-replay"], "true");
    let another = json!({"title": "Another", "initial_prompt": "Do it."});
    caller.post("/sessions", another).await.problem(422, "IDEMPOTENCY_KEY_REUSED");
    assert_eq!(sessions(&world).await, 1);
}

#[tokio::test]
async fn a_request_with_a_key_is_done_once_although_every_connection_died() {
    let world = TestApp::idle(Options::default()).await;
    let (owner, member) = (world.superuser().await, world.caller(Role::Member));
    let end = "select pg_terminate_backend(pid) from pg_stat_activity
               where datname = current_database() and pid <> pg_backend_pid()";
    for at in 0..8 {
        let caller = keyed(&member, &format!("call-{at}"));
        owner.run(end).await;
        let made = caller.post("/sessions", draft()).await;
        owner.run(end).await;
        assert_eq!(caller.post("/sessions", draft()).await.bytes, made.bytes);
        made.expect(201);
    }
    assert_eq!(sessions(&world).await, 8);
}

#[tokio::test]
async fn a_request_with_a_key_reads_its_own_writes() {
    let world = TestApp::idle(Options::default()).await;
    let tenant = &world.tenant;
    let (id, name) = (tenant.key_id(Role::Member), "member".to_owned());
    let principal = Principal::Key { id, name, user_id: None, expires_at: None };
    let caller = auth::Caller {
        tenant_id: tenant.id,
        home_tenant_id: tenant.id,
        role: Role::Member,
        scopes: Arc::default(),
        principal,
        valid_until: None,
        request_id: Arc::from("request"),
        address: None,
    };
    let asked = idempotency::KeyedRequest { key: "tree", method: "POST", target: "/sessions", body: b"" };
    let open = async |title: &str, parent_id: Option<String>| {
        let initial_prompt = "Do it.".to_owned();
        let input = SessionInput { title: title.to_owned(), initial_prompt, parent_id, ..SessionInput::default() };
        let draft = SessionDraft::parse(input).unwrap();
        service::create(&world.app, &caller, draft).await.map(|found| found.session)
    };
    let claimed = idempotency::claim_key(&world.app, &caller, &asked);
    let (parent, child) = claimed
        .run_with_key(Box::pin(async {
            let parent = open("Above", None).await.unwrap().id;
            (parent, open("Below", Some(parent.to_string())).await.unwrap())
        }))
        .await;
    assert_eq!((child.lineage.parent_id, child.lineage.depth), (Some(parent), 2));
    assert_eq!(sessions(&world).await, 0);
    let answer = StoredResponse { status: 201, headers: Vec::new(), body: b"made".to_vec() };
    assert_eq!(claimed.commit_response(&world.app, &answer).await.unwrap(), None);
    assert_eq!(sessions(&world).await, 2);
    let verdict = world.caller(Role::Lead).get("/api/v1/audit/verify").await.expect(200);
    assert_eq!((&verdict["intact"], &verdict["entries"]), (&json!(true), &json!(2)));
    let again = idempotency::claim_key(&world.app, &caller, &asked);
    assert_eq!(again.stored_response(&world.app).await.unwrap(), Some(answer));
}

#[tokio::test]
async fn a_malformed_idempotency_key_is_refused() {
    let world = TestApp::full().await;
    let caller = world.caller(Role::Member);
    for wrong in ["", " ", "a b", "x".repeat(256).as_str(), "\u{e9}"] {
        let problem = keyed(&caller, wrong).post("/sessions", draft()).await.problem(422, "VALIDATION_FAILED");
        assert_eq!(problem["errors"][0]["field"], "Idempotency-Key", "{wrong:?}");
    }
    keyed(&caller, "a").also("idempotency-key", "b").post("/sessions", draft()).await.problem(422, "VALIDATION_FAILED");
    keyed(&caller, &"x".repeat(255)).post("/sessions", draft()).await.expect(201);
    assert_eq!(sessions(&world).await, 1);
    world.nobody().with("idempotency-key", "a").post("/sessions", draft()).await.problem(401, "UNAUTHENTICATED");
}

#[tokio::test]
async fn a_crash_before_the_response_leaves_neither_effect_nor_response() {
    let world = TestApp::full().await;
    let caller = keyed(&world.caller(Role::Member), "crash");
    // Wherever it is interrupted, the following call has the one effect and responds.
    for polls in [1, 2, 3, 5, 8, 13, 21, 34, 55] {
        let mut call = Box::pin(caller.post("/sessions", draft()));
        for _ in 0..polls {
            if futures_util::poll!(call.as_mut()).is_ready() {
                break;
            }
            tokio::task::yield_now().await;
        }
        drop(call);
        assert!(sessions(&world).await <= 1);
    }
    // The connection of an interrupted call releases the key as soon as Postgres notices.
    harness::until(async || caller.post("/sessions", draft()).await.status == 201).await;
    assert_eq!(sessions(&world).await, 1);
    assert_eq!(caller.post("/sessions", draft()).await.headers["idempotent-replay"], "true");
    let kept = world.superuser().await.number("select count(*) from idempotency_keys").await;
    assert_eq!(kept, 1);
}

#[tokio::test]
async fn a_response_is_kept_for_one_day() {
    let clock = Clock::fixed(Clock::System.now());
    let world = TestApp::idle(Options { clock: clock.clone(), ..Options::default() }).await;
    let caller = keyed(&world.caller(Role::Member), "day");
    let made = caller.post("/sessions", draft()).await;
    clock.advance(TimeDelta::hours(24) - TimeDelta::microseconds(1));
    assert_eq!(caller.post("/sessions", draft()).await.bytes, made.bytes);
    clock.advance(TimeDelta::microseconds(1));
    let anew = caller.post("/sessions", draft()).await;
    assert_ne!(anew.bytes, made.bytes);
    assert_eq!(caller.post("/sessions", draft()).await.bytes, anew.bytes);
    clock.advance(TimeDelta::hours(25));
    functions::jobs::run(&world.app, Job::reconcile()).await.unwrap();
    assert_eq!(world.superuser().await.number("select count(*) from idempotency_keys").await, 0);
}

#[tokio::test]
async fn a_stored_response_cannot_be_read_from_the_database() {
    let world = TestApp::full().await;
    let caller = keyed(&world.caller(Role::Member), "sealed");
    let body = json!({"title": "A title that nobody is to read", "initial_prompt": "Do it."});
    caller.post("/sessions", body).await.expect(201);
    let dump = world.superuser().await.dump().await;
    let title = hex::encode("A title that nobody is to read");
    assert!(!dump["idempotency_keys"].contains(&title));
    assert!(dump["idempotency_keys"].contains("sealed"));
}
