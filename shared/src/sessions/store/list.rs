//! SQL of lists of sessions, and of statistics over the sessions of a tenant.

use std::collections::BTreeMap;

use serde::Serialize;
use tokio_postgres::types::{Json, ToSql};
use utoipa::ToSchema;

use crate::{
    kernel::{
        clock::Time,
        error::Result,
        id::{AgentId, SessionId, TenantId},
    },
    platform::postgres::Db,
};

use super::{found::FoundSession, row, statement};

/// The conditions of a list of sessions. A field with several values matches any of them.
#[derive(Clone, Debug, Default)]
pub struct SessionFilter {
    pub status: Vec<&'static str>,
    pub session_type: Vec<&'static str>,
    pub priority: Vec<i16>,
    pub tag: Vec<String>,
    pub parent_id: Option<SessionId>,
    pub agent_id: Option<AgentId>,
    pub created_after: Option<Time>,
    pub created_before: Option<Time>,
    /// A fragment of the id, the title, the description or the prompt. It is searched for in the newest
    /// [`SEARCHED_SESSIONS`].
    pub q: Option<String>,
}

/// The number of sessions that are searched for a text. An index on texts would not serve under row-level security.
const SEARCHED_SESSIONS: i64 = 10_000;

/// The offset of the oldest session that is searched.
const LAST_SEARCHED: i64 = SEARCHED_SESSIONS - 1;

/// The page of a list: the sessions before this id, at most `limit`.
#[derive(Clone, Copy, Debug)]
pub struct SessionPage {
    pub before: Option<SessionId>,
    pub limit: i64,
}

/// A condition with `$?` in the place of its value.
type Condition<'a> = (&'static str, &'a (dyn ToSql + Sync));

/// Sessions, newest first. One more than the limit is read, which says whether there are more.
pub async fn list(
    db: &Db,
    tenant_id: TenantId,
    filter: &SessionFilter,
    page: SessionPage,
    now: Time,
) -> Result<Vec<FoundSession>> {
    let limit = page.limit + 1;
    let escape = |text: &String| text.replace('\\', "\\\\").replace('%', "\\%").replace('_', "\\_");
    let pattern = filter.q.as_ref().map(|text| format!("%{}%", escape(text)));
    let mut conditions = filter_conditions(filter, pattern.as_ref());
    if let Some(before) = &page.before {
        conditions.push(("s.id < $?", before));
    }
    let mut params: Vec<&(dyn ToSql + Sync)> = vec![&now, &tenant_id, &limit];
    let mut narrowed = String::new();
    for (condition, value) in conditions {
        params.push(value);
        narrowed.push_str(" and ");
        narrowed.push_str(&condition.replace("$?", &format!("${}", params.len())));
    }
    let rows = db.read(tenant_id, &statement::list(&narrowed), &params).await?;
    rows.iter().map(row::found_of_row).collect()
}

fn filter_conditions<'a>(filter: &'a SessionFilter, pattern: Option<&'a String>) -> Vec<Condition<'a>> {
    let mut conditions: Vec<Condition<'a>> = Vec::new();
    if !filter.status.is_empty() {
        conditions.push(("s.status = any($?)", &filter.status));
    }
    if !filter.session_type.is_empty() {
        conditions.push(("s.session_type = any($?)", &filter.session_type));
    }
    if !filter.priority.is_empty() {
        conditions.push(("s.priority = any($?)", &filter.priority));
    }
    if !filter.tag.is_empty() {
        conditions.push(("s.tags && $?", &filter.tag));
    }
    if let Some(parent) = &filter.parent_id {
        conditions.push(("s.parent_id = $?", parent));
    }
    if let Some(agent) = &filter.agent_id {
        conditions.push(("s.agent_id = $?", agent));
    }
    if let Some(after) = &filter.created_after {
        conditions.push(("s.created_at >= $?", after));
    }
    if let Some(before) = &filter.created_before {
        conditions.push(("s.created_at < $?", before));
    }
    if let Some(pattern) = pattern {
        let oldest = "s.id >= coalesce((select o.id from sessions o where o.tenant_id = $2
            order by o.id desc offset $? limit 1), '00000000-0000-0000-0000-000000000000')";
        conditions.push((oldest, &LAST_SEARCHED));
        let anywhere =
            "(s.id::text ilike $? or s.title ilike $? or s.description ilike $? or s.initial_prompt ilike $?)";
        conditions.push((anywhere, pattern));
    }
    conditions
}

