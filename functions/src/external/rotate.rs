//! `POST /agents/external/{id}/token/rotate`: a new token in the place of the one that the agent calls with.

use axum::{Json, extract::State};
use serde::Serialize;
use shared::{app::App, auth::agent_tokens::OVERLAP, external::service};
use utoipa::ToSchema;

use crate::{
    problem::{Answer, Problems},
    request::Agent,
};

#[derive(Serialize, ToSchema)]
pub(super) struct NewToken {
    /// It is shown this once.
    auth_token: String,
    /// How long the old one works on.
    overlap_seconds: i64,
}

#[utoipa::path(post, path = "/api/v1/agents/external/{id}/token/rotate", operation_id = "rotate_external_token",
    tag = "external agents", params(("id" = uuid::Uuid, Path)), security(("agent_token" = [])),
    responses((status = 200, description = "The new token.", body = NewToken), Problems))]
pub(super) async fn rotate(State(app): State<App>, Agent(agent): Agent) -> Answer<Json<NewToken>> {
    let auth_token = service::rotate(&app, &agent).await?;
    Ok(Json(NewToken { auth_token, overlap_seconds: OVERLAP.num_seconds() }))
}
