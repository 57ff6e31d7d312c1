//! The runtimes of this process: those of the platform's own agents, by name, and those that speak to the agents of tenants,
//! by kind.

use std::{collections::HashMap, sync::Arc};

use crate::{
    app::App,
    error::{Code, Error, Result},
    id::AgentId,
    runtime::AgentRuntime,
};

use super::{Capability, Contact, Kind};

/// An agent of the platform, offered to every tenant.
#[derive(Clone)]
pub struct PlatformAgent {
    pub name: String,
    pub kind: Kind,
    /// Sessions at once over all tenants; none = any number.
    pub capacity: Option<i32>,
    /// None in a function that speaks to no agent.
    pub runtime: Option<Arc<dyn AgentRuntime>>,
}

/// The agents that this process can speak to, by name.
#[derive(Clone, Default)]
pub struct Agents {
    by_name: HashMap<String, PlatformAgent>,
    by_kind: HashMap<Kind, Arc<dyn AgentRuntime>>,
    /// Preferred for sessions that name no agent and prefer none.
    pub default: Option<String>,
}

impl Agents {
    pub fn new(agents: Vec<PlatformAgent>, default: Option<String>) -> Self {
        let by_name = agents.into_iter().map(|agent| (agent.name.clone(), agent)).collect();
        Self { by_name, by_kind: HashMap::new(), default }
    }

    /// The same, with the runtime for the agents of tenants that are of this kind.
    #[must_use]
    pub fn speaking(mut self, kind: Kind, runtime: Arc<dyn AgentRuntime>) -> Self {
        self.by_kind.insert(kind, runtime);
        self
    }

    /// The runtime of an agent.
    pub fn runtime(&self, agent: &Contact) -> Result<Arc<dyn AgentRuntime>> {
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

/// Writes the platform's agents down, so that sessions can refer to them and their capacity is counted.
pub async fn register(app: &App) -> Result<()> {
    for agent in app.agents.by_name.values() {
        // They are general: what they can do is the model's matter.
        let all = Capability::ALL.map(Capability::name);
        let capabilities = if agent.kind == Kind::Manual { Vec::new() } else { all.to_vec() };
        let sql = "select register_platform_agent($1, $2, $3, $4, $5, $6, $7)";
        // Nobody means a script or nobody at all unless they say so.
        let plays = matches!(agent.kind, Kind::Manual | Kind::Scripted);
        let routable = !plays || app.agents.default.as_ref() == Some(&agent.name);
        let id = AgentId::new();
        app.db
            .directory(
                sql,
                &[&id, &agent.name, &agent.kind.name(), &agent.capacity, &capabilities, &routable, &app.clock.now()],
            )
            .await?;
    }
    Ok(())
}
