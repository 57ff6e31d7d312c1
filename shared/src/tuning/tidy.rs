//! What tries to make datasets left in the file store: removed by the sweep once nobody works on them.

use std::time::Duration;

use crate::{
    app::App,
    dataset,
    error::{Code, Error, Result},
    id::{TenantId, TrainingJobId},
};

use super::store;

/// How many jobs one sweep looks after, and how long that may take: a store that is down must not hold it up.
const MOST: i32 = 100;
const PATIENCE: Duration = Duration::from_secs(10);

/// Removes the files that belong to no dataset; ends at the first that cannot be removed.
pub(crate) async fn sweep(app: &App) -> Result<()> {
    let late = |_| Error::new(Code::DependencyUnavailable, "The file store takes too long to remove files.");
    tokio::time::timeout(PATIENCE, all(app)).await.map_err(late)?
}

async fn all(app: &App) -> Result<()> {
    let sql = "select tenant_id, job_id from trainings_leaving_files($1, $2)";
    for row in app.db.directory(sql, &[&app.clock.now(), &MOST]).await? {
        one(app, row.try_get("tenant_id")?, row.try_get("job_id")?).await?;
    }
    Ok(())
}

async fn one(app: &App, tenant_id: TenantId, id: TrainingJobId) -> Result<()> {
    let job = store::find(&app.db, tenant_id, id).await?;
    // A later attempt may begin meanwhile; it writes elsewhere.
    for attempt in 1..=job.attempt {
        dataset::service::tidy(app, tenant_id, id, attempt).await?;
    }
    store::tidied(&app.db, &job).await
}
