//! `GET /sessions/{id}/tree`: the session with all below it.

use axum::{Json, extract::State};
use shared::{
    app::App,
    session::{service, store::TreeNode},
};

use crate::{
    problem::{Answer, Problems},
    request::{Caller, Id, Viewer},
};

#[utoipa::path(get, path = "/api/v1/sessions/{id}/tree", operation_id = "get_session_tree", tag = "sessions", params(("id" = uuid::Uuid, Path)),
    responses((status = 200, description = "The session with its descendants.", body = TreeNode), Problems))]
pub(super) async fn tree(State(app): State<App>, caller: Caller<Viewer>, Id(id): Id) -> Answer<Json<TreeNode>> {
    Ok(Json(service::tree(&app, &caller, id).await?))
}
