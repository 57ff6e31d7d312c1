//! How many calls may come: of a key, of a tenant, at once, and without Redis.

use std::time::Duration;

use futures_util::future::join_all;
use harness::{Options, Reply, World, proxy::Proxy, until, valkey::Valkey};
use serde_json::json;
use shared::{auth::Role, limits::RateLimits, limits::service::used};
use tokio::time::Instant;

/// A world that lets so many calls per minute through, and waits long enough for a Redis on a busy machine.
fn limited(per_key: u32, per_tenant: u32) -> Options {
    let mut options = Options::default();
    options.settings.rate =
        RateLimits { per_key, per_tenant, patience: Duration::from_secs(5), ..RateLimits::default() };
    options
}

fn header<'a>(reply: &'a Reply, name: &str) -> &'a str {
    reply.headers.get(name).and_then(|value| value.to_str().ok()).unwrap_or_default()
}

/// What `RateLimit` says is left of `name`.
fn left(reply: &Reply, name: &str) -> u32 {
    let text = header(reply, "ratelimit");
    let mut items = text.split(", ");
    let item = items.find(|item| item.starts_with(&format!("\"{name}\""))).unwrap_or_else(|| panic!("{text:?}"));
    item.split(";r=").nth(1).unwrap().split(';').next().unwrap().parse().unwrap()
}

