//! Agents as the scheduler knows them: a name, a kind, a capacity, and the runtime that speaks to them.

use std::{collections::HashMap, sync::Arc};

use crate::{
    app::App,
    error::{Code, Error, Result},
    id::AgentId,
    runtime::AgentRuntime,
};

/// An agent of the platform, offered to every tenant.
#[derive(Clone)]
pub struct PlatformAgent {
    pub name: String,
    /// opencode, scripted or manual.
    pub kind: &'static str,
    /// Sessions at once over all tenants; none = any number.
    pub capacity: Option<i32>,
    /// None in a function that speaks to no agent.
    pub runtime: Option<Arc<dyn AgentRuntime>>,
}

/// The agents of the platform, by name.
#[derive(Clone, Default)]
pub struct Agents {
    by_name: HashMap<String, PlatformAgent>,
    /// Where sessions go that name no agent.
    pub default: String,
}

impl Agents {
    /// The first is the default unless `default` names another.
    pub fn new(agents: Vec<PlatformAgent>, default: Option<String>) -> Self {
        let default = default.or_else(|| agents.first().map(|agent| agent.name.clone())).unwrap_or_default();
        Self { by_name: agents.into_iter().map(|agent| (agent.name.clone(), agent)).collect(), default }
    }

    /// The runtime of an agent.
    pub fn runtime(&self, name: &str) -> Result<Arc<dyn AgentRuntime>> {
        self.by_name.get(name).and_then(|agent| agent.runtime.clone()).ok_or_else(|| {
            Error::new(Code::AgentUnavailable, format!("The agent {name} is not configured on this server."))
        })
    }

    pub fn names(&self) -> Vec<&str> {
        let mut names: Vec<_> = self.by_name.keys().map(String::as_str).collect();
        names.sort_unstable();
        names
    }
}

/// Writes the platform's agents down, so that sessions can refer to them and their capacity is counted.
pub async fn register(app: &App) -> Result<()> {
    for agent in app.agents.by_name.values() {
        let sql = "select register_platform_agent($1, $2, $3, $4, $5)";
        let id = AgentId::new();
        app.db.directory(sql, &[&id, &agent.name, &agent.kind, &agent.capacity, &app.clock.now()]).await?;
    }
    Ok(())
}
