//! `GET /runners/{id}`: one runner with its tasks.

use axum::{Json, extract::State};
use shared::{agents::runners::service, app::App, kernel::id::RunnerId};

use crate::{
    http::{
        problem::HandlerResult,
        request::{Caller, Member, PathId},
    },
    runners::view::RunnerWithTasksView,
};

/// Get a runner
///
/// Returns one runner with the tasks of the tenant that it works on, and what it last reported of them. Requires the
/// role member.
#[utoipa::path(get, path = "/api/v1/runners/{id}", operation_id = "get_runner", tag = "runners",
    params(("id" = uuid::Uuid, Path, description = "The id of the runner.")),
    responses((status = 200, description = "The runner.", body = RunnerWithTasksView)))]
pub(super) async fn get(
    State(app): State<App>,
    caller: Caller<Member>,
    PathId(id): PathId<RunnerId>,
) -> HandlerResult<Json<RunnerWithTasksView>> {
    let (details, tasks) = service::get(&app, &caller, id).await?;
    Ok(Json(RunnerWithTasksView::of(details, tasks)))
}
