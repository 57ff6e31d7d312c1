//! `GET /sessions/{id}/artifacts` and `/artifacts/{artifact_id}`: what it made, and the bytes of it.

use axum::{Json, extract::State, response::Response};
use shared::{
    app::App,
    session::{service, store::Artifact},
};

use crate::{
    problem::{Answer, Problems},
    reply::{Items, download},
    request::{ArtifactOf, Caller, Id, Viewer},
};

#[utoipa::path(get, path = "/api/v1/sessions/{id}/artifacts", operation_id = "list_session_artifacts", tag = "sessions", params(("id" = uuid::Uuid, Path)),
    responses((status = 200, description = "What it made, by path.", body = Items<Artifact>), Problems))]
pub(super) async fn list(State(app): State<App>, caller: Caller<Viewer>, Id(id): Id) -> Answer<Json<Items<Artifact>>> {
    Ok(Json(Items::all(service::artifacts(&app, &caller, id).await?)))
}

#[utoipa::path(get, path = "/api/v1/sessions/{id}/artifacts/{artifact_id}", operation_id = "get_session_artifact", tag = "sessions",
    params(("id" = uuid::Uuid, Path), ("artifact_id" = uuid::Uuid, Path)),
    responses((status = 200, description = "Its bytes, in its own media type.", content_type = "*/*", body = Vec<u8>), Problems))]
pub(super) async fn get(
    State(app): State<App>,
    caller: Caller<Viewer>,
    ArtifactOf(id, artifact): ArtifactOf,
) -> Answer<Response> {
    let (artifact, content) = service::artifact(&app, &caller, id, artifact).await?;
    Ok(download(&artifact.mime_type, &artifact.path, content))
}
