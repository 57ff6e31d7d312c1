//! Who calls: roles, actors, API keys whose secret is stored only as a keyed hash, tokens of issuers, tokens of agents.

pub mod agent_tokens;
pub mod key;
pub mod keys;
pub mod oidc;
pub mod permission;
pub mod scope;
pub mod service;
pub mod store;

use std::sync::Arc;

use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use crate::{
    audit::By,
    id::{KeyId, TenantId, UserId},
};

pub use scope::Scope;

/// What a caller may do. Each role may do all that the ones before it may.
#[derive(Clone, Copy, Debug, Eq, Hash, Ord, PartialEq, PartialOrd, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "snake_case")]
pub enum Role {
    /// Reads everything of the own tenant but keys and audit.
    Viewer,
    /// Creates and drives sessions.
    Member,
    /// Agents, keys, people below lead.
    Lead,
    /// Any tenant.
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

/// Who did something, as events record it.
#[derive(Clone, Debug, Eq, PartialEq, Serialize, Deserialize, ToSchema)]
pub struct Actor {
    pub kind: ActorKind,
    /// The id of the key or agent, or the part of the system.
    pub id: String,
    /// What people call it.
    pub name: String,
}

#[derive(Clone, Copy, Debug, Eq, PartialEq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "snake_case")]
pub enum ActorKind {
    User,
    Key,
    Agent,
    System,
}

impl Actor {
    /// A part of the system itself, such as `dispatcher`.
    pub fn system(part: &str) -> Self {
        Self { kind: ActorKind::System, id: part.to_owned(), name: part.to_owned() }
    }
}

/// What a credential belongs to.
#[derive(Clone, Debug, Eq, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Principal {
    /// An API key, of a person or of the tenant itself.
    Key { id: KeyId, name: String, user_id: Option<UserId> },
    /// A person, by a token of an issuer that we trust.
    User { id: UserId, name: String },
}

impl Principal {
    /// One text per credential or person, such as `key:<uuid>`: what limits and idempotency keys count by.
    pub fn key(&self) -> String {
        match self {
            Self::Key { id, .. } => format!("key:{id}"),
            Self::User { id, .. } => format!("user:{id}"),
        }
    }

    /// The person behind it, if there is one.
    pub const fn user_id(&self) -> Option<UserId> {
        match self {
            Self::Key { user_id, .. } => *user_id,
            Self::User { id, .. } => Some(*id),
        }
    }
}

/// A caller who was let in, and the tenant that the call acts on.
#[derive(Clone, Debug)]
pub struct Caller {
    /// The tenant that is acted on: the caller's own, or for an admin any.
    pub tenant_id: TenantId,
    /// The tenant of the credential.
    pub home_tenant_id: TenantId,
    pub role: Role,
    /// What the credential may be used for; empty = all that the role may.
    pub scopes: Arc<[Scope]>,
    pub principal: Principal,
    pub request_id: Arc<str>,
    /// The network address that the call came from, as far as we know.
    pub address: Option<Arc<str>>,
}

impl Caller {
    pub fn actor(&self) -> Actor {
        match &self.principal {
            Principal::Key { id, name, .. } => Actor { kind: ActorKind::Key, id: id.to_string(), name: name.clone() },
            Principal::User { id, name } => Actor { kind: ActorKind::User, id: id.to_string(), name: name.clone() },
        }
    }

    /// Who changes something in this call, as the audit log records it.
    pub fn by(&self) -> By {
        By { actor: self.actor(), request_id: Some(self.request_id.clone()), address: self.address.clone() }
    }
}

impl From<&Caller> for By {
    fn from(caller: &Caller) -> Self {
        caller.by()
    }
}
