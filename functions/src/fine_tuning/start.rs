//! `POST /fine-tuning/jobs/{id}/start`: starts a pending training job.

use axum::{extract::State, http::StatusCode};
use shared::{app::App, kernel::id::TrainingJobId, training::jobs::service};

use crate::{
    fine_tuning::view::TrainingJobView,
    http::{
        problem::HandlerResult,
        request::{Caller, Lead, PathId},
        version::VersionedJson,
    },
};

/// Start a training job
///
/// Queues a pending job: its dataset is made, submitted and trained. Requires the role lead.
#[utoipa::path(post, path = "/api/v1/fine-tuning/jobs/{id}/start", operation_id = "start_training_job", tag = "fine-tuning", params(("id" = uuid::Uuid, Path, description = "The id of the training job.")),
    responses((status = 202, description = "The queued job.", body = TrainingJobView,
        headers(("ETag" = String, description = "The version of the object.")))))]
pub(super) async fn start(
    State(app): State<App>,
    caller: Caller<Lead>,
    PathId(id): PathId<TrainingJobId>,
) -> HandlerResult<(StatusCode, VersionedJson<TrainingJobView>)> {
    Ok((StatusCode::ACCEPTED, VersionedJson(TrainingJobView::of(&app, service::start(&app, &caller, id).await?)?)))
}
