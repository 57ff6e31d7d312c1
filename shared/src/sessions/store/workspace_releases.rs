//! SQL of pending workspace releases: the workspaces that agents still keep for deleted sessions.

use tokio_postgres::types::Json;

use crate::{
    agents::{
        contract::RunState,
        registry::{self, AgentEndpoint},
    },
    kernel::{
        clock::Time,
        error::Result,
        id::{SessionId, TenantId},
    },
    platform::postgres::{Db, Tx},
};

use super::super::session::SessionKey;

/// A workspace that an agent is to release.
pub struct PendingRelease {
    /// `None`: the agent itself was removed.
    pub agent: Option<AgentEndpoint>,
    pub run: i32,
    pub run_started_at: Time,
    pub run_state: RunState,
    pub requested_at: Time,
    pub attempts: i32,
}

/// Schedules the release of the workspaces of some sessions of a tenant, as far as an agent may still keep one. The
/// caller deletes the sessions in the same transaction. Returns the sessions that have such a workspace.
pub async fn schedule_workspace_releases(
    tx: &mut Tx,
    tenant_id: TenantId,
    sessions: &[SessionId],
    now: Time,
) -> Result<Vec<SessionId>> {
    let sql = "insert into workspace_releases
                   (tenant_id, session_id, agent_id, run, run_started_at, run_state, requested_at, next_step_at)
               select s.tenant_id, s.id, s.agent_id, s.run, coalesce(s.run_started_at, s.created_at), s.run_state, $3, $3
               from sessions s
               where s.tenant_id = $1 and s.id = any($2) and s.run_state is not null
                 and s.agent_id is not null and (s.next_step_at is not null or s.ended_at is null)
               returning session_id";
    let rows = tx.query(sql, &[&tenant_id, &sessions, &now]).await?;
    rows.iter().map(|row| Ok(row.try_get("session_id")?)).collect()
}

/// Claims a release that is due. It is due again at `retry_at`, unless [`delete_workspace_release`] is called before.
pub async fn claim_workspace_release(
    db: &Db,
    key: SessionKey,
    now: Time,
    retry_at: Time,
) -> Result<Option<PendingRelease>> {
    let sql = "with w as (
                   update workspace_releases set attempts = attempts + 1, next_step_at = $4
                   where tenant_id = $1 and session_id = $2 and next_step_at <= $3 returning *)
               select w.run, w.run_started_at, w.run_state, w.requested_at, w.attempts, w.agent_id,
                      a.tenant_id as agent_tenant_id, a.name as agent_name, a.kind as agent_kind, a.endpoint_url, a.endpoint_secret
               from w left join lateral agent_contact(w.agent_id) a on true";
    let rows = db.read(key.tenant_id, sql, &[&key.tenant_id, &key.id, &now, &retry_at]).await?;
    let release = rows.first().map(|row| {
        let Json(run_state) = row.try_get("run_state")?;
        let known = row.try_get::<_, Option<&str>>("agent_name")?.is_some();
        Ok(PendingRelease {
            agent: known.then(|| registry::store::read_endpoint(row)).transpose()?,
            run: row.try_get("run")?,
            run_started_at: row.try_get("run_started_at")?,
            run_state,
            requested_at: row.try_get("requested_at")?,
            attempts: row.try_get("attempts")?,
        })
    });
    release.transpose()
}

/// Postpones the next attempt.
pub async fn postpone_workspace_release(db: &Db, key: SessionKey, until: Time) -> Result<()> {
    let sql = "update workspace_releases set next_step_at = $3 where tenant_id = $1 and session_id = $2";
    db.read(key.tenant_id, sql, &[&key.tenant_id, &key.id, &until]).await?;
    Ok(())
}

/// Deletes a release that is done, or given up.
pub async fn delete_workspace_release(db: &Db, key: SessionKey) -> Result<()> {
    let sql = "delete from workspace_releases where tenant_id = $1 and session_id = $2";
    db.read(key.tenant_id, sql, &[&key.tenant_id, &key.id]).await?;
    Ok(())
}
