//! `POST /sessions/{id}/resume`: resumes a paused session.

use axum::extract::State;
use shared::{app::App, engine::commands};

use crate::{
    http::{
        problem::HandlerResult,
        request::{Caller, Member, SessionPath},
    },
    sessions::command_response::CommandResponse,
    sessions::view::SessionView,
};

/// Resume a session
///
/// Resumes a paused session, at once or when a slot is free. Requires the role member.
#[utoipa::path(post, path = "/api/v1/sessions/{id}/resume", operation_id = "resume_session", tag = "sessions", params(("id" = uuid::Uuid, Path, description = "The id of the session.")),
    responses((status = 202, description = "The running or queued session.", body = SessionView)))]
pub(super) async fn resume(
    State(app): State<App>,
    caller: Caller<Member>,
    SessionPath(id): SessionPath,
) -> HandlerResult<CommandResponse> {
    Ok(CommandResponse::of(&app, commands::resume(&app, &caller, id).await?))
}
