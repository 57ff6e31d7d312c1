//! `GET /tenants/{id}`: one tenant.

use axum::extract::State;
use shared::{
    app::App,
    identity::tenants::{Tenant, service},
    kernel::id::TenantId,
};

use crate::http::{
    problem::HandlerResult,
    request::{Admin, Caller, PathId},
    version::VersionedJson,
};

/// Get a tenant
///
/// Returns one tenant. Requires the role admin.
#[utoipa::path(get, path = "/api/v1/tenants/{id}", operation_id = "get_tenant", tag = "tenants", params(("id" = uuid::Uuid, Path, description = "The id of the tenant.")),
    responses((status = 200, description = "The tenant.", body = Tenant, headers(("ETag" = String, description = "The version of the object.")))))]
pub(super) async fn get(
    State(app): State<App>,
    _: Caller<Admin>,
    PathId(id): PathId<TenantId>,
) -> HandlerResult<VersionedJson<Tenant>> {
    Ok(VersionedJson(service::get(&app, id).await?))
}
