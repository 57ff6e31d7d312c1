//! `GET, PATCH /tenant`: the caller's own tenant.

use axum::extract::State;
use serde::Deserialize;
use shared::{
    app::App,
    engine::tenant_update::update_tenant,
    identity::tenants::{
        Tenant,
        draft::{TenantChanges, TenantInput},
        service,
    },
};
use utoipa::ToSchema;

use crate::http::{
    problem::HandlerResult,
    request::{Caller, Json, Lead, Viewer},
    version::{IfMatch, VersionedJson},
};

/// The changes to the caller's tenant. Absent fields keep their value.
#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(super) struct OwnTenantPatch {
    /// Whether sessions of the tenant may become training data.
    training_consent: Option<bool>,
    /// Whether agents without a recorded conformance run get only the sessions that name them.
    require_conformance: Option<bool>,
}

/// Get the caller's tenant
///
/// Returns the tenant of the caller's credential, with its limits and settings.
#[utoipa::path(get, path = "/api/v1/tenant", operation_id = "get_own_tenant", tag = "tenants",
    responses((status = 200, description = "The tenant.", body = Tenant,
        headers(("ETag" = String, description = "The version of the tenant.")))))]
pub(super) async fn get(State(app): State<App>, caller: Caller<Viewer>) -> HandlerResult<VersionedJson<Tenant>> {
    Ok(VersionedJson(service::get(&app, caller.tenant_id).await?))
}

/// Update the caller's tenant
///
/// Changes the settings that a tenant decides by itself. Requires the role lead.
#[utoipa::path(patch, path = "/api/v1/tenant", operation_id = "patch_own_tenant", tag = "tenants", request_body = OwnTenantPatch,
    params(("If-Match" = Option<String>, Header, description = "The version that the caller expects to change.")),
    responses((status = 200, description = "The updated tenant.", body = Tenant,
        headers(("ETag" = String, description = "The new version of the tenant.")))))]
pub(super) async fn patch(
    State(app): State<App>,
    caller: Caller<Lead>,
    IfMatch(version): IfMatch,
    Json(sent): Json<OwnTenantPatch>,
) -> HandlerResult<VersionedJson<Tenant>> {
    let changes = TenantChanges::parse(TenantInput {
        training_consent: sent.training_consent,
        require_conformance: sent.require_conformance,
        ..TenantInput::default()
    })?;
    Ok(VersionedJson(update_tenant(&app, &caller, caller.tenant_id, changes, version).await?))
}
