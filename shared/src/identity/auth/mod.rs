//! Authentication and authorization: roles and scopes, API keys, tokens of OpenID Connect issuers, and the credentials
//! of agents and runners.

pub mod agent_caller;
pub mod agent_token_store;
pub mod agent_tokens;
pub mod caller;
pub mod creator;
mod creator_store;
pub mod credential_cache;
pub mod identification;
pub mod key;
pub mod keys;
pub mod oidc;
pub mod permission;
pub mod runner_caller;
pub mod runner_credential_store;
pub mod runner_credentials;
pub mod scope;
pub mod setup_keys;
pub mod store;

use std::sync::Arc;

use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use crate::kernel::{
    actor::{Actor, ActorKind, By},
    clock::Time,
    id::{KeyId, TenantId, UserId},
};

pub use self::{
    agent_caller::{AgentCaller, AgentCredential},
    caller::{CallOrigin, CallerIdentity, Credentials},
    identification::identify_caller,
    permission::{require_role, require_scope},
    runner_caller::{EnrolmentCaller, RunnerCaller},
    scope::Scope,
    setup_keys::{SetupKey, create_setup_key, revoke_setup_key},
};

/// The role of a user or a key. Each role includes the ones before it.
#[derive(Clone, Copy, Debug, Eq, Hash, Ord, PartialEq, PartialOrd, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "snake_case")]
pub enum Role {
    /// Reads everything of its own tenant except keys and the audit log.
    Viewer,
    /// Also creates and controls sessions.
    Member,
    /// Also manages agents, keys and users below lead.
    Lead,
    /// Also manages all tenants.
    Admin,
}

impl Role {
    pub const ALL: [Self; 4] = [Self::Viewer, Self::Member, Self::Lead, Self::Admin];

    pub const fn name(self) -> &'static str {
        match self {
            Self::Viewer => "viewer",
            Self::Member => "member",
            Self::Lead => "lead",
            Self::Admin => "admin",
        }
    }

    pub fn parse(text: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|role| role.name() == text)
    }
}

/// The owner of a credential.
#[derive(Clone, Debug, Eq, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Principal {
    /// An API key, of a user or of the tenant.
    Key {
        id: KeyId,
        name: String,
        user_id: Option<UserId>,
        /// When the key expires; keys that it creates live no longer.
        #[serde(default)]
        expires_at: Option<Time>,
    },
    /// A user, by the token of a trusted issuer.
    User { id: UserId, name: String },
}

impl Principal {
    /// A text that identifies the principal, such as `key:<uuid>`. Rate limits and idempotency keys are kept by it.
    pub fn principal_key(&self) -> String {
        match self {
            Self::Key { id, .. } => format!("key:{id}"),
            Self::User { id, .. } => format!("user:{id}"),
        }
    }

    /// The key of the credential, if it is one, and when it expires.
    pub const fn key(&self) -> Option<(KeyId, Option<Time>)> {
        match self {
            Self::Key { id, expires_at, .. } => Some((*id, *expires_at)),
            Self::User { .. } => None,
        }
    }

    /// The user behind the credential, if there is one.
    pub const fn user_id(&self) -> Option<UserId> {
        match self {
            Self::Key { user_id, .. } => *user_id,
            Self::User { id, .. } => Some(*id),
        }
    }
}

/// An authenticated caller, and the tenant that the call acts on.
#[derive(Clone, Debug)]
pub struct Caller {
    /// The tenant that the call acts on: the caller's own, or any for an admin.
    pub tenant_id: TenantId,
    /// The tenant of the credential.
    pub home_tenant_id: TenantId,
    pub role: Role,
    /// The scopes of the credential; empty = everything that the role allows.
    pub scopes: Arc<[Scope]>,
    pub principal: Principal,
    /// When the presented token ends; `None` for a key, whose end is looked up.
    pub valid_until: Option<Time>,
    pub request_id: Arc<str>,
    /// The network address of the call, if known.
    pub address: Option<Arc<str>>,
}

impl Caller {
    pub fn actor(&self) -> Actor {
        match &self.principal {
            Principal::Key { id, name, .. } => Actor { kind: ActorKind::Key, id: id.to_string(), name: name.clone() },
            Principal::User { id, name } => Actor { kind: ActorKind::User, id: id.to_string(), name: name.clone() },
        }
    }

    /// The originator of changes in this call, as the audit log records it.
    pub fn by(&self) -> By {
        By { actor: self.actor(), request_id: Some(self.request_id.clone()), address: self.address.clone() }
    }
}

impl From<&Caller> for By {
    fn from(caller: &Caller) -> Self {
        caller.by()
    }
}
