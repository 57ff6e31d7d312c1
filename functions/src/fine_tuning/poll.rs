//! `POST /fine-tuning/jobs/poll`: polls the provider of each running job now, before it is due.

use axum::{Json, extract::State};
use serde::Serialize;
use shared::{app::App, training::jobs::service};
use utoipa::ToSchema;

use crate::http::{
    problem::HandlerResult,
    request::{Caller, Lead},
};

/// The number of polled jobs.
#[derive(Serialize, ToSchema)]
pub(super) struct PollResult {
    /// The number of jobs that are polled now. Jobs that are being processed already do not count.
    updated_count: usize,
}

/// Poll training jobs
///
/// Polls the providers of all running jobs of the tenant now instead of when they are due. Requires the role lead.
#[utoipa::path(post, path = "/api/v1/fine-tuning/jobs/poll", operation_id = "poll_training_jobs", tag = "fine-tuning",
    responses((status = 200, description = "The number of polled jobs.", body = PollResult)))]
pub(super) async fn poll(State(app): State<App>, caller: Caller<Lead>) -> HandlerResult<Json<PollResult>> {
    Ok(Json(PollResult { updated_count: service::poll_now(&app, &caller).await? }))
}
