//! `POST /tenants`: makes a tenant.

use axum::extract::State;
use serde::Deserialize;
use serde_json::{Map, Value};
use shared::{
    app::App,
    auth::Role,
    tenant::{
        Admission, Tenant,
        draft::{Patch, Raw},
        service,
    },
};
use utoipa::ToSchema;

use crate::{
    problem::{Answer, Problems},
    request::{Admin, Caller, Json},
    version::Created,
};

/// A tenant to be made.
#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(super) struct NewTenant {
    #[schema(min_length = 2, max_length = 100)]
    name: String,
    /// Unique, and never changed. What does not fit is refused, not repaired.
    #[schema(pattern = "^[a-z0-9-]{2,50}$")]
    slug: String,
    /// 10 when absent.
    #[schema(minimum = 0, maximum = 100_000)]
    max_concurrent_sessions: Option<i64>,
    /// 1000 when absent.
    #[schema(minimum = 0, maximum = 1_000_000)]
    max_queued_sessions: Option<i64>,
    /// 1000000 when absent; 0 = unlimited.
    #[schema(minimum = 0)]
    max_tokens_per_month: Option<i64>,
    admission: Option<Admission>,
    signup: Option<bool>,
    /// Not admin; viewer when absent.
    signup_role: Option<Role>,
    /// 0 (for ever, when absent), or 30 to 3650.
    #[schema(minimum = 0, maximum = 3650)]
    audit_retention_days: Option<i64>,
    /// 0 = unlimited; the platform's default when absent.
    #[schema(minimum = 0, maximum = 10_000_000)]
    calls_per_minute: Option<i64>,
    /// Whether its sessions may become training data; false when absent.
    training_consent: Option<bool>,
    /// At most 16 KiB as JSON.
    #[schema(value_type = Option<Object>)]
    metadata: Option<Map<String, Value>>,
}

#[utoipa::path(post, path = "/api/v1/tenants", operation_id = "create_tenant", tag = "tenants", request_body = NewTenant,
    responses((status = 201, description = "It was made. It has no key yet: make one with X-Tenant-ID naming it.", body = Tenant,
        headers(("Location" = String, description = "Its place."), ("ETag" = String, description = "Its version."))), Problems))]
pub(super) async fn create(
    State(app): State<App>,
    caller: Caller<Admin>,
    Json(new): Json<NewTenant>,
) -> Answer<Created<Tenant>> {
    let raw = Raw {
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
        metadata: new.metadata,
        is_active: None,
    };
    let (slug, settings) = Patch::parse_new(new.slug, raw)?;
    Ok(Created(service::open(&app, &caller, slug, settings).await?))
}
