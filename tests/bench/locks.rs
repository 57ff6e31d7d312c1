//! Grants of the fair lock, beside the same scripts by clients that do nothing else.

use std::time::{Duration, Instant};

use anyhow::Result;
use shared::{
    kernel::id::TenantId,
    platform::redis::{
        cache::Cache,
        lock::{AcquireOptions, AcquireOutcome, Locks, Resource, script},
    },
};
use tokio::task::JoinSet;

use crate::{
    Effort,
    client::rate,
    figure::{Figure, Target},
    resp::Connection,
};

const AT_ONCE: usize = 16;

pub(crate) async fn measure(effort: &Effort) -> Result<Figure> {
    let locks = Locks::new(Cache::connect(&harness::redis_url())?);
    let tenant = TenantId::new();
    let mut runs = Vec::new();
    for _ in 0..effort.runs {
        let ours = grants(&locks, tenant, effort.time).await?;
        runs.push((ours, Some(floor(tenant, effort.time).await?)));
    }
    Ok(Figure::rate("lock grants, 16 at once", &runs).reaching(Target::OfFloor(0.5)).note(
        "each granted and released; floor: the same two scripts by EVALSHA from 16 bare sockets, one call at a time each \
         (no redis-benchmark: it cannot hand the fence of a grant to its release)",
    ))
}

fn resource(tenant: TenantId, at: usize) -> Resource {
    Resource::of_tenant(tenant, "bench", &at.to_string())
}

async fn grants(locks: &Locks, tenant: TenantId, time: Duration) -> Result<f64> {
    let began = Instant::now();
    let mut tasks = JoinSet::new();
    for at in 0..AT_ONCE {
        let locks = locks.clone();
        tasks.spawn(async move {
            let (resource, ask) = (resource(tenant, at), AcquireOptions::new("bench"));
            let mut count = 0;
            while began.elapsed() < time {
                if let AcquireOutcome::Granted(grant) = locks.acquire(&resource, &ask).await? {
                    locks.release(&grant).await?;
                    count += 1;
                }
            }
            anyhow::Ok(count)
        });
    }
    total(tasks, began).await
}

async fn floor(tenant: TenantId, time: Duration) -> Result<f64> {
    let url = harness::redis_url();
    let mut connections = Vec::new();
    for _ in 0..AT_ONCE {
        connections.push(Connection::open(&url).await?);
    }
    let acquire = connections[0].call(&["SCRIPT", "LOAD", script::ACQUIRE]).await?;
    let release = connections[0].call(&["SCRIPT", "LOAD", script::RELEASE]).await?;
    let began = Instant::now();
    let mut tasks = JoinSet::new();
    for (at, mut connection) in connections.into_iter().enumerate() {
        let (acquire, release) = (acquire.clone(), release.clone());
        tasks.spawn(async move {
            let keys = resource(tenant, at).keys();
            let [a, b, c, d] = keys.each_ref().map(String::as_str);
            let mut count = 0;
            while began.elapsed() < time {
                let ask = ["EVALSHA", &acquire, "4", a, b, c, d, "bench", "2", "30000", "5000", "5000", ""];
                let fence = connection.call(&ask).await?;
                connection.call(&["EVALSHA", &release, "4", a, b, c, d, "bench", &fence, "5000"]).await?;
                count += 1;
            }
            anyhow::Ok(count)
        });
    }
    total(tasks, began).await
}

async fn total(mut tasks: JoinSet<Result<usize>>, began: Instant) -> Result<f64> {
    let mut count = 0;
    while let Some(done) = tasks.join_next().await {
        count += done??;
    }
    Ok(rate(count, began.elapsed()))
}
