//! `POST /fine-tuning/jobs/{id}/cancel`: calls a training job off.

use axum::{extract::State, http::StatusCode};
use shared::{app::App, id::TrainingJobId, tuning::service};

use crate::{
    problem::{Answer, Problems},
    request::{Caller, Lead, Named},
    tuning::view::TrainingJobView,
    version::One,
};

#[utoipa::path(post, path = "/api/v1/fine-tuning/jobs/{id}/cancel", operation_id = "cancel_training_job", tag = "fine-tuning", params(("id" = uuid::Uuid, Path)),
    responses((status = 202, description = "It is called off; its provider is told next, where it has it.", body = TrainingJobView,
        headers(("ETag" = String, description = "Its version."))), Problems))]
pub(super) async fn cancel(
    State(app): State<App>,
    caller: Caller<Lead>,
    Named(id): Named<TrainingJobId>,
) -> Answer<(StatusCode, One<TrainingJobView>)> {
    Ok((StatusCode::ACCEPTED, One(TrainingJobView::of(&app, service::cancel(&app, &caller, id).await?)?)))
}
