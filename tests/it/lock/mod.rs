//! The fair lock: order, exclusion, leases, outages, and a model that it is held against.

#![expect(clippy::unwrap_used, reason = "a step that fails ends the test, in its helpers too")]

mod contention;
mod handoff;
mod lease;
mod model;
mod order;
mod outage;

use std::time::Duration;

use shared::{
    kernel::id::{SessionId, TenantId},
    platform::redis::{
        cache::Cache,
        lock::{AcquireOptions, AcquireOutcome, Grant, Locks, Resource},
    },
};

const MINUTE: Duration = Duration::from_mins(1);
const SHORT: Duration = Duration::from_millis(200);

fn locks() -> Locks {
    Locks::new(Cache::connect(&harness::redis_url()).unwrap()).with_handoff_window(MINUTE)
}

fn resource() -> Resource {
    Resource::session(TenantId::new(), SessionId::new())
}

/// One who stays until the test is over.
fn patient(owner: &str) -> AcquireOptions {
    AcquireOptions { lease: MINUTE, ticket: MINUTE, ..AcquireOptions::new(owner) }
}

/// One who sleeps until `ring <owner>`.
fn sleeper(owner: &str) -> AcquireOptions {
    AcquireOptions { wake_token: Some(format!("wake {owner}")), ..patient(owner) }
}

async fn granted(locks: &Locks, resource: &Resource, ask: &AcquireOptions) -> Grant {
    match locks.acquire(resource, ask).await.unwrap() {
        AcquireOutcome::Granted(grant) => grant,
        queued @ AcquireOutcome::Queued { .. } => panic!("{} was not granted: {queued:?}", ask.owner),
    }
}

/// The position, and the wake token to use.
async fn queued(locks: &Locks, resource: &Resource, ask: &AcquireOptions) -> (usize, Option<String>) {
    match locks.acquire(resource, ask).await.unwrap() {
        AcquireOutcome::Queued { place, next } => (place, next),
        granted @ AcquireOutcome::Granted(_) => panic!("{} was not queued: {granted:?}", ask.owner),
    }
}

/// Asks over and over until granted.
async fn granted_in_the_end(locks: &Locks, resource: &Resource, ask: &AcquireOptions) -> Grant {
    let grant = locks.acquire_waiting(resource, ask, Duration::from_secs(20), async |_| ()).await;
    grant.unwrap().expect("granted within 20 s")
}

/// Lets the lease of this grant run out, as if its holder had died long ago.
async fn lapse(locks: &Locks, grant: &Grant) {
    let mut last = grant.clone();
    last.lease = Duration::from_millis(1);
    assert!(locks.renew(&mut last).await.unwrap());
    while locks.inspect(&grant.resource, "").await.unwrap().holder.is_some() {
        tokio::time::sleep(last.lease).await;
    }
}