/// The sessions with these ids, as far as they exist.
pub async fn find_all(db: &Db, tenant_id: TenantId, ids: &[SessionId], now: Time) -> Result<Vec<FoundSession>> {
    let limit = i64::try_from(ids.len()).unwrap_or(i64::MAX);
    let rows = db.read(tenant_id, &statement::list(" and s.id = any($4)"), &[&now, &tenant_id, &limit, &ids]).await?;
    rows.iter().map(row::found_of_row).collect()
}

/// Statistics of a tenant's sessions.
#[derive(Clone, Debug, Default, Serialize, ToSchema)]
pub struct Stats {
    /// The number of sessions.
    pub total: i64,
    /// The number of sessions by status.
    pub by_status: BTreeMap<String, i64>,
    /// The number of sessions by type.
    pub by_type: BTreeMap<String, i64>,
    /// The number of sessions by priority.
    pub by_priority: BTreeMap<String, i64>,
    /// The number of sessions that take up a slot: those at work, and those offered to an agent.
    pub active: i64,
    /// The number of queued sessions that are not offered to an agent.
    pub queued: i64,
    /// The largest number of active sessions.
    pub limit: i64,
    /// The active time of ended sessions, in seconds; null if none ended.
    pub duration_seconds: Durations,
    /// The share of sessions that completed, in which partial completion counts half; null if none ended by itself.
    pub success_rate: Option<f64>,
    /// The tokens used this month.
    pub tokens_this_month: i64,
    /// The cost of this month in US dollars, as decimal text.
    pub cost_usd_this_month: String,
}

/// The active time of ended sessions, in seconds.
#[derive(Clone, Debug, Default, Serialize, ToSchema)]
pub struct Durations {
    /// The mean.
    pub average: Option<f64>,
    /// The median.
    pub p50: Option<f64>,
    /// The 95th percentile.
    pub p95: Option<f64>,
}

/// All statistics of a tenant: `$1` the tenant, `$2` the time.
const STATS: &str = "
        with mine as (select status, offered_until, session_type, priority, active_ms, started_at, ended_at from sessions where tenant_id = $1),
             ended as (select active_ms / 1000.0 as seconds from mine where ended_at is not null and started_at is not null),
             judged as (select count(*) filter (where status = 'completed')::float8 as good,
                               count(*) filter (where status = 'partially_completed')::float8 as part,
                               count(*)::float8 as all_of_them
                        from mine where status in ('completed', 'partially_completed', 'failed', 'timeout'))
        select (select count(*) from mine) as total,
            (select coalesce(jsonb_object_agg(status, n), '{}') from (select status, count(*) as n from mine group by 1) x) as by_status,
            (select coalesce(jsonb_object_agg(session_type, n), '{}') from (select session_type, count(*) as n from mine group by 1) x) as by_type,
            (select coalesce(jsonb_object_agg((array['critical', 'high', 'medium', 'low', 'deferred'])[priority + 1], n), '{}')
                from (select priority, count(*) as n from mine group by 1) x) as by_priority,
            (select count(*) from mine where occupies_slot(status, offered_until)) as active,
            (select count(*) from mine where status = 'queued' and offered_until is null) as queued,
            t.max_concurrent_sessions::bigint as slots,
            (select avg(seconds)::float8 from ended) as average,
            (select percentile_cont(0.5) within group (order by seconds)::float8 from ended) as p50,
            (select percentile_cont(0.95) within group (order by seconds)::float8 from ended) as p95,
            (select case when all_of_them > 0 then (good + part / 2) / all_of_them end from judged) as success_rate,
            coalesce(u.tokens, 0) as tokens, coalesce(u.cost_micros, 0) as cost
        from tenants t
        left join tenant_usage u on u.tenant_id = t.id and u.month = utc_month($2::timestamptz)
        where t.id = $1";

/// Reads all statistics in one statement.
pub async fn count_stats(db: &Db, tenant_id: TenantId, now: Time) -> Result<Stats> {
    let rows = db.read(tenant_id, STATS, &[&tenant_id, &now]).await?;
    let Some(row) = rows.first() else { return Ok(Stats::default()) };
    let counts = |column: &str| -> Result<BTreeMap<String, i64>> { Ok(row.try_get::<_, Json<_>>(column)?.0) };
    Ok(Stats {
        total: row.try_get("total")?,
        by_status: counts("by_status")?,
        by_type: counts("by_type")?,
        by_priority: counts("by_priority")?,
        active: row.try_get("active")?,
        queued: row.try_get("queued")?,
        limit: row.try_get("slots")?,
        duration_seconds: Durations {
            average: row.try_get("average")?,
            p50: row.try_get("p50")?,
            p95: row.try_get("p95")?,
        },
        success_rate: row.try_get("success_rate")?,
        tokens_this_month: row.try_get("tokens")?,
        cost_usd_this_month: crate::kernel::usage::format_usd(row.try_get("cost")?),
    })
}
