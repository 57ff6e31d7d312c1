//! `POST /agents/external/{id}/heartbeat`: the agent lives, and says how it does.

use axum::{extract::State, http::StatusCode};
use shared::{
    app::App,
    external::{
        registration::{Beat, NewBeat},
        service,
    },
};

use crate::{
    problem::{Answer, Problems},
    request::{Agent, Json},
};

#[utoipa::path(post, path = "/api/v1/agents/external/{id}/heartbeat", operation_id = "beat_external_agent", tag = "external agents",
    request_body = NewBeat, params(("id" = uuid::Uuid, Path)), security(("agent_token" = [])),
    responses((status = 204, description = "It was taken in."), Problems))]
pub(super) async fn heartbeat(
    State(app): State<App>,
    Agent(agent): Agent,
    Json(beat): Json<NewBeat>,
) -> Answer<StatusCode> {
    service::beat(&app, &agent, &Beat::parse(beat)?).await?;
    Ok(StatusCode::NO_CONTENT)
}
