//! `POST /agents/external/{id}/heartbeat`: the agent reports its health and its load.

use axum::{extract::State, http::StatusCode};
use shared::{
    agents::eap::server::{
        registration::{Heartbeat, NewHeartbeat},
        service,
    },
    app::App,
};

use crate::http::{
    problem::HandlerResult,
    request::{Agent, Json},
};

/// Send a heartbeat
///
/// Reports that the agent is alive, with its health and its load. An agent that sends no heartbeat for some intervals
/// counts as offline.
#[utoipa::path(post, path = "/api/v1/agents/external/{id}/heartbeat", operation_id = "heartbeat_external_agent", tag = "external agents",
    request_body = NewHeartbeat, params(("id" = uuid::Uuid, Path, description = "The id of the agent.")), security(("agent_token" = [])),
    responses((status = 204, description = "The heartbeat was recorded.")))]
pub(super) async fn heartbeat(
    State(app): State<App>,
    Agent(agent): Agent,
    Json(heartbeat): Json<NewHeartbeat>,
) -> HandlerResult<StatusCode> {
    service::record_heartbeat(&app, &agent, &Heartbeat::parse(heartbeat)?).await?;
    Ok(StatusCode::NO_CONTENT)
}
