//! `DELETE /marketplace/{id}`: disables a shared agent for the tenant.

use axum::{extract::State, http::StatusCode};
use shared::{agents::marketplace::service, app::App, kernel::id::AgentId};

use crate::http::{
    problem::HandlerResult,
    request::{Caller, Lead, PathId},
};

/// Disable a shared agent
///
/// Stops new sessions of the tenant from running on a shared agent. Running sessions finish. Requires the role lead.
#[utoipa::path(delete, path = "/api/v1/marketplace/{id}", operation_id = "disable_listing", tag = "agents",
    params(("id" = uuid::Uuid, Path, description = "The id of the agent.")),
    responses((status = 204, description = "The agent is disabled.")))]
pub(super) async fn disable(
    State(app): State<App>,
    caller: Caller<Lead>,
    PathId(id): PathId<AgentId>,
) -> HandlerResult<StatusCode> {
    service::disable_agent(&app, &caller, id).await?;
    Ok(StatusCode::NO_CONTENT)
}
