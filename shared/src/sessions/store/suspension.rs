//! SQL that finds the sessions of a tenant to suspend or resume.

use crate::{
    kernel::{
        calendar::month_of,
        clock::Time,
        error::{Error, Result},
        id::{SessionId, TenantId},
    },
    platform::postgres::{Db, Params},
};

/// The sessions of a tenant that are at work or offered, and those that are about to resume.
pub async fn sessions_to_suspend(db: &Db, tenant_id: TenantId) -> Result<Vec<SessionId>> {
    let sql = "select id from sessions where tenant_id = $1 and (occupies_slot(status, offered_until) or suspended)";
    read_ids(db, tenant_id, sql, &[&tenant_id]).await
}

/// The sessions that the deactivation of the tenant paused, or is about to pause.
pub async fn suspended_sessions(db: &Db, tenant_id: TenantId) -> Result<Vec<SessionId>> {
    read_ids(db, tenant_id, "select id from sessions where tenant_id = $1 and suspended order by id", &[&tenant_id])
        .await
}

/// The sessions that wait for tokens, if the tenant has tokens again.
pub async fn sessions_to_resume(db: &Db, tenant_id: TenantId, now: Time) -> Result<Vec<SessionId>> {
    let sql = "select s.id from sessions s
               join tenants t on t.id = s.tenant_id
               left join tenant_usage u on u.tenant_id = s.tenant_id and u.month = $2
               where s.tenant_id = $1 and s.pause_reason = 'quota'
                 and not token_quota_reached(t.max_tokens_per_month, u.tokens)
               order by s.id";
    read_ids(db, tenant_id, sql, &[&tenant_id, &month_of(now)]).await
}

async fn read_ids(db: &Db, tenant_id: TenantId, sql: &str, params: Params<'_>) -> Result<Vec<SessionId>> {
    let rows = db.read(tenant_id, sql, params).await?;
    rows.iter().map(|row| row.try_get("id").map_err(Error::from)).collect()
}
