//! `POST /agents/external/{id}/tasks/{task_id}/result`: how a task ended, and what was made.

use axum::{extract::State, http::StatusCode};
use shared::{
    app::App,
    external::{
        result::{NewResult, Outcome},
        service,
    },
};

use crate::{
    external::task::AgentTask,
    problem::{Answer, Problems},
    request::LargeJson,
};

#[utoipa::path(post, path = "/api/v1/agents/external/{id}/tasks/{task_id}/result", operation_id = "report_external_result",
    tag = "external agents", request_body = NewResult, params(("id" = uuid::Uuid, Path), ("task_id" = uuid::Uuid, Path)),
    security(("agent_token" = [])),
    responses((status = 202, description = "It is kept; the session takes it in."),
        (status = 200, description = "The same result was kept before."), Problems))]
pub(super) async fn result(
    State(app): State<App>,
    AgentTask(agent, task): AgentTask,
    LargeJson(result): LargeJson<NewResult>,
) -> Answer<StatusCode> {
    let taken = Box::pin(service::result(&app, &agent, task, Outcome::parse(result, task)?)).await?;
    Ok(if taken { StatusCode::ACCEPTED } else { StatusCode::OK })
}
