//! `GET /agents/{id}`: one agent.

use axum::extract::State;
use shared::{agent::service, app::App, id::AgentId};

use crate::{
    agents::view::AgentView,
    problem::{Answer, Problems},
    request::{Caller, Named, Viewer},
    version::One,
};

#[utoipa::path(get, path = "/api/v1/agents/{id}", operation_id = "get_agent", tag = "agents", params(("id" = uuid::Uuid, Path)),
    responses((status = 200, description = "The agent.", body = AgentView,
        headers(("ETag" = String, description = "Its version."))), Problems))]
pub(super) async fn get(
    State(app): State<App>,
    caller: Caller<Viewer>,
    Named(id): Named<AgentId>,
) -> Answer<One<AgentView>> {
    Ok(One(service::get(&app, &caller, id).await?.into()))
}
