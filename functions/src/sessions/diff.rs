//! `GET /sessions/{id}/diff`: the files that it changed, as git tells it.

use axum::{Json, extract::State};
use shared::{app::App, runtime::FileChange, session::service};

use crate::{
    problem::{Answer, Problems},
    reply::Items,
    request::{Caller, Id, Viewer},
};

#[utoipa::path(get, path = "/api/v1/sessions/{id}/diff", operation_id = "get_session_diff", tag = "sessions", params(("id" = uuid::Uuid, Path)),
    responses((status = 200, description = "The changed files, by path.", body = Items<FileChange>), Problems))]
pub(super) async fn diff(
    State(app): State<App>,
    caller: Caller<Viewer>,
    Id(id): Id,
) -> Answer<Json<Items<FileChange>>> {
    Ok(Json(Items::all(service::diff(&app, &caller, id).await?)))
}
