//! `POST /agents/external/{id}/tasks/{task_id}/progress`: reports progress and renews the lease of the task.

use axum::{Json as JsonResponse, extract::State};
use serde::Serialize;
use shared::{
    agents::eap::server::{
        report::{NewProgress, Progress},
        service,
        task::TaskMessage,
    },
    app::App,
};
use utoipa::ToSchema;

use crate::{
    eap::task::AgentTask,
    http::{problem::HandlerResult, request::Json},
};

/// The answer to a progress report.
#[derive(Serialize, ToSchema)]
pub(super) struct ProgressResponse {
    /// Whether the agent must end the task and report its result.
    cancel: bool,
    /// The messages of users that the agent has not acknowledged. Absent when there are none.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    messages: Vec<TaskMessage>,
}

/// Report progress
///
/// Reports the progress of a task and renews its lease. Returns whether the agent must cancel the task, and the new
/// messages of users.
#[utoipa::path(post, path = "/api/v1/agents/external/{id}/tasks/{task_id}/progress", operation_id = "report_external_progress",
    tag = "external agents", request_body = NewProgress, params(("id" = uuid::Uuid, Path, description = "The id of the agent."), ("task_id" = uuid::Uuid, Path, description = "The id of the task.")),
    security(("agent_token" = []), ("runner_credential" = [])), responses((status = 200, description = "The report was recorded.", body = ProgressResponse)))]
pub(super) async fn progress(
    State(app): State<App>,
    AgentTask(agent, task): AgentTask,
    Json(report): Json<NewProgress>,
) -> HandlerResult<JsonResponse<ProgressResponse>> {
    let answered = service::record_progress(&app, &agent, task, &Progress::parse(report)?).await?;
    Ok(JsonResponse(ProgressResponse { cancel: answered.cancel, messages: answered.messages }))
}
