//! `PUT /agents/external/{id}/tasks/{task_id}/artifacts/{sha256}`: uploads a file before the result that names it.

use axum::{
    extract::{FromRequestParts, Request, State},
    http::StatusCode,
};
use shared::{
    agents::eap::server::{MAX_ARTIFACT, artifacts},
    app::App,
};

use crate::{
    eap::task::AgentTask,
    http::{
        problem::HandlerResult,
        request::{path, read_body},
    },
};

/// Upload an artifact
///
/// Stores the content of a file that the task produced, under its SHA-256. The result names it by that hash instead of
/// its content. The body is the content itself, of at most 10 MiB; all uploads of a task have at most 64 MiB.
#[utoipa::path(put, path = "/api/v1/agents/external/{id}/tasks/{task_id}/artifacts/{sha256}", operation_id = "upload_external_artifact",
    tag = "external agents", request_body(content = Vec<u8>, content_type = "application/octet-stream"),
    params(("id" = uuid::Uuid, Path, description = "The id of the agent."), ("task_id" = uuid::Uuid, Path, description = "The id of the task."),
        ("sha256" = String, Path, description = "The SHA-256 of the body, in lower-case hexadecimal.")),
    security(("agent_token" = []), ("runner_credential" = [])),
    responses((status = 201, description = "The content was stored."),
        (status = 200, description = "The same content was stored before."),
        (status = 413, description = "The body is larger than 10 MiB, or all uploads of the task than 64 MiB.")))]
pub(super) async fn artifact(State(app): State<App>, request: Request) -> HandlerResult<StatusCode> {
    let (mut parts, body) = request.into_parts();
    let AgentTask(agent, task) = AgentTask::from_request_parts(&mut parts, &app).await?;
    let hash: String = path(&mut parts, &app, "sha256", "is not text").await?;
    let content = read_body(body, &app, MAX_ARTIFACT).await?;
    let is_new = artifacts::store_upload(&app, &agent, task, &hash, content).await?;
    Ok(if is_new { StatusCode::CREATED } else { StatusCode::OK })
}
