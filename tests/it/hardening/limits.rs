//! The limits on calls: of a key, of a tenant, at once, and without Redis.

use std::time::Duration;

use futures_util::future::join_all;
use harness::{Options, Reply, TestApp, proxy::Proxy, until, valkey::Valkey};
use serde_json::json;
use shared::identity::{
    auth::Role,
    rate_limits::{
        RateLimits,
        service::{is_shared, tenant_usage},
    },
};
use tokio::time::Instant;

/// A test app with this rate limit, and patience for a Redis on a busy machine.
fn limited(per_key: u32, per_tenant: u32) -> Options {
    let mut options = Options::default();
    let patience = Duration::from_secs(5);
    options.settings.rate =
        RateLimits { per_key, per_tenant, patience, concurrent_per_key: 0, ..RateLimits::default() };
    options
}

fn header<'a>(reply: &'a Reply, name: &str) -> &'a str {
    reply.headers.get(name).and_then(|value| value.to_str().ok()).unwrap_or_default()
}

/// The remainder of `name` in the header `RateLimit`.
fn left(reply: &Reply, name: &str) -> u32 {
    let text = header(reply, "ratelimit");
    let mut items = text.split(", ");
    let item = items.find(|item| item.starts_with(&format!("\"{name}\""))).unwrap_or_else(|| panic!("{text:?}"));
    item.split(";r=").nth(1).unwrap().split(';').next().unwrap().parse().unwrap()
}

#[tokio::test]
async fn each_key_has_its_own_rate_limit_and_every_response_reports_the_remainder() {
    let world = TestApp::idle(limited(3, 100)).await;
    let (member, lead) = (world.caller(Role::Member), world.caller(Role::Lead));
    let first = member.get("/sessions").await;
    assert_eq!(header(&first, "ratelimit-policy"), "\"key\";q=3;w=60, \"tenant\";q=100;w=60");
    assert_eq!((left(&first, "key"), left(&first, "tenant")), (2, 99));
    assert!(first.headers.get("retry-after").is_none());
    let second = member.get("/sessions/7").await;
    assert_eq!((second.status.as_u16(), left(&second, "key")), (422, 1));
    assert_eq!(left(&member.post("/sessions", json!({"title": ""})).await, "key"), 0);
    let refused = member.get("/sessions").await;
    let wait: u64 = header(&refused, "retry-after").parse().unwrap();
    assert!((1..=20).contains(&wait), "{wait}");
    assert_eq!((left(&refused, "key"), left(&refused, "tenant")), (0, 97), "a refused call takes nothing");
    assert_eq!(refused.problem(429, "RATE_LIMITED")["retryable"], true);
    lead.get("/sessions").await.expect(200);
}

#[tokio::test]
async fn all_keys_of_a_tenant_share_its_rate_limit_and_other_tenants_are_unaffected() {
    let world = TestApp::idle(limited(100, 100)).await;
    let other = world.another_tenant().await;
    let id = world.tenant.id;
    world.superuser().await.run(&format!("update tenants set calls_per_minute = 4 where id = '{id}'")).await;
    for role in [Role::Viewer, Role::Member, Role::Lead, Role::Admin] {
        let reply = world.caller(role).get("/sessions").await;
        assert_eq!(header(&reply, "ratelimit-policy"), "\"key\";q=100;w=60, \"tenant\";q=4;w=60");
        reply.expect(200);
    }
    let refused = world.caller(Role::Viewer).get("/sessions").await;
    assert_eq!((left(&refused, "key"), left(&refused, "tenant")), (99, 0));
    refused.problem(429, "RATE_LIMITED");
    world.caller_of(&other, Role::Viewer).get("/sessions").await.expect(200);
    let spent = tenant_usage(&world.app, id).await.unwrap();
    assert_eq!((spent.limit, spent.used), (Some(4), 4));
    assert!(spent.resets_in > Duration::from_secs(30) && spent.resets_in <= Duration::from_mins(1), "{spent:?}");
    // An admin's calls in another tenant count in the admin's own.
    let admin = world.caller(Role::Admin).with("x-tenant-id", &other.slug);
    admin.get("/sessions").await.problem(429, "RATE_LIMITED");
}

#[tokio::test]
async fn exactly_as_many_concurrent_calls_pass_as_the_limit_allows() {
    let world = TestApp::idle(limited(20, 0)).await;
    let caller = world.caller(Role::Viewer);
    let began = Instant::now();
    let replies = join_all((0..60).map(|_| caller.get("/sessions"))).await;
    let passed = replies.iter().filter(|reply| reply.status == 200).count();
    // One every three seconds, while the calls themselves took some.
    let refilled = usize::try_from(began.elapsed().as_secs() / 3).unwrap() + 1;
    assert!((20..=20 + refilled).contains(&passed), "{passed} passed");
    assert!(replies.iter().all(|reply| matches!(reply.status.as_u16(), 200 | 429)));
}

