//! SQL of the rate limits, and of the other limits that are read along with them.

use tokio_postgres::types::Json;

use crate::{
    identity::tenants::quotas::StoredAmounts,
    kernel::{error::Result, id::TenantId},
    platform::postgres::Db,
};

use super::TenantState;

/// The limits of a tenant and what it stores; the defaults if there is no such tenant.
pub(super) async fn read_tenant_state(db: &Db, tenant_id: TenantId) -> Result<TenantState> {
    let sql = "select t.calls_per_minute, t.quotas, coalesce(s.open_sessions, 0) as open_sessions,
                   coalesce(s.stored_bytes, 0) as stored_bytes
               from tenants t left join tenant_storage s on s.tenant_id = t.id where t.id = $1";
    let rows = db.read(tenant_id, sql, &[&tenant_id]).await?;
    let Some(row) = rows.first() else { return Ok(TenantState::default()) };
    let Json(quotas) = row.try_get("quotas")?;
    let stored =
        StoredAmounts { open_sessions: row.try_get("open_sessions")?, stored_bytes: row.try_get("stored_bytes")? };
    let own = row.try_get::<_, Option<i32>>("calls_per_minute")?;
    Ok(TenantState { calls_per_minute: own.and_then(|calls| u32::try_from(calls).ok()), quotas, stored })
}
