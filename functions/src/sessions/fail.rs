//! `POST /sessions/{id}/fail`: ends a session that its caller drives as failed.

use axum::extract::State;
use shared::{app::App, engine::commands, sessions::reports::FailureInput};

use crate::{
    http::{
        problem::HandlerResult,
        request::{Caller, Json, Member, SessionPath},
    },
    sessions::command_response::CommandResponse,
    sessions::view::SessionView,
};

/// Fail a session
///
/// Ends a session as failed, for agents and users that drive the session themselves. Requires the role member.
#[utoipa::path(post, path = "/api/v1/sessions/{id}/fail", operation_id = "fail_session", tag = "sessions", params(("id" = uuid::Uuid, Path, description = "The id of the session.")),
    request_body = FailureInput, responses((status = 200, description = "The failed session.", body = SessionView)))]
pub(super) async fn fail(
    State(app): State<App>,
    caller: Caller<Member>,
    SessionPath(id): SessionPath,
    Json(report): Json<FailureInput>,
) -> HandlerResult<CommandResponse> {
    Ok(CommandResponse::of(&app, commands::fail(&app, &caller, id, report.parse()?).await?))
}
