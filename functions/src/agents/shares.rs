//! `/agents/{id}/shares`: with whom an agent is shared.

use axum::{
    Json,
    extract::{FromRequestParts, State},
    http::{StatusCode, request::Parts},
};
use serde::Serialize;
use shared::{
    agent::{
        market::{self, Whom},
        store::Share,
    },
    app::App,
    auth::Actor,
    clock::Time,
    id::AgentId,
};
use utoipa::ToSchema;

use crate::{
    problem::{Answer, Failed, Problems},
    reply::Items,
    request::{Caller, Lead, Named, Viewer, path},
};

/// With whom an agent is shared.
#[derive(Serialize, ToSchema)]
#[schema(as = ShareOfAgent)]
pub(super) struct ShareView {
    /// As it was written: a slug, an id, or the word all. That there is such a tenant is not said.
    tenant: String,
    created_by: Actor,
    #[schema(value_type = String, format = DateTime)]
    created_at: Time,
}

impl From<Share> for ShareView {
    fn from(Share { named, created_by, created_at }: Share) -> Self {
        Self { tenant: named, created_by, created_at }
    }
}

/// The agent that the path names, and with whom it is shared.
pub(super) struct SharedWith(AgentId, Whom);

impl FromRequestParts<App> for SharedWith {
    type Rejection = Failed;

    async fn from_request_parts(parts: &mut Parts, app: &App) -> Result<Self, Failed> {
        let id = path(parts, app, "id", "is not a uuid").await?;
        let tenant: String = path(parts, app, "tenant", "is no text").await?;
        Ok(Self(id, Whom::parse(&tenant)?))
    }
}

#[utoipa::path(get, path = "/api/v1/agents/{id}/shares", operation_id = "list_shares", tag = "agents",
    params(("id" = uuid::Uuid, Path)),
    responses((status = 200, description = "With whom the tenant's own agent is shared.", body = Items<ShareView>), Problems))]
pub(super) async fn list(
    State(app): State<App>,
    caller: Caller<Viewer>,
    Named(id): Named<AgentId>,
) -> Answer<Json<Items<ShareView>>> {
    let found = market::shares(&app, &caller, id).await?;
    Ok(Json(Items::all(found.into_iter().map(ShareView::from).collect())))
}

#[utoipa::path(put, path = "/api/v1/agents/{id}/shares/{tenant}", operation_id = "share_agent", tag = "agents",
    params(("id" = uuid::Uuid, Path), ("tenant" = String, Path, description = "A tenant's slug or id, or the word all.")),
    responses((status = 200, description = "It is offered there, if there is such a tenant.", body = ShareView), Problems))]
pub(super) async fn put(
    State(app): State<App>,
    caller: Caller<Lead>,
    SharedWith(id, whom): SharedWith,
) -> Answer<Json<ShareView>> {
    Ok(Json(market::share(&app, &caller, id, &whom).await?.into()))
}

#[utoipa::path(delete, path = "/api/v1/agents/{id}/shares/{tenant}", operation_id = "unshare_agent", tag = "agents",
    params(("id" = uuid::Uuid, Path), ("tenant" = String, Path, description = "A tenant's slug or id, or the word all.")),
    responses((status = 204, description = "It is not offered there any more, and nothing new of that tenant starts on it."), Problems))]
pub(super) async fn delete(
    State(app): State<App>,
    caller: Caller<Lead>,
    SharedWith(id, whom): SharedWith,
) -> Answer<StatusCode> {
    market::unshare(&app, &caller, id, &whom).await?;
    Ok(StatusCode::NO_CONTENT)
}
