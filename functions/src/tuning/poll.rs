//! `POST /fine-tuning/jobs/poll`: has every running job of the tenant looked at now, rather than when it is due.

use axum::{Json, extract::State};
use serde::Serialize;
use shared::{app::App, tuning::service};
use utoipa::ToSchema;

use crate::{
    problem::{Answer, Problems},
    request::{Caller, Lead},
};

/// What was asked for.
#[derive(Serialize, ToSchema)]
pub(super) struct Polled {
    /// How many jobs are looked at now. One that is being looked at already is not counted.
    updated_count: usize,
}

#[utoipa::path(post, path = "/api/v1/fine-tuning/jobs/poll", operation_id = "poll_training_jobs", tag = "fine-tuning",
    responses((status = 200, description = "Their providers are asked.", body = Polled), Problems))]
pub(super) async fn poll(State(app): State<App>, caller: Caller<Lead>) -> Answer<Json<Polled>> {
    Ok(Json(Polled { updated_count: service::poll(&app, &caller).await? }))
}
