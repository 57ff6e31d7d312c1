//! `POST /runners/{id}/resume`: a drained runner takes work again.

use axum::{Json, extract::State};
use shared::{agents::runners::service, app::App, kernel::id::RunnerId};

use crate::{
    http::{
        problem::HandlerResult,
        request::{Caller, Lead, PathId},
    },
    runners::view::RunnerView,
};

/// Resume a runner
///
/// Ends the draining of a runner. It takes work as soon as it reports that it is active. Requires the role lead.
#[utoipa::path(post, path = "/api/v1/runners/{id}/resume", operation_id = "resume_runner", tag = "runners",
    params(("id" = uuid::Uuid, Path, description = "The id of the runner.")),
    responses((status = 200, description = "The runner.", body = RunnerView)))]
pub(super) async fn resume(
    State(app): State<App>,
    caller: Caller<Lead>,
    PathId(id): PathId<RunnerId>,
) -> HandlerResult<Json<RunnerView>> {
    Ok(Json(service::resume(&app, &caller, id).await?.into()))
}
