//! SQL of the management of agents.

use std::collections::HashMap;

use tokio_postgres::types::{Json, ToSql};

use crate::{
    kernel::{
        clock::Time,
        error::Result,
        id::{AgentId, SessionId, TenantId},
    },
    platform::postgres::{Db, OnConstraint, Tx},
};

use super::{Agent, AgentType, Kind, name_taken, read, select_agents};

/// A filter on agent rows. A list means "any of"; an empty list means no condition.
#[derive(Clone, Debug, Default)]
pub struct AgentFilter {
    pub kind: Vec<Kind>,
    pub agent_type: Vec<AgentType>,
    pub capability: Vec<String>,
    pub skill: Vec<String>,
    /// A substring of the id, the name or the description.
    pub q: Option<String>,
}

/// A page of the agents that a tenant sees, newest first, created before `before`.
pub async fn find_page(
    db: &Db,
    tenant_id: TenantId,
    filter: &AgentFilter,
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
    let rows = db.read(tenant_id, &select_agents(condition, "order by a.id desc limit $7"), &params).await?;
    rows.iter().map(read).collect()
}

/// The names of the publishers of the agents that a tenant enabled.
pub async fn list_publishers(db: &Db, tenant_id: TenantId) -> Result<HashMap<AgentId, String>> {
    let rows = db.read(tenant_id, "select agent_id, publisher from agent_publishers()", &[]).await?;
    rows.iter().map(|row| Ok((row.try_get("agent_id")?, row.try_get("publisher")?))).collect()
}

/// Whether the transaction's tenant sees the agent but does not own it.
pub async fn is_owned_by_another_tenant(tx: &mut Tx, id: AgentId) -> Result<bool> {
    let sql =
        "select 1 from agents where id = $1 and tenant_id is distinct from app_tenant_id() and state <> 'deregistered'";
    Ok(tx.query_opt(sql, &[&id]).await?.is_some())
}

/// The change to the encrypted secret of an agent.
#[derive(Clone, Copy, Debug)]
pub enum SecretChange<'a> {
    Keep,
    Remove,
    Set(&'a [u8]),
}

impl<'a> SecretChange<'a> {
    /// The change for a field as sent (absent, null or a value), where `sealed` is the encrypted value.
    pub fn from_input(sent: Option<&Option<String>>, sealed: Option<&'a [u8]>) -> Self {
        match (sent, sealed) {
            (None, _) => Self::Keep,
            (Some(_), None) => Self::Remove,
            (Some(_), Some(sealed)) => Self::Set(sealed),
        }
    }
}

/// Saves an agent that this transaction locked.
pub async fn save_agent(tx: &mut Tx, agent: &Agent, secret: SecretChange<'_>) -> Result<()> {
    let sql =
        "update agents set name = $3, agent_type = $4, description = $5, capabilities = $6, skills = $7, capacity = $8,
                   endpoint_url = $9, software_version = $10, metadata = $11, state = $12, deregistered_at = $13,
                   version = $14, updated_at = $15, shared_with_all = $16,
                   endpoint_secret = case when $17 then endpoint_secret else $18 end,
                   trusted = $19, conformance_passed_at = $20
               where tenant_id = $1 and id = $2";
    let (stays, sealed) = match secret {
        SecretChange::Keep => (true, None),
        SecretChange::Remove => (false, None),
        SecretChange::Set(sealed) => (false, Some(sealed)),
    };
    let params: [&(dyn ToSql + Sync); 20] = [
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
        &agent.trust.trusted,
        &agent.trust.conformance_passed_at,
    ];
    tx.query(sql, &params).await.on_constraint("agents_name", || name_taken(agent))?;
    Ok(())
}

/// Changes the state and the trust of an agent of the platform. False: there is no such agent.
pub async fn update_platform_agent(tx: &mut Tx, agent: &Agent, now: Time) -> Result<bool> {
    let sql = "select update_platform_agent($1, $2, $3, $4) as changed";
    let row = tx.query_opt(sql, &[&agent.id, &agent.state.name(), &agent.trust.trusted, &now]).await?;
    Ok(row.map(|row| row.try_get("changed")).transpose()?.unwrap_or(false))
}

/// Revokes the tokens of a deregistered agent, and its offers.
pub async fn revoke_access(tx: &mut Tx, id: AgentId, now: Time) -> Result<()> {
    let tokens = "update agent_tokens set expires_at = $2
                  where tenant_id = app_tenant_id() and agent_id = $1 and (expires_at is null or expires_at > $2)";
    let shares = "delete from agent_shares where tenant_id = app_tenant_id() and agent_id = $1";
    tx.query_all(&[(tokens, &[&id, &now]), (shares, &[&id]), ("select withdraw_enablements($1)", &[&id])]).await?;
    Ok(())
}

/// Draining agents without running sessions.
pub async fn find_drained(db: &Db) -> Result<Vec<(TenantId, AgentId)>> {
    let rows = db.query_directory("select tenant_id, agent_id from drained_agents()", &[]).await?;
    rows.iter().map(|row| Ok((row.try_get("tenant_id")?, row.try_get("agent_id")?))).collect()
}

/// Sessions that wait for an agent that their tenant may no longer use.
pub async fn sessions_waiting_for_removed(db: &Db, most: i32) -> Result<Vec<(TenantId, SessionId, AgentId)>> {
    let rows = db
        .query_directory("select tenant_id, session_id, agent_id from sessions_waiting_for_removed_agent($1)", &[&most])
        .await?;
    rows.iter()
        .map(|row| Ok((row.try_get("tenant_id")?, row.try_get("session_id")?, row.try_get("agent_id")?)))
        .collect()
}
