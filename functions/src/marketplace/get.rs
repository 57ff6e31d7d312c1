//! `GET /marketplace/{id}`: one shared agent.

use axum::{Json, extract::State};
use shared::{agents::marketplace::service, app::App, kernel::id::AgentId};

use crate::{
    http::{
        problem::HandlerResult,
        request::{Caller, PathId, Viewer},
    },
    marketplace::view::ListingView,
};

/// Get a shared agent
///
/// Returns one agent that another tenant shares.
#[utoipa::path(get, path = "/api/v1/marketplace/{id}", operation_id = "get_listing", tag = "agents",
    params(("id" = uuid::Uuid, Path, description = "The id of the agent.")),
    responses((status = 200, description = "The agent.", body = ListingView)))]
pub(super) async fn get(
    State(app): State<App>,
    caller: Caller<Viewer>,
    PathId(id): PathId<AgentId>,
) -> HandlerResult<Json<ListingView>> {
    let (listing, now) = service::get_listing(&app, &caller, id).await?;
    Ok(Json(ListingView::of(listing, now)))
}
