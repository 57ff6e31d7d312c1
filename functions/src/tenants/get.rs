//! `GET /tenants/{id}`: one tenant.

use axum::extract::State;
use shared::{
    app::App,
    id::TenantId,
    tenant::{Tenant, service},
};

use crate::{
    problem::{Answer, Problems},
    request::{Admin, Caller, Named},
    version::One,
};

#[utoipa::path(get, path = "/api/v1/tenants/{id}", operation_id = "get_tenant", tag = "tenants", params(("id" = uuid::Uuid, Path)),
    responses((status = 200, description = "It.", body = Tenant, headers(("ETag" = String, description = "Its version."))), Problems))]
pub(super) async fn get(State(app): State<App>, _: Caller<Admin>, Named(id): Named<TenantId>) -> Answer<One<Tenant>> {
    Ok(One(service::get(&app, id).await?))
}
