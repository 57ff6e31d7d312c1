//! Removing tenants with all of their data.

use std::time::Duration;

use crate::{
    engine::services::Engine,
    identity::{
        auth::Caller,
        tenants::{service, store},
    },
    kernel::{error::Result, id::TenantId},
    platform::{postgres::unit_of_work::after_commit, queue::job::Job},
    sessions,
};

/// How long one attempt to remove a tenant may take, as it blocks its caller or the reconciler.
const REMOVAL_TIMEOUT: Duration = Duration::from_secs(5);

/// How many sessions one statement deletes, so that it stays below the statement timeout.
const SESSIONS_PER_STATEMENT: i64 = 100;

/// Removes a tenant with all of its data. It must be inactive, and none of its sessions and training jobs may run.
pub async fn delete_tenant(engine: &Engine, caller: &Caller, id: TenantId) -> Result<()> {
    service::mark_deleted(engine, caller, id).await?;
    let engine = engine.clone();
    after_commit(async move {
        if let Err(error) = Box::pin(continue_removal(&engine, id)).await {
            let message = "a tenant was not removed in full; the reconciler will complete it";
            tracing::warn!(?error, tenant.id = %id, "{message}");
        }
    })
    .await;
    Ok(())
}

/// Removes the data of a tenant: its files, its sessions in batches, and last the tenant's row. The release of its
/// workspaces at agents is scheduled. If it takes too long, the reconciler continues.
pub(crate) async fn continue_removal(engine: &Engine, id: TenantId) -> Result<()> {
    let removal = tokio::time::timeout(REMOVAL_TIMEOUT, Box::pin(remove_data(engine, id)));
    if removal.await.unwrap_or(Ok(false))? {
        return Ok(());
    }
    tracing::info!(tenant.id = %id, "a tenant is large; the reconciler continues its removal");
    Ok(())
}

/// Removes as much as possible; true once nothing is left.
async fn remove_data(engine: &Engine, id: TenantId) -> Result<bool> {
    engine.files.remove_all(id).await?;
    loop {
        let mut tx = engine.db.tenant(id).await?;
        if !store::lock_deleted(&mut tx, id).await? {
            tx.commit().await?;
            return Ok(true);
        }
        let batch = store::find_sessions(&mut tx, id, SESSIONS_PER_STATEMENT).await?;
        let releases = sessions::store::schedule_workspace_releases(&mut tx, id, &batch, engine.clock.now()).await?;
        if batch.is_empty() {
            store::delete(tx, id).await?;
            engine.invalidate_caches();
            return Ok(true);
        }
        store::delete_sessions(tx, id, &batch).await?;
        let jobs = releases.into_iter().map(|session| (Job::release_workspace(id, session), Duration::ZERO));
        engine.enqueue(&jobs.collect::<Vec<_>>()).await;
    }
}
