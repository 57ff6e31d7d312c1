//! `POST /agents/external/{id}/tasks/claim`: leases tasks to an agent, and waits for them on request.

use std::time::Duration;

use axum::{
    Json as JsonResponse,
    extract::State,
    http::StatusCode,
    response::{IntoResponse, Response},
};
use serde::{Deserialize, Serialize};
use shared::{
    agents::eap::server::{
        MAX_CLAIM, MAX_WAIT,
        service::{self, TaskRequest},
        task::LeasedTask,
    },
    app::App,
    kernel::{error::ValidationErrors, id::ExternalTaskId},
};
use utoipa::ToSchema;

use crate::http::{
    layers::request_bounds::TimeLeft,
    problem::HandlerResult,
    request::{OptionalJson, TaskAgent},
};

/// The most tasks that an agent can hold: its largest capacity.
const MAX_HELD: usize = 50;

/// What is kept of a request's time to answer it.
const MARGIN: Duration = Duration::from_secs(2);

/// A request for tasks.
#[derive(Default, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(super) struct Claim {
    /// The longest wait for a task, in seconds. Default: 0.
    #[schema(minimum = 0, maximum = 20)]
    wait_seconds: Option<f64>,
    /// The largest number of tasks. Default: 1.
    #[schema(minimum = 1, maximum = 10)]
    max: Option<i64>,
    /// The tasks that the agent works on and whose leases it asks for anew, at most 50. A task that the answer does not
    /// contain is no longer assigned to the agent.
    #[schema(max_items = 50)]
    #[serde(default)]
    held_task_ids: Vec<ExternalTaskId>,
    /// Whether the leases of all tasks are returned that are assigned to the agent: for an agent that was restarted and
    /// does not know what it held. Default: false.
    #[serde(default)]
    reclaim: bool,
}

/// The claimed tasks.
#[derive(Serialize, ToSchema)]
pub(super) struct ClaimedTasks {
    /// The tasks with their leases, oldest first.
    tasks: Vec<LeasedTask>,
}

/// Claim tasks
///
/// Leases tasks to an agent that pulls its work. With `wait_seconds` the request waits for a task.
#[utoipa::path(post, path = "/api/v1/agents/external/{id}/tasks/claim", operation_id = "claim_external_tasks", tag = "external agents",
    request_body = Option<Claim>, params(("id" = uuid::Uuid, Path, description = "The id of the agent.")), security(("agent_token" = []), ("runner_credential" = [])),
    responses((status = 200, description = "The claimed tasks, oldest first.", body = ClaimedTasks),
        (status = 204, description = "There is no task.")))]
pub(super) async fn claim(
    State(app): State<App>,
    TaskAgent(agent): TaskAgent,
    TimeLeft(left): TimeLeft,
    OptionalJson(claim): OptionalJson<Claim>,
) -> HandlerResult<Response> {
    let mut refused = ValidationErrors::default();
    let wait = Duration::try_from_secs_f64(claim.wait_seconds.unwrap_or(0.0)).ok().filter(|wait| *wait <= MAX_WAIT);
    let wait = refused.check("wait_seconds", wait.ok_or_else(|| format!("must be 0 to {}", MAX_WAIT.as_secs())));
    let most = i32::try_from(claim.max.unwrap_or(1)).ok().filter(|most| (1..=MAX_CLAIM).contains(most));
    let most = refused.check("max", most.ok_or_else(|| format!("must be 1 to {MAX_CLAIM}")));
    if claim.held_task_ids.len() > MAX_HELD {
        refused.add("held_task_ids", format!("must name at most {MAX_HELD} tasks"));
    }
    refused.into_result()?;
    let request = TaskRequest {
        max_tasks: most.unwrap_or(1),
        wait: wait.unwrap_or_default().min(left.saturating_sub(MARGIN)),
        held: claim.held_task_ids,
        reclaims: claim.reclaim,
    };
    let tasks = Box::pin(service::claim_tasks(&app, &agent, &request)).await?;
    if tasks.is_empty() {
        return Ok(StatusCode::NO_CONTENT.into_response());
    }
    Ok(JsonResponse(ClaimedTasks { tasks }).into_response())
}
