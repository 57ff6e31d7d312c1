//! `GET /sessions/{id}/tree`: a session with its descendants.

use axum::{Json, extract::State};
use shared::{
    app::App,
    sessions::{service, store::TreeNode},
};

use crate::http::{
    problem::HandlerResult,
    request::{Caller, SessionPath, Viewer},
};

/// Get the tree of a session
///
/// Returns a session with all its descendants, their status and their cost.
#[utoipa::path(get, path = "/api/v1/sessions/{id}/tree", operation_id = "get_session_tree", tag = "sessions", params(("id" = uuid::Uuid, Path, description = "The id of the session.")),
    responses((status = 200, description = "The tree.", body = TreeNode)))]
pub(super) async fn tree(
    State(app): State<App>,
    caller: Caller<Viewer>,
    SessionPath(id): SessionPath,
) -> HandlerResult<Json<TreeNode>> {
    Ok(Json(service::get_tree(&app, &caller, id).await?))
}
