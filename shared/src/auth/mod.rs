//! Who calls: roles, actors, and API keys whose secret is stored only as a keyed hash.

pub mod key;
pub mod service;
pub mod store;

use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use crate::id::{KeyId, TenantId};

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

/// A caller who was let in, and the tenant that the call acts on.
#[derive(Clone, Debug)]
pub struct Caller {
    pub tenant_id: TenantId,
    pub role: Role,
    pub key_id: KeyId,
    pub name: String,
    pub request_id: std::sync::Arc<str>,
}

impl Caller {
    pub fn actor(&self) -> Actor {
        Actor { kind: ActorKind::Key, id: self.key_id.to_string(), name: self.name.clone() }
    }
}
