//! The registry in Redis: the connections of each tenant, the state of each, and the lease to write to it.

use std::{sync::LazyLock, time::Duration};

use redis::Script;
use tokio::time::{Instant, sleep};

use crate::{
    kernel::{
        error::{Error, Result},
        id::{RequestId, TenantId},
    },
    platform::redis::cache::Cache,
};

use super::{super::Subscriber, connection_state::StoredConnection};

/// How long a lease to write to a connection is valid.
pub(super) const LEASE: Duration = Duration::from_secs(20);
/// How long to wait for another process to release a connection.
const LEASE_WAIT: Duration = Duration::from_secs(3);
/// The expiry of a connection's state: longer than any connection lasts.
const STATE_EXPIRY_MS: u64 = 130 * 60 * 1000;
/// How long a lost wake-up suppresses the next one.
const WAKEUP_EXPIRY_MS: u64 = 5_000;

static ACQUIRE: LazyLock<Script> = LazyLock::new(|| {
    Script::new(
        "if not redis.call('set', KEYS[1], ARGV[1], 'NX', 'PX', ARGV[2]) then return {0, 0, false} end
         local broken = redis.call('exists', KEYS[2])
         redis.call('set', KEYS[2], ARGV[1], 'PX', ARGV[3])
         return {1, broken, redis.call('get', KEYS[3])}",
    )
});
static RELEASE: LazyLock<Script> = LazyLock::new(|| {
    Script::new(
        "if redis.call('get', KEYS[1]) ~= ARGV[1] then return 0 end
         redis.call('set', KEYS[3], ARGV[2], 'XX', 'PX', ARGV[3])
         redis.call('del', KEYS[1])
         if ARGV[4] == '1' then redis.call('del', KEYS[2]) end
         return 1",
    )
});

/// The keys of a connection. A hash tag keeps them on one node of a cluster.
fn connection_keys(id: &str) -> [String; 3] {
    ["lease", "writing", "state"].map(|what| format!("live:{{{id}}}:{what}"))
}

fn tenant_key(tenant_id: TenantId) -> String {
    format!("live:tenant:{tenant_id}")
}

/// The connections of a key or user, so that they can be counted.
fn credential_key(subscriber: &Subscriber) -> String {
    format!("live:credential:{}", subscriber.principal.principal_key())
}

fn wakeup_key(tenant_id: TenantId) -> String {
    format!("live:wakeup:{tenant_id}")
}

fn tick_key(tenant_id: TenantId) -> String {
    format!("live:tick:{tenant_id}")
}

const TENANTS_KEY: &str = "live:tenants";

/// The exclusive right to write to a connection, and its state.
pub(super) struct ConnectionLease {
    id: String,
    token: String,
    pub(super) until: Instant,
    /// Whether the previous holder stopped while it was writing.
    pub(super) broken: bool,
    pub(super) state: Option<StoredConnection>,
}

/// Waits a few seconds for the lease of a connection; `None` if another process holds it for longer.
pub(super) async fn acquire_lease(cache: &Cache, id: &str) -> Result<Option<ConnectionLease>> {
    let [lease, writing, state] = connection_keys(id);
    let (token, begun) = (RequestId::new().to_string(), Instant::now());
    let lasts = u64::try_from(LEASE.as_millis()).unwrap_or(20_000);
    loop {
        let until = Instant::now() + LEASE;
        let mut take = ACQUIRE.key(&lease);
        take.key(&writing).key(&state).arg(&token).arg(lasts).arg(STATE_EXPIRY_MS);
        let (ours, broken, text): (i64, i64, Option<String>) = cache.eval(&take).await?;
        if ours == 1 {
            let state = text.map(|text| serde_json::from_str(&text).map_err(Error::internal)).transpose()?;
            return Ok(Some(ConnectionLease { id: id.to_owned(), token, until, broken: broken == 1, state }));
        }
        if begun.elapsed() >= LEASE_WAIT {
            return Ok(None);
        }
        sleep(Duration::from_millis(20)).await;
    }
}

/// Stores the state of a connection and releases its lease. If it is not `certain` which frames arrived, the next
/// holder finds the lease `broken`.
pub(super) async fn release_lease(
    cache: &Cache,
    lease: &ConnectionLease,
    state: &StoredConnection,
    certain: bool,
) -> Result<()> {
    let [leased, writing, place] = connection_keys(&lease.id);
    let text = serde_json::to_string(state).map_err(Error::internal)?;
    let mut give = RELEASE.key(leased);
    give.key(writing).key(place).arg(&lease.token).arg(text).arg(STATE_EXPIRY_MS).arg(i64::from(certain));
    cache.eval::<i64>(&give).await.map(|_| ())
}

