//! SQL of the sessions that agents created for the sessions they work on.

use crate::{
    kernel::{
        clock::Time,
        error::Result,
        id::{ExternalTaskId, SessionId, TenantId},
    },
    platform::postgres::Tx,
};

/// A request of an agent at work for a session.
#[derive(Clone, Debug)]
pub struct SpawnKey {
    pub task_id: ExternalTaskId,
    /// The lease under which the agent has the task.
    pub lease_token: i64,
    /// The agent's own id of the request.
    pub request_id: String,
}

/// How far a request of an agent for a session is.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum SpawnRecord {
    /// The session is not created yet.
    New,
    /// It is this one.
    Created(SessionId),
    /// The task was cancelled, or the lease is not the agent's any more.
    LeaseLost,
}

/// Reads how far a request is, and keeps the lease until the end of the transaction.
pub async fn find_spawned(tx: &mut Tx, tenant_id: TenantId, key: &SpawnKey) -> Result<SpawnRecord> {
    let sql = "select (select c.session_id from agent_task_sessions c
                       where c.tenant_id = t.tenant_id and c.task_id = t.id and c.request_id = $4) as spawned
               from agent_tasks t
               where t.tenant_id = $1 and t.id = $2 and t.status = 'leased' and t.lease_token = $3
                 and not t.cancel_requested
               for share of t";
    let row = tx.query_opt(sql, &[&tenant_id, &key.task_id, &key.lease_token, &key.request_id]).await?;
    let Some(row) = row else { return Ok(SpawnRecord::LeaseLost) };
    Ok(row.try_get::<_, Option<SessionId>>("spawned")?.map_or(SpawnRecord::New, SpawnRecord::Created))
}

/// Records which session a request created.
pub async fn insert_spawned(
    tx: &mut Tx,
    tenant_id: TenantId,
    key: &SpawnKey,
    session: SessionId,
    now: Time,
) -> Result<()> {
    let sql = "insert into agent_task_sessions (tenant_id, task_id, request_id, session_id, created_at)
               values ($1, $2, $3, $4, $5)";
    tx.query(sql, &[&tenant_id, &key.task_id, &key.request_id, &session, &now]).await?;
    Ok(())
}
