//! `PUT /marketplace/{id}`: enables a shared agent for the tenant.

use axum::{Json, extract::State};
use shared::{agents::marketplace::service, app::App, kernel::id::AgentId};

use crate::{
    http::{
        problem::HandlerResult,
        request::{Caller, Lead, PathId},
    },
    marketplace::view::ListingView,
};

/// Enable a shared agent
///
/// Allows sessions of the tenant to run on a shared agent. Requires the role lead.
#[utoipa::path(put, path = "/api/v1/marketplace/{id}", operation_id = "enable_listing", tag = "agents",
    params(("id" = uuid::Uuid, Path, description = "The id of the agent.")),
    responses((status = 200, description = "The enabled agent.", body = ListingView)))]
pub(super) async fn enable(
    State(app): State<App>,
    caller: Caller<Lead>,
    PathId(id): PathId<AgentId>,
) -> HandlerResult<Json<ListingView>> {
    let (listing, now) = service::enable_agent(&app, &caller, id).await?;
    Ok(Json(ListingView::of(listing, now)))
}
