//! Credentials as a request presents them, and the callers that they belong to.

use std::sync::Arc;

use crate::kernel::{
    clock::Time,
    error::{Code, Error, Result},
    id::TenantId,
};

use super::{
    Caller, Principal, Role, Scope,
    agent_caller::AgentCaller,
    runner_caller::{EnrolmentCaller, RunnerCaller},
};

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

/// An authenticated caller: a user or a program with a role, an agent, a runner, or a runner that enrols.
#[derive(Clone, Debug)]
pub enum CallerIdentity {
    Caller(Caller),
    Agent(AgentCaller),
    Runner(RunnerCaller),
    Enrolment(EnrolmentCaller),
}

impl CallerIdentity {
    /// The user or program; an error for all others, which have no role and call only endpoints of their own.
    pub fn into_caller(self) -> Result<Caller> {
        let detail = match self {
            Self::Caller(caller) => return Ok(caller),
            Self::Agent(_) => "The token of an agent is valid for agent endpoints only.",
            Self::Runner(_) => {
                "The credential of a runner is valid for its own endpoints and the tasks of its agents only."
            }
            Self::Enrolment(_) => "An enrolment token is valid for the registration of a runner only.",
        };
        Err(Error::new(Code::Forbidden, detail))
    }

    /// The tenant of the credential.
    pub const fn home_tenant_id(&self) -> TenantId {
        match self {
            Self::Caller(caller) => caller.home_tenant_id,
            Self::Agent(agent) => agent.tenant_id,
            Self::Runner(runner) => runner.tenant_id,
            Self::Enrolment(enrolment) => enrolment.tenant_id,
        }
    }

    /// A text that identifies who calls, such as `agent:<uuid>`. Rate limits are counted by it.
    pub fn principal_key(&self) -> String {
        match self {
            Self::Caller(caller) => caller.principal.principal_key(),
            Self::Agent(agent) => format!("agent:{}", agent.agent_id),
            Self::Runner(runner) => format!("runner:{}", runner.runner_id),
            Self::Enrolment(enrolment) => format!("enrolment:{}", enrolment.enrolment_id),
        }
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

/// Refuses an `X-Tenant-ID` that names another tenant than that of the credential.
pub(super) fn check_named_tenant(named: Option<&str>, slug: &str, id: TenantId) -> Result<()> {
    if named.is_some_and(|named| named != slug && named.parse() != Ok(id)) {
        return Err(Error::new(Code::TenantMismatch, "X-Tenant-ID does not name the tenant of your credential."));
    }
    Ok(())
}
