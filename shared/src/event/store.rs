//! SQL of events that belong to no session. Decides nothing.

use tokio_postgres::types::Json;

use crate::{
    clock::Time,
    db::{Db, Owned},
    error::Result,
};

use super::tenant::TenantEvent;

/// What writes an event of the transaction's tenant.
pub(crate) fn append(event: TenantEvent) -> Owned<'static> {
    Owned {
        sql: "insert into tenant_events (tenant_id, topic, id, type, actor, at, payload)
              values (app_tenant_id(), $1, $2, $3, $4, $5, $6)",
        values: vec![
            Box::new(event.kind.subject().name()),
            Box::new(event.id),
            Box::new(event.kind.name()),
            Box::new(Json(event.actor)),
            Box::new(event.at),
            Box::new(event.payload),
        ],
    }
}

/// Removes the events of all tenants that are older than this.
pub async fn forget(db: &Db, until: Time) -> Result<()> {
    db.directory("select forget_tenant_events($1)", &[&until]).await?;
    Ok(())
}
