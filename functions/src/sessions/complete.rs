//! `POST /sessions/{id}/complete`: ends a session that its caller drives as completed.

use axum::extract::State;
use shared::{app::App, engine::commands, sessions::reports::CompletionInput};

use crate::{
    http::{
        problem::HandlerResult,
        request::{Caller, Json, Member, SessionPath},
    },
    sessions::command_response::CommandResponse,
    sessions::view::SessionView,
};

/// Complete a session
///
/// Ends a session as completed, for agents and users that drive the session themselves. Requires the role member.
#[utoipa::path(post, path = "/api/v1/sessions/{id}/complete", operation_id = "complete_session", tag = "sessions", params(("id" = uuid::Uuid, Path, description = "The id of the session.")),
    request_body = CompletionInput, responses((status = 200, description = "The completed session.", body = SessionView)))]
pub(super) async fn complete(
    State(app): State<App>,
    caller: Caller<Member>,
    SessionPath(id): SessionPath,
    Json(done): Json<CompletionInput>,
) -> HandlerResult<CommandResponse> {
    Ok(CommandResponse::of(&app, commands::complete(&app, &caller, id, done.parse()?).await?))
}
