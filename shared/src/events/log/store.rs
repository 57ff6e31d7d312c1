//! SQL of tenant events.

use tokio_postgres::types::Json;

use crate::{
    kernel::{clock::Time, error::Result},
    platform::postgres::{Db, OwnedStatement},
};

use super::tenant::TenantEvent;

/// The statement that inserts an event for the tenant of the transaction.
pub(crate) fn append_event(event: TenantEvent) -> OwnedStatement<'static> {
    OwnedStatement {
        sql: "insert into tenant_events (tenant_id, topic, id, type, actor, at, payload)
              values (app_tenant_id(), $1, $2, $3, $4, $5, $6)",
        values: vec![
            Box::new(event.kind.topic().name()),
            Box::new(event.id),
            Box::new(event.kind.name()),
            Box::new(Json(event.actor)),
            Box::new(event.at),
            Box::new(event.payload),
        ],
    }
}

/// Deletes the events of all tenants that are older than `until`.
pub async fn delete_tenant_events(db: &Db, until: Time) -> Result<()> {
    db.query_directory("select delete_tenant_events_before($1)", &[&until]).await?;
    Ok(())
}
