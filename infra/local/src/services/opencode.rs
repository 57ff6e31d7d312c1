//! A private OpenCode server: its own data, no fetches of its own, settings that never leave a run hanging.
//!
//! Its sessions belong to the process that made them: never start two on the same data.

use std::{
    ffi::OsString,
    fs,
    path::{Path, PathBuf},
    time::Duration,
};

use anyhow::{Context, Result};
use nix::sys::signal::Signal;
use serde_json::{Value, json};

use super::{Program, Service, kept_secret, on_free_port};
use crate::paths;

/// The user name that its server expects.
pub const USER: &str = "opencode";

/// What it prints when it can be used; its port listens a little earlier, and a request then is never answered.
const READY: &str = "server listening on";

/// How it is to run.
#[derive(Clone, Debug)]
pub struct OpenCodeOptions {
    /// Where its sessions are kept; temporary when absent.
    pub data: Option<PathBuf>,
    /// Its port; a free one when absent.
    pub port: Option<u16>,
    /// Where its log goes; beside its data when absent.
    pub log: Option<PathBuf>,
    pub model: Model,
    /// Its `permission` setting, such as `{"bash": "ask"}`; what is left out is as in [`permissions`].
    pub permission: Value,
    /// Whether it keeps snapshots of its own, which costs about 0.3 s for each turn. Diffs come from git.
    pub snapshot: bool,
    /// Further environment of the server.
    pub environment: Vec<(OsString, OsString)>,
}

/// Which model thinks.
#[derive(Clone, Debug)]
pub enum Model {
    /// The scripted one at this base URL, under the names `stub/stub-1` and `stub/stub-2`.
    Scripted { base_url: String },
    /// The user's own.
    Own(OwnModel),
}

/// What the user has set up for a model of their own.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct OwnModel {
    /// The file of their OpenCode configuration.
    pub config: Option<PathBuf>,
    /// The content of their OpenCode credentials.
    pub credentials: Option<String>,
    /// The variables that hold their keys, and the providers that these are for.
    pub keys: Vec<(OsString, OsString)>,
    pub providers: Vec<&'static str>,
    /// The model to use where a session names none, such as `anthropic/claude-sonnet-4-5`.
    pub model: Option<String>,
}

impl OpenCodeOptions {
    pub fn new(model: Model) -> Self {
        let (data, port, log) = (None, None, None);
        Self { data, port, log, model, permission: json!({}), snapshot: false, environment: Vec::new() }
    }
}

/// An OpenCode server of our own.
#[derive(Debug)]
pub struct OpenCode {
    service: Service,
    port: u16,
    password: String,
}

impl OpenCode {
    /// Starts one and waits until it answers.
    pub async fn start(options: &OpenCodeOptions) -> Result<Self> {
        on_free_port(options.port, async |port| {
            let opencode = Self::prepare(options, port)?;
            opencode.restart().await?;
            Ok(opencode)
        })
        .await
    }

    fn prepare(options: &OpenCodeOptions, port: u16) -> Result<Self> {
        let program = paths::opencode()?;
        let folder = options.data.clone().map_or_else(|| paths::temporary("opencode"), Ok)?;
        paths::private(&folder)?;
        seed(&folder).with_context(|| format!("{} cannot be written", folder.display()))?;
        let password = kept_secret(&folder.join("password"))?;
        let mut command: Vec<OsString> = vec![program.into(), "serve".into(), "--port".into(), port.to_string().into()];
        command.extend(["--hostname", "127.0.0.1", "--print-logs", "--log-level", "INFO"].map(OsString::from));
        let service = Service::new(Program {
            name: "OpenCode",
            command,
            environment: environment(&folder, &password, options),
            log: options.log.clone().unwrap_or_else(|| folder.join("log")),
            stop: Signal::SIGTERM,
            grace: Duration::from_secs(5),
            account: None,
            remove: options.data.is_none().then(|| folder.clone()),
            folder,
        });
        Ok(Self { service, port, password })
    }

    pub fn url(&self) -> String {
        format!("http://127.0.0.1:{}", self.port)
    }

    /// The password of [`USER`].
    pub fn password(&self) -> &str {
        &self.password
    }

    pub fn port(&self) -> u16 {
        self.port
    }

    /// Starts it again on the same port and data, stopping it first where it runs.
    pub async fn restart(&self) -> Result<()> {
        let health = format!("{}/global/health", self.url());
        let http = reqwest::Client::builder().no_proxy().timeout(Duration::from_secs(2)).build()?;
        let answers = async |listens: bool| {
            let asked = http.get(&health).basic_auth(USER, Some(&self.password));
            listens && asked.send().await.is_ok_and(|answer| answer.status().is_success())
        };
        self.service.start(Duration::from_mins(1), |child| answers(child.log().contains(READY))).await
    }

    /// Ends it and all that its tools have started, as a power cut would.
    pub async fn kill(&self) {
        self.service.kill().await;
    }

    /// Ends it; it drains nothing.
    pub async fn stop(&self) {
        self.service.stop().await;
    }

