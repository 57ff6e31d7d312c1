//! Secrets of tenants, environments and users, which sessions receive by name. A value is stored sealed and leaves the
//! control plane only towards the agent that holds the lease of a task.
//!
//! [`draft`] parses what callers send, and [`selection`] decides which value a session receives; both are pure. ADR 30
//! describes the design.

pub mod draft;
mod sealing;
pub mod selection;
pub mod service;
pub mod store;

use std::str::FromStr;

use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use crate::kernel::{
    actor::Actor,
    clock::Time,
    id::{EnvironmentId, SecretId, UserId},
};

/// The most secrets of one tenant, with those of its environments and users.
pub const MAX_SECRETS: i64 = 200;

/// The longest value in bytes.
pub const MAX_VALUE_BYTES: usize = 64 * 1024;

/// The owner of a secret.
#[derive(Clone, Copy, Debug, Eq, Hash, PartialEq)]
pub enum SecretOwner {
    Tenant,
    Environment(EnvironmentId),
    User(UserId),
}

impl SecretOwner {
    pub fn environment_id(self) -> Option<EnvironmentId> {
        if let Self::Environment(id) = self { Some(id) } else { None }
    }

    pub fn user_id(self) -> Option<UserId> {
        if let Self::User(id) = self { Some(id) } else { None }
    }

    pub fn scope(self) -> SecretScope {
        match self {
            Self::Tenant => SecretScope::Tenant,
            Self::Environment(_) => SecretScope::Environment,
            Self::User(_) => SecretScope::User,
        }
    }
}

/// The kind of owner that a secret has.
#[derive(Clone, Copy, Debug, Eq, Ord, PartialEq, PartialOrd, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "snake_case")]
pub enum SecretScope {
    Tenant,
    Environment,
    User,
}

/// The owner of a secret as callers name it: `tenant`, `user` (the caller) or the id of an environment.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum NamedScope {
    Tenant,
    User,
    Environment(EnvironmentId),
}

impl FromStr for NamedScope {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        match text {
            "tenant" => Ok(Self::Tenant),
            "user" => Ok(Self::User),
            id => id.parse().map(Self::Environment).map_err(|_| SCOPE_FORM.to_owned()),
        }
    }
}

/// What a scope must be.
pub const SCOPE_FORM: &str = "must be tenant, user or the id of an environment";

/// Which part of a session knows a secret.
#[derive(Clone, Copy, Debug, Default, Eq, PartialEq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "snake_case")]
pub enum SecretPhase {
    /// The set-up script alone.
    #[default]
    Setup,
    /// The agent alone.
    Agent,
    Both,
}

impl SecretPhase {
    pub const fn name(self) -> &'static str {
        match self {
            Self::Setup => "setup",
            Self::Agent => "agent",
            Self::Both => "both",
        }
    }

    pub fn parse(text: &str) -> Option<Self> {
        [Self::Setup, Self::Agent, Self::Both].into_iter().find(|phase| phase.name() == text)
    }
}

/// What a secret is used for.
#[derive(Clone, Debug, Eq, PartialEq)]
pub enum SecretUse {
    /// A variable.
    Plain,
    /// The password for a git host. Only the clone of a repository at that host uses it.
    Git { host: String, username: String },
    /// The key of a model provider. The runner's gateway uses it, and the agent never sees it.
    Provider(ModelProvider),
}

/// The kind of use that a secret has.
#[derive(Clone, Copy, Debug, Default, Eq, PartialEq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "snake_case")]
pub enum SecretKind {
    #[default]
    Plain,
    Git,
    Provider,
}

impl SecretKind {
    pub const fn name(self) -> &'static str {
        match self {
            Self::Plain => "plain",
            Self::Git => "git",
            Self::Provider => "provider",
        }
    }
}

/// A provider of models.
#[derive(Clone, Copy, Debug, Eq, PartialEq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "snake_case")]
pub enum ModelProvider {
    Anthropic,
    Openai,
}

impl ModelProvider {
    pub const fn name(self) -> &'static str {
        match self {
            Self::Anthropic => "anthropic",
            Self::Openai => "openai",
        }
    }

    pub fn parse(text: &str) -> Option<Self> {
        [Self::Anthropic, Self::Openai].into_iter().find(|provider| provider.name() == text)
    }
}

impl SecretUse {
    pub const fn kind(&self) -> SecretKind {
        match self {
            Self::Plain => SecretKind::Plain,
            Self::Git { .. } => SecretKind::Git,
            Self::Provider(_) => SecretKind::Provider,
        }
    }

    pub fn host(&self) -> Option<&str> {
        if let Self::Git { host, .. } = self { Some(host) } else { None }
    }

    pub fn username(&self) -> Option<&str> {
        if let Self::Git { username, .. } = self { Some(username) } else { None }
    }

    pub fn provider(&self) -> Option<ModelProvider> {
        if let Self::Provider(provider) = self { Some(*provider) } else { None }
    }
}

/// A secret without its value.
#[derive(Clone, Debug, PartialEq)]
pub struct Secret {
    pub id: SecretId,
    pub owner: SecretOwner,
    pub name: String,
    pub phase: SecretPhase,
    pub used_as: SecretUse,
    pub created_at: Time,
    pub updated_at: Time,
    pub updated_by: Actor,
}
