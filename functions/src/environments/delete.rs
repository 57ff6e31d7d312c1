//! `DELETE /environments/{id}`: deletes an environment with its secrets.

use axum::{extract::State, http::StatusCode};
use shared::{agents::environments::service, app::App, kernel::id::EnvironmentId};

use crate::http::{
    problem::HandlerResult,
    request::{Caller, Lead, PathId},
    version::IfMatch,
};

/// Delete an environment
///
/// Deletes an environment with its secrets. Sessions keep the version that they were created with. Requires the role
/// lead.
#[utoipa::path(delete, path = "/api/v1/environments/{id}", operation_id = "delete_environment", tag = "environments",
    params(("id" = uuid::Uuid, Path, description = "The id of the environment."), ("If-Match" = Option<String>, Header, description = "The version that the caller expects to delete.")),
    responses((status = 204, description = "The environment was deleted.")))]
pub(super) async fn delete(
    State(app): State<App>,
    caller: Caller<Lead>,
    PathId(id): PathId<EnvironmentId>,
    IfMatch(version): IfMatch,
) -> HandlerResult<StatusCode> {
    service::delete_environment(&app, &caller, id, version).await?;
    Ok(StatusCode::NO_CONTENT)
}
