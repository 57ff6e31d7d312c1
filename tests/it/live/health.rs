//! `system.health_changed`: what we stand on stops or goes on working, and everybody is told once.

use std::time::Duration;

use chrono::TimeDelta;
use harness::{Caller, Options, World, until, valkey::Valkey};
use serde_json::{Value, json};
use shared::{auth::Role, clock::Clock, job::Job};

/// What a tenant was told of the health of what we stand on.
async fn told(caller: &Caller) -> Vec<Value> {
    let page = caller.get("/api/v1/live/events?topic=/ws/system").await.expect(200);
    let items = page["items"].as_array().unwrap();
    assert!(items.iter().all(|item| item["type"] == "system.health_changed"), "{items:#?}");
    items.iter().map(|item| item["payload"].clone()).collect()
}

/// Two hosts look at the same time.
async fn sweep(world: &World) {
    tokio::join!(world.run(Job::sweep()), world.run(Job::sweep()));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_outage_of_redis_is_told_once_and_so_is_its_end() {
    let mut server = Valkey::start(&[]).await;
    let mut options = Options { redis_url: Some(server.url()), ..Options::default() };
    options.settings.health_pause = Duration::ZERO;
    let world = World::idle(options).await;
    let other = world.another_tenant().await;
    let callers = [world.caller(Role::Viewer), world.caller_of(&other, Role::Viewer)];
    sweep(&world).await;
    assert_eq!(told(&callers[0]).await, Vec::<Value>::new(), "that all is well is no news");
    let stopped = json!({"component": "redis", "healthy": false});
    let works = json!({"component": "redis", "healthy": true});
    server.kill();
    until(async || {
        sweep(&world).await;
        !told(&callers[0]).await.is_empty()
    })
    .await;
    sweep(&world).await;
    for caller in &callers {
        until(async || told(caller).await == [stopped.clone()]).await;
    }
    server.revive().await;
    until(async || {
        sweep(&world).await;
        told(&callers[0]).await.len() > 1
    })
    .await;
    sweep(&world).await;
    for caller in &callers {
        until(async || told(caller).await == [stopped.clone(), works.clone()]).await;
    }
    let rows = world.owner().await.number("select count(*) from tenant_events where topic = 'system'").await;
    assert_eq!(rows, 4, "two for each of two tenants, and nothing that is yet to be told");
}

#[tokio::test]
async fn what_comes_and_goes_is_told_now_and_then_and_ends_as_it_is() {
    let clock = Clock::fixed(Clock::System.now());
    let world = World::idle(Options { clock: clock.clone(), ..Options::default() }).await;
    let (owner, viewer) = (world.owner().await, world.caller(Role::Viewer));
    let breaks = async |opened: &str| {
        let agent = "tenant_id is null and name = 'scripted'";
        owner.run(&format!("update agents set breaker_opened_at = {opened} where {agent}")).await;
        world.run(Job::sweep()).await;
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
    world.run(Job::sweep()).await;
    until(async || told(&viewer).await == [healthy(false)]).await;
    for _ in 0..3 {
        breaks("null").await;
        breaks("now()").await;
    }
    breaks("null").await;
    clock.advance(TimeDelta::seconds(31));
    world.run(Job::sweep()).await;
    until(async || told(&viewer).await == [healthy(false), healthy(true)]).await;
}
