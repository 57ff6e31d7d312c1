//! `POST /sessions/{id}/unqueue`: takes a session out of the queue.

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

/// Unqueue a session
///
/// Takes a queued session out of the queue. Requires the role member.
#[utoipa::path(post, path = "/api/v1/sessions/{id}/unqueue", operation_id = "unqueue_session", tag = "sessions", params(("id" = uuid::Uuid, Path, description = "The id of the session.")),
    responses((status = 200, description = "The pending session.", body = SessionView)))]
pub(super) async fn unqueue(
    State(app): State<App>,
    caller: Caller<Member>,
    SessionPath(id): SessionPath,
) -> HandlerResult<CommandResponse> {
    Ok(CommandResponse::of(&app, commands::unqueue(&app, &caller, id).await?))
}
