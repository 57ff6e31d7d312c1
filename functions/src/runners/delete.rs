//! `DELETE /runners/{id}`: removes a runner.

use axum::{extract::State, http::StatusCode};
use shared::{agents::runners::service, app::App, kernel::id::RunnerId};

use crate::http::{
    problem::HandlerResult,
    request::{Caller, Lead, PathId},
};

/// Delete a runner
///
/// Removes a runner. Its credential is refused at once, and its tasks go to the other runners of its pool. The agents
/// of the pool stay. Requires the role lead.
#[utoipa::path(delete, path = "/api/v1/runners/{id}", operation_id = "delete_runner", tag = "runners",
    params(("id" = uuid::Uuid, Path, description = "The id of the runner.")),
    responses((status = 204, description = "The runner was removed.")))]
pub(super) async fn delete(
    State(app): State<App>,
    caller: Caller<Lead>,
    PathId(id): PathId<RunnerId>,
) -> HandlerResult<StatusCode> {
    service::remove(&app, &caller, id).await?;
    Ok(StatusCode::NO_CONTENT)
}
