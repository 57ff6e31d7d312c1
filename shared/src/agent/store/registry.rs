//! SQL of what people do with the agents of their tenant.

use std::collections::HashMap;

use tokio_postgres::types::{Json, ToSql};

use crate::{
    clock::Time,
    db::{Db, OnConstraint, Tx},
    error::{Code, Error, Result},
    id::{AgentId, SessionId, TenantId},
};

use super::{Agent, AgentType, Kind, read, select};

/// Which agents are wanted, as far as their rows tell; lists mean "any of", none means all.
#[derive(Clone, Debug, Default)]
pub struct Filter {
    pub kind: Vec<Kind>,
    pub agent_type: Vec<AgentType>,
    pub capability: Vec<String>,
    pub skill: Vec<String>,
    /// A fragment of the id, the name or the description.
    pub q: Option<String>,
}

/// A page of the agents that a tenant sees, newest first, made before `before`.
pub async fn page(
    db: &Db,
    tenant_id: TenantId,
    filter: &Filter,
    before: Option<AgentId>,
    most: i64,
) -> Result<Vec<Agent>> {
    let condition = "a.state <> 'deregistered' and ($1::uuid is null or a.id < $1)
        and (cardinality($2::text[]) = 0 or a.kind = any($2))
        and (cardinality($3::text[]) = 0 or a.agent_type = any($3))
        and (cardinality($4::text[]) = 0 or a.capabilities && $4)
        and (cardinality($5::text[]) = 0 or a.skills && $5)
        and ($6::text is null or strpos(a.id::text, lower($6)) > 0 or strpos(lower(a.name), lower($6)) > 0
             or strpos(lower(a.description), lower($6)) > 0)";
    let kinds: Vec<_> = filter.kind.iter().map(|kind| kind.name()).collect();
    let types: Vec<_> = filter.agent_type.iter().map(|one| one.name()).collect();
    let params: [&(dyn ToSql + Sync); 7] =
        [&before, &kinds, &types, &filter.capability, &filter.skill, &filter.q, &most];
    let rows = db.read(tenant_id, &select(condition, "order by a.id desc limit $7"), &params).await?;
    rows.iter().map(read).collect()
}

/// What the publishers of the agents are called that a tenant has enabled.
pub async fn publishers(db: &Db, tenant_id: TenantId) -> Result<HashMap<AgentId, String>> {
    let rows = db.read(tenant_id, "select agent_id, publisher from agent_publishers()", &[]).await?;
    rows.iter().map(|row| Ok((row.try_get("agent_id")?, row.try_get("publisher")?))).collect()
}

/// Whether the transaction's tenant sees an agent that is not its own.
pub async fn is_anothers(tx: &mut Tx, id: AgentId) -> Result<bool> {
    let sql =
        "select 1 from agents where id = $1 and tenant_id is distinct from app_tenant_id() and state <> 'deregistered'";
    Ok(tx.query_opt(sql, &[&id]).await?.is_some())
}

/// What becomes of the secret that proves us at an agent's endpoint, sealed.
#[derive(Clone, Copy, Debug)]
pub enum Secret<'a> {
    Stays,
    Goes,
    Becomes(&'a [u8]),
}

/// Writes an agent that was locked in this transaction.
pub async fn save(tx: &mut Tx, agent: &Agent, secret: Secret<'_>) -> Result<()> {
    let sql =
        "update agents set name = $3, agent_type = $4, description = $5, capabilities = $6, skills = $7, capacity = $8,
                   endpoint_url = $9, software_version = $10, metadata = $11, state = $12, deregistered_at = $13,
                   version = $14, updated_at = $15, shared_with_all = $16,
                   endpoint_secret = case when $17 then endpoint_secret else $18 end
               where tenant_id = $1 and id = $2";
    let (stays, sealed) = match secret {
        Secret::Stays => (true, None),
        Secret::Goes => (false, None),
        Secret::Becomes(sealed) => (false, Some(sealed)),
    };
    let params: [&(dyn ToSql + Sync); 18] = [
        &agent.tenant_id,
        &agent.id,
        &agent.name,
        &agent.agent_type.name(),
        &agent.description,
        &agent.capabilities,
        &agent.skills,
        &agent.capacity,
        &agent.endpoint_url,
        &agent.software_version,
        &Json(&agent.metadata),
        &agent.state.name(),
        &agent.deregistered_at,
        &agent.version,
        &agent.updated_at,
        &agent.shared_with_all,
        &stays,
        &sealed,
    ];
    tx.query(sql, &params).await.on_constraint("agents_name", || taken(agent))?;
    Ok(())
}

/// The error for a name that another agent of the tenant has.
#[track_caller]
pub fn taken(agent: &Agent) -> Error {
    Error::new(Code::AlreadyExists, format!("The tenant has an agent {} already.", agent.name))
}

/// Ends what a deregistered agent called us with, and whom it was offered to.
pub async fn cut_off(tx: &mut Tx, id: AgentId, now: Time) -> Result<()> {
    let tokens = "update agent_tokens set expires_at = $2
                  where tenant_id = app_tenant_id() and agent_id = $1 and (expires_at is null or expires_at > $2)";
    let shares = "delete from agent_shares where tenant_id = app_tenant_id() and agent_id = $1";
    tx.query_all(&[(tokens, &[&id, &now]), (shares, &[&id]), ("select withdraw_enablements($1)", &[&id])]).await?;
    Ok(())
}

/// Agents that finish what they had, and have nothing left.
pub async fn drained(db: &Db) -> Result<Vec<(TenantId, AgentId)>> {
    let rows = db.directory("select tenant_id, agent_id from drained_agents()", &[]).await?;
    rows.iter().map(|row| Ok((row.try_get("tenant_id")?, row.try_get("agent_id")?))).collect()
}

/// What waits for an agent that its tenant may not use any more.
pub async fn stranded(db: &Db, most: i32) -> Result<Vec<(TenantId, SessionId, AgentId)>> {
    let rows = db.directory("select tenant_id, session_id, agent_id from sessions_stranded($1)", &[&most]).await?;
    rows.iter()
        .map(|row| Ok((row.try_get("tenant_id")?, row.try_get("session_id")?, row.try_get("agent_id")?)))
        .collect()
}
