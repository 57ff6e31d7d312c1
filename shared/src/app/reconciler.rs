//! The reconciler: each minute it enqueues every due row without a worker, so that lost messages and crashes only
//! delay.

use std::time::Duration;

use crate::{
    agents::{registry, runners},
    app::{App, health},
    engine::{admission, agent_departure, server_probe, tenant_suspension, tenant_update},
    events::{log, stream},
    identity::{audit, idempotency},
    kernel::{
        calendar::month_of,
        error::{Code, Error, Result},
        id::{AgentId, SessionId, TenantId},
        panic::catch_panic,
    },
    models::experiments,
    platform::{
        postgres::partitions,
        queue::job::{Job, JobOutcome},
    },
    sessions::{SessionKey, service, store},
    training::jobs,
};

/// The most rows of one run. More are due only after an outage, and the next run continues.
const MOST: i32 = 1000;

/// The most deleted sessions whose files one run removes: each is a call to the object store.
const MOST_FILE_REMOVALS: i32 = 100;

/// Runs the job `Reconcile`. A part that fails for a reason of its own, or panics, does not keep the others from being
/// done; the run then fails as a whole.
pub async fn reconcile(app: &App) -> Result<JobOutcome> {
    // First, and independent of the result: a dependency that is down may fail the rest.
    if let Err(error) = health::check_dependencies(app).await {
        tracing::warn!(?error, "the dependencies could not be checked; the next run tries again");
    }
    if let Err(error) = partitions::ensure_partitions(&app.db, app.clock.now()).await {
        tracing::warn!(?error, "partitions could not be created; the next run tries again");
    }
    let mut parts = Parts::default();
    // Before the agents: those of a pool follow from its runners.
    parts.run("silent runners", runners::liveness::mark_silent_runners(app)).await?;
    parts.run("silent agents", registry::liveness::mark_silent_agents(app)).await?;
    parts.run("drained agents", registry::service::deregister_drained(app)).await?;
    parts.run("lost probes", server_probe::resume_lost_probes(app)).await?;
    parts.run("removed agents", agent_departure::resolve_waiting_for_removed(app)).await?;
    parts.run("due sessions", enqueue_due_sessions(app)).await?;
    parts.run("workspace releases", enqueue_workspace_releases(app)).await?;
    parts.run("training jobs", jobs::service::enqueue_due(app, MOST)).await?;
    for row in app.db.query_directory("select agent_id from agents_with_waiting_sessions()", &[]).await? {
        let agent: AgentId = row.try_get("agent_id")?;
        parts.run("waiting sessions", admission::admit_on_agent(app, agent)).await?;
    }
    parts.run("token quotas", resume_with_tokens(app)).await?;
    parts.run("experiments", experiments::service::look_at_all(app)).await?;
    parts.run("idempotency keys", idempotency::delete_expired(app)).await?;
    parts.run("audit log", audit::service::delete_expired(app)).await?;
    if let Err(error) = stream::gateway::enqueue_all_broadcasts(app).await {
        tracing::warn!(?error, "the live connections could not be served; the next run tries again");
    }
    let outdated = app.clock.now() - log::tenant::RETENTION;
    parts.run("tenant events", log::store::delete_tenant_events(&app.db, outdated)).await?;
    remove_files(app).await;
    if let Err(error) = service::storage::count_stored(app).await {
        tracing::warn!(?error, "what tenants store could not be counted; the next run tries again");
    }
    // Last: the removal of a large tenant uses the remaining time.
    parts.run("tenants", tenant_update::reconcile_tenants(app)).await?;
    parts.into_outcome()
}

/// The parts of a run, and the first failure of one.
#[derive(Default)]
struct Parts {
    first_failure: Option<Error>,
}

impl Parts {
    /// Runs a part. Fails only if a dependency is down, which would fail the others too.
    async fn run<T>(&mut self, part: &'static str, work: impl Future<Output = Result<T>>) -> Result<()> {
        match catch_panic(Box::pin(work)).await {
            Err(error) if error.code() == Code::DependencyUnavailable => Err(error),
            Err(error) => {
                tracing::error!(?error, part, "a part of the reconciliation failed; the next run tries again");
                self.first_failure.get_or_insert(error);
                Ok(())
            }
            Ok(_) => Ok(()),
        }
    }

    fn into_outcome(self) -> Result<JobOutcome> {
        self.first_failure.map_or(Ok(JobOutcome::Complete), Err)
    }
}

async fn enqueue_due_sessions(app: &App) -> Result<()> {
    let sql = "select tenant_id, session_id, handover from due_sessions($1, $2)";
    let rows = app.db.query_directory(sql, &[&app.clock.now(), &MOST]).await?;
    let mut jobs = Vec::with_capacity(rows.len());
    for row in &rows {
        let (tenant_id, id): (TenantId, SessionId) = (row.try_get("tenant_id")?, row.try_get("session_id")?);
        let job = if row.try_get("handover")? { Job::dispatch(tenant_id, id) } else { Job::observe(tenant_id, id) };
        jobs.push((job, Duration::ZERO));
    }
    app.enqueue(&jobs).await;
    Ok(())
}

async fn enqueue_workspace_releases(app: &App) -> Result<()> {
    let sql = "select tenant_id, session_id from due_workspace_releases($1, $2)";
    let rows = app.db.query_directory(sql, &[&app.clock.now(), &MOST]).await?;
    let jobs = rows
        .iter()
        .map(|row| Ok((Job::release_workspace(row.try_get("tenant_id")?, row.try_get("session_id")?), Duration::ZERO)));
    app.enqueue(&jobs.collect::<Result<Vec<_>>>()?).await;
    Ok(())
}

/// Removes what the object store still holds although nothing refers to it.
async fn remove_files(app: &App) {
    if let Err(error) = jobs::dataset_gc::remove_orphaned_files(app).await {
        tracing::warn!(?error, "files of abandoned datasets could not be deleted; the next run tries again");
    }
    if let Err(error) = remove_files_of_deleted_sessions(app).await {
        tracing::warn!(?error, "files of deleted sessions could not be removed; the next run tries again");
    }
}

async fn remove_files_of_deleted_sessions(app: &App) -> Result<()> {
    for key in store::due_file_removals(&app.db, MOST_FILE_REMOVALS).await? {
        app.files.remove_session(key.tenant_id, key.id).await?;
        store::delete_file_removal(&app.db, key).await?;
    }
    Ok(())
}

/// Resumes sessions that were paused by the token quota when their tenant has tokens again.
async fn resume_with_tokens(app: &App) -> Result<()> {
    let sql = "select tenant_id, session_id from sessions_resumable_after_quota($1, $2)";
    for row in app.db.query_directory(sql, &[&month_of(app.clock.now()), &MOST]).await? {
        let (tenant_id, id): (TenantId, SessionId) = (row.try_get("tenant_id")?, row.try_get("session_id")?);
        if let Err(error) = tenant_suspension::resume_session_with_tokens(app, SessionKey::new(tenant_id, id)).await {
            tracing::warn!(?error, session.id = %id, "a session could not be resumed; the next run tries again");
        }
    }
    Ok(())
}
