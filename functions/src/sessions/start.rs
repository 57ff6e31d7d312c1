//! `POST /sessions/{id}/start`: queues a pending session.

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

/// Start a session
///
/// Queues a pending session. It runs as soon as a slot, its workspace and an agent are free. Requires the role
/// member.
#[utoipa::path(post, path = "/api/v1/sessions/{id}/start", operation_id = "start_session", tag = "sessions", params(("id" = uuid::Uuid, Path, description = "The id of the session.")),
    responses((status = 202, description = "The queued session.", body = SessionView)))]
pub(super) async fn start(
    State(app): State<App>,
    caller: Caller<Member>,
    SessionPath(id): SessionPath,
) -> HandlerResult<CommandResponse> {
    Ok(CommandResponse::of(&app, commands::start(&app, &caller, id).await?))
}
