//! `DELETE /sessions/{id}`: deletes a session that is not active, with everything that belongs to it.

use axum::{extract::State, http::StatusCode};
use shared::{app::App, engine::commands};

use crate::http::{
    problem::HandlerResult,
    request::{Caller, Member, SessionPath},
};

/// Delete a session
///
/// Deletes a session that is not active, with its log, checkpoints and artifacts. Requires the role member.
#[utoipa::path(delete, path = "/api/v1/sessions/{id}", operation_id = "delete_session", tag = "sessions", params(("id" = uuid::Uuid, Path, description = "The id of the session.")),
    responses((status = 204, description = "The session was deleted.")))]
pub(super) async fn delete(
    State(app): State<App>,
    caller: Caller<Member>,
    SessionPath(id): SessionPath,
) -> HandlerResult<StatusCode> {
    commands::delete(&app, &caller, id).await?;
    Ok(StatusCode::NO_CONTENT)
}
