//! `GET /marketplace/{id}`: one agent that is offered to the tenant.

use axum::{Json, extract::State};
use shared::{agent::market, app::App, id::AgentId};

use crate::{
    marketplace::view::ListingView,
    problem::{Answer, Problems},
    request::{Caller, Named, Viewer},
};

#[utoipa::path(get, path = "/api/v1/marketplace/{id}", operation_id = "get_listing", tag = "agents",
    params(("id" = uuid::Uuid, Path)),
    responses((status = 200, description = "What is offered.", body = ListingView), Problems))]
pub(super) async fn get(
    State(app): State<App>,
    caller: Caller<Viewer>,
    Named(id): Named<AgentId>,
) -> Answer<Json<ListingView>> {
    let (listing, now) = market::get(&app, &caller, id).await?;
    Ok(Json(ListingView::of(listing, now)))
}
