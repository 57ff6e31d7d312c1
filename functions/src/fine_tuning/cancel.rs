//! `POST /fine-tuning/jobs/{id}/cancel`: cancels a training job.

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

/// Cancel a training job
///
/// Cancels a job that has not ended, also at its provider. Requires the role lead.
#[utoipa::path(post, path = "/api/v1/fine-tuning/jobs/{id}/cancel", operation_id = "cancel_training_job", tag = "fine-tuning", params(("id" = uuid::Uuid, Path, description = "The id of the training job.")),
    responses((status = 202, description = "The cancelled job.", body = TrainingJobView,
        headers(("ETag" = String, description = "The version of the object.")))))]
pub(super) async fn cancel(
    State(app): State<App>,
    caller: Caller<Lead>,
    PathId(id): PathId<TrainingJobId>,
) -> HandlerResult<(StatusCode, VersionedJson<TrainingJobView>)> {
    Ok((StatusCode::ACCEPTED, VersionedJson(TrainingJobView::of(&app, service::cancel(&app, &caller, id).await?)?)))
}
