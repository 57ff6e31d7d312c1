//! The runtimes of this process: those of the platform's agents by name, and those for agents of tenants by kind.

use std::{collections::HashMap, sync::Arc};

use crate::{
    agents::contract::AgentRuntime,
    kernel::error::{Code, Error, Result},
};

use super::{AgentEndpoint, Kind};

/// An agent of the platform, offered to every tenant.
#[derive(Clone)]
pub struct PlatformAgent {
    pub name: String,
    pub kind: Kind,
    /// The most concurrent sessions over all tenants; `None` = unlimited.
    pub capacity: Option<i32>,
    /// `None` in a function that calls no agent.
    pub runtime: Option<Arc<dyn AgentRuntime>>,
}

/// The agents that this process can call.
#[derive(Clone, Default)]
pub struct Runtimes {
    pub(super) by_name: HashMap<String, PlatformAgent>,
    by_kind: HashMap<Kind, Arc<dyn AgentRuntime>>,
    /// Preferred for sessions that name no agent and prefer none.
    pub default: Option<String>,
}

impl Runtimes {
    pub fn new(agents: Vec<PlatformAgent>, default: Option<String>) -> Self {
        let by_name = agents.into_iter().map(|agent| (agent.name.clone(), agent)).collect();
        Self { by_name, by_kind: HashMap::new(), default }
    }

    /// Adds the runtime for tenants' agents of this kind.
    #[must_use]
    pub fn with_kind(mut self, kind: Kind, runtime: Arc<dyn AgentRuntime>) -> Self {
        self.by_kind.insert(kind, runtime);
        self
    }

    /// The runtime of an agent.
    pub fn runtime(&self, agent: &AgentEndpoint) -> Result<Arc<dyn AgentRuntime>> {
        let runtime = match agent.tenant_id {
            None => self.by_name.get(&agent.name).and_then(|agent| agent.runtime.as_ref()),
            Some(_) => self.by_kind.get(&agent.kind),
        };
        runtime.cloned().ok_or_else(|| {
            let detail = format!("The agent {} is not configured on this server.", agent.name);
            Error::new(Code::AgentUnavailable, detail)
        })
    }
}
