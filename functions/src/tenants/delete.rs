//! `DELETE /tenants/{id}`: removes a deactivated tenant with everything that belongs to it.

use axum::{extract::State, http::StatusCode};
use shared::{app::App, engine::tenant_removal::delete_tenant, kernel::id::TenantId};

use crate::http::{
    problem::HandlerResult,
    request::{Admin, Caller, PathId},
};

/// Delete a tenant
///
/// Deletes a deactivated tenant with its users, keys, sessions, files and audit log. Requires the role admin.
#[utoipa::path(delete, path = "/api/v1/tenants/{id}", operation_id = "delete_tenant", tag = "tenants", params(("id" = uuid::Uuid, Path, description = "The id of the tenant.")),
    responses((status = 204, description = "The tenant was deleted.")))]
pub(super) async fn delete(
    State(app): State<App>,
    caller: Caller<Admin>,
    PathId(id): PathId<TenantId>,
) -> HandlerResult<StatusCode> {
    delete_tenant(&app, &caller, id).await?;
    Ok(StatusCode::NO_CONTENT)
}
