//! `POST /tenants`: creates a tenant.

use axum::extract::State;
use serde::Deserialize;
use serde_json::{Map, Value};
use shared::{
    app::App,
    identity::{
        auth::Role,
        tenants::{
            Admission, QuotaOverrides, Tenant,
            draft::{TenantChanges, TenantInput},
            service,
        },
    },
};
use utoipa::ToSchema;

use crate::http::{
    problem::HandlerResult,
    request::{Admin, Caller, Json},
    version::Created,
};

/// A tenant to be created.
#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(super) struct NewTenant {
    /// The display name.
    #[schema(min_length = 2, max_length = 100)]
    name: String,
    /// The slug, unique and permanent.
    #[schema(pattern = "^[a-z0-9-]{2,50}$")]
    slug: String,
    /// The largest number of concurrent sessions. Default: 10.
    #[schema(minimum = 0, maximum = 100_000)]
    max_concurrent_sessions: Option<i64>,
    /// The largest number of queued sessions. Default: 1000.
    #[schema(minimum = 0, maximum = 1_000_000)]
    max_queued_sessions: Option<i64>,
    /// The largest number of tokens per month; 0 means unlimited. Default: 1000000.
    #[schema(minimum = 0)]
    max_tokens_per_month: Option<i64>,
    /// The treatment of a start when all slots are taken. Default: `queue`.
    admission: Option<Admission>,
    /// Whether people of the configured issuer become users at their first login. Default: false.
    signup: Option<bool>,
    /// The role of users that sign up, which cannot be `admin`. Default: `viewer`.
    signup_role: Option<Role>,
    /// The days for which audit entries are kept: 0 (for ever) or 30 to 3650. Default: 0.
    #[schema(minimum = 0, maximum = 3650)]
    audit_retention_days: Option<i64>,
    /// The largest number of requests per minute over all keys; 0 means unlimited. Default: the default of the
    /// platform.
    #[schema(minimum = 0, maximum = 10_000_000)]
    calls_per_minute: Option<i64>,
    /// Whether sessions of the tenant may become training data. Default: false.
    training_consent: Option<bool>,
    /// The limits on what the tenant stores, where they differ from those of the platform.
    quotas: Option<QuotaOverrides>,
    /// Whether agents without a recorded conformance run get only the sessions that name them.
    require_conformance: Option<bool>,
    /// Free-form data, at most 16 KiB as JSON.
    #[schema(value_type = Option<Object>)]
    metadata: Option<Map<String, Value>>,
}

/// Create a tenant
///
/// Creates a tenant without users and keys. Create its first key with `X-Tenant-ID`. Requires the role admin.
#[utoipa::path(post, path = "/api/v1/tenants", operation_id = "create_tenant", tag = "tenants", request_body = NewTenant,
    responses((status = 201, description = "The created tenant.", body = Tenant,
        headers(("Location" = String, description = "The URL of the created object."), ("ETag" = String, description = "The version of the object.")))))]
pub(super) async fn create(
    State(app): State<App>,
    caller: Caller<Admin>,
    Json(new): Json<NewTenant>,
) -> HandlerResult<Created<Tenant>> {
    let input = TenantInput {
        name: Some(new.name),
        max_concurrent_sessions: new.max_concurrent_sessions,
        max_queued_sessions: new.max_queued_sessions,
        max_tokens_per_month: new.max_tokens_per_month,
        admission: new.admission,
        signup: new.signup,
        signup_role: new.signup_role,
        audit_retention_days: new.audit_retention_days,
        calls_per_minute: new.calls_per_minute.map(Some),
        training_consent: new.training_consent,
        quotas: new.quotas,
        require_conformance: new.require_conformance,
        metadata: new.metadata,
        is_active: None,
    };
    let (slug, settings) = TenantChanges::parse_new(new.slug, input)?;
    Ok(Created(service::create(&app, &caller, slug, settings).await?))
}
