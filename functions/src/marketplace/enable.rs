//! `PUT /marketplace/{id}`: the tenant uses an agent that is offered to it.

use axum::{Json, extract::State};
use shared::{agent::market, app::App, id::AgentId};

use crate::{
    marketplace::view::ListingView,
    problem::{Answer, Problems},
    request::{Caller, Lead, Named},
};

#[utoipa::path(put, path = "/api/v1/marketplace/{id}", operation_id = "enable_listing", tag = "agents",
    params(("id" = uuid::Uuid, Path)),
    responses((status = 200, description = "The tenant's sessions may go to it.", body = ListingView), Problems))]
pub(super) async fn enable(
    State(app): State<App>,
    caller: Caller<Lead>,
    Named(id): Named<AgentId>,
) -> Answer<Json<ListingView>> {
    let (listing, now) = market::enable(&app, &caller, id).await?;
    Ok(Json(ListingView::of(listing, now)))
}
