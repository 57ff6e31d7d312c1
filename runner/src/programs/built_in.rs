//! The programs that a runner knows without a file.

use std::{
    collections::BTreeMap,
    fs,
    path::{Path, PathBuf},
};

use super::program::{AgentProgram, ModelProtocol, ProgramOverlay};

/// Where programs look for others. It names nothing of a user's own.
const PATH: &str = "/usr/local/bin:/usr/bin:/bin";

/// For how many seconds a call of a tool may wait for a person: a week.
const PATIENCE_SECONDS: u32 = 604_800;

/// The locations of the programs on this machine. A program without one is left out of [`built_in_programs`].
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct ProgramLocations {
    /// The program of OpenCode.
    pub opencode: Option<PathBuf>,
    /// The folder of ripgrep, which OpenCode would otherwise fetch.
    pub ripgrep: Option<PathBuf>,
    /// A Node of version 22 or later.
    pub node: Option<PathBuf>,
    /// The entry file of `@agentclientprotocol/claude-agent-acp`.
    pub claude: Option<PathBuf>,
    /// The program of `@zed-industries/codex-acp`.
    pub codex: Option<PathBuf>,
}

impl ProgramLocations {
    /// Finds what `make setup` and `make setup-test` install into a folder `.local`.
    pub fn find_below(local: &Path) -> Self {
        let opencode = local.join("opencode/node_modules");
        let agents = local.join("agents/node_modules");
        Self {
            opencode: find_file(&opencode, "opencode-", "bin/opencode"),
            ripgrep: find_file(&opencode.join("@vscode"), "ripgrep-", "bin/rg")
                .and_then(|program| program.parent().map(Path::to_path_buf)),
            node: find_file(&agents, "node-", "bin/node"),
            claude: find_file(&agents.join("@agentclientprotocol"), "claude-agent-acp", "dist/index.js"),
            codex: find_file(&agents.join("@zed-industries"), "codex-acp-", "bin/codex-acp"),
        }
    }
}

/// The file in the first folder whose name begins so: packages are named by their platform, and only ours is there.
fn find_file(base: &Path, beginning: &str, file: &str) -> Option<PathBuf> {
    let folders = fs::read_dir(base).into_iter().flatten().filter_map(Result::ok);
    let begins = folders.filter(|folder| folder.file_name().to_string_lossy().starts_with(beginning));
    let mut files: Vec<_> = begins.map(|folder| folder.path().join(file)).filter(|file| file.is_file()).collect();
    files.sort();
    files.into_iter().next()
}

/// OpenCode (`opencode`), Claude Code (`claude`) and Codex (`codex`), as far as their programs are there.
pub fn built_in_programs(locations: &ProgramLocations) -> Vec<AgentProgram> {
    [opencode(locations), claude(locations), codex(locations)].into_iter().flatten().collect()
}

fn texts(pairs: &[(&str, &str)]) -> BTreeMap<String, String> {
    pairs.iter().map(|(name, text)| ((*name).to_owned(), (*text).to_owned())).collect()
}

fn text_of(path: &Path) -> String {
    path.to_string_lossy().into_owned()
}

/// The folder of npm's packages around a file. It is needed whole: Node finds packages by the name of this folder.
fn packages_around(file: &Path) -> PathBuf {
    let found = file.ancestors().find(|folder| folder.file_name().is_some_and(|name| name == "node_modules"));
    found.or(file.parent()).unwrap_or(file).to_path_buf()
}

/// The version of the npm package that a file belongs to.
fn read_package_version(file: &Path) -> Option<String> {
    let described = file.ancestors().map(|folder| folder.join("package.json")).find(|path| path.is_file())?;
    let package: serde_json::Value = serde_json::from_str(&fs::read_to_string(described).ok()?).ok()?;
    package["version"].as_str().map(str::to_owned)
}

