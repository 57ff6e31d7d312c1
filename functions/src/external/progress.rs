//! `POST /agents/external/{id}/tasks/{task_id}/progress`: how a task does; renews its lease.

use axum::{Json as Body, extract::State};
use serde::Serialize;
use shared::{
    app::App,
    external::{
        report::{NewProgress, Progress},
        service,
        task::Message,
    },
};
use utoipa::ToSchema;

use crate::{
    external::task::AgentTask,
    problem::{Answer, Problems},
    request::Json,
};

/// What the agent is to know.
#[derive(Serialize, ToSchema)]
pub(super) struct Heard {
    /// Whether it is to end the task and report what there is.
    cancel: bool,
    /// What people said that was not acknowledged yet; left out when there is nothing.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    messages: Vec<Message>,
}

#[utoipa::path(post, path = "/api/v1/agents/external/{id}/tasks/{task_id}/progress", operation_id = "report_external_progress",
    tag = "external agents", request_body = NewProgress, params(("id" = uuid::Uuid, Path), ("task_id" = uuid::Uuid, Path)),
    security(("agent_token" = [])), responses((status = 200, description = "It was taken in.", body = Heard), Problems))]
pub(super) async fn progress(
    State(app): State<App>,
    AgentTask(agent, task): AgentTask,
    Json(report): Json<NewProgress>,
) -> Answer<Body<Heard>> {
    let answered = service::progress(&app, &agent, task, &Progress::parse(report)?).await?;
    Ok(Body(Heard { cancel: answered.cancel, messages: answered.messages }))
}
