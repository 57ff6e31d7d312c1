//! `POST /agents/external/{id}/tasks/{task_id}/result`: reports the end of a task with its artifacts.

use axum::{extract::State, http::StatusCode};
use shared::{
    agents::eap::server::{
        MAX_RESULT,
        result::{NewResult, TaskOutcome},
        service,
    },
    app::App,
};

use crate::{
    eap::task::AgentTask,
    http::{problem::HandlerResult, request::Json},
};

/// Report a result
///
/// Reports the result of a task, which ends its lease. The same result may be reported again; another one is
/// rejected. The body has at most 10 MiB, which is about 7.5 MiB of content in base64.
#[utoipa::path(post, path = "/api/v1/agents/external/{id}/tasks/{task_id}/result", operation_id = "report_external_result",
    tag = "external agents", request_body = NewResult, params(("id" = uuid::Uuid, Path, description = "The id of the agent."), ("task_id" = uuid::Uuid, Path, description = "The id of the task.")),
    security(("agent_token" = []), ("runner_credential" = [])),
    responses((status = 202, description = "The result was recorded; the session processes it next."),
        (status = 200, description = "The same result was recorded before."),
        (status = 413, description = "The body is larger than 10 MiB, with the JSON and base64 in it.")))]
pub(super) async fn result(
    State(app): State<App>,
    AgentTask(agent, task): AgentTask,
    Json(result): Json<NewResult, MAX_RESULT>,
) -> HandlerResult<StatusCode> {
    let taken = Box::pin(service::record_result(&app, &agent, task, TaskOutcome::parse(result, task)?)).await?;
    Ok(if taken { StatusCode::ACCEPTED } else { StatusCode::OK })
}
