//! SQL of the limits.

use crate::{
    db::Db,
    error::{Error, Result},
    id::TenantId,
};

/// The tenant's own calls per minute, when it has a limit of its own; 0 = unlimited.
pub(super) async fn calls_per_minute(db: &Db, tenant_id: TenantId) -> Result<Option<u32>> {
    let rows = db.read(tenant_id, "select calls_per_minute from tenants where id = $1", &[&tenant_id]).await?;
    let own = rows.first().map(|row| row.try_get::<_, Option<i32>>(0).map_err(Error::from)).transpose()?;
    Ok(own.flatten().and_then(|calls| u32::try_from(calls).ok()))
}
