//! `POST /sessions/{id}/retry`: brings a session back that failed, timed out or was stopped, and starts it.

use axum::extract::State;
use serde::Deserialize;
use shared::{app::App, engine::commands};
use utoipa::ToSchema;

use crate::{
    http::{
        problem::HandlerResult,
        request::{Caller, Member, OptionalJson, SessionPath},
    },
    sessions::command_response::CommandResponse,
    sessions::view::SessionView,
};

/// How to retry.
#[derive(Default, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(super) struct RetryRequest {
    /// Whether the session is also started. With false it is pending, and can be changed first. Default: true.
    start: Option<bool>,
}

/// Retry a session
///
/// Brings a session back that failed, timed out or was stopped, and starts it: it continues from its last checkpoint.
/// With `start` false it becomes pending. Requires the role member.
#[utoipa::path(post, path = "/api/v1/sessions/{id}/retry", operation_id = "retry_session", tag = "sessions", params(("id" = uuid::Uuid, Path, description = "The id of the session.")),
    request_body = Option<RetryRequest>, responses((status = 202, description = "The queued or pending session.", body = SessionView)))]
pub(super) async fn retry(
    State(app): State<App>,
    caller: Caller<Member>,
    SessionPath(id): SessionPath,
    OptionalJson(request): OptionalJson<RetryRequest>,
) -> HandlerResult<CommandResponse> {
    Ok(CommandResponse::of(&app, commands::retry(&app, &caller, id, request.start.unwrap_or(true)).await?))
}
