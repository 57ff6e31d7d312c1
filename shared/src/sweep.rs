//! The sweep: rings again for every due row that nobody serves. What a lost message or a crash left behind is found here.

use std::time::Duration;

use crate::{
    agent,
    app::App,
    audit, dispatch,
    error::Result,
    event, experiment, health,
    id::{AgentId, SessionId, TenantId},
    idempotency,
    job::{Job, Verdict},
    live,
    session::{change::month_of, service},
    tenant, tuning,
};

/// How many rows one sweep takes up. More are due only after an outage; the next sweep goes on.
const MOST: i32 = 1000;

/// The job `Sweep`.
pub async fn sweep(app: &App) -> Result<Verdict> {
    // First, and whatever comes of it: what is down may keep the rest from being done.
    if let Err(error) = health::look(app).await {
        tracing::warn!(?error, "what we stand on was not looked at; the next sweep tries again");
    }
    agent::liveness::sweep(app).await?;
    agent::service::settle(app).await?;
    ring_for_due(app).await?;
    ring_for_workspaces(app).await?;
    tuning::service::ring_for_due(app, MOST).await?;
    for row in app.db.directory("select agent_id from agents_waited_for()", &[]).await? {
        let agent: AgentId = row.try_get("agent_id")?;
        dispatch::admit(app, agent).await?;
    }
    resume_with_tokens(app).await?;
    experiment::service::look_at_all(app).await?;
    idempotency::forget(app).await?;
    audit::service::prune(app).await?;
    if let Err(error) = live::gateway::ring_all(app).await {
        tracing::warn!(?error, "those who watch were not looked after; the next sweep tries again");
    }
    event::store::forget(&app.db, app.clock.now() - event::tenant::KEPT_FOR).await?;
    if let Err(error) = tuning::tidy::sweep(app).await {
        tracing::warn!(?error, "files of datasets that came to nothing are still there; the next sweep tries again");
    }
    // Last: the removal of a large tenant takes what time there is.
    tenant::service::settle_all(app).await?;
    Ok(Verdict::Done)
}

async fn ring_for_due(app: &App) -> Result<()> {
    let sql = "select tenant_id, session_id, status, handover from due_sessions($1, $2)";
    let rows = app.db.directory(sql, &[&app.clock.now(), &MOST]).await?;
    let mut jobs = Vec::with_capacity(rows.len());
    for row in &rows {
        let (tenant_id, id): (TenantId, SessionId) = (row.try_get("tenant_id")?, row.try_get("session_id")?);
        let status: &str = row.try_get("status")?;
        let hands_over = row.try_get("handover")? && matches!(status, "running" | "degraded");
        let job = if hands_over { Job::dispatch(tenant_id, id) } else { Job::observe(tenant_id, id) };
        jobs.push((job, Duration::ZERO));
    }
    app.ring(&jobs).await;
    Ok(())
}

async fn ring_for_workspaces(app: &App) -> Result<()> {
    let sql = "select tenant_id, session_id from due_workspaces($1, $2)";
    let rows = app.db.directory(sql, &[&app.clock.now(), &MOST]).await?;
    let jobs = rows
        .iter()
        .map(|row| Ok((Job::give_back(row.try_get("tenant_id")?, row.try_get("session_id")?), Duration::ZERO)));
    app.ring(&jobs.collect::<Result<Vec<_>>>()?).await;
    Ok(())
}

/// Sessions held by the token quota go on once their tenant has tokens again.
async fn resume_with_tokens(app: &App) -> Result<()> {
    let sql = "select tenant_id, session_id from sessions_with_tokens_again($1, $2)";
    for row in app.db.directory(sql, &[&month_of(app.clock.now()), &MOST]).await? {
        let (tenant_id, id): (TenantId, SessionId) = (row.try_get("tenant_id")?, row.try_get("session_id")?);
        if let Err(error) = service::resume_one_spent(app, tenant_id, id).await {
            tracing::warn!(?error, session.id = %id, "a session could not be resumed; the next sweep tries again");
        }
    }
    Ok(())
}
