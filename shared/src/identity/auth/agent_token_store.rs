//! The tokens of agents, as leads list and end them.

use tokio_postgres::{Row, types::Json};

use crate::{
    kernel::{
        actor::Actor,
        clock::Time,
        error::Result,
        id::{AgentId, AgentTokenId, TenantId},
    },
    platform::postgres::{Db, Tx},
};

/// A token of an agent, without its secret.
#[derive(Clone, Debug)]
pub struct AgentTokenRow {
    pub id: AgentTokenId,
    pub created_by: Actor,
    pub created_at: Time,
    pub expires_at: Option<Time>,
    /// The token that replaced it.
    pub rotated_to: Option<AgentTokenId>,
}

/// The tokens of an agent of the tenant that are valid now, newest first.
pub async fn list_agent_tokens(db: &Db, tenant_id: TenantId, agent: AgentId, now: Time) -> Result<Vec<AgentTokenRow>> {
    let sql = "select id, created_by, created_at, expires_at, rotated_to from agent_tokens
               where tenant_id = $1 and agent_id = $2 and (expires_at is null or expires_at > $3)
               order by created_at desc, id desc";
    let read = |row: &Row| {
        let Json(created_by) = row.try_get("created_by")?;
        Ok(AgentTokenRow {
            id: row.try_get("id")?,
            created_by,
            created_at: row.try_get("created_at")?,
            expires_at: row.try_get("expires_at")?,
            rotated_to: row.try_get("rotated_to")?,
        })
    };
    db.read(tenant_id, sql, &[&tenant_id, &agent, &now]).await?.iter().map(read).collect()
}

/// Limits the valid tokens of an agent to `until`.
pub async fn limit_agent_tokens(tx: &mut Tx, agent: AgentId, now: Time, until: Time) -> Result<()> {
    let sql = "update agent_tokens set expires_at = least(expires_at, $3)
               where tenant_id = app_tenant_id() and agent_id = $1 and (expires_at is null or expires_at > $2)";
    tx.query(sql, &[&agent, &now, &until]).await?;
    Ok(())
}

/// Ends a valid token. Returns its agent.
pub async fn end_agent_token(tx: &mut Tx, id: AgentTokenId, now: Time) -> Result<Option<AgentId>> {
    let sql = "update agent_tokens set expires_at = $2
               where tenant_id = app_tenant_id() and id = $1 and (expires_at is null or expires_at > $2)
               returning agent_id";
    let row = tx.query_opt(sql, &[&id, &now]).await?;
    Ok(row.map(|row| row.try_get("agent_id")).transpose()?)
}
