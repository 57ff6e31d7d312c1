//! The statements that the busiest paths send, each put together once.
//!
//! They are public, as the lock's scripts are, so that a bench can send the very same without this client.

use std::sync::{LazyLock, OnceLock};

use super::{BESIDE, row::COLUMNS};

/// Reads one session as it is shown: `$1` the time, `$2` the tenant, `$3` the session.
pub static FIND: LazyLock<String> =
    LazyLock::new(|| format!("select {COLUMNS}, {BESIDE} from sessions s where s.tenant_id = $2 and s.id = $3"));

/// Reads one session and keeps it from changing: `$1` the tenant, `$2` the session.
pub static LOCK: LazyLock<String> = LazyLock::new(|| {
    format!("select {COLUMNS} from sessions s where s.tenant_id = $1 and s.id = $2 for no key update")
});

/// Writes a new session with its events; known once it was used.
pub static INSERT: OnceLock<String> = OnceLock::new();

/// Writes a changed session with its new events; known once it was used.
pub static SAVE: OnceLock<String> = OnceLock::new();

/// A page of sessions, newest first: `$1` the time, `$2` the tenant, `$3` how many; `narrowed` are further conditions.
pub fn list(narrowed: &str) -> String {
    format!("select {COLUMNS}, {BESIDE} from sessions s where s.tenant_id = $2{narrowed} order by s.id desc limit $3")
}

/// What a start is decided by: `$1` the tenant, `$2` the agent's name or id, `$3` the workspace's key, `$4` the time.
pub const ROOM: &str = "
    select t.max_concurrent_sessions::bigint as max_concurrent, t.max_queued_sessions::bigint as max_queued,
        t.admission = 'reject' as rejects,
        (select count(*) from sessions r where r.tenant_id = t.id and r.status in ('running', 'degraded')) as running,
        (select count(*) from sessions q where q.tenant_id = t.id and q.status = 'queued') as queued,
        (select count(*) from sessions q where q.tenant_id = t.id and q.status = 'queued' and q.agent_id = a.id) as queued_on_agent,
        t.max_tokens_per_month > 0 and t.max_tokens_per_month <= coalesce((select u.tokens from tenant_usage u
            where u.tenant_id = t.id and u.month = date_trunc('month', $4::timestamptz at time zone 'UTC')::date), 0) as out_of_tokens,
        exists (select 1 from sessions w where w.tenant_id = t.id and w.workspace_key = $3
            and w.status in ('running', 'degraded')) as workspace_taken,
        a.id as agent_id,
        a.capacity is not null and agent_running(a.id) >= a.capacity as agent_full
    from tenants t
    left join agents a on a.name = $2 or a.id::text = $2
    where t.id = $1
    order by a.tenant_id nulls last limit 1";
