//! `GET /sessions/{id}/artifacts` and `/artifacts/{artifact_id}`: what it made, and the bytes of it.

use axum::{
    Json,
    extract::State,
    response::{IntoResponse, Redirect, Response},
};
use shared::{
    app::App,
    session::{service, store::Artifact},
};

use crate::{
    problem::{Answer, Problems},
    reply::{Items, MOST_IN_ONE_PIECE, PLACE_VALID, download},
    request::{ArtifactOf, Caller, Id, Viewer},
};

#[utoipa::path(get, path = "/api/v1/sessions/{id}/artifacts", operation_id = "list_session_artifacts", tag = "sessions", params(("id" = uuid::Uuid, Path)),
    responses((status = 200, description = "What it made, by path.", body = Items<Artifact>), Problems))]
pub(super) async fn list(State(app): State<App>, caller: Caller<Viewer>, Id(id): Id) -> Answer<Json<Items<Artifact>>> {
    Ok(Json(Items::all(service::artifacts(&app, &caller, id).await?)))
}

#[utoipa::path(get, path = "/api/v1/sessions/{id}/artifacts/{artifact_id}", operation_id = "get_session_artifact", tag = "sessions",
    params(("id" = uuid::Uuid, Path), ("artifact_id" = uuid::Uuid, Path)),
    responses((status = 200, description = "Its bytes, in its own media type.", content_type = "*/*", body = Vec<u8>),
        (status = 307, description = "Behind API Gateway, of a large one: where to fetch it within five minutes, without a credential.",
            headers(("Location" = String, description = "A place of the file store."))),
        Problems))]
pub(super) async fn get(
    State(app): State<App>,
    caller: Caller<Viewer>,
    ArtifactOf(id, artifact): ArtifactOf,
) -> Answer<Response> {
    let artifact = service::artifact(&app, &caller, id, artifact).await?;
    let large = usize::try_from(artifact.size).is_ok_and(|size| size > MOST_IN_ONE_PIECE);
    if large
        && !app.settings.streams
        && let Some(place) = service::artifact_place(&app, &caller, id, &artifact, PLACE_VALID).await?
    {
        return Ok(Redirect::temporary(&place).into_response());
    }
    let content = service::artifact_content(&app, &caller, id, &artifact).await?;
    Ok(download(&artifact.mime_type, &artifact.path, content))
}