fn opencode(locations: &ProgramLocations) -> Option<AgentProgram> {
    let program = locations.opencode.clone()?;
    let ripgrep = locations.ripgrep.as_deref();
    let path = ripgrep.map_or_else(|| PATH.to_owned(), |folder| format!("{PATH}:{}", text_of(folder)));
    let mut environment = texts(&[("PATH", &path), ("OPENCODE_CONFIG_CONTENT", OPENCODE_CONFIGURATION)]);
    environment.extend(OPENCODE_SWITCHES.map(|switch| (switch.to_owned(), "1".to_owned())));
    Some(AgentProgram {
        name: "opencode".into(),
        version: read_package_version(&program),
        command: vec![text_of(&program), "acp".into()],
        arguments: Vec::new(),
        environment,
        files: texts(&[
            // These keep it from installing a package into its configuration.
            (".config/opencode/node_modules/.keep", ""),
            (
                ".config/opencode/package-lock.json",
                r#"{"packages": {"": {"dependencies": {"@opencode-ai/plugin": "*"}}}}"#,
            ),
        ]),
        asking: ProgramOverlay {
            environment: texts(&[("OPENCODE_PERMISSION", WITHOUT_SUBAGENTS)]),
            ..ProgramOverlay::default()
        },
        read_only: [Some(packages_around(&program)), ripgrep.map(packages_around)].into_iter().flatten().collect(),
        protocol: ModelProtocol::OpenaiChat,
        mode: None,
        configures_tools: false,
    })
}

/// They keep OpenCode from fetching and from reading configuration by itself.
const OPENCODE_SWITCHES: [&str; 8] = [
    "OPENCODE_DISABLE_MODELS_FETCH",
    "OPENCODE_DISABLE_AUTOUPDATE",
    "OPENCODE_DISABLE_LSP_DOWNLOAD",
    "OPENCODE_PURE",
    "OPENCODE_DISABLE_DEFAULT_PLUGINS",
    "OPENCODE_DISABLE_EXTERNAL_SKILLS",
    "OPENCODE_DISABLE_CLAUDE_CODE",
    // A repository must not change the rules under which an agent works on it.
    "OPENCODE_DISABLE_PROJECT_CONFIG",
];

/// These settings win over every file. `question` would wait for a person, whom ACP cannot ask.
const OPENCODE_CONFIGURATION: &str = r#"{
  "autoupdate": false, "share": "disabled", "snapshot": false, "lsp": false, "formatter": false,
  "experimental": {"mcp_timeout": 604800000},
  "enabled_providers": ["ioc"], "model": "ioc/{model}", "small_model": "ioc/{model}",
  "provider": {"ioc": {
    "name": "ioc", "npm": "@ai-sdk/openai-compatible",
    "options": {"baseURL": "{base_url}/v1", "apiKey": "{api_key_placeholder}"},
    "models": {"{model}": {"name": "{model}", "tool_call": true, "limit": {"context": 128000, "output": 8192}}}
  }},
  "permission": {
    "read": "{permission.read}", "glob": "{permission.search}", "grep": "{permission.search}",
    "edit": "{permission.edit}", "bash": "{permission.execute}", "webfetch": "{permission.fetch}",
    "external_directory": "{permission.other}", "question": "deny", "doom_loop": "deny"
  }
}"#;

/// Over ACP, OpenCode forwards no requests of its subagents: one that has to ask would wait for ever.
const WITHOUT_SUBAGENTS: &str = r#"{"task": "deny"}"#;

