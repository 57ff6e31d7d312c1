//! SQL of the workspaces that agents keep for sessions that are gone.

use tokio_postgres::types::Json;

use crate::{
    agent::{self, Contact},
    clock::Time,
    db::{Db, Tx},
    error::Result,
    id::{SessionId, TenantId},
    runtime::RunState,
};

/// A workspace that is to be given back.
pub struct Left {
    /// None when the agent is gone itself.
    pub agent: Option<Contact>,
    pub run: i32,
    pub run_started_at: Time,
    pub run_state: RunState,
    pub left_at: Time,
    pub attempts: i32,
}

/// Writes down which workspaces some sessions of a tenant leave behind: those that an agent may still keep. To be followed by the removal, in the same transaction. Answers whose they are.
pub async fn leave_workspaces(
    tx: &mut Tx,
    tenant_id: TenantId,
    sessions: &[SessionId],
    now: Time,
) -> Result<Vec<SessionId>> {
    let sql = "insert into workspaces_left
                   (tenant_id, session_id, agent_id, run, run_started_at, run_state, left_at, next_step_at)
               select s.tenant_id, s.id, s.agent_id, s.run, coalesce(s.run_started_at, s.created_at), s.run_state, $3, $3
               from sessions s
               where s.tenant_id = $1 and s.id = any($2) and s.run_state is not null
                 and s.agent_id is not null and (s.next_step_at is not null or s.ended_at is null)
               returning session_id";
    let rows = tx.query(sql, &[&tenant_id, &sessions, &now]).await?;
    rows.iter().map(|row| Ok(row.try_get("session_id")?)).collect()
}

/// Takes a workspace up that is due, and says when it is due again unless [`forget_workspace`] is called before.
pub async fn take_workspace(
    db: &Db,
    (tenant_id, id): (TenantId, SessionId),
    now: Time,
    again: Time,
) -> Result<Option<Left>> {
    let sql = "with w as (
                   update workspaces_left set attempts = attempts + 1, next_step_at = $4
                   where tenant_id = $1 and session_id = $2 and next_step_at <= $3 returning *)
               select w.run, w.run_started_at, w.run_state, w.left_at, w.attempts, w.agent_id,
                      a.tenant_id as agent_tenant_id, a.name as agent_name, a.kind as agent_kind, a.endpoint_url, a.endpoint_secret
               from w left join lateral agent_contact(w.agent_id) a on true";
    let rows = db.read(tenant_id, sql, &[&tenant_id, &id, &now, &again]).await?;
    let left = rows.first().map(|row| {
        let Json(run_state) = row.try_get("run_state")?;
        let known = row.try_get::<_, Option<&str>>("agent_name")?.is_some();
        Ok(Left {
            agent: known.then(|| agent::store::read_contact(row)).transpose()?,
            run: row.try_get("run")?,
            run_started_at: row.try_get("run_started_at")?,
            run_state,
            left_at: row.try_get("left_at")?,
            attempts: row.try_get("attempts")?,
        })
    });
    left.transpose()
}

/// Puts the next try off.
pub async fn put_off_workspace(db: &Db, (tenant_id, id): (TenantId, SessionId), until: Time) -> Result<()> {
    let sql = "update workspaces_left set next_step_at = $3 where tenant_id = $1 and session_id = $2";
    db.read(tenant_id, sql, &[&tenant_id, &id, &until]).await?;
    Ok(())
}

/// Nothing is left of it.
pub async fn forget_workspace(db: &Db, (tenant_id, id): (TenantId, SessionId)) -> Result<()> {
    let sql = "delete from workspaces_left where tenant_id = $1 and session_id = $2";
    db.read(tenant_id, sql, &[&tenant_id, &id]).await?;
    Ok(())
}
