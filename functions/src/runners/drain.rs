//! `POST /runners/{id}/drain`: the runner finishes its tasks and gets no new ones.

use axum::{Json, extract::State};
use shared::{agents::runners::service, app::App, kernel::id::RunnerId};

use crate::{
    http::{
        problem::HandlerResult,
        request::{Caller, Lead, PathId},
    },
    runners::view::RunnerView,
};

/// Drain a runner
///
/// The runner finishes its tasks, and gets no new ones from now on. It stays drained until it is resumed, also over
/// restarts. Requires the role lead.
#[utoipa::path(post, path = "/api/v1/runners/{id}/drain", operation_id = "drain_runner", tag = "runners",
    params(("id" = uuid::Uuid, Path, description = "The id of the runner.")),
    responses((status = 200, description = "The runner.", body = RunnerView)))]
pub(super) async fn drain(
    State(app): State<App>,
    caller: Caller<Lead>,
    PathId(id): PathId<RunnerId>,
) -> HandlerResult<Json<RunnerView>> {
    Ok(Json(service::drain(&app, &caller, id).await?.into()))
}
