//! Redis: which connections there are, what is kept of each, and who may write to it now.

use std::{sync::LazyLock, time::Duration};

use redis::Script;
use tokio::time::{Instant, sleep};

use crate::{
    app::App,
    cache::Cache,
    error::{Error, Result},
    id::{RequestId, TenantId},
    job::Job,
    live::Push,
};

use super::kept::Kept;

/// How long one may write to a connection without saying so again.
pub(super) const LEASE: Duration = Duration::from_secs(20);
/// How long a connection is waited for that somebody else writes to.
const PATIENCE: Duration = Duration::from_secs(3);
/// Longer than any connection lasts.
const KEPT_MS: u64 = 130 * 60 * 1000;
/// A bell that was rung and not heard holds the next back for no longer.
const RUNG_MS: u64 = 5_000;

static TAKE: LazyLock<Script> = LazyLock::new(|| {
    Script::new(
        "if not redis.call('set', KEYS[1], ARGV[1], 'NX', 'PX', ARGV[2]) then return {0, 0, false} end
         local broken = redis.call('exists', KEYS[2])
         redis.call('set', KEYS[2], ARGV[1], 'PX', ARGV[3])
         return {1, broken, redis.call('get', KEYS[3])}",
    )
});
static GIVE: LazyLock<Script> = LazyLock::new(|| {
    Script::new(
        "if redis.call('get', KEYS[1]) ~= ARGV[1] then return 0 end
         redis.call('set', KEYS[3], ARGV[2], 'XX', 'PX', ARGV[3])
         redis.call('del', KEYS[1])
         if ARGV[4] == '1' then redis.call('del', KEYS[2]) end
         return 1",
    )
});

/// The keys of one connection lie together, also in a cluster.
fn keys(id: &str) -> [String; 3] {
    ["lease", "writing", "kept"].map(|what| format!("live:{{{id}}}:{what}"))
}

fn of_tenant(tenant_id: TenantId) -> String {
    format!("live:tenant:{tenant_id}")
}

fn rung(tenant_id: TenantId) -> String {
    format!("live:rung:{tenant_id}")
}

fn tick(tenant_id: TenantId) -> String {
    format!("live:tick:{tenant_id}")
}

const TENANTS: &str = "live:tenants";

/// The right to write to a connection, and what is kept of it.
pub(super) struct Lease {
    id: String,
    token: String,
    pub(super) until: Instant,
    /// Whoever had it before broke off while writing.
    pub(super) broken: bool,
    pub(super) kept: Option<Kept>,
}

/// Waits a while for the right to write to a connection; `None` when somebody else keeps it.
pub(super) async fn lease(cache: &Cache, id: &str) -> Result<Option<Lease>> {
    let [lease, writing, kept] = keys(id);
    let (token, begun) = (RequestId::new().to_string(), Instant::now());
    let lasts = u64::try_from(LEASE.as_millis()).unwrap_or(20_000);
    loop {
        let until = Instant::now() + LEASE;
        let mut take = TAKE.key(&lease);
        take.key(&writing).key(&kept).arg(&token).arg(lasts).arg(KEPT_MS);
        let (ours, broken, text): (i64, i64, Option<String>) = cache.eval(&take).await?;
        if ours == 1 {
            let kept = text.map(|text| serde_json::from_str(&text).map_err(Error::internal)).transpose()?;
            return Ok(Some(Lease { id: id.to_owned(), token, until, broken: broken == 1, kept }));
        }
        if begun.elapsed() >= PATIENCE {
            return Ok(None);
        }
        sleep(Duration::from_millis(20)).await;
    }
}

/// Keeps what became of a connection and gives the right to write to it back. When it is not `certain` what arrived, who takes
/// it next is told so.
pub(super) async fn give_back(cache: &Cache, lease: &Lease, kept: &Kept, certain: bool) -> Result<()> {
    let [leased, writing, place] = keys(&lease.id);
    let text = serde_json::to_string(kept).map_err(Error::internal)?;
    let mut give = GIVE.key(leased);
    give.key(writing).key(place).arg(&lease.token).arg(text).arg(KEPT_MS).arg(i64::from(certain));
    cache.eval::<i64>(&give).await.map(|_| ())
}

