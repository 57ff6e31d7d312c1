//! `POST /sessions/{id}/messages`: a further prompt, or the answer to the question of a paused session.

use axum::extract::State;
use shared::{
    app::App,
    engine::commands,
    sessions::{reports::MessageInput, transitions::commands::CommandOutcome},
};

use crate::{
    http::{
        problem::HandlerResult,
        request::{Caller, Json, Member, SessionPath},
    },
    sessions::command_response::CommandResponse,
    sessions::view::SessionView,
};

/// Send a message
///
/// Sends a further prompt to the agent, or the answer to the question that the session waits for. Plain text to a
/// session that waits for an answer is the answer; where an approval is asked for, it must say approve or deny.
/// Requires the role member.
#[utoipa::path(post, path = "/api/v1/sessions/{id}/messages", operation_id = "send_session_message", tag = "sessions", params(("id" = uuid::Uuid, Path, description = "The id of the session.")),
    request_body = MessageInput, responses((status = 202, description = "The session; the agent gets the message next.", body = SessionView)))]
pub(super) async fn send_message(
    State(app): State<App>,
    caller: Caller<Member>,
    SessionPath(id): SessionPath,
    Json(new): Json<MessageInput>,
) -> HandlerResult<CommandResponse> {
    let found = commands::send_message(&app, &caller, id, new.parse()?).await?;
    Ok(CommandResponse(SessionView::of(&app, found), CommandOutcome::Accepted))
}
