//! SQL of lists and figures over many sessions of a tenant.

use std::collections::BTreeMap;

use serde::Serialize;
use tokio_postgres::types::{Json, ToSql};
use utoipa::ToSchema;

use crate::{
    clock::Time,
    db::Db,
    error::Result,
    id::{AgentId, SessionId, TenantId},
};

use super::{Found, row, statement};

/// Which sessions a list holds. Lists within a field mean "any of".
#[derive(Clone, Debug, Default)]
pub struct Filter {
    pub status: Vec<&'static str>,
    pub session_type: Vec<&'static str>,
    pub priority: Vec<i16>,
    pub tag: Vec<String>,
    pub parent_id: Option<SessionId>,
    pub agent_id: Option<AgentId>,
    pub created_after: Option<Time>,
    pub created_before: Option<Time>,
    /// A fragment of the id, the title, the description or the prompt.
    pub q: Option<String>,
}

/// Where a list goes on: before this id, `limit` rows at most.
#[derive(Clone, Copy, Debug)]
pub struct Page {
    pub before: Option<SessionId>,
    pub limit: i64,
}

/// Sessions, newest first. One more than the limit is read, which says whether there are more.
pub async fn list(db: &Db, tenant_id: TenantId, filter: &Filter, page: Page, now: Time) -> Result<Vec<Found>> {
    let more = page.limit + 1;
    let pattern =
        filter.q.as_ref().map(|q| format!("%{}%", q.replace('\\', "\\\\").replace('%', "\\%").replace('_', "\\_")));
    let mut conditions: Vec<(&str, &(dyn ToSql + Sync))> = Vec::new();
    if let Some(before) = &page.before {
        conditions.push(("s.id < $?", before));
    }
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
    if let Some(pattern) = &pattern {
        let anywhere =
            "(s.id::text ilike $? or s.title ilike $? or s.description ilike $? or s.initial_prompt ilike $?)";
        conditions.push((anywhere, pattern));
    }
    let mut params: Vec<&(dyn ToSql + Sync)> = vec![&now, &tenant_id, &more];
    let mut narrowed = String::new();
    for (condition, value) in conditions {
        params.push(value);
        narrowed.push_str(" and ");
        narrowed.push_str(&condition.replace("$?", &format!("${}", params.len())));
    }
    let rows = db.read(tenant_id, &statement::list(&narrowed), &params).await?;
    rows.iter().map(row::found).collect()
}

/// These sessions, as far as they are there.
pub async fn named(db: &Db, tenant_id: TenantId, ids: &[SessionId], now: Time) -> Result<Vec<Found>> {
    let most = i64::try_from(ids.len()).unwrap_or(i64::MAX);
    let rows = db.read(tenant_id, &statement::list(" and s.id = any($4)"), &[&now, &tenant_id, &most, &ids]).await?;
    rows.iter().map(row::found).collect()
}

/// A tenant's sessions in figures.
#[derive(Clone, Debug, Default, Serialize, ToSchema)]
pub struct Stats {
    pub total: i64,
    pub by_status: BTreeMap<String, i64>,
    pub by_type: BTreeMap<String, i64>,
    pub by_priority: BTreeMap<String, i64>,
    /// Sessions that hold one of the tenant's slots.
    pub active: i64,
    pub queued: i64,
    /// How many may be active at once.
    pub limit: i64,
    pub duration_seconds: Durations,
    /// Completed, and half of the partially completed, over all that ended by themselves; none when nothing did.
    pub success_rate: Option<f64>,
    pub tokens_this_month: i64,
    pub cost_usd_this_month: String,
}

/// How long sessions that ended were active, in seconds.
#[derive(Clone, Debug, Default, Serialize, ToSchema)]
pub struct Durations {
    pub average: Option<f64>,
    pub p50: Option<f64>,
    pub p95: Option<f64>,
}

/// All figures in one statement.
pub async fn stats(db: &Db, tenant_id: TenantId, now: Time) -> Result<Stats> {
    let sql = "
        with mine as (select status, session_type, priority, active_ms, started_at, ended_at from sessions where tenant_id = $1),
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
            (select count(*) from mine where status in ('running', 'degraded')) as active,
            (select count(*) from mine where status = 'queued') as queued,
            t.max_concurrent_sessions::bigint as slots,
            (select avg(seconds)::float8 from ended) as average,
            (select percentile_cont(0.5) within group (order by seconds)::float8 from ended) as p50,
            (select percentile_cont(0.95) within group (order by seconds)::float8 from ended) as p95,
            (select case when all_of_them > 0 then (good + part / 2) / all_of_them end from judged) as success_rate,
            coalesce(u.tokens, 0) as tokens, coalesce(u.cost_micros, 0) as cost
        from tenants t
        left join tenant_usage u on u.tenant_id = t.id and u.month = date_trunc('month', $2::timestamptz at time zone 'UTC')::date
        where t.id = $1";
    let rows = db.read(tenant_id, sql, &[&tenant_id, &now]).await?;
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
        cost_usd_this_month: super::super::usage::usd(row.try_get("cost")?),
    })
}
