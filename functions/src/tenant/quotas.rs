//! `GET /tenant/quotas`: what the caller's tenant may use, and uses.

use axum::{Json, extract::State};
use shared::{
    app::App,
    tenant::{Quota, service},
};

use crate::{
    problem::{Answer, Problems},
    reply::Items,
    request::{Caller, Viewer},
};

#[utoipa::path(get, path = "/api/v1/tenant/quotas", operation_id = "get_quotas", tag = "tenants",
    responses((status = 200, description = "Each limit, and how much of it is used.", body = Items<Quota>), Problems))]
pub(super) async fn quotas(State(app): State<App>, caller: Caller<Viewer>) -> Answer<Json<Items<Quota>>> {
    Ok(Json(Items::all(service::quotas(&app, &caller).await?)))
}
