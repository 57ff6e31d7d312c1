//! `GET /sessions/{id}/diff`: the files that a session changed.

use axum::{Json, extract::State};
use serde::Deserialize;
use shared::{agents::contract::FileChange, app::App, kernel::error::Error, sessions::service};
use utoipa::IntoParams;

use crate::http::{
    problem::HandlerResult,
    request::{Caller, Query, SessionPath, Viewer},
    response::Items,
};

#[derive(Deserialize, IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
pub(super) struct DiffQuery {
    /// The `next_cursor` of the previous page.
    cursor: Option<String>,
}

/// Get the diff of a session
///
/// Returns the files that a session changed, with their unified diffs. A page ends before it exceeds 4 MB.
#[utoipa::path(get, path = "/api/v1/sessions/{id}/diff", operation_id = "get_session_diff", tag = "sessions", params(("id" = uuid::Uuid, Path, description = "The id of the session."), DiffQuery),
    responses((status = 200, description = "The changed files, by path.", body = Items<FileChange>)))]
pub(super) async fn diff(
    State(app): State<App>,
    caller: Caller<Viewer>,
    SessionPath(id): SessionPath,
    Query(query): Query<DiffQuery>,
) -> HandlerResult<Json<Items<FileChange>>> {
    if query.cursor.as_ref().is_some_and(|cursor| cursor.contains('\0')) {
        return Err(Error::invalid_field("cursor", "is not a cursor of this list").into());
    }
    let files = service::get_diff(&app, &caller, id, query.cursor.as_deref()).await?;
    Ok(Json(Items::page_by_size(files, |last| last.path.clone())))
}
