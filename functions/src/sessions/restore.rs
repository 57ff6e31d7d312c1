//! `POST /sessions/{id}/checkpoints/{sequence}/restore`: makes a session pending again, at a checkpoint.

use axum::extract::State;
use shared::{app::App, engine::commands};

use crate::{
    http::{
        problem::HandlerResult,
        request::{Caller, CheckpointPath, Member},
    },
    sessions::command_response::CommandResponse,
    sessions::view::SessionView,
};

/// Restore a checkpoint
///
/// Makes a session pending again. Once started, it continues from the checkpoint. Requires the role member.
#[utoipa::path(post, path = "/api/v1/sessions/{id}/checkpoints/{sequence}/restore", operation_id = "restore_session_checkpoint", tag = "sessions",
    params(("id" = uuid::Uuid, Path, description = "The id of the session."), ("sequence" = i32, Path, minimum = 1, description = "The number of the checkpoint.")),
    responses((status = 202, description = "The pending session.", body = SessionView)))]
pub(super) async fn restore(
    State(app): State<App>,
    caller: Caller<Member>,
    CheckpointPath(id, sequence): CheckpointPath,
) -> HandlerResult<CommandResponse> {
    Ok(CommandResponse::of(&app, commands::restore(&app, &caller, id, sequence).await?))
}