    /// Sends it a signal, such as SIGSTOP to make it hang and SIGCONT to let it go on.
    pub async fn signal(&self, signal: Signal) -> Result<()> {
        self.service.signal(signal).await
    }

    pub async fn runs(&self) -> bool {
        self.service.runs().await
    }
}

/// The permissions of a run that nobody watches: everything in its workspace, nothing that would wait for an answer.
pub fn permissions() -> Value {
    json!({
        "edit": "allow", "bash": "allow", "webfetch": "deny", "external_directory": "deny", "question": "deny",
        "doom_loop": "deny", "read": {"*": "allow", "*.env": "deny"},
    })
}

/// Makes its folders. An empty `node_modules` with a lock file keeps it from installing a package into its configuration.
fn seed(folder: &Path) -> std::io::Result<()> {
    let configuration = folder.join("config/opencode");
    fs::create_dir_all(configuration.join("node_modules"))?;
    fs::create_dir_all(folder.join("home"))?;
    let lock = json!({"packages": {"": {"dependencies": {"@opencode-ai/plugin": "*"}}}});
    fs::write(configuration.join("package-lock.json"), lock.to_string())
}

fn environment(folder: &Path, password: &str, options: &OpenCodeOptions) -> Vec<(OsString, OsString)> {
    let mut all: Vec<(OsString, OsString)> = paths::environment();
    let mut set = |name: &str, value: OsString| all.push((name.into(), value));
    set("PATH", path());
    for (name, place) in [
        ("XDG_CONFIG_HOME", "config"),
        ("XDG_DATA_HOME", "data"),
        ("XDG_STATE_HOME", "state"),
        ("XDG_CACHE_HOME", "cache"),
        // HOME stays the user's: the tools that an agent runs find their own settings there.
        ("OPENCODE_TEST_HOME", "home"),
    ] {
        set(name, folder.join(place).into());
    }
    for switch in SWITCHES {
        set(switch, "1".into());
    }
    set("OPENCODE_SERVER_PASSWORD", password.into());
    set("OPENCODE_CONFIG_CONTENT", configuration(options).to_string().into());
    set("GIT_TERMINAL_PROMPT", "0".into());
    if let Model::Own(own) = &options.model {
        if let Some(file) = &own.config {
            set("OPENCODE_CONFIG", file.into());
        }
        if let Some(content) = &own.credentials {
            set("OPENCODE_AUTH_CONTENT", content.into());
        }
        all.extend(own.keys.clone());
    }
    all.extend(options.environment.clone());
    all
}

/// Whatever it would fetch or take in by itself.
const SWITCHES: [&str; 9] = [
    "OPENCODE_DISABLE_MODELS_FETCH",
    "OPENCODE_DISABLE_AUTOUPDATE",
    "OPENCODE_DISABLE_LSP_DOWNLOAD",
    "OPENCODE_PURE",
    "OPENCODE_DISABLE_DEFAULT_PLUGINS",
    "OPENCODE_DISABLE_EXTERNAL_SKILLS",
    "OPENCODE_DISABLE_CLAUDE_CODE",
    "OPENCODE_DISABLE_EMBEDDED_WEB_UI",
    // A repository that an agent works on must not change the rules that it works under.
    "OPENCODE_DISABLE_PROJECT_CONFIG",
];

/// The PATH, with our ripgrep at its end for machines that have none.
fn path() -> OsString {
    let own = paths::path();
    let folders = std::env::split_paths(&own).chain(paths::ripgrep());
    std::env::join_paths(folders).unwrap_or(own)
}

/// Its settings, which win over every file.
fn configuration(options: &OpenCodeOptions) -> Value {
    let mut permission = permissions();
    if let (Some(all), Some(given)) = (permission.as_object_mut(), options.permission.as_object()) {
        all.extend(given.clone());
    }
    let mut settings = json!({
        "autoupdate": false, "share": "disabled", "snapshot": options.snapshot, "lsp": false, "formatter": false,
        "permission": permission,
    });
    match &options.model {
        Model::Scripted { base_url } => {
            settings["provider"] = json!({"stub": scripted_provider(base_url)});
            settings["enabled_providers"] = json!(["stub"]);
            settings["model"] = "stub/stub-1".into();
            settings["small_model"] = "stub/stub-1".into();
        }
        Model::Own(own) => {
            if own.config.is_none() && own.credentials.is_none() {
                settings["enabled_providers"] = json!(own.providers);
            }
            if let Some(model) = &own.model {
                settings["model"] = model.as_str().into();
            }
        }
    }
    settings
}

fn scripted_provider(base_url: &str) -> Value {
    let model = |name: &str| {
        let cost = json!({"input": 2, "output": 10, "cache_read": 0.5, "cache_write": 1});
        json!({"name": name, "tool_call": true, "limit": {"context": 128_000, "output": 8192}, "cost": cost})
    };
    json!({
        "name": "Scripted model", "npm": "@ai-sdk/openai-compatible",
        "options": {"baseURL": base_url, "apiKey": "none"},
        "models": {"stub-1": model("Scripted 1"), "stub-2": model("Scripted 2")},
    })
}
