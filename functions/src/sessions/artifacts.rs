//! `GET /sessions/{id}/artifacts` and `/artifacts/{artifact_id}`: the files that a session produced.

use axum::{
    Json,
    extract::State,
    response::{IntoResponse, Redirect, Response},
};
use shared::{
    app::App,
    sessions::{service, store::Artifact},
};

use crate::http::{
    problem::HandlerResult,
    request::{ArtifactPath, Caller, SessionPath, Viewer},
    response::{Binary, DOWNLOAD_URL_LIFETIME, Items, MAX_BUFFERED_RESPONSE, download},
};

/// List artifacts
///
/// Returns the files that a session produced, by path.
#[utoipa::path(get, path = "/api/v1/sessions/{id}/artifacts", operation_id = "list_session_artifacts", tag = "sessions", params(("id" = uuid::Uuid, Path, description = "The id of the session.")),
    responses((status = 200, description = "The artifacts.", body = Items<Artifact>)))]
pub(super) async fn list(
    State(app): State<App>,
    caller: Caller<Viewer>,
    SessionPath(id): SessionPath,
) -> HandlerResult<Json<Items<Artifact>>> {
    Ok(Json(Items::all(service::list_artifacts(&app, &caller, id).await?)))
}

/// Download an artifact
///
/// Returns the content of an artifact. Behind API Gateway a large artifact is answered by a redirect to the file
/// store.
#[utoipa::path(get, path = "/api/v1/sessions/{id}/artifacts/{artifact_id}", operation_id = "get_session_artifact", tag = "sessions",
    params(("id" = uuid::Uuid, Path, description = "The id of the session."), ("artifact_id" = uuid::Uuid, Path, description = "The id of the artifact.")),
    responses((status = 200, description = "The content, in the media type of the artifact.", content_type = "application/octet-stream", body = inline(Binary)),
        (status = 307, description = "The content is at `Location`, without a credential, for five minutes.",
            headers(("Location" = String, description = "A URL of the file store.")))))]
pub(super) async fn get(
    State(app): State<App>,
    caller: Caller<Viewer>,
    ArtifactPath(id, artifact): ArtifactPath,
) -> HandlerResult<Response> {
    let artifact = service::get_artifact(&app, &caller, id, artifact).await?;
    let large = usize::try_from(artifact.size).is_ok_and(|size| size > MAX_BUFFERED_RESPONSE);
    if large
        && !app.settings.streams
        && let Some(place) = service::artifact_url(&app, &caller, id, &artifact, DOWNLOAD_URL_LIFETIME).await?
    {
        return Ok(Redirect::temporary(&place).into_response());
    }
    let content = service::artifact_content(&app, &caller, id, &artifact).await?;
    Ok(download(&artifact.mime_type, &artifact.path, content))
}
