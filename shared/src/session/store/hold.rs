//! SQL of what concerns all sessions of a tenant that are held, or are to be.

use crate::{
    clock::Time,
    db::{Db, Params},
    error::{Error, Result},
    id::{SessionId, TenantId},
};

use super::super::change::month_of;

/// Those that work, or are released and about to work again.
pub async fn to_suspend(db: &Db, tenant_id: TenantId) -> Result<Vec<SessionId>> {
    let sql = "select id from sessions where tenant_id = $1 and (status in ('running', 'degraded') or suspended)";
    ids(db, tenant_id, sql, &[&tenant_id]).await
}

/// Those that the deactivation of the tenant holds, or is about to.
pub async fn suspended(db: &Db, tenant_id: TenantId) -> Result<Vec<SessionId>> {
    ids(db, tenant_id, "select id from sessions where tenant_id = $1 and suspended order by id", &[&tenant_id]).await
}

/// Those that wait for tokens, if the tenant has any.
pub async fn with_tokens_again(db: &Db, tenant_id: TenantId, now: Time) -> Result<Vec<SessionId>> {
    let sql = "select s.id from sessions s
               join tenants t on t.id = s.tenant_id
               left join tenant_usage u on u.tenant_id = s.tenant_id and u.month = $2
               where s.tenant_id = $1 and s.pause_reason = 'quota'
                 and (t.max_tokens_per_month = 0 or coalesce(u.tokens, 0) < t.max_tokens_per_month)
               order by s.id";
    ids(db, tenant_id, sql, &[&tenant_id, &month_of(now)]).await
}

async fn ids(db: &Db, tenant_id: TenantId, sql: &str, params: Params<'_>) -> Result<Vec<SessionId>> {
    let rows = db.read(tenant_id, sql, params).await?;
    rows.iter().map(|row| row.try_get("id").map_err(Error::from)).collect()
}
