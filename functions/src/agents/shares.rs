//! `/agents/{id}/shares`: the tenants that an agent is shared with.

use axum::{
    Json,
    extract::{FromRequestParts, State},
    http::{StatusCode, request::Parts},
};
use serde::Serialize;
use shared::{
    agents::marketplace::{ShareTarget, service, store::Share},
    app::App,
    kernel::{actor::Actor, clock::Time, id::AgentId},
};
use utoipa::ToSchema;

use crate::http::{
    problem::{ApiError, HandlerResult},
    request::{Caller, Lead, PathId, Viewer, path},
    response::Items,
};

/// A tenant that an agent is shared with.
#[derive(Serialize, ToSchema)]
#[schema(as = ShareOfAgent)]
pub(super) struct ShareView {
    /// The tenant as it was named: a slug, an id or `all`. The tenant may not exist.
    tenant: String,
    /// The actor that shared the agent.
    created_by: Actor,
    /// When the agent was shared.
    #[schema(value_type = String, format = DateTime)]
    created_at: Time,
}

impl From<Share> for ShareView {
    fn from(Share { named, created_by, created_at }: Share) -> Self {
        Self { tenant: named, created_by, created_at }
    }
}

/// The agent that the path names, and with whom it is shared.
pub(super) struct SharedWith(AgentId, ShareTarget);

impl FromRequestParts<App> for SharedWith {
    type Rejection = ApiError;

    async fn from_request_parts(parts: &mut Parts, app: &App) -> Result<Self, ApiError> {
        let id = path(parts, app, "id", "is not a uuid").await?;
        let tenant: String = path(parts, app, "tenant", "is no text").await?;
        Ok(Self(id, ShareTarget::parse(&tenant)?))
    }
}

/// List shares of an agent
///
/// Returns the tenants with which an agent of the caller's tenant is shared.
#[utoipa::path(get, path = "/api/v1/agents/{id}/shares", operation_id = "list_shares", tag = "agents",
    params(("id" = uuid::Uuid, Path, description = "The id of the agent.")),
    responses((status = 200, description = "The shares.", body = Items<ShareView>)))]
pub(super) async fn list(
    State(app): State<App>,
    caller: Caller<Viewer>,
    PathId(id): PathId<AgentId>,
) -> HandlerResult<Json<Items<ShareView>>> {
    let found = service::list_shares(&app, &caller, id).await?;
    Ok(Json(Items::all(found.into_iter().map(ShareView::from).collect())))
}

/// Share an agent
///
/// Offers an agent to a tenant or to all tenants in the marketplace. The answer does not reveal whether the tenant
/// exists. Requires the role lead.
#[utoipa::path(put, path = "/api/v1/agents/{id}/shares/{tenant}", operation_id = "share_agent", tag = "agents",
    params(("id" = uuid::Uuid, Path, description = "The id of the agent."), ("tenant" = String, Path, description = "The slug or the id of a tenant, or `all`.")),
    responses((status = 200, description = "The share.", body = ShareView)))]
pub(super) async fn put(
    State(app): State<App>,
    caller: Caller<Lead>,
    SharedWith(id, whom): SharedWith,
) -> HandlerResult<Json<ShareView>> {
    Ok(Json(service::create_share(&app, &caller, id, &whom).await?.into()))
}

/// Stop sharing an agent
///
/// Withdraws an agent from a tenant or from all tenants. Its running sessions finish; new ones do not start. Requires
/// the role lead.
#[utoipa::path(delete, path = "/api/v1/agents/{id}/shares/{tenant}", operation_id = "unshare_agent", tag = "agents",
    params(("id" = uuid::Uuid, Path, description = "The id of the agent."), ("tenant" = String, Path, description = "The slug or the id of a tenant, or `all`.")),
    responses((status = 204, description = "The agent is no longer shared.")))]
pub(super) async fn delete(
    State(app): State<App>,
    caller: Caller<Lead>,
    SharedWith(id, whom): SharedWith,
) -> HandlerResult<StatusCode> {
    service::delete_share(&app, &caller, id, &whom).await?;
    Ok(StatusCode::NO_CONTENT)
}
