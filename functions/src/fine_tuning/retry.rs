//! `POST /fine-tuning/jobs/{id}/retry`: makes a failed or cancelled training job pending again.

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

/// Retry a training job
///
/// Makes a failed or cancelled job pending again, as a new attempt. Requires the role lead.
#[utoipa::path(post, path = "/api/v1/fine-tuning/jobs/{id}/retry", operation_id = "retry_training_job", tag = "fine-tuning", params(("id" = uuid::Uuid, Path, description = "The id of the training job.")),
    responses((status = 202, description = "The pending job.", body = TrainingJobView,
        headers(("ETag" = String, description = "The version of the object.")))))]
pub(super) async fn retry(
    State(app): State<App>,
    caller: Caller<Lead>,
    PathId(id): PathId<TrainingJobId>,
) -> HandlerResult<(StatusCode, VersionedJson<TrainingJobView>)> {
    Ok((StatusCode::ACCEPTED, VersionedJson(TrainingJobView::of(&app, service::retry(&app, &caller, id).await?)?)))
}
