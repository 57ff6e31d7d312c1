//! `POST /agents/{id}/token`: a new token for an agent that lost its own.

use axum::{Json, extract::State, http::StatusCode};
use serde::Serialize;
use shared::{
    agents::registry::service, app::App, identity::auth::agent_tokens::ROTATION_OVERLAP, kernel::id::AgentId,
};
use utoipa::ToSchema;

use crate::http::{
    problem::HandlerResult,
    request::{Caller, Lead, PathId},
};

/// A token that was issued for an agent.
#[derive(Serialize, ToSchema)]
pub(super) struct IssuedAgentToken {
    /// The token. It is shown only once.
    auth_token: String,
    /// The seconds for which the earlier tokens of the agent stay valid.
    overlap_seconds: i64,
}

/// Issue a token for an agent
///
/// Issues a new token for an agent of the caller's tenant that lost its own. Its earlier tokens stay valid for ten
/// minutes. An agent that was suspended with its person is refused until a lead trusts it. Requires the role lead.
#[utoipa::path(post, path = "/api/v1/agents/{id}/token", operation_id = "issue_agent_token", tag = "agents",
    params(("id" = uuid::Uuid, Path, description = "The id of the agent.")),
    responses((status = 201, description = "The new token.", body = IssuedAgentToken)))]
pub(super) async fn issue(
    State(app): State<App>,
    caller: Caller<Lead>,
    PathId(id): PathId<AgentId>,
) -> HandlerResult<(StatusCode, Json<IssuedAgentToken>)> {
    let issued = service::issue_token(&app, &caller, id).await?;
    let overlap_seconds = ROTATION_OVERLAP.num_seconds();
    Ok((StatusCode::CREATED, Json(IssuedAgentToken { auth_token: issued.text, overlap_seconds })))
}
