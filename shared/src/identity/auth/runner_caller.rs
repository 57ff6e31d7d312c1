//! Runners as callers: one with its credential, and one that enrols.

use std::{collections::BTreeMap, sync::Arc};

use crate::kernel::{
    actor::{Actor, ActorKind, By},
    id::{AgentId, RunnerCredentialId, RunnerEnrolmentId, RunnerId, TenantId},
};

use super::agent_caller::{AgentCaller, AgentCredential};

/// A runner. It has no role: it may call only its own endpoints, and those of the tasks of its agents.
#[derive(Clone, Debug)]
pub struct RunnerCaller {
    pub tenant_id: TenantId,
    pub runner_id: RunnerId,
    pub credential_id: RunnerCredentialId,
    pub name: String,
    pub pool: String,
    /// The agents of its pool, with their names.
    pub agents: Arc<BTreeMap<AgentId, String>>,
    pub request_id: Arc<str>,
    pub address: Option<Arc<str>>,
}

impl RunnerCaller {
    /// The runner at work as an agent; `None` for an agent of another pool.
    pub fn as_agent(&self, agent_id: AgentId) -> Option<AgentCaller> {
        let name = self.agents.get(&agent_id)?;
        Some(AgentCaller {
            tenant_id: self.tenant_id,
            agent_id,
            credential: AgentCredential::Runner(self.runner_id),
            name: name.clone(),
            request_id: self.request_id.clone(),
            address: self.address.clone(),
        })
    }
}

impl From<&RunnerCaller> for By {
    fn from(caller: &RunnerCaller) -> Self {
        let actor = Actor { kind: ActorKind::Runner, id: caller.runner_id.to_string(), name: caller.name.clone() };
        Self { actor, request_id: Some(caller.request_id.clone()), address: caller.address.clone() }
    }
}

/// A runner that enrols in a pool. It may only register.
#[derive(Clone, Debug)]
pub struct EnrolmentCaller {
    pub tenant_id: TenantId,
    pub enrolment_id: RunnerEnrolmentId,
    pub pool: String,
    /// Who created the enrolment.
    pub created_by: Actor,
    pub request_id: Arc<str>,
    pub address: Option<Arc<str>>,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_runner_works_as_an_agent_of_its_pool_only() {
        let (own, other) = (AgentId::new(), AgentId::new());
        let runner = RunnerCaller {
            tenant_id: TenantId::new(),
            runner_id: RunnerId::new(),
            credential_id: RunnerCredentialId::new(),
            name: "one".to_owned(),
            pool: "farm".to_owned(),
            agents: Arc::new(BTreeMap::from([(own, "FARM-OPENCODE".to_owned())])),
            request_id: Arc::from("1"),
            address: None,
        };
        let agent = runner.as_agent(own).unwrap();
        assert_eq!((agent.agent_id, agent.runner_id()), (own, Some(runner.runner_id)));
        assert_eq!(agent.name, "FARM-OPENCODE");
        assert!(runner.as_agent(other).is_none());
    }
}
