//! `DELETE /agents/external/{id}`: the agent leaves.

use axum::{extract::State, http::StatusCode};
use shared::{agents::registry::service, app::App};

use crate::http::{problem::HandlerResult, request::Agent};

/// Deregister an agent by itself
///
/// Removes the agent at once, on its own request. Its tokens end, its name is free, and its sessions go to other
/// agents.
#[utoipa::path(delete, path = "/api/v1/agents/external/{id}", operation_id = "leave_external_agent", tag = "external agents",
    params(("id" = uuid::Uuid, Path, description = "The id of the agent.")), security(("agent_token" = [])),
    responses((status = 204, description = "The agent was removed.")))]
pub(super) async fn leave(State(app): State<App>, Agent(agent): Agent) -> HandlerResult<StatusCode> {
    service::remove_itself(&app, &agent).await?;
    Ok(StatusCode::NO_CONTENT)
}
