//! `POST /agents/external/{id}/token/rotate`: replaces the token of an agent.

use axum::{Json, extract::State};
use serde::Serialize;
use shared::{agents::eap::server::service, app::App, identity::auth::agent_tokens::ROTATION_OVERLAP};
use utoipa::ToSchema;

use crate::http::{problem::HandlerResult, request::Agent};

/// A new token of an agent.
#[derive(Serialize, ToSchema)]
pub(super) struct NewToken {
    /// The token. It is shown only once.
    auth_token: String,
    /// The seconds for which the previous token stays valid.
    overlap_seconds: i64,
}

/// Rotate the token of an agent
///
/// Issues a new token for the agent. The previous token stays valid for ten minutes.
#[utoipa::path(post, path = "/api/v1/agents/external/{id}/token/rotate", operation_id = "rotate_external_token",
    tag = "external agents", params(("id" = uuid::Uuid, Path, description = "The id of the agent.")), security(("agent_token" = [])),
    responses((status = 200, description = "The new token.", body = NewToken)))]
pub(super) async fn rotate(State(app): State<App>, Agent(agent): Agent) -> HandlerResult<Json<NewToken>> {
    let auth_token = service::rotate_token(&app, &agent).await?;
    Ok(Json(NewToken { auth_token, overlap_seconds: ROTATION_OVERLAP.num_seconds() }))
}
