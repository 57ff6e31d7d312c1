//! Reading and checking the audit log.

use serde_json::json;

use crate::{
    app::App,
    auth::{Actor, Caller},
    error::Result,
};

use super::{
    Entry,
    store::{self, Filter, Recorded, Verdict},
};

/// A page of the caller's log, newest first.
pub async fn list(
    app: &App,
    caller: &Caller,
    filter: &Filter,
    before: Option<i64>,
    most: i64,
) -> Result<Vec<Recorded>> {
    store::list(&app.db, caller.tenant_id, filter, before, most).await
}

/// A page of the caller's log, oldest first.
pub async fn after(app: &App, caller: &Caller, seq: i64, most: i64) -> Result<Vec<Recorded>> {
    store::after(&app.db, caller.tenant_id, seq, most).await
}

/// Checks the chain of the caller's log.
pub async fn verify(app: &App, caller: &Caller) -> Result<Verdict> {
    store::verify(&app.db, caller.tenant_id).await
}

/// Removes what retention no longer keeps, and puts that on record.
pub(crate) async fn prune(app: &App) -> Result<()> {
    let now = app.clock.now();
    for (tenant_id, removed) in store::prune(&app.db, now).await? {
        let mut tx = app.db.tenant(tenant_id).await?;
        tx.audit(
            Entry::new(Actor::system("retention"), now, "audit.prune", tenant_id).after(json!({"removed": removed})),
        );
        tx.commit().await?;
    }
    Ok(())
}
