//! `POST /fine-tuning/jobs/{id}/start`: asks a pending training job to run.

use axum::{extract::State, http::StatusCode};
use shared::{app::App, id::TrainingJobId, tuning::service};

use crate::{
    problem::{Answer, Problems},
    request::{Caller, Lead, Named},
    tuning::view::TrainingJobView,
    version::One,
};

#[utoipa::path(post, path = "/api/v1/fine-tuning/jobs/{id}/start", operation_id = "start_training_job", tag = "fine-tuning", params(("id" = uuid::Uuid, Path)),
    responses((status = 202, description = "It is queued", body = TrainingJobView,
        headers(("ETag" = String, description = "Its version."))), Problems))]
pub(super) async fn start(
    State(app): State<App>,
    caller: Caller<Lead>,
    Named(id): Named<TrainingJobId>,
) -> Answer<(StatusCode, One<TrainingJobView>)> {
    Ok((StatusCode::ACCEPTED, One(TrainingJobView::of(&app, service::start(&app, &caller, id).await?)?)))
}
