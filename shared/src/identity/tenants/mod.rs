//! Tenants, the owners of all other objects, with their settings and the limits that admission reads.

pub mod correction;
pub mod draft;
pub mod quotas;
pub mod service;
pub mod slug;
pub mod store;

use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};
use utoipa::ToSchema;

use crate::{
    identity::auth::Role,
    kernel::{clock::Time, id::TenantId},
};

pub use self::{quotas::QuotaOverrides, service::create_for_setup};

/// The treatment of a start when all slots of the tenant are taken: queue the session or reject the request.
#[derive(Clone, Copy, Debug, Default, Eq, PartialEq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "snake_case")]
pub enum Admission {
    /// The session is queued, with a reason.
    #[default]
    Queue,
    /// The request is answered with 429.
    Reject,
}

impl Admission {
    pub const fn name(self) -> &'static str {
        match self {
            Self::Queue => "queue",
            Self::Reject => "reject",
        }
    }

    pub fn parse(text: &str) -> Option<Self> {
        [Self::Queue, Self::Reject].into_iter().find(|one| one.name() == text)
    }
}

/// The session and token limits of a tenant.
#[derive(Clone, Copy, Debug, Eq, PartialEq, Serialize, ToSchema)]
pub struct TenantLimits {
    /// The largest number of concurrent sessions.
    pub max_concurrent_sessions: i32,
    /// The largest number of queued sessions.
    pub max_queued_sessions: i32,
    /// The largest number of tokens per month; 0 means unlimited.
    pub max_tokens_per_month: i64,
    /// The treatment of a start when all slots are taken.
    pub admission: Admission,
}

impl Default for TenantLimits {
    fn default() -> Self {
        Self {
            max_concurrent_sessions: 10,
            max_queued_sessions: 1000,
            max_tokens_per_month: 1_000_000,
            admission: Admission::Queue,
        }
    }
}

/// Further settings of a tenant.
#[derive(Clone, Debug, Eq, PartialEq, Serialize, ToSchema)]
pub struct TenantSettings {
    /// Whether people of the configured issuer become users at their first login.
    pub signup: bool,
    /// The role of users that sign up.
    pub signup_role: Role,
    /// The days for which audit entries are kept; 0 means for ever.
    pub audit_retention_days: i32,
    /// The largest number of requests per minute over all keys; 0 means unlimited, null the default of the platform.
    pub calls_per_minute: Option<i32>,
    /// Whether sessions of the tenant may become training data.
    pub training_consent: bool,
    /// The limits on what the tenant stores, where they differ from those of the platform.
    pub quotas: QuotaOverrides,
    /// Whether agents without a recorded conformance run get only the sessions that name them.
    pub require_conformance: bool,
    /// Free-form data of the admin.
    #[schema(value_type = Object)]
    pub metadata: Map<String, Value>,
}

impl Default for TenantSettings {
    fn default() -> Self {
        Self {
            signup: false,
            signup_role: Role::Viewer,
            audit_retention_days: 0,
            calls_per_minute: None,
            training_consent: false,
            quotas: QuotaOverrides::default(),
            require_conformance: false,
            metadata: Map::new(),
        }
    }
}

/// A tenant that setup creates.
#[derive(Clone, Debug)]
pub struct InitialTenant {
    pub name: String,
    pub slug: String,
    pub limits: TenantLimits,
    /// Whether sessions of the tenant may become training data.
    pub training_consent: bool,
}

/// A tenant.
#[derive(Clone, Debug, PartialEq, Serialize, ToSchema)]
pub struct Tenant {
    /// The id of the tenant.
    pub id: TenantId,
    /// The display name.
    pub name: String,
    /// The slug, which `X-Tenant-ID` accepts instead of the id.
    pub slug: String,
    #[serde(flatten)]
    pub limits: TenantLimits,
    #[serde(flatten)]
    pub settings: TenantSettings,
    /// Whether the tenant is active. Requests for an inactive tenant are refused and its sessions are paused.
    pub is_active: bool,
    /// The version of the tenant, which is also its `ETag`.
    pub version: i64,
    /// When the tenant was created.
    #[schema(value_type = String, format = DateTime)]
    pub created_at: Time,
    /// When the tenant was last changed.
    #[schema(value_type = String, format = DateTime)]
    pub updated_at: Time,
}

/// A limit of a tenant and its usage.
#[derive(Clone, Debug, Serialize, ToSchema)]
pub struct Quota {
    /// The name of the quota.
    pub name: QuotaName,
    /// The limit. 0 means unlimited, except for sessions that run or wait; null means the default of the platform.
    pub limit: Option<i64>,
    /// The amount in use; absent if it is not counted.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub used: Option<i64>,
    /// When the usage is reset; null for a resource that is returned.
    #[schema(value_type = Option<String>, format = DateTime)]
    pub resets_at: Option<Time>,
}

/// The name of a quota.
#[derive(Clone, Copy, Debug, Eq, PartialEq, Serialize, ToSchema)]
#[serde(rename_all = "snake_case")]
pub enum QuotaName {
    ConcurrentSessions,
    QueuedSessions,
    TokensPerMonth,
    CallsPerMinute,
    OpenSessions,
    StoredBytes,
    ApiKeys,
    Agents,
}
