//! `POST /sessions/{id}/stop`: stops a running session.

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

/// Stop a session
///
/// Stops a running or paused session for good; a retry is possible. Requires the role member.
#[utoipa::path(post, path = "/api/v1/sessions/{id}/stop", operation_id = "stop_session", tag = "sessions", params(("id" = uuid::Uuid, Path, description = "The id of the session.")),
    request_body = Option<Reason>, responses((status = 200, description = "The stopped session.", body = SessionView), (status = 202, description = "The session; the agent is stopped first.", body = SessionView)))]
pub(super) async fn stop(
    State(app): State<App>,
    caller: Caller<Member>,
    SessionPath(id): SessionPath,
    OptionalJson(reason): OptionalJson<Reason>,
) -> HandlerResult<CommandResponse> {
    let reason = reason.checked()?;
    Ok(CommandResponse::of(&app, commands::stop(&app, &caller, id, reason).await?))
}
