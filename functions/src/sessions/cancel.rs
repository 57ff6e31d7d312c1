//! `POST /sessions/{id}/cancel`: cancels a session that has not run or is paused.

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

/// Cancel a session
///
/// Cancels a session that has not run yet or is paused. Requires the role member.
#[utoipa::path(post, path = "/api/v1/sessions/{id}/cancel", operation_id = "cancel_session", tag = "sessions", params(("id" = uuid::Uuid, Path, description = "The id of the session.")),
    request_body = Option<Reason>, responses((status = 200, description = "The cancelled session.", body = SessionView),
        (status = 202, description = "The cancellation is requested; the agent that has the offered work is notified first.", body = SessionView)))]
pub(super) async fn cancel(
    State(app): State<App>,
    caller: Caller<Member>,
    SessionPath(id): SessionPath,
    OptionalJson(reason): OptionalJson<Reason>,
) -> HandlerResult<CommandResponse> {
    let reason = reason.checked()?;
    Ok(CommandResponse::of(&app, commands::cancel(&app, &caller, id, reason).await?))
}