/// Keeps a new connection.
pub(super) async fn add(cache: &Cache, kept: &Kept) -> Result<()> {
    let (id, tenant_id) = (&kept.connection.id, kept.connection.who.tenant_id);
    let text = serde_json::to_string(kept).map_err(Error::internal)?;
    let [_, _, place] = keys(id);
    cache.query::<()>(redis::cmd("SET").arg(place).arg(text).arg("PX").arg(KEPT_MS)).await?;
    let opened = kept.connection.opened_at.timestamp_millis();
    cache.query::<()>(redis::cmd("ZADD").arg(of_tenant(tenant_id)).arg(opened).arg(id)).await?;
    cache.query::<()>(redis::cmd("PEXPIRE").arg(of_tenant(tenant_id)).arg(KEPT_MS)).await?;
    cache.query(redis::cmd("SADD").arg(TENANTS).arg(tenant_id.to_string())).await
}

/// Forgets a connection.
pub(super) async fn remove(cache: &Cache, tenant_id: Option<TenantId>, id: &str) -> Result<()> {
    if let Some(tenant_id) = tenant_id {
        cache.query::<()>(redis::cmd("ZREM").arg(of_tenant(tenant_id)).arg(id)).await?;
    }
    cache.query(redis::cmd("DEL").arg(&keys(id))).await
}

/// What is kept of a connection, without the right to write to it.
pub(super) async fn find(cache: &Cache, id: &str) -> Result<Option<Kept>> {
    let [_, _, place] = keys(id);
    let text: Option<String> = cache.query(redis::cmd("GET").arg(place)).await?;
    text.map(|text| serde_json::from_str(&text).map_err(Error::internal)).transpose()
}

/// The connections of a tenant.
pub(super) async fn of(cache: &Cache, tenant_id: TenantId) -> Result<Vec<String>> {
    cache.query(redis::cmd("ZRANGE").arg(of_tenant(tenant_id)).arg(0).arg(-1)).await
}

/// How many connections a tenant has.
pub(super) async fn count(cache: &Cache, tenant_id: TenantId) -> Result<usize> {
    cache.query(redis::cmd("ZCARD").arg(of_tenant(tenant_id))).await
}

/// Whether anybody watches, and nobody has rung for them who was not heard yet.
pub(super) async fn is_to_be_rung(cache: &Cache, tenant_id: TenantId) -> Result<bool> {
    if !cache.query::<bool>(redis::cmd("EXISTS").arg(of_tenant(tenant_id))).await? {
        return Ok(false);
    }
    let mut set = redis::cmd("SET");
    set.arg(rung(tenant_id)).arg(1).arg("NX").arg("PX").arg(RUNG_MS);
    Ok(cache.query::<Option<String>>(&set).await?.is_some())
}

/// The bell was heard: what comes from now on rings anew.
pub(super) async fn heard(cache: &Cache, tenant_id: TenantId) -> Result<()> {
    cache.query(redis::cmd("DEL").arg(rung(tenant_id))).await
}

/// Whether it is time to look after a tenant's connections; true for one who asks within this time.
pub(super) async fn is_time(cache: &Cache, tenant_id: TenantId, every: Duration) -> Result<bool> {
    let mut set = redis::cmd("SET");
    let lasts = u64::try_from(every.as_millis()).unwrap_or(1_000).max(1);
    set.arg(tick(tenant_id)).arg(1).arg("NX").arg("PX").arg(lasts);
    Ok(cache.query::<Option<String>>(&set).await?.is_some())
}

/// Whoever asks next is told that it is time.
pub(super) async fn is_time_again(cache: &Cache, tenant_id: TenantId) -> Result<()> {
    cache.query(redis::cmd("DEL").arg(tick(tenant_id))).await
}

/// Rings for all tenants that have connections: what the sweep does, so that a chain of jobs that broke goes on.
pub async fn ring_all(app: &App) -> Result<()> {
    if !matches!(app.push, Push::ApiGateway(_)) {
        return Ok(());
    }
    let tenants: Vec<String> = app.cache.query(redis::cmd("SMEMBERS").arg(TENANTS)).await?;
    let mut jobs = Vec::new();
    for tenant in tenants {
        match tenant.parse::<TenantId>() {
            Ok(tenant_id) if count(&app.cache, tenant_id).await? > 0 => {
                jobs.push((Job::broadcast(tenant_id), Duration::ZERO));
            }
            _ => app.cache.query::<()>(redis::cmd("SREM").arg(TENANTS).arg(tenant)).await?,
        }
    }
    app.ring(&jobs).await;
    Ok(())
}
