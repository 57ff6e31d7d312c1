//! `PATCH /tenants/{id}`: changes a tenant, its limits too, or deactivates and reactivates it.

use axum::extract::State;
use serde::Deserialize;
use serde_json::{Map, Value};
use shared::{
    app::App,
    auth::Role,
    id::TenantId,
    tenant::{
        Admission, Tenant,
        draft::{Patch, Raw},
        service,
    },
};
use utoipa::ToSchema;

use crate::{
    problem::{Answer, Problems},
    query::given,
    request::{Admin, Caller, Json, Named},
    version::{IfMatch, One},
};

/// What is to be changed; what is left out stays.
#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(super) struct TenantPatch {
    #[schema(min_length = 2, max_length = 100)]
    name: Option<String>,
    #[schema(minimum = 0, maximum = 100_000)]
    max_concurrent_sessions: Option<i64>,
    #[schema(minimum = 0, maximum = 1_000_000)]
    max_queued_sessions: Option<i64>,
    /// 0 = unlimited.
    #[schema(minimum = 0)]
    max_tokens_per_month: Option<i64>,
    admission: Option<Admission>,
    signup: Option<bool>,
    /// Not admin.
    signup_role: Option<Role>,
    /// 0 (for ever), or 30 to 3650.
    #[schema(minimum = 0, maximum = 3650)]
    audit_retention_days: Option<i64>,
    /// 0 = unlimited; null = the platform's default.
    #[serde(default, deserialize_with = "given")]
    #[schema(value_type = Option<i64>, minimum = 0, maximum = 10_000_000)]
    calls_per_minute: Option<Option<i64>>,
    /// Whether its sessions may become training data.
    training_consent: Option<bool>,
    #[schema(value_type = Option<Object>)]
    metadata: Option<Map<String, Value>>,
    /// False: its calls are refused and its sessions held. True: exactly those sessions go on.
    is_active: Option<bool>,
}

#[utoipa::path(patch, path = "/api/v1/tenants/{id}", operation_id = "patch_tenant", tag = "tenants", request_body = TenantPatch,
    params(("id" = uuid::Uuid, Path), ("If-Match" = Option<String>, Header, description = "The version that is to be changed.")),
    responses((status = 200, description = "It was changed.", body = Tenant,
        headers(("ETag" = String, description = "Its new version."))), Problems))]
pub(super) async fn patch(
    State(app): State<App>,
    caller: Caller<Admin>,
    Named(id): Named<TenantId>,
    IfMatch(version): IfMatch,
    Json(sent): Json<TenantPatch>,
) -> Answer<One<Tenant>> {
    let patch = Patch::parse(Raw {
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
        metadata: sent.metadata,
        is_active: sent.is_active,
    })?;
    Ok(One(service::patch(&app, &caller, id, patch, version).await?))
}
