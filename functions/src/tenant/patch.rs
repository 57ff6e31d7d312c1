//! `PATCH /tenant`: what a tenant decides itself.

use axum::extract::State;
use serde::Deserialize;
use shared::{
    app::App,
    tenant::{
        Tenant,
        draft::{Patch, Raw},
        service,
    },
};
use utoipa::ToSchema;

use crate::{
    problem::{Answer, Problems},
    request::{Caller, Json, Lead},
    version::{IfMatch, One},
};

/// What is to be changed; what is left out stays.
#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(super) struct OwnTenantPatch {
    /// Whether its sessions may become training data.
    training_consent: Option<bool>,
}

#[utoipa::path(patch, path = "/api/v1/tenant", operation_id = "patch_own_tenant", tag = "tenants", request_body = OwnTenantPatch,
    params(("If-Match" = Option<String>, Header, description = "The version that is to be changed.")),
    responses((status = 200, description = "It was changed.", body = Tenant,
        headers(("ETag" = String, description = "Its new version."))), Problems))]
pub(super) async fn patch(
    State(app): State<App>,
    caller: Caller<Lead>,
    IfMatch(version): IfMatch,
    Json(sent): Json<OwnTenantPatch>,
) -> Answer<One<Tenant>> {
    let patch = Patch::parse(Raw { training_consent: sent.training_consent, ..Raw::default() })?;
    Ok(One(service::patch(&app, &caller, caller.tenant_id, patch, version).await?))
}
