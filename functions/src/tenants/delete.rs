//! `DELETE /tenants/{id}`: removes a tenant that was deactivated, and everything of it.

use axum::{extract::State, http::StatusCode};
use shared::{app::App, id::TenantId, tenant::service};

use crate::{
    problem::{Answer, Problems},
    request::{Admin, Caller, Named},
};

#[utoipa::path(delete, path = "/api/v1/tenants/{id}", operation_id = "delete_tenant", tag = "tenants", params(("id" = uuid::Uuid, Path)),
    responses((status = 204, description = "It is gone, with its people, keys, sessions, files and its audit log."), Problems))]
pub(super) async fn delete(
    State(app): State<App>,
    caller: Caller<Admin>,
    Named(id): Named<TenantId>,
) -> Answer<StatusCode> {
    service::remove(&app, &caller, id).await?;
    Ok(StatusCode::NO_CONTENT)
}