fn claude(locations: &ProgramLocations) -> Option<AgentProgram> {
    let (node, program) = (locations.node.clone()?, locations.claude.clone()?);
    let packages = packages_around(&program);
    let mut read_only = vec![packages_around(&node)];
    if !read_only.contains(&packages) {
        read_only.push(packages);
    }
    Some(AgentProgram {
        name: "claude".into(),
        version: read_package_version(&program),
        command: vec![text_of(&node), text_of(&program)],
        arguments: Vec::new(),
        environment: texts(&[
            ("PATH", PATH),
            ("ANTHROPIC_API_KEY", "{api_key_placeholder}"),
            ("ANTHROPIC_BASE_URL", "{base_url}"),
            ("ANTHROPIC_MODEL", "{model}"),
            ("CLAUDE_CODE_DISABLE_NONESSENTIAL_TRAFFIC", "1"),
            ("DISABLE_AUTOUPDATER", "1"),
            ("DISABLE_ERROR_REPORTING", "1"),
            ("DISABLE_TELEMETRY", "1"),
            ("ENABLE_TOOL_SEARCH", "false"),
            ("MCP_TOOL_TIMEOUT", &format!("{PATIENCE_SECONDS}000")),
        ]),
        files: texts(&[(CLAUDE_SETTINGS, r#"{"permissions": {"allow": ["mcp__ioc"]}}"#)]),
        asking: ProgramOverlay {
            environment: BTreeMap::new(),
            files: texts(&[(CLAUDE_SETTINGS, CLAUDE_ASKING_SETTINGS)]),
        },
        read_only,
        protocol: ModelProtocol::Anthropic,
        // The mode in which the agent asks for each permission, so that the policy of the session decides. In its own
        // default a model does.
        mode: Some("default".into()),
        configures_tools: false,
    })
}

const CLAUDE_SETTINGS: &str = ".claude/settings.json";

/// It asks for everything, also for what it otherwise does without, such as reading, and for what the settings of a
/// repository allow: a rule to ask is stronger than one to allow. The policy of the session then decides.
const CLAUDE_ASKING_SETTINGS: &str = r#"{"permissions": {
  "allow": ["mcp__ioc"],
  "ask": ["Bash", "Edit", "Glob", "Grep", "NotebookEdit", "Read", "WebFetch", "WebSearch", "Write"]
}}"#;

fn codex(locations: &ProgramLocations) -> Option<AgentProgram> {
    let program = locations.codex.clone()?;
    Some(AgentProgram {
        name: "codex".into(),
        version: read_package_version(&program),
        command: vec![text_of(&program)],
        arguments: Vec::new(),
        environment: texts(&[
            ("PATH", PATH),
            ("CODEX_HOME", "{home}/.codex"),
            ("IOC_MODEL_KEY", "{api_key_placeholder}"),
            ("IOC_TOOLS_TOKEN", "{tools_token}"),
        ]),
        files: texts(&[(".codex/config.toml", &codex_configuration("never"))]),
        asking: ProgramOverlay {
            environment: BTreeMap::new(),
            files: texts(&[(".codex/config.toml", &codex_configuration("untrusted"))]),
        },
        read_only: vec![packages_around(&program)],
        protocol: ModelProtocol::OpenaiResponses,
        mode: None,
        // Only its file can say how long a call of a tool may take: a person may need a day for an answer.
        configures_tools: true,
    })
}

/// The sandbox of Codex cannot nest in ours. Commands of `unified_exec` would run on when their turn is cancelled.
fn codex_configuration(approval_policy: &str) -> String {
    format!(
        r#"model = "{{model}}"
model_provider = "ioc"
approval_policy = "{approval_policy}"
sandbox_mode = "danger-full-access"
check_for_update_on_startup = false

[analytics]
enabled = false

[features]
unified_exec = false

[model_providers.ioc]
name = "ioc"
base_url = "{{base_url}}/v1"
env_key = "IOC_MODEL_KEY"
wire_api = "responses"

[mcp_servers.ioc]
url = "{{tools_url}}"
bearer_token_env_var = "IOC_TOOLS_TOKEN"
startup_timeout_sec = 30
tool_timeout_sec = {PATIENCE_SECONDS}
supports_parallel_tool_calls = true
default_tools_approval_mode = "approve"
"#
    )
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{
        acp::{PermissionPolicy, PermissionRule, ToolKind},
        mcp::ToolAccess,
        programs::{AgentLaunch, ModelEndpoint, ProgramEndpoints},
    };

    fn locations() -> ProgramLocations {
        let location = |path: &str| Some(PathBuf::from(path));
        ProgramLocations {
            opencode: location("/o/node_modules/opencode-x/bin/opencode"),
            ripgrep: location("/o/node_modules/@vscode/ripgrep-x/bin"),
            node: location("/a/node_modules/node-x/bin/node"),
            claude: location("/a/node_modules/@agentclientprotocol/claude-agent-acp/dist/index.js"),
            codex: location("/a/node_modules/@zed-industries/codex-acp-x/bin/codex-acp"),
        }
    }

    fn prepare(name: &str, policy: &PermissionPolicy, home: &Path) -> AgentLaunch {
        let programs = built_in_programs(&locations());
        let program = programs.iter().find(|program| program.name == name).unwrap();
        let model = ModelEndpoint {
            base_url: "http://127.0.0.1:9".into(),
            model: "m-1".into(),
            api_key_placeholder: "none".into(),
        };
        let tools = ToolAccess { url: "http://127.0.0.1:9/mcp".into(), token: "t-1".into() };
        let endpoints = ProgramEndpoints { model, tools };
        program.prepare(home, Path::new("/home/agent"), &endpoints, policy).unwrap()
    }

    #[test]
    fn a_program_that_is_not_installed_is_left_out() {
        let names = |locations| built_in_programs(&locations).into_iter().map(|one| one.name).collect::<Vec<_>>();
        assert_eq!(names(locations()), ["opencode", "claude", "codex"]);
        assert_eq!(names(ProgramLocations { node: None, opencode: None, ..locations() }), ["codex"]);
    }

    #[test]
    fn the_settings_of_opencode_are_json_with_the_rules_of_the_session() {
        let home = tempfile::tempdir().unwrap();
        let policy = PermissionPolicy::allow_all().with_rule(ToolKind::Execute, PermissionRule::Ask);
        let launch = prepare("opencode", &policy, home.path());
        let settings: serde_json::Value = serde_json::from_str(&launch.environment["OPENCODE_CONFIG_CONTENT"]).unwrap();
        assert_eq!(settings["permission"]["bash"], "ask");
        assert_eq!(settings["permission"]["edit"], "allow");
        assert_eq!(settings["provider"]["ioc"]["options"]["baseURL"], "http://127.0.0.1:9/v1");
        assert_eq!(launch.environment["HOME"], "/home/agent");
    }

    #[test]
    fn codex_asks_only_where_the_policy_does_not_allow_everything() {
        let asks = PermissionPolicy::allow_all().with_rule(ToolKind::Edit, PermissionRule::Ask);
        for (policy, expected) in [(PermissionPolicy::allow_all(), "never"), (asks, "untrusted")] {
            let home = tempfile::tempdir().unwrap();
            prepare("codex", &policy, home.path());
            let file = fs::read_to_string(home.path().join(".codex/config.toml")).unwrap();
            let settings: toml::Table = toml::from_str(&file).unwrap();
            assert_eq!(settings["approval_policy"].as_str(), Some(expected));
            assert_eq!(settings["model"].as_str(), Some("m-1"));
            assert_eq!(settings["mcp_servers"]["ioc"]["url"].as_str(), Some("http://127.0.0.1:9/mcp"));
            assert_eq!(settings["mcp_servers"]["ioc"]["tool_timeout_sec"].as_integer(), Some(604_800));
        }
    }

    #[test]
    fn claude_asks_for_reading_too_where_the_policy_does_not_allow_everything() {
        let asks = PermissionPolicy::allow_all().with_rule(ToolKind::Edit, PermissionRule::Ask);
        for (policy, expected) in [(PermissionPolicy::allow_all(), false), (asks, true)] {
            let home = tempfile::tempdir().unwrap();
            let launch = prepare("claude", &policy, home.path());
            let file = fs::read_to_string(home.path().join(CLAUDE_SETTINGS)).unwrap();
            let settings: serde_json::Value = serde_json::from_str(&file).unwrap();
            let asked = settings["permissions"]["ask"].as_array();
            assert_eq!(asked.is_some_and(|tools| tools.contains(&"Read".into())), expected);
            assert_eq!(settings["permissions"]["allow"][0], "mcp__ioc");
            assert_eq!(launch.environment["MCP_TOOL_TIMEOUT"], "604800000");
        }
    }

    #[test]
    fn a_program_can_read_its_whole_folder_of_packages() {
        let programs = built_in_programs(&locations());
        let read_only = |name: &str| programs.iter().find(|one| one.name == name).unwrap().read_only.clone();
        assert_eq!(read_only("claude"), [PathBuf::from("/a/node_modules")]);
        assert_eq!(read_only("codex"), [PathBuf::from("/a/node_modules")]);
    }
}
