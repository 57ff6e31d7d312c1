//! A private runner: it claims sessions of this host, and runs coding agents in sandboxes.

use std::{
    ffi::OsString,
    fs,
    path::{Path, PathBuf},
    time::Duration,
};

use anyhow::{Context, Result};
use nix::sys::signal::Signal;

use super::{Program, Service};
use crate::paths;

/// What it logs once its programs are registered and it claims work.
const READY: &str = "takes work";

/// What makes its programs agents of the name `LOCAL-<PROGRAM>`.
pub const RUNNER_NAME: &str = "LOCAL";

/// The options of a private runner.
#[derive(Clone, Debug)]
pub struct RunnerOptions {
    /// The control plane that it works for.
    pub url: String,
    /// The key of a lead there, with which it registers.
    pub key: String,
    /// The folder of its mirrors and workspaces; by default a temporary one.
    pub data: Option<PathBuf>,
    /// The file of its log; by default beside its data.
    pub log: Option<PathBuf>,
    /// The keys and addresses of the models, and the default models, as the variables of the runner.
    pub model_environment: Vec<(OsString, OsString)>,
    /// The folders that a session's `workspace.directory` may lie in, separated by colons.
    pub directories: OsString,
    /// The programs that it offers; by default all that are installed and have a model.
    pub programs: Vec<String>,
    /// The number of sessions at once; by default what the machine bears.
    pub slots: Option<usize>,
}

/// A runner of our own.
#[derive(Debug)]
pub struct Runner {
    service: Service,
}

impl Runner {
    /// Starts one and waits until it claims work.
    pub async fn start(options: &RunnerOptions) -> Result<Self> {
        let folder = options.data.clone().map_or_else(|| paths::temporary("runner"), Ok)?;
        open_for_agents(&folder)?;
        let service = Service::new(Program {
            name: "the runner",
            command: vec![paths::runner()?.into(), "start".into()],
            environment: environment(options, &folder),
            log: options.log.clone().unwrap_or_else(|| folder.join("log")),
            stop: Signal::SIGTERM,
            // Sessions that it leaves are claimed again at the next start.
            grace: Duration::from_secs(5),
            account: None,
            remove: options.data.is_none().then(|| folder.clone()),
            folder,
        });
        let runner = Self { service };
        runner.restart().await?;
        Ok(runner)
    }

    /// What it said at its start: its isolation, its slots and its programs.
    pub async fn introduction(&self) -> Vec<String> {
        let running = self.service.running.lock().await;
        let log = running.as_ref().map(super::child::Supervised::log).unwrap_or_default();
        log.lines().filter_map(|line| line.split_once("runner: ")).map(|(_, said)| said.to_owned()).collect()
    }

    /// Starts it again on the same data, stopping it first where it runs.
    pub async fn restart(&self) -> Result<()> {
        self.service.start(Duration::from_mins(1), |child| std::future::ready(child.log().contains(READY))).await
    }

    /// Ends it and all its agents, as a power cut would.
    pub async fn kill(&self) {
        self.service.kill().await;
    }

    pub async fn stop(&self) {
        self.service.stop().await;
    }

    pub async fn signal(&self, signal: Signal) -> Result<()> {
        self.service.signal(signal).await
    }

    pub async fn runs(&self) -> bool {
        self.service.runs().await
    }
}

/// The user of the agents passes through the folder to the workspaces, and cannot list it.
fn open_for_agents(folder: &Path) -> Result<()> {
    let open = || {
        fs::create_dir_all(folder)?;
        fs::set_permissions(folder, std::os::unix::fs::PermissionsExt::from_mode(0o711))
    };
    open().with_context(|| format!("{} cannot be prepared", folder.display()))
}

fn environment(options: &RunnerOptions, folder: &Path) -> Vec<(OsString, OsString)> {
    let mut all = paths::environment();
    let mut set = |name: &str, value: OsString| all.push((name.into(), value));
    set("PATH", paths::path());
    set("NO_COLOR", "1".into());
    set("IOC_URL", options.url.clone().into());
    set("IOC_KEY", options.key.clone().into());
    set("RUNNER_NAME", RUNNER_NAME.into());
    set("RUNNER_DATA", folder.into());
    set("RUNNER_INSTALLED", paths::installed().into());
    set("RUNNER_FOLDERS", options.directories.clone());
    if let Some(slots) = options.slots {
        set("RUNNER_SLOTS", slots.to_string().into());
    }
    if !options.programs.is_empty() {
        set("RUNNER_PROGRAMS", options.programs.join(",").into());
    }
    if let Some(bubblewrap) = paths::bubblewrap() {
        set("RUNNER_BUBBLEWRAP", bubblewrap);
    }
    all.extend(options.model_environment.clone());
    all
}
