//! The use cases of the audit log: reading, verifying and pruning it.

use serde_json::json;

use crate::{
    identity::auth::Caller,
    kernel::{actor::Actor, error::Result},
    platform::context::Context,
};

use super::{
    entry::AuditEntry,
    store::{self, AuditFilter, AuditRecord, ChainCheck},
};

/// A page of the log of the caller's tenant, newest entries first.
pub async fn list(
    context: &Context,
    caller: &Caller,
    filter: &AuditFilter,
    before: Option<i64>,
    most: i64,
) -> Result<Vec<AuditRecord>> {
    store::list(&context.db, caller.tenant_id, filter, before, most).await
}

/// A page of the log of the caller's tenant after `seq`, oldest entries first.
pub async fn list_after(context: &Context, caller: &Caller, seq: i64, most: i64) -> Result<Vec<AuditRecord>> {
    store::list_after(&context.db, caller.tenant_id, seq, most).await
}

/// Verifies the hash chain of the log of the caller's tenant.
pub async fn verify_chain(context: &Context, caller: &Caller) -> Result<ChainCheck> {
    store::verify_chain(&context.db, caller.tenant_id).await
}

/// Deletes the entries that the retention of each tenant no longer keeps, and records that in the log.
pub(crate) async fn delete_expired(context: &Context) -> Result<()> {
    let now = context.clock.now();
    for (tenant_id, removed) in store::delete_expired(&context.db, now).await? {
        let mut tx = context.db.tenant(tenant_id).await?;
        super::record(
            &mut tx,
            AuditEntry::new(Actor::system_part("retention"), now, "audit.prune", tenant_id)
                .with_after(json!({"removed": removed})),
        );
        tx.commit().await?;
    }
    Ok(())
}
