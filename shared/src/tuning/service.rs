//! The use cases of training jobs: each opens a transaction, lets the rules decide, writes once, and rings.

use std::time::Duration;

use crate::{
    app::App,
    auth::Caller,
    db::Tx,
    error::{Error, Result},
    id::{TenantId, TrainingJobId},
    model,
    trainer::Metrics,
};

use super::{
    TrainingJob, bell,
    change::Change,
    draft::Draft,
    event::{Event, EventType},
    status::Status,
    store::{self, Filter, Stretch},
    verbs,
};

/// The name under which the starts of a tenant's jobs take turns.
fn starts(tenant_id: TenantId) -> String {
    format!("training:{tenant_id}")
}

/// Makes a job, which waits to be started. Its log says so when what it is to train is retired, or soon is.
pub async fn create(app: &App, caller: &Caller, draft: Draft) -> Result<TrainingJob> {
    let now = app.clock.now();
    let mut tx = app.db.tenant(caller.tenant_id).await?;
    let mut job = blank(caller, draft, now)?;
    job.base_model_retires_on = model::store::retires_on(&mut tx, caller.tenant_id, &job.base_model).await?;
    let warning = job.warning(now);
    let mut change = Change::new(job, caller, now);
    change.event(EventType::Created, serde_json::json!({"status": Status::Pending}));
    if let Some(warning) = warning {
        change.log("warn", &warning);
    }
    store::insert(tx, &change).await?;
    Ok(change.job)
}

fn blank(caller: &Caller, draft: Draft, now: crate::clock::Time) -> Result<TrainingJob> {
    Ok(TrainingJob {
        tenant_id: caller.tenant_id,
        id: TrainingJobId::new(),
        base_model: draft.base_model,
        base_model_retires_on: None,
        target_model_name: draft.target_model_name.to_string(),
        provider: draft.provider,
        parameters: draft.parameters,
        recipe: serde_json::to_value(&draft.recipe)?,
        status: Status::Pending,
        status_changed_at: now,
        attempt: 1,
        error: None,
        dataset: None,
        submitted_at: None,
        external_id: None,
        trainer_state: None,
        stopping: false,
        progress: None,
        polled_at: None,
        trained: None,
        metrics: Metrics::default(),
        evaluation: None,
        model: None,
        cost_micros: 0,
        fence: 0,
        lease_until: None,
        next_step_at: None,
        look_pause: Duration::ZERO,
        tries: 0,
        unknown_looks: 0,
        broken_off: 0,
        last_event_seq: 0,
        version: 1,
        created_by: caller.actor(),
        created_at: now,
        updated_at: now,
        started_at: None,
        ended_at: None,
    })
}

pub async fn get(app: &App, caller: &Caller, id: TrainingJobId) -> Result<TrainingJob> {
    store::find(&app.db, caller.tenant_id, id).await
}

/// A page of the tenant's jobs, newest first.
pub async fn list(
    app: &App,
    caller: &Caller,
    filter: &Filter,
    before: Option<TrainingJobId>,
    most: i64,
) -> Result<Vec<TrainingJob>> {
    store::list(&app.db, caller.tenant_id, filter, before, most).await
}

/// Asks a job to run, if the tenant may have one more at once: decided while nobody else starts one.
pub async fn start(app: &App, caller: &Caller, id: TrainingJobId) -> Result<TrainingJob> {
    let mut tx = app.db.tenant(caller.tenant_id).await?;
    tx.lock(&starts(caller.tenant_id));
    let active = store::active(&mut tx, caller.tenant_id).await?;
    decide(app, tx, caller, id, |change| verbs::start(change, active, app.settings.tuning.jobs_per_tenant)).await
}

pub async fn cancel(app: &App, caller: &Caller, id: TrainingJobId) -> Result<TrainingJob> {
    decide(app, app.db.tenant(caller.tenant_id).await?, caller, id, verbs::cancel).await
}

pub async fn retry(app: &App, caller: &Caller, id: TrainingJobId) -> Result<TrainingJob> {
    decide(app, app.db.tenant(caller.tenant_id).await?, caller, id, verbs::retry).await
}

async fn decide(
    app: &App,
    mut tx: Tx,
    caller: &Caller,
    id: TrainingJobId,
    decide: impl FnOnce(&mut Change) -> Result<()>,
) -> Result<TrainingJob> {
    let job = store::lock(&mut tx, caller.tenant_id, id).await?;
    let mut change = Change::new(job, caller, app.clock.now());
    decide(&mut change)?;
    save(app, tx, &mut change).await?;
    Ok(change.job)
}

/// Writes a decided change, then rings for the next step.
pub(crate) async fn save(app: &App, tx: Tx, change: &mut Change) -> Result<()> {
    if !change.events.is_empty() {
        change.job.updated_at = change.now;
    }
    store::save(tx, change).await?;
    if change.told().next().is_some() {
        app.tell_tenant(change.job.tenant_id).await;
    }
    app.ring(change.job.bell(change.now).as_slice()).await;
    Ok(())
}

/// Has every running job of the tenant looked at now; answers how many.
pub async fn poll(app: &App, caller: &Caller) -> Result<usize> {
    let ids = store::make_due(&app.db, caller.tenant_id, app.clock.now()).await?;
    let bells: Vec<_> = ids.iter().map(|id| (bell(caller.tenant_id, *id, true), Duration::ZERO)).collect();
    app.ring(&bells).await;
    Ok(ids.len())
}

/// Rings for the jobs of all tenants whose step is due and whom nobody serves.
pub(crate) async fn ring_for_due(app: &App, most: i32) -> Result<()> {
    let due = store::due(&app.db, app.clock.now(), most).await?;
    let bells: Vec<_> =
        due.into_iter().map(|(tenant_id, id, polls)| (bell(tenant_id, id, polls), Duration::ZERO)).collect();
    app.ring(&bells).await;
    Ok(())
}

/// A stretch of a job's log, and where the log ends.
pub struct Log {
    pub events: Vec<Event>,
    pub last_seq: i64,
}

pub async fn events(app: &App, caller: &Caller, id: TrainingJobId, after: i64, limit: i64) -> Result<Log> {
    let found = store::events(&app.db, caller.tenant_id, id, after, limit).await?;
    let (events, last_seq) = found.ok_or_else(|| store::not_found(id))?;
    Ok(Log { events, last_seq })
}

/// The curve of an attempt, the last one when none is named, and which that is.
pub async fn curve(
    app: &App,
    caller: &Caller,
    id: TrainingJobId,
    attempt: Option<i32>,
    most: i64,
) -> Result<(i32, Stretch)> {
    let job = get(app, caller, id).await?;
    let attempt = attempt.unwrap_or(job.attempt);
    if !(1..=job.attempt).contains(&attempt) {
        return Err(Error::field("attempt", format!("must be 1 to {}", job.attempt)));
    }
    Ok((attempt, store::curve(&app.db, caller.tenant_id, id, attempt, most).await?))
}
