//! `PATCH /tenants/{id}`: changes a tenant and its limits, deactivates or reactivates it.

use axum::extract::State;
use serde::Deserialize;
use serde_json::{Map, Value};
use shared::{
    app::App,
    engine::tenant_update::update_tenant,
    identity::{
        auth::Role,
        tenants::{
            Admission, QuotaOverrides, Tenant,
            draft::{TenantChanges, TenantInput},
        },
    },
    kernel::id::TenantId,
};
use utoipa::ToSchema;

use crate::http::{
    problem::HandlerResult,
    query::double_option,
    request::{Admin, Caller, Json, PathId},
    version::{IfMatch, VersionedJson},
};

/// The changes to a tenant. Absent fields keep their value.
#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(super) struct TenantPatch {
    /// The display name.
    #[schema(min_length = 2, max_length = 100)]
    name: Option<String>,
    /// The largest number of concurrent sessions.
    #[schema(minimum = 0, maximum = 100_000)]
    max_concurrent_sessions: Option<i64>,
    /// The largest number of queued sessions.
    #[schema(minimum = 0, maximum = 1_000_000)]
    max_queued_sessions: Option<i64>,
    /// The largest number of tokens per month; 0 means unlimited.
    #[schema(minimum = 0)]
    max_tokens_per_month: Option<i64>,
    /// The treatment of a start when all slots are taken.
    admission: Option<Admission>,
    /// Whether people of the configured issuer become users at their first login.
    signup: Option<bool>,
    /// The role of users that sign up, which cannot be `admin`.
    signup_role: Option<Role>,
    /// The days for which audit entries are kept: 0 (for ever) or 30 to 3650.
    #[schema(minimum = 0, maximum = 3650)]
    audit_retention_days: Option<i64>,
    /// The largest number of requests per minute over all keys; 0 means unlimited, null the default of the platform.
    #[serde(default, deserialize_with = "double_option")]
    #[schema(value_type = Option<i64>, minimum = 0, maximum = 10_000_000)]
    calls_per_minute: Option<Option<i64>>,
    /// Whether sessions of the tenant may become training data.
    training_consent: Option<bool>,
    /// The limits on what the tenant stores, where they differ from those of the platform. Replaces the stored limits.
    quotas: Option<QuotaOverrides>,
    /// Whether agents without a recorded conformance run get only the sessions that name them.
    require_conformance: Option<bool>,
    /// Free-form data, at most 16 KiB as JSON. Replaces the stored data.
    #[schema(value_type = Option<Object>)]
    metadata: Option<Map<String, Value>>,
    /// False refuses all requests of the tenant and pauses its sessions; true resumes exactly those sessions.
    is_active: Option<bool>,
}

/// Update a tenant
///
/// Changes the limits and settings of a tenant, or deactivates and reactivates it. Requires the role admin.
#[utoipa::path(patch, path = "/api/v1/tenants/{id}", operation_id = "patch_tenant", tag = "tenants", request_body = TenantPatch,
    params(("id" = uuid::Uuid, Path, description = "The id of the tenant."), ("If-Match" = Option<String>, Header, description = "The version that the caller expects to change.")),
    responses((status = 200, description = "The updated tenant.", body = Tenant,
        headers(("ETag" = String, description = "The new version of the object.")))))]
pub(super) async fn patch(
    State(app): State<App>,
    caller: Caller<Admin>,
    PathId(id): PathId<TenantId>,
    IfMatch(version): IfMatch,
    Json(sent): Json<TenantPatch>,
) -> HandlerResult<VersionedJson<Tenant>> {
    let changes = TenantChanges::parse(TenantInput {
        name: sent.name,
        max_concurrent_sessions: sent.max_concurrent_sessions,
        max_queued_sessions: sent.max_queued_sessions,
        max_tokens_per_month: sent.max_tokens_per_month,
        admission: sent.admission,
        signup: sent.signup,
        signup_role: sent.signup_role,
        audit_retention_days: sent.audit_retention_days,
        calls_per_minute: sent.calls_per_minute,
        training_consent: sent.training_consent,
        quotas: sent.quotas,
        require_conformance: sent.require_conformance,
        metadata: sent.metadata,
        is_active: sent.is_active,
    })?;
    Ok(VersionedJson(update_tenant(&app, &caller, id, changes, version).await?))
}
