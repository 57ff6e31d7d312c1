//! Tenants: whose everything is. What one is, and the limits that the scheduler reads.

pub mod draft;
pub mod service;
pub mod store;

use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};
use utoipa::ToSchema;

use crate::{auth::Role, clock::Time, id::TenantId};

pub use self::service::{create, set_limits};

/// What happens to a start when no slot is free.
#[derive(Clone, Copy, Debug, Default, Eq, PartialEq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "snake_case")]
pub enum Admission {
    /// It waits, and says for what.
    #[default]
    Queue,
    /// It is answered with 429.
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

/// The limits of a tenant.
#[derive(Clone, Copy, Debug, Eq, PartialEq, Serialize, ToSchema)]
pub struct Limits {
    /// Sessions that run at once.
    pub max_concurrent_sessions: i32,
    /// Sessions that wait at once.
    pub max_queued_sessions: i32,
    /// 0 = unlimited.
    pub max_tokens_per_month: i64,
    pub admission: Admission,
}

impl Default for Limits {
    fn default() -> Self {
        Self {
            max_concurrent_sessions: 10,
            max_queued_sessions: 1000,
            max_tokens_per_month: 1_000_000,
            admission: Admission::Queue,
        }
    }
}

/// What else can be set of a tenant.
#[derive(Clone, Debug, Eq, PartialEq, Serialize, ToSchema)]
pub struct Settings {
    /// Whether whoever the configured issuer vouches for becomes a user at the first login.
    pub signup: bool,
    /// With which role; never admin.
    pub signup_role: Role,
    /// Days that entries of the audit log are kept; 0 = for ever.
    pub audit_retention_days: i32,
    /// Calls per minute of all keys together; null = the platform's default, 0 = unlimited.
    pub calls_per_minute: Option<i32>,
    /// Whether its sessions may become training data.
    pub training_consent: bool,
    #[schema(value_type = Object)]
    pub metadata: Map<String, Value>,
}

impl Default for Settings {
    fn default() -> Self {
        Self {
            signup: false,
            signup_role: Role::Viewer,
            audit_retention_days: 0,
            calls_per_minute: None,
            training_consent: false,
            metadata: Map::new(),
        }
    }
}

/// A tenant to be made.
#[derive(Clone, Debug)]
pub struct NewTenant {
    pub name: String,
    pub slug: String,
    pub limits: Limits,
    /// Whether its sessions may become training data.
    pub training_consent: bool,
}

/// A tenant, as its row stands.
#[derive(Clone, Debug, PartialEq, Serialize, ToSchema)]
pub struct Tenant {
    pub id: TenantId,
    pub name: String,
    /// What `X-Tenant-ID` may say instead of the id.
    pub slug: String,
    #[serde(flatten)]
    pub limits: Limits,
    #[serde(flatten)]
    pub settings: Settings,
    /// When false, every call for it is refused and its sessions are held.
    pub is_active: bool,
    /// Counts the changes; the `ETag`.
    pub version: i64,
    #[schema(value_type = String, format = DateTime)]
    pub created_at: Time,
    #[schema(value_type = String, format = DateTime)]
    pub updated_at: Time,
}

/// What a tenant may use of something, and uses.
#[derive(Clone, Debug, Serialize, ToSchema)]
pub struct Quota {
    pub name: QuotaName,
    /// 0 = unlimited for tokens and calls; null = the platform's default.
    pub limit: Option<i64>,
    /// Absent where nobody counts it here.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub used: Option<i64>,
    /// When what was used counts no more; null for what is given back.
    #[schema(value_type = Option<String>, format = DateTime)]
    pub resets_at: Option<Time>,
}

#[derive(Clone, Copy, Debug, Eq, PartialEq, Serialize, ToSchema)]
#[serde(rename_all = "snake_case")]
pub enum QuotaName {
    ConcurrentSessions,
    QueuedSessions,
    TokensPerMonth,
    CallsPerMinute,
}
