//! `system.health_changed`: a dependency fails or recovers, and every tenant gets one event.

use std::time::Duration;

use chrono::TimeDelta;
use harness::{Caller, Options, TestApp, until, valkey::Valkey};
use serde_json::{Value, json};
use shared::{identity::auth::Role, kernel::clock::Clock, platform::queue::job::Job};

/// The events that a tenant got about the health of dependencies.
async fn reported(caller: &Caller) -> Vec<Value> {
    let page = caller.get("/api/v1/live/events?topic=/ws/system").await.expect(200);
    let items = page["items"].as_array().unwrap();
    assert!(items.iter().all(|item| item["type"] == "system.health_changed"), "{items:#?}");
    items.iter().map(|item| item["payload"].clone()).collect()
}

/// Two hosts look at the same time.
async fn reconcile(world: &TestApp) {
    tokio::join!(world.run(Job::reconcile()), world.run(Job::reconcile()));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_outage_of_redis_and_its_end_are_published_once_each() {
    let mut server = Valkey::start(&[]).await;
    let mut options = Options { redis_url: Some(server.url()), ..Options::default() };
    options.settings.health_pause = Duration::ZERO;
    let world = TestApp::idle(options).await;
    let other = world.another_tenant().await;
    let callers = [world.caller(Role::Viewer), world.caller_of(&other, Role::Viewer)];
    reconcile(&world).await;
    assert_eq!(reported(&callers[0]).await, Vec::<Value>::new(), "that all is well is no news");
    let stopped = json!({"component": "redis", "healthy": false});
    let works = json!({"component": "redis", "healthy": true});
    server.kill();
    until(async || {
        reconcile(&world).await;
        !reported(&callers[0]).await.is_empty()
    })
    .await;
    reconcile(&world).await;
    for caller in &callers {
        until(async || reported(caller).await == [stopped.clone()]).await;
    }
    server.revive().await;
    until(async || {
        reconcile(&world).await;
        reported(&callers[0]).await.len() > 1
    })
    .await;
    reconcile(&world).await;
    for caller in &callers {
        until(async || reported(caller).await == [stopped.clone(), works.clone()]).await;
    }
    let rows = world.superuser().await.number("select count(*) from tenant_events where topic = 'system'").await;
    assert_eq!(rows, 4, "two for each of two tenants, and nothing that is yet to be reported");
}

#[tokio::test]
async fn a_flapping_dependency_is_published_rarely_and_with_its_final_state() {
    let clock = Clock::fixed(Clock::System.now());
    let world = TestApp::idle(Options { clock: clock.clone(), ..Options::default() }).await;
    let (owner, viewer) = (world.superuser().await, world.caller(Role::Viewer));
    let breaks = async |opened: &str| {
        let agent = "tenant_id is null and name = 'scripted'";
        owner.run(&format!("update agents set breaker_opened_at = {opened} where {agent}")).await;
        world.run(Job::reconcile()).await;
    };
    breaks("null").await;
    let healthy = |healthy: bool| json!({"component": "agent:scripted", "healthy": healthy});
    for _ in 0..3 {
        breaks("now()").await;
        breaks("null").await;
    }
    breaks("now()").await;
    assert_eq!(owner.number("select count(*) from tenant_events").await, 0, "it was looked at a moment ago");
    clock.advance(TimeDelta::seconds(31));
    world.run(Job::reconcile()).await;
    until(async || reported(&viewer).await == [healthy(false)]).await;
    for _ in 0..3 {
        breaks("null").await;
        breaks("now()").await;
    }
    breaks("null").await;
    clock.advance(TimeDelta::seconds(31));
    world.run(Job::reconcile()).await;
    until(async || reported(&viewer).await == [healthy(false), healthy(true)]).await;
}
