//! `GET /fine-tuning/jobs/{id}`: one training job.

use axum::extract::State;
use shared::{app::App, id::TrainingJobId, tuning::service};

use crate::{
    problem::{Answer, Problems},
    request::{Caller, Named, Viewer},
    tuning::view::TrainingJobView,
    version::One,
};

#[utoipa::path(get, path = "/api/v1/fine-tuning/jobs/{id}", operation_id = "get_training_job", tag = "fine-tuning", params(("id" = uuid::Uuid, Path)),
    responses((status = 200, description = "The job.", body = TrainingJobView,
        headers(("ETag" = String, description = "Its version."))), Problems))]
pub(super) async fn get(
    State(app): State<App>,
    caller: Caller<Viewer>,
    Named(id): Named<TrainingJobId>,
) -> Answer<One<TrainingJobView>> {
    Ok(One(TrainingJobView::of(&app, service::get(&app, &caller, id).await?)?))
}