#[tokio::test]
async fn a_key_is_limited_by_itself_and_every_answer_says_how_many_calls_are_left() {
    let world = World::idle(limited(3, 100)).await;
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
async fn all_keys_of_a_tenant_share_the_limit_that_the_tenant_has_and_no_other_tenant_feels_it() {
    let world = World::idle(limited(100, 100)).await;
    let other = world.another_tenant().await;
    let id = world.tenant.id;
    world.owner().await.run(&format!("update tenants set calls_per_minute = 4 where id = '{id}'")).await;
    for role in [Role::Viewer, Role::Member, Role::Lead, Role::Admin] {
        let reply = world.caller(role).get("/sessions").await;
        assert_eq!(header(&reply, "ratelimit-policy"), "\"key\";q=100;w=60, \"tenant\";q=4;w=60");
        reply.expect(200);
    }
    let refused = world.caller(Role::Viewer).get("/sessions").await;
    assert_eq!((left(&refused, "key"), left(&refused, "tenant")), (99, 0));
    refused.problem(429, "RATE_LIMITED");
    world.caller_of(&other, Role::Viewer).get("/sessions").await.expect(200);
    let spent = used(&world.app, id).await.unwrap();
    assert_eq!((spent.limit, spent.used), (Some(4), Some(4)));
    assert!(spent.resets_in > Duration::from_secs(30) && spent.resets_in <= Duration::from_mins(1), "{spent:?}");
    // What an admin does in another tenant counts at home.
    let admin = world.caller(Role::Admin).with("x-tenant-id", &other.slug);
    admin.get("/sessions").await.problem(429, "RATE_LIMITED");
}

#[tokio::test]
async fn of_many_calls_at_once_exactly_as_many_pass_as_the_limit_says() {
    let world = World::idle(limited(20, 0)).await;
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
async fn calls_pass_again_as_time_goes_by() {
    let mut options = limited(1200, 0);
    options.settings.rate.burst = Duration::from_secs(1);
    let world = World::idle(options).await;
    let caller = world.caller(Role::Viewer);
    let refused = async || caller.get("/sessions").await.status == 429;
    until(async || join_all((0..40).map(|_| refused())).await.contains(&true)).await;
    until(async || !refused().await).await;
}

#[tokio::test]
async fn without_a_limit_no_header_tells_of_one_and_who_is_not_let_in_uses_nothing_up() {
    let free = World::idle(limited(0, 0)).await;
    let reply = free.caller(Role::Viewer).get("/sessions").await;
    assert!(reply.headers.get("ratelimit").is_none() && reply.headers.get("ratelimit-policy").is_none());
    reply.expect(200);
    let world = World::idle(limited(2, 2)).await;
    for _ in 0..5 {
        world.nobody().get("/sessions").await.problem(401, "UNAUTHENTICATED");
        world.caller(Role::Viewer).with("authorization", "Bearer nothing").get("/sessions").await.expect(401);
        assert!(world.caller(Role::Viewer).get("/health").await.headers.get("ratelimit").is_none());
    }
    world.caller(Role::Viewer).get("/sessions").await.expect(200);
}

#[tokio::test]
async fn a_call_beyond_the_limit_does_not_use_its_idempotency_key_up() {
    let world = World::idle(limited(1, 0)).await;
    let (member, lead) = (world.caller(Role::Member), world.caller(Role::Lead));
    let body = json!({"title": "Fix the parser", "initial_prompt": "Do it."});
    let (one, other) = (member.with("idempotency-key", "a"), member.with("idempotency-key", "b"));
    one.post("/sessions", body.clone()).await.expect(201);
    other.post("/sessions", body.clone()).await.problem(429, "RATE_LIMITED");
    one.post("/sessions", body).await.problem(429, "RATE_LIMITED");
    assert_eq!(lead.get("/sessions").await.expect(200)["items"].as_array().unwrap().len(), 1);
    assert_eq!(world.owner().await.number("select count(*) from idempotency_keys").await, 1);
}

#[tokio::test]
async fn a_call_costs_one_round_trip_to_redis() {
    let server = Valkey::start(&[]).await;
    let world = World::idle(Options { redis_url: Some(server.url()), ..limited(1000, 1000) }).await;
    let caller = world.caller(Role::Viewer);
    caller.get("/sessions").await.expect(200);
    server.command("CONFIG RESETSTAT").await;
    for _ in 0..10 {
        caller.get("/sessions").await.expect(200);
    }
    let told = server.command("INFO commandstats").await;
    let calls = |name: &str| told.split(&format!("cmdstat_{name}:calls=")).nth(1).map(|rest| rest.split(',').next());
    assert_eq!(calls("evalsha"), Some(Some("10")), "{told}");
    assert!(!told.contains("cmdstat_eval:") && !told.contains("cmdstat_script"), "{told}");
    let kept = server.command("KEYS calls:*").await;
    assert!(kept.starts_with("*2"), "{kept}");
    for name in kept.lines().filter(|line| line.starts_with("calls:")) {
        assert!(name.contains(&format!("{{{}}}", world.tenant.id)), "{name} lies in its tenant's slot");
        let left = server.command(&format!("PTTL {name}")).await;
        assert!(!left.starts_with(":-"), "{name} expires by itself, but {left}");
    }
}

#[tokio::test]
async fn while_redis_is_away_calls_pass_and_readiness_says_so() {
    let mut server = Valkey::start(&[]).await;
    let world = World::idle(Options { redis_url: Some(server.url()), ..limited(1, 0) }).await;
    let caller = world.caller(Role::Viewer);
    caller.get("/sessions").await.expect(200);
    caller.get("/sessions").await.problem(429, "RATE_LIMITED");
    server.kill();
    for _ in 0..3 {
        caller.get("/sessions").await.expect(200);
    }
    let ready = world.nobody().get("/ready").await.expect(503);
    assert_eq!(ready["checks"]["redis"]["ok"], false);
    assert!(ready["notes"][0].as_str().unwrap().contains("without a limit"), "{ready}");
    server.revive().await;
    until(async || caller.get("/sessions").await.status == 429).await;
    let ready = world.nobody().get("/ready").await.expect(200);
    assert_eq!(ready["notes"], json!([]));
}

#[tokio::test]
async fn a_redis_that_hangs_costs_no_call_more_than_a_moment_and_is_asked_again_only_later() {
    let server = Valkey::start(&[]).await;
    let way = Proxy::to(&server.url()).await;
    let mut options = Options { redis_url: Some(way.url(&server.url())), ..limited(1_000_000, 0) };
    options.settings.rate.patience = Duration::from_millis(50);
    let world = World::idle(options).await;
    let caller = world.caller(Role::Viewer);
    until(async || caller.get("/sessions").await.headers.contains_key("ratelimit")).await;
    way.stall();
    let began = Instant::now();
    for _ in 0..30 {
        let reply = caller.get("/sessions").await;
        assert!(reply.headers.get("ratelimit").is_none());
        reply.expect(200);
    }
    // Each would take the two seconds that Redis is given elsewhere.
    assert!(began.elapsed() < Duration::from_secs(10), "{:?}", began.elapsed());
    way.flow();
    until(async || caller.get("/sessions").await.headers.contains_key("ratelimit")).await;
}
