//! `/agents/{id}/tokens`: the tokens with which an agent calls the API.

use axum::{
    Json,
    extract::{FromRequestParts, State},
    http::{StatusCode, request::Parts},
};
use serde::Serialize;
use shared::{
    agents::registry::service,
    app::App,
    identity::auth::agent_token_store::AgentTokenRow,
    kernel::{
        actor::Actor,
        clock::Time,
        id::{AgentId, AgentTokenId},
    },
};
use utoipa::ToSchema;

use crate::http::{
    problem::{ApiError, HandlerResult},
    request::{Caller, Lead, PathId, path},
    response::Items,
};

/// A token of an agent. Its text is shown only when it is created.
#[derive(Serialize, ToSchema)]
#[schema(as = TokenOfAgent)]
pub(super) struct TokenView {
    /// The id of the token.
    id: AgentTokenId,
    /// The actor that created the token.
    created_by: Actor,
    /// When the token was created.
    #[schema(value_type = String, format = DateTime)]
    created_at: Time,
    /// When the token expires; null means never.
    #[schema(value_type = Option<String>, format = DateTime)]
    expires_at: Option<Time>,
    /// The token that replaced it; null if none did.
    rotated_to: Option<AgentTokenId>,
}

impl From<AgentTokenRow> for TokenView {
    fn from(row: AgentTokenRow) -> Self {
        let AgentTokenRow { id, created_by, created_at, expires_at, rotated_to } = row;
        Self { id, created_by, created_at, expires_at, rotated_to }
    }
}

/// The agent and the token that the path names.
pub(super) struct NamedToken(AgentId, AgentTokenId);

impl FromRequestParts<App> for NamedToken {
    type Rejection = ApiError;

    async fn from_request_parts(parts: &mut Parts, app: &App) -> Result<Self, ApiError> {
        let id = path(parts, app, "id", "is not a uuid").await?;
        Ok(Self(id, path(parts, app, "token_id", "is not a uuid").await?))
    }
}

/// List tokens of an agent
///
/// Returns the valid tokens of an agent of the caller's tenant, with their expiry. Requires the role lead.
#[utoipa::path(get, path = "/api/v1/agents/{id}/tokens", operation_id = "list_agent_tokens", tag = "agents",
    params(("id" = uuid::Uuid, Path, description = "The id of the agent.")),
    responses((status = 200, description = "The tokens.", body = Items<TokenView>)))]
pub(super) async fn list(
    State(app): State<App>,
    caller: Caller<Lead>,
    PathId(id): PathId<AgentId>,
) -> HandlerResult<Json<Items<TokenView>>> {
    let found = service::list_tokens(&app, &caller, id).await?;
    Ok(Json(Items::all(found.into_iter().map(TokenView::from).collect())))
}

/// Revoke a token of an agent
///
/// Ends a token of an agent of the caller's tenant: the agent can no longer call the API with it. Requires the
/// role lead.
#[utoipa::path(delete, path = "/api/v1/agents/{id}/tokens/{token_id}", operation_id = "revoke_agent_token", tag = "agents",
    params(("id" = uuid::Uuid, Path, description = "The id of the agent."), ("token_id" = uuid::Uuid, Path, description = "The id of the token.")),
    responses((status = 204, description = "The token was revoked.")))]
pub(super) async fn revoke(
    State(app): State<App>,
    caller: Caller<Lead>,
    NamedToken(id, token): NamedToken,
) -> HandlerResult<StatusCode> {
    service::revoke_token(&app, &caller, id, token).await?;
    Ok(StatusCode::NO_CONTENT)
}
