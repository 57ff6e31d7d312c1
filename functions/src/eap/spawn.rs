//! `POST /agents/external/{id}/tasks/{task_id}/sessions`: creates a session below that of a task.

use axum::{Json as JsonResponse, extract::State, http::StatusCode};
use shared::{
    app::App,
    sessions::{
        child::ChildState,
        service::spawn::{SpawnDraft, SpawnInput, spawn_child},
    },
};

use crate::{
    eap::task::AgentTask,
    http::{problem::HandlerResult, request::Json},
};

/// Create a child session
///
/// Creates a session below that of the task and starts it, on behalf of the creator of the task's session (protocol
/// 1.1). It works in the same environment and workspace, with the same agent configuration, model and limits. Requires
/// the lease of the task, and an agent that the session's tenant trusts. A request that is repeated creates no second
/// session.
#[utoipa::path(post, path = "/api/v1/agents/external/{id}/tasks/{task_id}/sessions", operation_id = "spawn_external_session",
    tag = "external agents", request_body = SpawnInput,
    params(("id" = uuid::Uuid, Path, description = "The id of the agent."), ("task_id" = uuid::Uuid, Path, description = "The id of the task.")),
    security(("agent_token" = []), ("runner_credential" = [])),
    responses((status = 201, description = "The session was created.", body = ChildState),
        (status = 200, description = "The same request created the session before.", body = ChildState)))]
pub(super) async fn spawn(
    State(app): State<App>,
    AgentTask(agent, task): AgentTask,
    Json(new): Json<SpawnInput>,
) -> HandlerResult<(StatusCode, JsonResponse<ChildState>)> {
    let spawned = Box::pin(spawn_child(&app, &agent, task, SpawnDraft::parse(new)?)).await?;
    let status = if spawned.is_new { StatusCode::CREATED } else { StatusCode::OK };
    Ok((status, JsonResponse(spawned.child)))
}
