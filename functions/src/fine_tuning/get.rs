//! `GET /fine-tuning/jobs/{id}`: one training job.

use axum::extract::State;
use shared::{app::App, kernel::id::TrainingJobId, training::jobs::service};

use crate::{
    fine_tuning::view::TrainingJobView,
    http::{
        problem::HandlerResult,
        request::{Caller, PathId, Viewer},
        version::VersionedJson,
    },
};

/// Get a training job
///
/// Returns one training job with its progress and result.
#[utoipa::path(get, path = "/api/v1/fine-tuning/jobs/{id}", operation_id = "get_training_job", tag = "fine-tuning", params(("id" = uuid::Uuid, Path, description = "The id of the training job.")),
    responses((status = 200, description = "The job.", body = TrainingJobView,
        headers(("ETag" = String, description = "The version of the object.")))))]
pub(super) async fn get(
    State(app): State<App>,
    caller: Caller<Viewer>,
    PathId(id): PathId<TrainingJobId>,
) -> HandlerResult<VersionedJson<TrainingJobView>> {
    Ok(VersionedJson(TrainingJobView::of(&app, service::get(&app, &caller, id).await?)?))
}