#[tokio::test]
async fn calls_pass_again_as_the_rate_window_moves() {
    let mut options = limited(1200, 0);
    options.settings.rate.burst = Duration::from_secs(1);
    let world = TestApp::idle(options).await;
    let caller = world.caller(Role::Viewer);
    let refused = async || caller.get("/sessions").await.status == 429;
    until(async || join_all((0..40).map(|_| refused())).await.contains(&true)).await;
    until(async || !refused().await).await;
}

#[tokio::test]
async fn without_a_limit_there_are_no_headers_and_a_refused_caller_consumes_nothing() {
    let free = TestApp::idle(limited(0, 0)).await;
    let reply = free.caller(Role::Viewer).get("/sessions").await;
    assert!(reply.headers.get("ratelimit").is_none() && reply.headers.get("ratelimit-policy").is_none());
    reply.expect(200);
    let world = TestApp::idle(limited(2, 2)).await;
    for _ in 0..5 {
        world.nobody().get("/sessions").await.problem(401, "UNAUTHENTICATED");
        world.caller(Role::Viewer).with("authorization", "Bearer nothing").get("/sessions").await.expect(401);
        assert!(world.caller(Role::Viewer).get("/health").await.headers.get("ratelimit").is_none());
    }
    world.caller(Role::Viewer).get("/sessions").await.expect(200);
}

#[tokio::test]
async fn a_rate_limited_call_does_not_consume_its_idempotency_key() {
    let world = TestApp::idle(limited(1, 0)).await;
    let (member, lead) = (world.caller(Role::Member), world.caller(Role::Lead));
    let body = json!({"title": "Fix the parser", "initial_prompt": "Do it."});
    let (one, other) = (member.with("idempotency-key", "a"), member.with("idempotency-key", "b"));
    one.post("/sessions", body.clone()).await.expect(201);
    other.post("/sessions", body.clone()).await.problem(429, "RATE_LIMITED");
    one.post("/sessions", body).await.problem(429, "RATE_LIMITED");
    assert_eq!(lead.get("/sessions").await.expect(200)["items"].as_array().unwrap().len(), 1);
    assert_eq!(world.superuser().await.number("select count(*) from idempotency_keys").await, 1);
}

#[tokio::test]
async fn a_call_costs_one_round_trip_to_redis() {
    let server = Valkey::start(&[]).await;
    let world = TestApp::idle(Options { redis_url: Some(server.url()), ..limited(1000, 1000) }).await;
    let caller = world.caller(Role::Viewer);
    caller.get("/sessions").await.expect(200);
    server.command("CONFIG RESETSTAT").await;
    for _ in 0..10 {
        caller.get("/sessions").await.expect(200);
    }
    let reported = server.command("INFO commandstats").await;
    let calls =
        |name: &str| reported.split(&format!("cmdstat_{name}:calls=")).nth(1).map(|rest| rest.split(',').next());
    assert_eq!(calls("evalsha"), Some(Some("10")), "{reported}");
    assert!(!reported.contains("cmdstat_eval:") && !reported.contains("cmdstat_script"), "{reported}");
    let kept = server.command("KEYS calls:*").await;
    assert!(kept.starts_with("*2"), "{kept}");
    for name in kept.lines().filter(|line| line.starts_with("calls:")) {
        assert!(name.contains(&format!("{{{}}}", world.tenant.id)), "{name} lies in its tenant's slot");
        let left = server.command(&format!("PTTL {name}")).await;
        assert!(!left.starts_with(":-"), "{name} expires by itself, but {left}");
    }
}

#[tokio::test]
async fn calls_are_counted_without_redis_and_readiness_reports_it() {
    let mut server = Valkey::start(&[]).await;
    let world = TestApp::idle(Options { redis_url: Some(server.url()), ..limited(2, 0) }).await;
    let (caller, other) = (world.caller(Role::Viewer), world.caller(Role::Lead));
    caller.get("/sessions").await.expect(200);
    server.kill();
    assert_eq!(left(&caller.get("/sessions").await, "key"), 0, "what was counted before still counts");
    caller.get("/sessions").await.problem(429, "RATE_LIMITED");
    other.get("/sessions").await.expect(200);
    let ready = world.nobody().get("/ready").await.expect(503);
    assert_eq!(ready["checks"]["redis"]["ok"], false);
    assert!(ready["notes"][0].as_str().unwrap().contains("its own count"), "{ready}");
    server.revive().await;
    let ready = until_ready(&world).await;
    assert_eq!(ready["notes"], json!([]));
    caller.get("/sessions").await.problem(429, "RATE_LIMITED");
}

#[tokio::test]
async fn readiness_is_checked_once_a_second_for_all_who_ask() {
    let server = Valkey::start(&[]).await;
    let world = TestApp::idle(Options { redis_url: Some(server.url()), ..Options::default() }).await;
    server.command("CONFIG RESETSTAT").await;
    let (began, nobody) = (Instant::now(), world.nobody());
    assert!(join_all((0..100).map(|_| nobody.get("/ready"))).await.iter().all(|reply| reply.status == 200));
    let seconds = began.elapsed().as_secs();
    let statistics = server.command("INFO commandstats").await;
    let of_ping = statistics.split("cmdstat_ping:calls=").nth(1).expect("Redis was asked");
    let pings: u64 = of_ping.split(',').next().unwrap().parse().unwrap();
    assert!(pings <= 1 + seconds, "{pings} checks in {seconds} s");
}

