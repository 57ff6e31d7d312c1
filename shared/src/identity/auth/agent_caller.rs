//! Agents as callers: with a token of their own, or by a runner of their pool.

use std::sync::Arc;

use crate::kernel::{
    actor::{Actor, ActorKind, By},
    id::{AgentId, AgentTokenId, RunnerId, TenantId},
};

/// An agent outside the platform. It has no role: it may call only the agent endpoints.
#[derive(Clone, Debug)]
pub struct AgentCaller {
    pub tenant_id: TenantId,
    pub agent_id: AgentId,
    pub credential: AgentCredential,
    pub name: String,
    pub request_id: Arc<str>,
    pub address: Option<Arc<str>>,
}

/// With what a call of an agent came.
#[derive(Clone, Copy, Debug)]
pub enum AgentCredential {
    /// The agent's own token.
    Token {
        id: AgentTokenId,
        /// Whether it was never used before.
        is_new: bool,
    },
    /// The credential of a runner of its pool, which works as the agent.
    Runner(RunnerId),
}

impl AgentCaller {
    /// The runner that works as the agent; `None` for an agent with a token of its own.
    pub const fn runner_id(&self) -> Option<RunnerId> {
        match self.credential {
            AgentCredential::Token { .. } => None,
            AgentCredential::Runner(id) => Some(id),
        }
    }
}

impl From<&AgentCaller> for By {
    fn from(caller: &AgentCaller) -> Self {
        let actor = Actor { kind: ActorKind::Agent, id: caller.agent_id.to_string(), name: caller.name.clone() };
        Self { actor, request_id: Some(caller.request_id.clone()), address: caller.address.clone() }
    }
}
