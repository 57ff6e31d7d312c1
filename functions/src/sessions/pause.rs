//! `POST /sessions/{id}/pause`: pauses a running session.

use axum::extract::State;
use shared::{app::App, engine::commands};

use crate::{
    http::{
        problem::HandlerResult,
        request::{Caller, Member, OptionalJson, SessionPath},
    },
    sessions::command_response::CommandResponse,
    sessions::{reason::Reason, view::SessionView},
};

/// Pause a session
///
/// Pauses a running session. It keeps its workspace and its log. Requires the role member.
#[utoipa::path(post, path = "/api/v1/sessions/{id}/pause", operation_id = "pause_session", tag = "sessions", params(("id" = uuid::Uuid, Path, description = "The id of the session.")),
    request_body = Option<Reason>, responses((status = 202, description = "The session; the agent is stopped first.", body = SessionView)))]
pub(super) async fn pause(
    State(app): State<App>,
    caller: Caller<Member>,
    SessionPath(id): SessionPath,
    OptionalJson(reason): OptionalJson<Reason>,
) -> HandlerResult<CommandResponse> {
    let reason = reason.checked()?;
    Ok(CommandResponse::of(&app, commands::pause(&app, &caller, id, reason).await?))
}
