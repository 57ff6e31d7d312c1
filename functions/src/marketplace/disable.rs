//! `DELETE /marketplace/{id}`: the tenant uses an agent of another no more.

use axum::{extract::State, http::StatusCode};
use shared::{agent::market, app::App, id::AgentId};

use crate::{
    problem::{Answer, Problems},
    request::{Caller, Lead, Named},
};

#[utoipa::path(delete, path = "/api/v1/marketplace/{id}", operation_id = "disable_listing", tag = "agents",
    params(("id" = uuid::Uuid, Path)),
    responses((status = 204, description = "Nothing new of the tenant goes to it; what runs there finishes."), Problems))]
pub(super) async fn disable(
    State(app): State<App>,
    caller: Caller<Lead>,
    Named(id): Named<AgentId>,
) -> Answer<StatusCode> {
    market::disable(&app, &caller, id).await?;
    Ok(StatusCode::NO_CONTENT)
}
