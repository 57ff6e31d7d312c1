//! Trust in an agent: which sessions it may get before it has proven that it does its work. Pure; docs/agents.md
//! specifies the rules.

use crate::kernel::{
    clock::Time,
    id::{TenantId, UserId},
};

/// So many successes end the probation of an agent.
pub const PROOF_SUCCESSES: f64 = 3.0;

/// How many sessions of a tenant that name no agent an agent on probation works on at once.
pub const MAX_CANARIES: i64 = 1;

/// What a tenant grants an agent, for the tenant and the actor that see it.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct TrustRecord {
    /// A lead trusts it, or the operator configured it.
    pub trusted: bool,
    /// It takes only the sessions of whoever registered it, until a lead trusts it.
    pub restricted: bool,
    pub registered_by: Option<UserId>,
    pub conformance_passed_at: Option<Time>,
    /// The tenant requires a conformance run that is not recorded.
    pub lacks_conformance: bool,
    /// The running sessions of the tenant on it that name no agent.
    pub unnamed_running: i64,
    /// Whether it takes the sessions of the actor.
    pub serves: bool,
}

impl Default for TrustRecord {
    fn default() -> Self {
        Self {
            trusted: false,
            restricted: false,
            registered_by: None,
            conformance_passed_at: None,
            lacks_conformance: false,
            unnamed_running: 0,
            serves: true,
        }
    }
}

impl TrustRecord {
    /// Whether a tenant trusts an agent of this owner with more than the work itself, such as its secrets and further
    /// sessions: one of the platform (no owner), or one of its own that a lead enrolled or trusts. What an agent says
    /// of itself, such as its isolation, does not count.
    pub fn is_trusted_by(&self, tenant_id: TenantId, owner: Option<TenantId>) -> bool {
        owner.is_none_or(|owner| owner == tenant_id && (self.trusted || !self.restricted))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_agent_is_trusted_by_the_word_of_a_lead_of_the_tenant() {
        let tenant = TenantId::new();
        for (owner, restricted, trusted, may) in [
            (None, false, true, true),
            (Some(tenant), false, false, true),
            (Some(tenant), true, false, false),
            (Some(tenant), true, true, true),
            (Some(TenantId::new()), false, true, false),
        ] {
            let trust = TrustRecord { trusted, restricted, ..TrustRecord::default() };
            assert_eq!(trust.is_trusted_by(tenant, owner), may, "{owner:?} {restricted} {trusted}");
        }
    }
}
