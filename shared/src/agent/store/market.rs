//! SQL of what tenants offer to each other: the publisher's shares, the offers to a tenant, and what it enabled.

use tokio_postgres::{Row, types::Json};

use crate::{
    auth::Actor,
    clock::Time,
    db::{Db, Tx},
    error::{Error, Result},
    id::{AgentId, TenantId},
};

use super::{Agent, read};

/// With whom an agent is shared, as its publisher wrote it.
#[derive(Clone, Debug)]
pub struct Share {
    pub named: String,
    pub created_by: Actor,
    pub created_at: Time,
}

fn share(row: &Row) -> Result<Share> {
    let Json(created_by) = row.try_get("created_by")?;
    Ok(Share { named: row.try_get("named")?, created_by, created_at: row.try_get("created_at")? })
}

/// The shares of an agent of the tenant's own, by name.
pub async fn shares(db: &Db, tenant_id: TenantId, id: AgentId) -> Result<Vec<Share>> {
    let sql =
        "select named, created_by, created_at from agent_shares where tenant_id = $1 and agent_id = $2 order by named";
    db.read(tenant_id, sql, &[&tenant_id, &id]).await?.iter().map(share).collect()
}

/// The tenant that a slug or an id names, and how many shares the agent has.
pub async fn named_tenant(tx: &mut Tx, id: AgentId, named: &str) -> Result<(Option<TenantId>, i64)> {
    let sql = "select (select t.id from find_tenant($2) t) as id,
                   (select count(*) from agent_shares where tenant_id = app_tenant_id() and agent_id = $1) as shares";
    let row = tx.query_opt(sql, &[&id, &named]).await?.ok_or_else(|| Error::internal("a count without a row"))?;
    Ok((row.try_get("id")?, row.try_get("shares")?))
}

/// Writes a share of an agent of the transaction's tenant, and whether it is new. One that is there stays as it was, but for
/// whom it leads to.
pub async fn put_share(tx: &mut Tx, id: AgentId, share: &Share, with: Option<TenantId>) -> Result<(Share, bool)> {
    let sql = "insert into agent_shares (tenant_id, agent_id, named, with_id, created_by, created_at)
               values (app_tenant_id(), $1, $2, $3, $4, $5)
               on conflict (tenant_id, agent_id, named) do update set with_id = excluded.with_id
               returning named, created_by, created_at, xmax = 0 as made";
    let params: crate::db::Params<'_> = &[&id, &share.named, &with, &Json(&share.created_by), &share.created_at];
    let row = tx.query_opt(sql, params).await?.ok_or_else(|| Error::internal("a share was not written"))?;
    Ok((self::share(&row)?, row.try_get("made")?))
}

/// Removes the shares of an agent that carry this name or lead to this tenant; whether there were any.
pub async fn remove_shares(tx: &mut Tx, id: AgentId, named: &str, with: Option<TenantId>) -> Result<bool> {
    let sql = "delete from agent_shares
               where tenant_id = app_tenant_id() and agent_id = $1 and (named = $2 or with_id = $3) returning named";
    Ok(!tx.query(sql, &[&id, &named, &with]).await?.is_empty())
}

/// Whether an agent of the transaction's tenant is offered to all.
pub async fn share_with_all(tx: &mut Tx, id: AgentId, all: bool) -> Result<()> {
    let sql = "update agents set shared_with_all = $2 where tenant_id = app_tenant_id() and id = $1";
    tx.query(sql, &[&id, &all]).await.map(|_| ())
}

/// Removes what tenants enabled and are not offered any more.
pub async fn withdraw(tx: &mut Tx, id: AgentId) -> Result<()> {
    tx.query("select withdraw_enablements($1)", &[&id]).await.map(|_| ())
}

/// What another tenant offers: what those to whom it is offered may know of it.
#[derive(Clone, Debug)]
pub struct Listing {
    /// Without what only its owner knows.
    pub agent: Agent,
    pub publisher: String,
    pub enabled: bool,
    /// Of its newest 200 results; `None` without any.
    pub p50_ms: Option<f64>,
    pub p95_ms: Option<f64>,
}

/// The columns that [`read`] asks for and that are nobody's but the owner's.
const OFFERS: &str = "select o.*, null::text as endpoint_url, '{}'::jsonb as metadata, '{}'::jsonb as metrics,
    true as routable, true as shared_with_all, null::timestamptz as deregistered_at, null::timestamptz as last_heartbeat_at,
    null::integer as reported_tasks, null::timestamptz as last_result_at, 1::bigint as version,
    '{\"kind\": \"system\", \"id\": \"\", \"name\": \"\"}'::jsonb as created_by, now() as created_at, now() as updated_at
    from agent_offers($1) o";

fn listing(row: &Row) -> Result<Listing> {
    Ok(Listing {
        agent: read(row)?,
        publisher: row.try_get("publisher")?,
        enabled: row.try_get("enabled")?,
        p50_ms: row.try_get("p50_ms")?,
        p95_ms: row.try_get("p95_ms")?,
    })
}

/// Everything that is offered to a tenant.
pub async fn offers(db: &Db, tenant_id: TenantId) -> Result<Vec<Listing>> {
    db.read(tenant_id, OFFERS, &[&None::<AgentId>]).await?.iter().map(listing).collect()
}

/// One agent, if it is offered to a tenant.
pub async fn offer(db: &Db, tenant_id: TenantId, id: AgentId) -> Result<Option<Listing>> {
    db.read(tenant_id, OFFERS, &[&Some(id)]).await?.first().map(listing).transpose()
}

/// One agent, if it is offered to the transaction's tenant.
pub async fn offer_in(tx: &mut Tx, id: AgentId) -> Result<Option<Listing>> {
    tx.query_opt(OFFERS, &[&Some(id)]).await?.as_ref().map(listing).transpose()
}

/// Lets the transaction's tenant use an agent; whether it did not before.
pub async fn enable(tx: &mut Tx, id: AgentId, by: &Actor, now: Time) -> Result<bool> {
    let sql = "insert into agent_enablements (tenant_id, agent_id, created_by, created_at)
               values (app_tenant_id(), $1, $2, $3) on conflict do nothing returning agent_id";
    Ok(!tx.query(sql, &[&id, &Json(by), &now]).await?.is_empty())
}

/// Lets the transaction's tenant use an agent no more; whether it did before.
pub async fn disable(tx: &mut Tx, id: AgentId) -> Result<bool> {
    let sql = "delete from agent_enablements where tenant_id = app_tenant_id() and agent_id = $1 returning agent_id";
    Ok(!tx.query(sql, &[&id]).await?.is_empty())
}
