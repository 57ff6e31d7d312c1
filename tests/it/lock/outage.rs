//! Redis forgets, dies and comes back, or is a cluster: fences go on growing, and no holder works on unawares.

use std::{
    future::pending,
    sync::atomic::{AtomicBool, Ordering},
    time::Duration,
};

use harness::{PATIENCE, valkey::Valkey};
use shared::{
    kernel::{error::Code, id::TenantId},
    platform::redis::{
        cache::Cache,
        lock::{AcquireOptions, Grant, Locks, Resource},
    },
};
use tokio::time::{Instant, sleep};

use super::{MINUTE, granted, lease::Dropped, patient, queued, resource, sleeper};

fn locks_on(server: &Valkey) -> Locks {
    Locks::new(Cache::connect(&server.url()).unwrap())
}

/// Asks until Redis answers again.
async fn granted_after_the_outage(locks: &Locks, resource: &Resource) -> Grant {
    let deadline = Instant::now() + PATIENCE;
    loop {
        match locks.acquire_waiting(resource, &patient("later"), MINUTE, async |_| ()).await {
            Ok(grant) => return grant.expect("free after the outage"),
            Err(error) => assert!(Instant::now() < deadline, "{error:?}"),
        }
        sleep(Duration::from_millis(20)).await;
    }
}

#[tokio::test]
async fn fences_grow_across_a_flush() {
    let server = Valkey::start(&[]).await;
    let (locks, resource) = (locks_on(&server), resource());
    let mut before = granted(&locks, &resource, &patient("holder")).await;
    server.command("FLUSHALL").await;
    server.command("SCRIPT FLUSH").await;
    assert!(!locks.renew(&mut before).await.unwrap());
    let after = granted(&locks, &resource, &patient("later")).await;
    assert!(after.fence > before.fence);
    assert!(!locks.release(&before).await.unwrap().held);
}

#[tokio::test]
async fn fences_grow_across_a_restart() {
    let mut server = Valkey::start(&[]).await;
    let (locks, resource) = (locks_on(&server), resource());
    let before = granted(&locks, &resource, &patient("holder")).await;
    server.kill();
    let error = locks.acquire(&resource, &patient("later")).await.unwrap_err();
    assert_eq!(error.code(), Code::DependencyUnavailable);
    server.revive().await;
    let after = granted_after_the_outage(&locks, &resource).await;
    assert!(after.fence > before.fence);
    assert!(!locks.release(&before).await.unwrap().held);
}

#[tokio::test]
async fn a_process_that_starts_before_redis_finds_it_later() {
    let mut server = Valkey::start(&[]).await;
    server.kill();
    let cache = Cache::connect(&server.url()).unwrap();
    assert_eq!(cache.ping().await.unwrap_err().code(), Code::DependencyUnavailable);
    server.revive().await;
    cache.ping().await.expect("the first call after it finds it");
}

#[tokio::test]
async fn the_next_fence_exceeds_one_from_the_future() {
    let server = Valkey::start(&[]).await;
    let (locks, resource) = (locks_on(&server), resource());
    let first = granted(&locks, &resource, &patient("holder")).await;
    let year = 365 * 24 * 3600 * 1_000_000;
    let future = first.fence + year;
    let [holder, ..] = resource.keys();
    server.command(&format!("SET {holder} \"{future} 0 \"")).await;
    let second = granted(&locks, &resource, &patient("later")).await;
    assert_eq!(second.fence, future + 1, "as after a clock that was set back");
    assert!(locks.release(&second).await.unwrap().held);
}

#[tokio::test]
async fn an_outage_as_long_as_the_lease_cancels_the_work() {
    let mut server = Valkey::start(&[]).await;
    let (locks, resource) = (locks_on(&server), resource());
    let lease = Duration::from_secs(1);
    let grant = granted(&locks, &resource, &AcquireOptions { lease, ..patient("holder") }).await;
    let began = Instant::now();
    let dropped = AtomicBool::new(false);
    let work = async {
        let _dropped = Dropped(&dropped);
        server.kill();
        pending::<()>().await;
    };
    locks.hold(grant, work).await.unwrap_err();
    assert!(dropped.load(Ordering::SeqCst));
    assert!(began.elapsed() > lease / 2, "it hoped for Redis as long as the lease lasted");
}

#[tokio::test]
async fn a_dropped_connection_does_not_cost_the_lease() {
    let server = Valkey::start(&[]).await;
    let (locks, resource) = (locks_on(&server), resource());
    let lease = Duration::from_secs(2);
    let grant = granted(&locks, &resource, &AcquireOptions { lease, ..patient("holder") }).await;
    let work = async {
        for _ in 0..5 {
            server.command("CLIENT KILL TYPE normal").await;
            sleep(lease / 4).await;
        }
    };
    locks.hold(grant, work).await.unwrap();
}

#[tokio::test]
async fn every_key_expires_by_itself() {
    let server = Valkey::start(&[]).await;
    let (locks, resource) = (locks_on(&server), resource());
    let mut holder = granted(&locks, &resource, &patient("holder")).await;
    queued(&locks, &resource, &sleeper("waiter")).await;
    locks.renew(&mut holder).await.unwrap();
    assert_eq!(server.command("DBSIZE").await, ":4");
    assert_eq!(keys_without_an_end(&server).await, ":0");
    locks.release(&holder).await.unwrap();
    assert_eq!(keys_without_an_end(&server).await, ":0");
}

async fn keys_without_an_end(server: &Valkey) -> String {
    let count = "local n = 0 for _, key in ipairs(redis.call('KEYS', '*')) do \
                 if redis.call('PTTL', key) < 0 then n = n + 1 end end return n";
    server.command(&format!("EVAL \"{count}\" 0")).await
}

#[tokio::test]
async fn a_lock_queue_recovers_from_evicted_keys() {
    let server = Valkey::start(&[]).await;
    let (locks, resource) = (locks_on(&server).with_handoff_window(Duration::from_millis(200)), resource());
    let holder = granted(&locks, &resource, &patient("holder")).await;
    queued(&locks, &resource, &sleeper("forgotten")).await;
    let [_, _, tickets, tokens] = resource.keys();
    server.command(&format!("DEL {tickets} {tokens}")).await;
    assert_eq!(locks.release(&holder).await.unwrap().next, None);
    granted_after_the_outage(&locks, &resource).await;
}

#[tokio::test]
async fn all_keys_of_a_resource_are_in_one_cluster_slot() {
    let server = Valkey::start(&["--cluster-enabled", "yes"]).await;
    server.command("CLUSTER ADDSLOTSRANGE 0 16383").await;
    while !server.command("CLUSTER INFO").await.contains("cluster_state:ok") {
        sleep(Duration::from_millis(20)).await;
    }
    let locks = locks_on(&server);
    for name in ["plain", "", "}", "{}", "{a}{b}", "a b\r\n\"ü"] {
        for resource in [Resource::new(name), Resource::of_tenant(TenantId::new(), "thing", name)] {
            let grant = granted(&locks, &resource, &patient("holder")).await;
            queued(&locks, &resource, &sleeper("waiter")).await;
            assert_eq!(locks.release(&grant).await.unwrap().next.as_deref(), Some("wake waiter"));
            locks.cancel(&resource, "waiter").await.unwrap();
        }
    }
}