/// Stores a new connection.
pub(super) async fn insert_connection(cache: &Cache, state: &StoredConnection) -> Result<()> {
    let (id, tenant_id) = (&state.connection.id, state.connection.subscriber.tenant_id);
    let text = serde_json::to_string(state).map_err(Error::internal)?;
    let [_, _, place] = connection_keys(id);
    cache.query::<()>(redis::cmd("SET").arg(place).arg(text).arg("PX").arg(STATE_EXPIRY_MS)).await?;
    let opened = state.connection.opened_at.timestamp_millis();
    cache.query::<()>(redis::cmd("ZADD").arg(tenant_key(tenant_id)).arg(opened).arg(id)).await?;
    cache.query::<()>(redis::cmd("PEXPIRE").arg(tenant_key(tenant_id)).arg(STATE_EXPIRY_MS)).await?;
    let owner = credential_key(&state.connection.subscriber);
    cache.query::<()>(redis::cmd("ZADD").arg(&owner).arg(opened).arg(id)).await?;
    cache.query::<()>(redis::cmd("PEXPIRE").arg(&owner).arg(STATE_EXPIRY_MS)).await?;
    cache.query(redis::cmd("SADD").arg(TENANTS_KEY).arg(tenant_id.to_string())).await
}

/// Deletes a connection.
pub(super) async fn delete_connection(cache: &Cache, tenant_id: Option<TenantId>, id: &str) -> Result<()> {
    if let Some(state) = find_connection(cache, id).await? {
        let owner = credential_key(&state.connection.subscriber);
        cache.query::<()>(redis::cmd("ZREM").arg(owner).arg(id)).await?;
    }
    if let Some(tenant_id) = tenant_id {
        cache.query::<()>(redis::cmd("ZREM").arg(tenant_key(tenant_id)).arg(id)).await?;
    }
    cache.query(redis::cmd("DEL").arg(&connection_keys(id))).await
}

/// The state of a connection, read without its lease.
pub(super) async fn find_connection(cache: &Cache, id: &str) -> Result<Option<StoredConnection>> {
    let [_, _, place] = connection_keys(id);
    let text: Option<String> = cache.query(redis::cmd("GET").arg(place)).await?;
    text.map(|text| serde_json::from_str(&text).map_err(Error::internal)).transpose()
}

/// The ids of a tenant's connections.
pub(super) async fn list_connections(cache: &Cache, tenant_id: TenantId) -> Result<Vec<String>> {
    cache.query(redis::cmd("ZRANGE").arg(tenant_key(tenant_id)).arg(0).arg(-1)).await
}

/// The numbers of connections of a subscriber's key or user, and of its tenant.
pub(super) async fn count_connections(cache: &Cache, subscriber: &Subscriber) -> Result<(usize, usize)> {
    let own = cache.query(redis::cmd("ZCARD").arg(credential_key(subscriber))).await?;
    let all = cache.query(redis::cmd("ZCARD").arg(tenant_key(subscriber.tenant_id))).await?;
    Ok((own, all))
}

/// Whether the caller is to wake the broadcast job: the tenant has connections, and no wake-up is pending.
pub(super) async fn claim_wakeup(cache: &Cache, tenant_id: TenantId) -> Result<bool> {
    if !cache.query::<bool>(redis::cmd("EXISTS").arg(tenant_key(tenant_id))).await? {
        return Ok(false);
    }
    let mut set = redis::cmd("SET");
    set.arg(wakeup_key(tenant_id)).arg(1).arg("NX").arg("PX").arg(WAKEUP_EXPIRY_MS);
    Ok(cache.query::<Option<String>>(&set).await?.is_some())
}

/// Marks the wake-up as received: events from now on cause a new one.
pub(super) async fn clear_wakeup(cache: &Cache, tenant_id: TenantId) -> Result<()> {
    cache.query(redis::cmd("DEL").arg(wakeup_key(tenant_id))).await
}

/// Whether the caller is to check the health of a tenant's connections: true for one caller per period.
pub(super) async fn try_start_tick(cache: &Cache, tenant_id: TenantId, every: Duration) -> Result<bool> {
    let mut set = redis::cmd("SET");
    let lasts = u64::try_from(every.as_millis()).unwrap_or(1_000).max(1);
    set.arg(tick_key(tenant_id)).arg(1).arg("NX").arg("PX").arg(lasts);
    Ok(cache.query::<Option<String>>(&set).await?.is_some())
}

/// Resets the tick, so the next caller runs it.
pub(super) async fn reset_tick(cache: &Cache, tenant_id: TenantId) -> Result<()> {
    cache.query(redis::cmd("DEL").arg(tick_key(tenant_id))).await
}

/// The tenants that may have connections.
pub(super) async fn list_tenants(cache: &Cache) -> Result<Vec<String>> {
    cache.query(redis::cmd("SMEMBERS").arg(TENANTS_KEY)).await
}

/// Deletes a tenant that has no connections from the list of tenants.
pub(super) async fn delete_tenant(cache: &Cache, tenant: &str) -> Result<()> {
    cache.query(redis::cmd("SREM").arg(TENANTS_KEY).arg(tenant)).await
}
