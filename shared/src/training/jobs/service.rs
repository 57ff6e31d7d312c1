//! The use cases of training jobs. Each opens a transaction, applies the rules, saves once, and enqueues the next step.

use std::time::Duration;

use crate::{
    identity::auth::Caller,
    kernel::{
        error::{Error, Result},
        id::{TenantId, TrainingJobId},
    },
    models::registry::{self, metrics::Metrics},
    platform::postgres::Tx,
    training::services::TrainingServices,
};

use super::{
    StepSchedule, TrainingJob,
    change::TrainingJobChange,
    commands,
    draft::TrainingJobDraft,
    event::TrainingEventType,
    status::TrainingStatus,
    step_job,
    store::{self, CurvePoints, TrainingJobFilter, TrainingJobLog},
};

/// The name of the lock that serializes the starts of a tenant.
fn starts_lock(tenant_id: TenantId) -> String {
    format!("training:{tenant_id}")
}

/// Creates a pending job. Its log warns if the base model is retired or soon will be.
pub async fn create(services: &TrainingServices, caller: &Caller, draft: TrainingJobDraft) -> Result<TrainingJob> {
    let now = services.clock.now();
    let mut tx = services.db.tenant(caller.tenant_id).await?;
    let mut job = new_job(caller, draft, now)?;
    job.base_model_retires_on = registry::store::retires_on(&mut tx, caller.tenant_id, &job.base_model).await?;
    let warning = job.retirement_warning(now);
    let mut change = TrainingJobChange::new(job, caller, now);
    change.add_event(TrainingEventType::Created, serde_json::json!({"status": TrainingStatus::Pending}));
    if let Some(warning) = warning {
        change.add_log("warn", &warning);
    }
    store::insert(tx, &change).await?;
    Ok(change.job)
}

fn new_job(caller: &Caller, draft: TrainingJobDraft, now: crate::kernel::clock::Time) -> Result<TrainingJob> {
    Ok(TrainingJob {
        tenant_id: caller.tenant_id,
        id: TrainingJobId::new(),
        base_model: draft.base_model,
        base_model_retires_on: None,
        target_model_name: draft.target_model_name.to_string(),
        provider: draft.provider,
        parameters: draft.parameters,
        recipe: serde_json::to_value(&draft.recipe)?,
        status: TrainingStatus::Pending,
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
        schedule: StepSchedule::default(),
        last_event_seq: 0,
        version: 1,
        created_by: caller.actor(),
        created_at: now,
        updated_at: now,
        started_at: None,
        ended_at: None,
    })
}

pub async fn get(services: &TrainingServices, caller: &Caller, id: TrainingJobId) -> Result<TrainingJob> {
    store::find_job(&services.db, caller.tenant_id, id).await
}

/// A page of the tenant's jobs, newest first.
pub async fn list(
    services: &TrainingServices,
    caller: &Caller,
    filter: &TrainingJobFilter,
    before: Option<TrainingJobId>,
    most: i64,
) -> Result<Vec<TrainingJob>> {
    store::list(&services.db, caller.tenant_id, filter, before, most).await
}

/// Starts a job, if the tenant may have another active one. A lock serializes concurrent starts.
pub async fn start(services: &TrainingServices, caller: &Caller, id: TrainingJobId) -> Result<TrainingJob> {
    let mut tx = services.db.tenant(caller.tenant_id).await?;
    tx.take_lock(&starts_lock(caller.tenant_id));
    let active = store::count_active(&mut tx, caller.tenant_id).await?;
    apply_command(services, tx, caller, id, |change| {
        commands::start(change, active, services.training_settings.jobs_per_tenant)
    })
    .await
}

pub async fn cancel(services: &TrainingServices, caller: &Caller, id: TrainingJobId) -> Result<TrainingJob> {
    apply_command(services, services.db.tenant(caller.tenant_id).await?, caller, id, commands::cancel).await
}

pub async fn retry(services: &TrainingServices, caller: &Caller, id: TrainingJobId) -> Result<TrainingJob> {
    apply_command(services, services.db.tenant(caller.tenant_id).await?, caller, id, commands::retry).await
}

async fn apply_command(
    services: &TrainingServices,
    mut tx: Tx,
    caller: &Caller,
    id: TrainingJobId,
    decide: impl FnOnce(&mut TrainingJobChange) -> Result<()>,
) -> Result<TrainingJob> {
    let job = store::lock_job(&mut tx, caller.tenant_id, id).await?;
    let mut change = TrainingJobChange::new(job, caller, services.clock.now());
    decide(&mut change)?;
    save_change(services, tx, &mut change).await?;
    Ok(change.job)
}

/// Saves a decided change and enqueues the next step.
pub(crate) async fn save_change(services: &TrainingServices, tx: Tx, change: &mut TrainingJobChange) -> Result<()> {
    if !change.events.is_empty() {
        change.job.updated_at = change.now;
    }
    store::save_change(tx, change).await?;
    if change.tenant_events().next().is_some() {
        services.notify_tenant(change.job.tenant_id).await;
    }
    services.enqueue(change.job.next_job(change.now).as_slice()).await;
    Ok(())
}

/// Makes the next poll of every running job of the tenant due now. Returns their number.
pub async fn poll_now(services: &TrainingServices, caller: &Caller) -> Result<usize> {
    let ids = store::make_due(&services.db, caller.tenant_id, services.clock.now()).await?;
    let jobs: Vec<_> = ids.iter().map(|id| (step_job(caller.tenant_id, *id, true), Duration::ZERO)).collect();
    services.enqueue(&jobs).await;
    Ok(ids.len())
}

/// Enqueues the due steps of all tenants that no worker has.
pub(crate) async fn enqueue_due(services: &TrainingServices, most: i32) -> Result<()> {
    let due = store::list_due(&services.db, services.clock.now(), most).await?;
    let jobs: Vec<_> =
        due.into_iter().map(|(tenant_id, id, polls)| (step_job(tenant_id, id, polls), Duration::ZERO)).collect();
    services.enqueue(&jobs).await;
    Ok(())
}

pub async fn list_events(
    services: &TrainingServices,
    caller: &Caller,
    id: TrainingJobId,
    after: i64,
    limit: i64,
) -> Result<TrainingJobLog> {
    let found = store::list_events(&services.db, caller.tenant_id, id, after, limit).await?;
    found.ok_or_else(|| store::not_found(id))
}

/// The curve of an attempt, by default the last one, with the number of the attempt.
pub async fn get_curve(
    services: &TrainingServices,
    caller: &Caller,
    id: TrainingJobId,
    attempt: Option<i32>,
    most: i64,
) -> Result<(i32, CurvePoints)> {
    let job = get(services, caller, id).await?;
    let attempt = attempt.unwrap_or(job.attempt);
    if !(1..=job.attempt).contains(&attempt) {
        return Err(Error::invalid_field("attempt", format!("must be 1 to {}", job.attempt)));
    }
    Ok((attempt, store::read_curve(&services.db, caller.tenant_id, id, attempt, most).await?))
}
