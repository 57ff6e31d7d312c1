//! Removes files of unfinished datasets from the object store, once no worker writes them.

use std::time::Duration;

use crate::{
    kernel::{
        error::{Code, Error, Result},
        id::{TenantId, TrainingJobId},
    },
    training::datasets,
    training::services::TrainingServices,
};

use super::store;

/// How many jobs one run processes, and its timeout: an unavailable store must not delay the reconciler.
const MAX_JOBS: i32 = 100;
const TIMEOUT: Duration = Duration::from_secs(10);

/// Removes the files that belong to no dataset. Stops at the first failure.
pub(crate) async fn remove_orphaned_files(services: &TrainingServices) -> Result<()> {
    let late = |_| Error::new(Code::DependencyUnavailable, "The file store takes too long to remove files.");
    tokio::time::timeout(TIMEOUT, remove_all(services)).await.map_err(late)?
}

async fn remove_all(services: &TrainingServices) -> Result<()> {
    let sql = "select tenant_id, job_id from training_jobs_with_orphaned_files($1, $2)";
    for row in services.db.query_directory(sql, &[&services.clock.now(), &MAX_JOBS]).await? {
        remove_job_files(services, row.try_get("tenant_id")?, row.try_get("job_id")?).await?;
    }
    Ok(())
}

async fn remove_job_files(services: &TrainingServices, tenant_id: TenantId, id: TrainingJobId) -> Result<()> {
    let job = store::find_job(&services.db, tenant_id, id).await?;
    // A later attempt may start meanwhile; it writes under other keys.
    for attempt in 1..=job.attempt {
        datasets::service::remove_unused_files(services, tenant_id, id, attempt).await?;
    }
    store::mark_files_removed(&services.db, &job).await
}
