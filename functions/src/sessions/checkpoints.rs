//! `GET, POST /sessions/{id}/checkpoints`: the checkpoints of a session, and a further one on request.

use axum::{Json as JsonResponse, extract::State, http::StatusCode};
use shared::{
    app::App,
    engine::commands,
    sessions::{reports::CheckpointInput, service, store::Checkpoint},
};

use crate::http::{
    problem::HandlerResult,
    request::{Caller, Member, OptionalJson, SessionPath, Viewer},
    response::Items,
};

/// List checkpoints
///
/// Returns the newest 100 checkpoints of a session, newest first.
#[utoipa::path(get, path = "/api/v1/sessions/{id}/checkpoints", operation_id = "list_session_checkpoints", tag = "sessions", params(("id" = uuid::Uuid, Path, description = "The id of the session.")),
    responses((status = 200, description = "The checkpoints.", body = Items<Checkpoint>)))]
pub(super) async fn list(
    State(app): State<App>,
    caller: Caller<Viewer>,
    SessionPath(id): SessionPath,
) -> HandlerResult<JsonResponse<Items<Checkpoint>>> {
    Ok(JsonResponse(Items::all(service::list_checkpoints(&app, &caller, id).await?)))
}

/// Create a checkpoint
///
/// Takes a checkpoint of a session, with data and a note of the caller. Requires the role member.
#[utoipa::path(post, path = "/api/v1/sessions/{id}/checkpoints", operation_id = "take_session_checkpoint", tag = "sessions", params(("id" = uuid::Uuid, Path, description = "The id of the session.")),
    request_body = Option<CheckpointInput>, responses((status = 201, description = "The checkpoint.", body = Checkpoint)))]
pub(super) async fn take(
    State(app): State<App>,
    caller: Caller<Member>,
    SessionPath(id): SessionPath,
    OptionalJson(new): OptionalJson<CheckpointInput>,
) -> HandlerResult<(StatusCode, JsonResponse<Checkpoint>)> {
    let taken = commands::take_checkpoint(&app, &caller, id, new.parse()?).await?;
    Ok((StatusCode::CREATED, JsonResponse(taken)))
}
