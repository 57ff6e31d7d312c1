//! Credentials as a request presents them, and the callers that they belong to.

use std::sync::Arc;

use crate::kernel::{
    actor::{Actor, ActorKind, By},
    clock::Time,
    error::{Code, Error},
    id::{AgentId, AgentTokenId, TenantId},
};

use super::{Caller, Principal, Role, Scope};

/// The credentials of a request.
#[derive(Clone, Copy, Debug, Default)]
pub struct Credentials<'a> {
    /// The `Authorization` header.
    pub authorization: Option<&'a str>,
    /// The `X-Agent-Token` header.
    pub agent_token: Option<&'a str>,
    /// The `X-Tenant-ID` header: a uuid or a slug.
    pub tenant: Option<&'a str>,
}

/// The origin of a call, besides its credentials.
#[derive(Clone, Debug, Default)]
pub struct CallOrigin {
    pub request_id: Arc<str>,
    /// The network address of the call, if known.
    pub address: Option<Arc<str>>,
}

/// An authenticated caller: a user or a program with a role, or an agent.
#[derive(Clone, Debug)]
pub enum CallerIdentity {
    Caller(Caller),
    Agent(AgentCaller),
}

/// An agent outside the platform. It has no role: it may call only the agent endpoints.
#[derive(Clone, Debug)]
pub struct AgentCaller {
    pub tenant_id: TenantId,
    pub agent_id: AgentId,
    pub token_id: AgentTokenId,
    /// Whether the token was never used before.
    pub is_new_token: bool,
    pub name: String,
    pub request_id: Arc<str>,
    pub address: Option<Arc<str>>,
}

impl From<&AgentCaller> for By {
    fn from(caller: &AgentCaller) -> Self {
        let actor = Actor { kind: ActorKind::Agent, id: caller.agent_id.to_string(), name: caller.name.clone() };
        Self { actor, request_id: Some(caller.request_id.clone()), address: caller.address.clone() }
    }
}

/// A valid credential of any kind.
#[derive(Clone, Debug)]
pub(super) struct VerifiedCredential {
    pub tenant_id: TenantId,
    pub tenant_slug: String,
    pub tenant_active: bool,
    pub role: Role,
    pub scopes: Arc<[Scope]>,
    pub principal: Principal,
    /// When the presented token ends; `None` for a key.
    pub valid_until: Option<Time>,
}

pub(super) fn unauthenticated_error(why: &str) -> Error {
    Error::new(Code::Unauthenticated, why)
}

/// The same message for every kind of invalid credential, so that it does not reveal which ones exist.
pub(super) fn invalid_credential() -> Error {
    unauthenticated_error("The credential is not valid.")
}

pub(super) fn tenant_inactive() -> Error {
    Error::new(Code::TenantInactive, "This tenant is deactivated.")
}
