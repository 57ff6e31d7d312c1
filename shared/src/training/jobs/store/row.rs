//! Conversion between the row of a training job and [`TrainingJob`].

use std::{fmt::Debug, time::Duration};

use serde::{Serialize, de::DeserializeOwned};
use tokio_postgres::{
    Row,
    types::{Json, ToSql},
};

use crate::{
    kernel::{
        error::{Error, Result},
        id::ModelVersionId,
    },
    training::{
        jobs::{StepSchedule, TrainingJob, status::TrainingStatus},
        trainers::Provider,
    },
};

/// A column and its value.
pub(super) type Field<'a> = (&'static str, Box<dyn ToSql + Sync + Send + 'a>);

/// The columns of a [`TrainingJob`].
pub(super) const COLUMNS: &str =
    "j.tenant_id, j.id, j.base_model, j.target_model_name, j.provider, j.parameters, j.recipe, j.status,
    j.status_changed_at, j.attempt, j.error, j.dataset, j.submitted_at, j.external_id, j.trainer_state, j.stopping,
    j.progress, j.polled_at, j.trained, j.metrics, j.evaluation, j.model_version_id, j.model_version, j.cost_micros,
    j.fence, j.lease_until, j.next_step_at, j.poll_interval_ms, j.transient_failures, j.not_found_polls, j.interrupted_steps, j.failed_steps, j.last_event_seq,
    j.version, j.created_by, j.created_at, j.updated_at, j.started_at, j.ended_at,
    (select b.retires_on from base_models b where b.tenant_id = j.tenant_id and b.name = j.base_model) as base_model_retires_on";

/// Reads a row by column name.
pub(super) fn job_of_row(row: &Row) -> Result<TrainingJob> {
    let model_id: Option<ModelVersionId> = row.try_get("model_version_id")?;
    Ok(TrainingJob {
        tenant_id: row.try_get("tenant_id")?,
        id: row.try_get("id")?,
        base_model: row.try_get("base_model")?,
        base_model_retires_on: row.try_get("base_model_retires_on")?,
        target_model_name: row.try_get("target_model_name")?,
        provider: read_word(row, "provider", Provider::parse_name)?,
        parameters: read_json(row, "parameters")?,
        recipe: row.try_get("recipe")?,
        status: read_word(row, "status", TrainingStatus::parse)?,
        status_changed_at: row.try_get("status_changed_at")?,
        attempt: row.try_get("attempt")?,
        error: read_optional_json(row, "error")?,
        dataset: read_optional_json(row, "dataset")?,
        submitted_at: row.try_get("submitted_at")?,
        external_id: row.try_get("external_id")?,
        trainer_state: read_optional_json(row, "trainer_state")?,
        stopping: row.try_get("stopping")?,
        progress: row.try_get("progress")?,
        polled_at: row.try_get("polled_at")?,
        trained: read_optional_json(row, "trained")?,
        metrics: read_json(row, "metrics")?,
        evaluation: read_optional_json(row, "evaluation")?,
        model: model_id.zip(row.try_get("model_version")?),
        cost_micros: row.try_get("cost_micros")?,
        schedule: read_schedule(row)?,
        last_event_seq: row.try_get("last_event_seq")?,
        version: row.try_get("version")?,
        created_by: read_json(row, "created_by")?,
        created_at: row.try_get("created_at")?,
        updated_at: row.try_get("updated_at")?,
        started_at: row.try_get("started_at")?,
        ended_at: row.try_get("ended_at")?,
    })
}

fn read_schedule(row: &Row) -> Result<StepSchedule> {
    let poll_interval: i32 = row.try_get("poll_interval_ms")?;
    Ok(StepSchedule {
        fence: row.try_get("fence")?,
        lease_until: row.try_get("lease_until")?,
        next_step_at: row.try_get("next_step_at")?,
        poll_interval: Duration::from_millis(u64::try_from(poll_interval).unwrap_or(0)),
        transient_failures: row.try_get("transient_failures")?,
        not_found_polls: row.try_get("not_found_polls")?,
        interrupted_steps: row.try_get("interrupted_steps")?,
        failed_steps: row.try_get("failed_steps")?,
    })
}

