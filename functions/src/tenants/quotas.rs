//! `GET /tenant/quotas`: the quotas of the tenant and their use.

use axum::{Json, extract::State};
use shared::{
    app::App,
    identity::tenants::{Quota, service},
};

use crate::http::{
    problem::HandlerResult,
    request::{Caller, Viewer},
    response::Items,
};

/// List quotas
///
/// Returns the limits of the caller's tenant and their usage.
#[utoipa::path(get, path = "/api/v1/tenant/quotas", operation_id = "get_quotas", tag = "tenants",
    responses((status = 200, description = "The quotas.", body = Items<Quota>)))]
pub(super) async fn quotas(State(app): State<App>, caller: Caller<Viewer>) -> HandlerResult<Json<Items<Quota>>> {
    Ok(Json(Items::all(service::list_quotas(&app, &caller).await?)))
}
