//! `GET /agents/{id}`: one agent.

use axum::extract::State;
use shared::{agents::registry::service, app::App, kernel::id::AgentId};

use crate::{
    agents::view::AgentView,
    http::{
        problem::HandlerResult,
        request::{Caller, PathId, Viewer},
        version::VersionedJson,
    },
};

/// Get an agent
///
/// Returns one agent that the tenant can use.
#[utoipa::path(get, path = "/api/v1/agents/{id}", operation_id = "get_agent", tag = "agents", params(("id" = uuid::Uuid, Path, description = "The id of the agent.")),
    responses((status = 200, description = "The agent.", body = AgentView,
        headers(("ETag" = String, description = "The version of the object.")))))]
pub(super) async fn get(
    State(app): State<App>,
    caller: Caller<Viewer>,
    PathId(id): PathId<AgentId>,
) -> HandlerResult<VersionedJson<AgentView>> {
    Ok(VersionedJson(service::get(&app, &caller, id).await?.into()))
}
