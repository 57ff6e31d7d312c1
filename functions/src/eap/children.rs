//! `GET /agents/external/{id}/tasks/{task_id}/sessions`: how far the children of the session of a task are.

use axum::{Json as JsonResponse, extract::State};
use serde::{Deserialize, Serialize};
use shared::{
    app::App,
    kernel::{error::ValidationErrors, id::SessionId},
    sessions::{
        child::ChildState,
        service::spawn::{MAX_CHILDREN, read_spawned},
    },
};
use utoipa::{IntoParams, ToSchema};

use crate::{
    eap::task::AgentTask,
    http::{problem::HandlerResult, query::parse_list, request::Query},
};

#[derive(Deserialize, IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
pub(super) struct ChildrenQuery {
    /// The token of the lease under which the agent holds the task.
    lease_token: i64,
    /// The ids of 1 to 20 children of the task's session, separated by commas.
    ids: String,
}

/// Children of the session of a task.
#[derive(Serialize, ToSchema)]
pub(super) struct ChildSessions {
    /// The children, in the order in which they were asked for.
    sessions: Vec<ChildState>,
}

/// Get child sessions
///
/// Returns how far children of the task's session are, what they wait for, and what they came to (protocol 1.1).
/// Requires the lease of the task, and an agent that the session's tenant trusts.
#[utoipa::path(get, path = "/api/v1/agents/external/{id}/tasks/{task_id}/sessions", operation_id = "get_external_sessions",
    tag = "external agents",
    params(("id" = uuid::Uuid, Path, description = "The id of the agent."), ("task_id" = uuid::Uuid, Path, description = "The id of the task."), ChildrenQuery),
    security(("agent_token" = []), ("runner_credential" = [])),
    responses((status = 200, description = "The children.", body = ChildSessions)))]
pub(super) async fn children(
    State(app): State<App>,
    AgentTask(agent, task): AgentTask,
    Query(query): Query<ChildrenQuery>,
) -> HandlerResult<JsonResponse<ChildSessions>> {
    let mut refused = ValidationErrors::default();
    let ids: Vec<SessionId> = parse_list(&mut refused, "ids", Some(&query.ids), |id| id.parse().ok());
    if ids.len() > MAX_CHILDREN {
        refused.add("ids", format!("must be at most {MAX_CHILDREN}"));
    }
    refused.into_result()?;
    let sessions = Box::pin(read_spawned(&app, &agent, task, query.lease_token, &ids)).await?;
    Ok(JsonResponse(ChildSessions { sessions }))
}
