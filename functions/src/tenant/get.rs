//! `GET /tenant`: the caller's tenant.

use axum::extract::State;
use shared::{
    app::App,
    tenant::{Tenant, service},
};

use crate::{
    problem::{Answer, Problems},
    request::{Caller, Viewer},
    version::One,
};

#[utoipa::path(get, path = "/api/v1/tenant", operation_id = "get_own_tenant", tag = "tenants",
    responses((status = 200, description = "It.", body = Tenant, headers(("ETag" = String, description = "Its version."))), Problems))]
pub(super) async fn get(State(app): State<App>, caller: Caller<Viewer>) -> Answer<One<Tenant>> {
    Ok(One(service::get(&app, caller.tenant_id).await?))
}