/// Waits until calls are counted in Redis again, which another key's calls find out.
async fn until_ready(world: &TestApp) -> serde_json::Value {
    let admin = world.caller(Role::Admin);
    until(async || {
        admin.get("/sessions").await;
        let ready = world.nobody().get("/ready").await;
        ready.status == 200 && ready.json()["notes"] == json!([])
    })
    .await;
    world.nobody().get("/ready").await.expect(200)
}

#[tokio::test]
async fn a_flood_of_calls_passes_as_often_as_the_limit_allows_with_and_without_redis() {
    let mut server = Valkey::start(&[]).await;
    let mut options = Options { redis_url: Some(server.url()), ..limited(600, 0) };
    // The default patience, which a flood of this size exceeds.
    options.settings.rate.patience = RateLimits::default().patience;
    let world = TestApp::idle(options).await;
    let flood = async |role| {
        let caller = world.caller(role);
        // A call that passes is refused for its id, which costs no query. The first one caches the credential.
        caller.get("/sessions/7").await.expect(422);
        let began = Instant::now();
        let replies = join_all((0..3500).map(|_| caller.get("/sessions/7"))).await;
        let passed = replies.iter().filter(|reply| reply.status == 422).count();
        // One every 100 ms, while the calls themselves took some.
        let refilled = usize::try_from(began.elapsed().as_millis() / 100).unwrap() + 1;
        assert!((599..=599 + refilled).contains(&passed), "{passed} passed, {refilled} were added meanwhile");
        assert!(replies.iter().all(|reply| matches!(reply.status.as_u16(), 422 | 429)));
    };
    flood(Role::Viewer).await;
    server.kill();
    flood(Role::Member).await;
}

#[tokio::test]
async fn a_busy_process_does_not_take_its_own_delay_for_a_failure_of_redis() {
    let server = Valkey::start(&[]).await;
    let way = Proxy::to(&server.url()).await;
    let mut options = Options { redis_url: Some(way.url(&server.url())), ..limited(10, 0) };
    options.settings.rate.patience = RateLimits::default().patience;
    let world = TestApp::idle(options).await;
    let caller = world.caller(Role::Viewer);
    caller.get("/sessions").await.expect(200);
    way.stall();
    let busy = async {
        // The call waits for Redis by now; the whole process stands still past its patience.
        tokio::task::yield_now().await;
        std::thread::sleep(Duration::from_millis(300));
        way.flow();
    };
    let (reply, ()) = tokio::join!(caller.get("/sessions"), busy);
    assert!(left(&reply, "key") <= 8, "the call was counted");
    reply.expect(200);
    assert!(is_shared(&world.app), "Redis was not at fault");
}

#[tokio::test]
async fn a_key_has_a_bounded_number_of_calls_in_progress() {
    let mut options = limited(0, 0);
    options.settings.rate.concurrent_per_key = 2;
    options.settings.rate.turn_patience = Duration::from_millis(200);
    let world = TestApp::idle(options).await;
    let caller = world.caller(Role::Member);
    let body = json!({"title": "Fix the parser", "initial_prompt": "Do it.", "start": true});
    // Two creations wait for the lock of the tenant's queue, which another connection holds.
    let superuser = world.superuser().await;
    let id = world.tenant.id;
    superuser.run(&format!("begin; select pg_advisory_xact_lock(hashtextextended('queue:{id}', 0))")).await;
    let waiting = async { join_all((0..2).map(|_| caller.post("/sessions", body.clone()))).await };
    let probing = async {
        let others = world.caller(Role::Viewer);
        others.get("/sessions").await.expect(200);
        caller.get("/sessions").await.problem(429, "RATE_LIMITED");
        superuser.run("commit").await;
    };
    let (created, ()) = tokio::join!(waiting, probing);
    for reply in created {
        reply.expect(201);
    }
    caller.get("/sessions").await.expect(200);
}

#[tokio::test]
async fn a_hanging_redis_delays_a_call_only_briefly_and_is_retried_later() {
    let server = Valkey::start(&[]).await;
    let way = Proxy::to(&server.url()).await;
    let mut options = Options { redis_url: Some(way.url(&server.url())), ..limited(1_000_000, 0) };
    options.settings.rate.patience = Duration::from_millis(50);
    let world = TestApp::idle(options).await;
    let caller = world.caller(Role::Viewer);
    until(async || {
        caller.get("/sessions").await.expect(200);
        is_shared(&world.app)
    })
    .await;
    way.stall();
    let began = Instant::now();
    for _ in 0..30 {
        let reply = caller.get("/sessions").await;
        assert!(left(&reply, "key") < 1_000_000, "counted all the same");
        reply.expect(200);
    }
    // Each would take the two seconds that Redis is given elsewhere.
    assert!(began.elapsed() < Duration::from_secs(10), "{:?}", began.elapsed());
    way.flow();
    until(async || {
        caller.get("/sessions").await.expect(200);
        is_shared(&world.app)
    })
    .await;
}