/// The columns that are written once.
pub(super) fn fixed_fields(j: &TrainingJob) -> Vec<Field<'_>> {
    vec![
        ("tenant_id", Box::new(j.tenant_id)),
        ("id", Box::new(j.id)),
        ("base_model", Box::new(j.base_model.as_str())),
        ("target_model_name", Box::new(j.target_model_name.as_str())),
        ("provider", Box::new(j.provider.name())),
        ("parameters", Box::new(Json(&j.parameters))),
        ("recipe", Box::new(&j.recipe)),
        ("created_by", Box::new(Json(&j.created_by))),
        ("created_at", Box::new(j.created_at)),
    ]
}

/// The columns that a change may write, with those of the claim: the writer holds the row.
pub(super) fn changing_fields(j: &TrainingJob) -> Vec<Field<'_>> {
    vec![
        ("status", Box::new(j.status.name())),
        ("status_changed_at", Box::new(j.status_changed_at)),
        ("attempt", Box::new(j.attempt)),
        ("error", optional_json(j.error.as_ref())),
        ("dataset", optional_json(j.dataset.as_ref())),
        ("submitted_at", Box::new(j.submitted_at)),
        ("external_id", Box::new(j.external_id.as_deref())),
        ("trainer_state", optional_json(j.trainer_state.as_ref())),
        ("stopping", Box::new(j.stopping)),
        ("progress", Box::new(j.progress)),
        ("polled_at", Box::new(j.polled_at)),
        ("trained", optional_json(j.trained.as_ref())),
        ("metrics", Box::new(Json(&j.metrics))),
        ("evaluation", optional_json(j.evaluation.as_ref())),
        ("model_version_id", Box::new(j.model.as_ref().map(|(id, _)| *id))),
        ("model_version", Box::new(j.model.as_ref().map(|(_, version)| version.as_str()))),
        ("cost_micros", Box::new(j.cost_micros)),
        ("lease_until", Box::new(j.schedule.lease_until)),
        ("next_step_at", Box::new(j.schedule.next_step_at)),
        ("poll_interval_ms", Box::new(i32::try_from(j.schedule.poll_interval.as_millis()).unwrap_or(i32::MAX))),
        ("transient_failures", Box::new(j.schedule.transient_failures)),
        ("not_found_polls", Box::new(j.schedule.not_found_polls)),
        ("interrupted_steps", Box::new(j.schedule.interrupted_steps)),
        ("failed_steps", Box::new(j.schedule.failed_steps)),
        ("last_event_seq", Box::new(j.last_event_seq)),
        ("version", Box::new(j.version)),
        ("updated_at", Box::new(j.updated_at)),
        ("started_at", Box::new(j.started_at)),
        ("ended_at", Box::new(j.ended_at)),
    ]
}

pub(super) fn field_parameters<'a>(fields: &'a [Field<'_>]) -> Vec<&'a (dyn ToSql + Sync)> {
    fields.iter().map(|(_, value)| value.as_ref() as &(dyn ToSql + Sync)).collect()
}

fn optional_json<'a, T: Serialize + Debug + Sync>(value: Option<&'a T>) -> Box<dyn ToSql + Sync + Send + 'a> {
    Box::new(value.map(Json))
}

fn read_json<T: DeserializeOwned>(row: &Row, column: &str) -> Result<T> {
    Ok(row.try_get::<_, Json<T>>(column)?.0)
}

fn read_optional_json<T: DeserializeOwned>(row: &Row, column: &str) -> Result<Option<T>> {
    Ok(row.try_get::<_, Option<Json<T>>>(column)?.map(|json| json.0))
}

fn read_word<T>(row: &Row, column: &str, parse: fn(&str) -> Option<T>) -> Result<T> {
    let text: &str = row.try_get(column)?;
    parse(text).ok_or_else(|| Error::internal(format!("{column} holds {text}")))
}
