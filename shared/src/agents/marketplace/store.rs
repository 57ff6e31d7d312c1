//! SQL of the marketplace: shares of a publisher, offers to a tenant, and what a tenant enabled.

use tokio_postgres::{Row, types::Json};

use crate::{
    agents::registry::{Agent, store::read},
    kernel::{
        actor::Actor,
        clock::Time,
        error::{Error, Result},
        id::{AgentId, TenantId},
    },
    platform::postgres::{Db, Tx},
};

/// One share of an agent, as its publisher wrote it.
#[derive(Clone, Debug)]
pub struct Share {
    pub named: String,
    pub created_by: Actor,
    pub created_at: Time,
}

fn share_of_row(row: &Row) -> Result<Share> {
    let Json(created_by) = row.try_get("created_by")?;
    Ok(Share { named: row.try_get("recipient")?, created_by, created_at: row.try_get("created_at")? })
}

/// The shares of an agent of the tenant, by name.
pub async fn list_shares(db: &Db, tenant_id: TenantId, id: AgentId) -> Result<Vec<Share>> {
    let sql = "select recipient, created_by, created_at from agent_shares where tenant_id = $1 and agent_id = $2 order by recipient";
    db.read(tenant_id, sql, &[&tenant_id, &id]).await?.iter().map(share_of_row).collect()
}

/// The tenant with a slug or an id, and the number of shares of the agent.
pub async fn named_tenant(tx: &mut Tx, id: AgentId, named: &str) -> Result<(Option<TenantId>, i64)> {
    let sql = "select (select t.id from find_tenant($2) t) as id,
                   (select count(*) from agent_shares where tenant_id = app_tenant_id() and agent_id = $1) as shares";
    let row = tx.query_opt(sql, &[&id, &named]).await?.ok_or_else(|| Error::internal("a count without a row"))?;
    Ok((row.try_get("id")?, row.try_get("shares")?))
}

/// Writes a share of an agent of the transaction's tenant. Returns the share and whether it is new. An existing share
/// keeps all its fields except the tenant that it resolves to.
pub async fn put_share(tx: &mut Tx, id: AgentId, share: &Share, with: Option<TenantId>) -> Result<(Share, bool)> {
    let sql = "insert into agent_shares (tenant_id, agent_id, recipient, recipient_id, created_by, created_at)
               values (app_tenant_id(), $1, $2, $3, $4, $5)
               on conflict (tenant_id, agent_id, recipient) do update set recipient_id = excluded.recipient_id
               returning recipient, created_by, created_at, xmax = 0 as made";
    let params: crate::platform::postgres::Params<'_> =
        &[&id, &share.named, &with, &Json(&share.created_by), &share.created_at];
    let row = tx.query_opt(sql, params).await?.ok_or_else(|| Error::internal("a share was not written"))?;
    Ok((self::share_of_row(&row)?, row.try_get("made")?))
}

/// Removes the shares of an agent that have this name or resolve to this tenant. Returns whether there were any.
pub async fn remove_shares(tx: &mut Tx, id: AgentId, named: &str, with: Option<TenantId>) -> Result<bool> {
    let sql = "delete from agent_shares
               where tenant_id = app_tenant_id() and agent_id = $1 and (recipient = $2 or recipient_id = $3) returning recipient";
    Ok(!tx.query(sql, &[&id, &named, &with]).await?.is_empty())
}

/// Sets whether an agent of the transaction's tenant is offered to all tenants.
pub async fn share_with_all(tx: &mut Tx, id: AgentId, all: bool) -> Result<()> {
    let sql = "update agents set shared_with_all = $2 where tenant_id = app_tenant_id() and id = $1";
    tx.query(sql, &[&id, &all]).await.map(|_| ())
}

/// Removes the enablements of tenants that the agent is no longer offered to.
pub async fn withdraw_listing(tx: &mut Tx, id: AgentId) -> Result<()> {
    tx.query("select withdraw_enablements($1)", &[&id]).await.map(|_| ())
}

/// An agent that another tenant offers, with the fields that its users may see.
#[derive(Clone, Debug)]
pub struct Listing {
    /// Without the fields that only the owner may see.
    pub agent: Agent,
    pub publisher: String,
    pub enabled: bool,
    /// Over its newest 200 results; `None` when it has none.
    pub p50_ms: Option<f64>,
    pub p95_ms: Option<f64>,
}

/// Replacements for the columns that only the owner may see.
const OFFERS: &str = "select o.*, null::timestamptz as offers_ignored_since, null::text as endpoint_url,
    '{}'::jsonb as metadata, '{}'::jsonb as metrics, true as routable,
    true as shared_with_all, null::text as pool, null::text as program, null::timestamptz as deregistered_at,
    null::timestamptz as last_heartbeat_at,
    null::integer as reported_tasks, null::uuid as registered_by, null::timestamptz as last_result_at, 1::bigint as version,
    '{\"kind\": \"system\", \"id\": \"\", \"name\": \"\"}'::jsonb as created_by, now() as created_at, now() as updated_at
    from agent_offers($1) o";

fn listing_of_row(row: &Row) -> Result<Listing> {
    Ok(Listing {
        agent: read(row)?,
        publisher: row.try_get("publisher")?,
        enabled: row.try_get("enabled")?,
        p50_ms: row.try_get("p50_ms")?,
        p95_ms: row.try_get("p95_ms")?,
    })
}

/// All agents that are offered to a tenant.
pub async fn list_offers(db: &Db, tenant_id: TenantId) -> Result<Vec<Listing>> {
    db.read(tenant_id, OFFERS, &[&None::<AgentId>]).await?.iter().map(listing_of_row).collect()
}

/// One agent, if it is offered to a tenant.
pub async fn find_offer(db: &Db, tenant_id: TenantId, id: AgentId) -> Result<Option<Listing>> {
    db.read(tenant_id, OFFERS, &[&Some(id)]).await?.first().map(listing_of_row).transpose()
}

/// One agent, if it is offered to the transaction's tenant.
pub async fn offer_in(tx: &mut Tx, id: AgentId) -> Result<Option<Listing>> {
    tx.query_opt(OFFERS, &[&Some(id)]).await?.as_ref().map(listing_of_row).transpose()
}

/// Enables an agent for the transaction's tenant. Returns whether it was disabled before.
pub async fn enable_agent(tx: &mut Tx, id: AgentId, by: &Actor, now: Time) -> Result<bool> {
    let sql = "insert into agent_enablements (tenant_id, agent_id, created_by, created_at)
               values (app_tenant_id(), $1, $2, $3) on conflict do nothing returning agent_id";
    Ok(!tx.query(sql, &[&id, &Json(by), &now]).await?.is_empty())
}

/// Disables an agent for the transaction's tenant. Returns whether it was enabled before.
pub async fn disable_agent(tx: &mut Tx, id: AgentId) -> Result<bool> {
    let sql = "delete from agent_enablements where tenant_id = app_tenant_id() and agent_id = $1 returning agent_id";
    Ok(!tx.query(sql, &[&id]).await?.is_empty())
}
