//! The environment of a task, and the secrets that it names.

use std::{collections::BTreeMap, fmt};

use serde::Deserialize;
use serde_json::{Value, json};

/// Where and with what a session works.
#[derive(Clone, Debug, Default, Deserialize)]
#[serde(default)]
pub struct TaskEnvironment {
    /// The name, for people.
    pub name: String,
    /// The first without a path is the work tree, unless the session has a workspace of its own.
    pub repositories: Vec<TaskRepository>,
    /// What prepares the workspace.
    pub setup: Option<SetupScript>,
    /// Variables of the set-up and of the agent.
    pub variables: BTreeMap<String, String>,
    /// The names of secrets, whose values are asked for apart.
    pub secrets: Vec<String>,
    /// What the network of its sessions reaches.
    pub network: Option<TaskNetwork>,
    /// MCP servers beside the runner's own.
    pub mcp_servers: Vec<EnvironmentMcpServer>,
    /// Text for the agent beside the prompt.
    pub rules: String,
    /// `none`, `process` or `sandbox`.
    pub minimum_isolation: Option<String>,
    /// The program that is to work.
    pub agent: Option<EnvironmentAgent>,
}

/// A repository of an environment.
#[derive(Clone, Debug, Default, Deserialize)]
#[serde(default)]
pub struct TaskRepository {
    pub url: String,
    #[serde(rename = "ref")]
    pub reference: Option<String>,
    /// The folder of the work tree.
    pub path: Option<String>,
}

/// An MCP server: a program that the agent starts, or a URL.
#[derive(Clone, Debug, Default, Deserialize)]
#[serde(default)]
pub struct EnvironmentMcpServer {
    pub name: String,
    pub command: Option<String>,
    pub arguments: Vec<String>,
    pub variables: BTreeMap<String, String>,
    pub url: Option<String>,
    pub headers: BTreeMap<String, String>,
}

/// A script that prepares the workspace.
#[derive(Clone, Debug, Deserialize)]
pub struct SetupScript {
    pub script: String,
    pub timeout_seconds: u64,
}

/// What the network of a session reaches: `none`, `allowlist` (of the domains) or `open`.
#[derive(Clone, Debug, Default, Deserialize)]
#[serde(default)]
pub struct TaskNetwork {
    /// What the set-up script reaches.
    pub setup: String,
    /// What the agent reaches.
    pub agent: String,
    /// The domains of `allowlist`.
    pub domains: Vec<String>,
}

impl TaskNetwork {
    /// The policy for the set-up script, in the form in which a session writes one.
    pub fn setup_policy(&self) -> Value {
        self.policy(&self.setup)
    }

    /// The policy for the agent, in the form in which a session writes one.
    pub fn agent_policy(&self) -> Value {
        self.policy(&self.agent)
    }

    /// The domains belong to the mode `allowlist` alone.
    fn policy(&self, mode: &str) -> Value {
        if mode == "allowlist" { json!({"mode": mode, "domains": self.domains}) } else { json!({"mode": mode}) }
    }
}

/// The program that is to work, and its settings.
#[derive(Clone, Debug, Default, Deserialize)]
#[serde(default)]
pub struct EnvironmentAgent {
    pub program: Option<String>,
    pub mode: Option<String>,
}

/// The secrets of a task.
#[derive(Clone, Debug, Default, Deserialize)]
pub struct TaskSecrets {
    #[serde(default)]
    pub secrets: Vec<TaskSecret>,
    /// The names for which nobody set a secret.
    #[serde(default)]
    pub missing: Vec<String>,
}

/// A secret with its value, which is never printed.
#[derive(Clone, Default, Deserialize)]
pub struct TaskSecret {
    pub name: String,
    pub value: String,
    /// `setup`, `agent` or `both`.
    #[serde(default)]
    pub phase: String,
    /// `plain`, `git` or `provider`.
    #[serde(default)]
    pub kind: String,
    pub host: Option<String>,
    pub username: Option<String>,
    pub provider: Option<String>,
}

impl fmt::Debug for TaskSecret {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(formatter, "TaskSecret({} {} {})", self.name, self.kind, self.phase)
    }
}
