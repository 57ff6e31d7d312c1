//! The specification of an environment: where and with what its sessions work. It is stored as JSON, shown by the API,
//! and sent to agents in the same form.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use crate::agents::registry::string_enum;

/// The most seconds that a set-up script may take, and how many it may take unless the environment says otherwise.
pub const MAX_SETUP_SECONDS: i32 = 3600;
pub const DEFAULT_SETUP_SECONDS: i32 = 300;

/// Where and with what the sessions of an environment work.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, ToSchema)]
#[serde(default)]
pub struct EnvironmentSpec {
    /// The repositories. The first without a path is the work tree.
    pub repositories: Vec<EnvironmentRepository>,
    /// The script that prepares the workspace before the agent starts; null without one.
    pub setup: Option<SetupScript>,
    /// Variables of the agent and of the set-up script.
    pub variables: BTreeMap<String, String>,
    /// The names of the secrets that sessions receive.
    pub secrets: Vec<String>,
    /// What the network of a session reaches.
    pub network: NetworkPolicy,
    /// MCP servers that the agent can use.
    pub mcp_servers: Vec<EnvironmentMcpServer>,
    /// Text that is added to the agent's instructions.
    pub rules: String,
    /// The largest number of CPUs; null means the default.
    pub cpu: Option<f64>,
    /// The largest amount of memory in MiB; null means the default.
    pub memory_mb: Option<i32>,
    /// The weakest isolation that sessions accept.
    pub minimum_isolation: MinimumIsolation,
    /// The program that works, and its settings; null leaves the choice to the runner.
    pub agent: Option<EnvironmentAgent>,
}

/// A repository of an environment.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct EnvironmentRepository {
    /// An https or ssh git URL to be cloned, without credentials.
    #[schema(max_length = 2048)]
    pub url: String,
    /// The branch, tag or commit to start from. Default: the default branch of the repository.
    #[serde(default, rename = "ref", skip_serializing_if = "Option::is_none")]
    #[schema(max_length = 255)]
    pub reference: Option<String>,
    /// The folder of the work tree that it is cloned into. One repository at most has none: it is the work tree.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schema(max_length = 1024)]
    pub path: Option<String>,
}

/// A script that prepares the workspace.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct SetupScript {
    /// The script, which `sh` runs in the work tree. A failure ends the session.
    #[schema(min_length = 1, max_length = 65536)]
    pub script: String,
    /// How many seconds it may take. Default: 300.
    #[serde(default = "default_setup_seconds")]
    #[schema(minimum = 1, maximum = 3600)]
    pub timeout_seconds: i32,
}

const fn default_setup_seconds() -> i32 {
    DEFAULT_SETUP_SECONDS
}

string_enum! {
    /// What a part of a session reaches over the network.
    NetworkMode {
        /// Nothing but the model.
        None "none"
        /// The listed domains.
        Allowlist "allowlist"
        /// The public internet.
        Open "open"
    }
}

/// What a session reaches over the network.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, ToSchema)]
#[serde(default, deny_unknown_fields)]
pub struct NetworkPolicy {
    /// What the set-up script reaches. Default: `open`.
    pub setup: NetworkMode,
    /// What the agent reaches. Default: `none`.
    pub agent: NetworkMode,
    /// The domains of `allowlist`, such as `example.com` or `*.example.com`.
    #[schema(max_items = 100)]
    pub domains: Vec<String>,
}

impl Default for NetworkPolicy {
    fn default() -> Self {
        Self { setup: NetworkMode::Open, agent: NetworkMode::None, domains: Vec::new() }
    }
}

/// An MCP server: a program in the sandbox, or a URL.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct EnvironmentMcpServer {
    /// The name, unique in the environment.
    #[schema(pattern = "^[A-Za-z0-9][A-Za-z0-9_-]{0,49}$")]
    pub name: String,
    /// The program to start in the sandbox. A server has this or a URL.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schema(max_length = 1024)]
    pub command: Option<String>,
    /// The arguments of the program.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    #[schema(max_items = 50)]
    pub arguments: Vec<String>,
    /// The variables of the program.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub variables: BTreeMap<String, String>,
    /// The https URL of a server that speaks streamable HTTP.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schema(max_length = 2000)]
    pub url: Option<String>,
    /// The headers of calls to the URL. They are no place for secrets: members can read them.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub headers: BTreeMap<String, String>,
}

string_enum! {
    /// The weakest isolation that the sessions of an environment accept.
    MinimumIsolation {
        None "none"
        Process "process"
        Sandbox "sandbox"
    }
}

#[expect(clippy::derivable_impls, reason = "the enum is declared by a macro that derives the same for all")]
impl Default for MinimumIsolation {
    fn default() -> Self {
        Self::None
    }
}

/// The program that works in an environment, and its settings.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct EnvironmentAgent {
    /// The program, such as `opencode`. Sessions that name no agent are routed to agents that have it as a skill.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schema(pattern = "^[a-z][a-z0-9_-]{0,49}$")]
    pub program: Option<String>,
    /// The model of sessions that name none, as `provider/model`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schema(max_length = 200)]
    pub model: Option<String>,
    /// The mode of the program that sessions begin in.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schema(min_length = 1, max_length = 100)]
    pub mode: Option<String>,
    /// What the agent may do without asking, by kind of tool.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub permissions: BTreeMap<ToolKind, Permission>,
}

string_enum! {
    /// A kind of tool; `default` stands for all that are not named.
    ToolKind {
        Default "default"
        Read "read"
        Edit "edit"
        Delete "delete"
        Move "move"
        Search "search"
        Execute "execute"
        Think "think"
        Fetch "fetch"
        Other "other"
    }
}

string_enum! {
    /// Whether an agent may use a kind of tool.
    #[schema(as = ToolPermission)]
    Permission {
        Allow "allow"
        /// The session pauses until a person has decided.
        Ask "ask"
        Deny "deny"
    }
}
