//! The process of the runner, started as people start it, with a data folder and a repository of its own.

use std::{
    collections::BTreeMap,
    env, fs,
    os::unix::fs::PermissionsExt,
    path::{Path, PathBuf},
    process::Stdio,
    time::Duration,
};

use anyhow::{Context, Result, ensure};
use harness::child_process::root;
use nix::{
    sys::signal::{Signal, kill},
    unistd::Pid,
};
use runner::programs::{AgentProgram, ModelProtocol, ProgramOverlay};
use tempfile::TempDir;
use tokio::{
    process::{Child, Command},
    time::timeout,
};

use super::{acp_agent, plane::Plane};
use crate::process::built;

/// How long the runner may take to end after its last session.
const END_TIME: Duration = Duration::from_mins(1);

/// The folders of the repository, many more than sessions at a time.
const FOLDERS: usize = 64;

/// The name of the agent that costs next to nothing.
pub(super) const SCRIPTED: &str = "scripted";

/// A running runner. It is killed when this is dropped.
pub(super) struct Runner {
    child: Child,
    folder: TempDir,
}

impl Runner {
    /// Starts a runner that offers these programs.
    pub(super) async fn start(plane: &Plane, slots: usize, programs: &[AgentProgram]) -> Result<Self> {
        let folder = make_folder()?;
        let repository = folder.path().join("repository");
        let script = format!(
            "git init -q -b main repository && cd repository && \
             for d in $(seq 0 {}); do mkdir d$d && echo one >d$d/a.txt; done && git add . && \
             git -c user.name=bench -c user.email=bench@ioc.invalid commit -qm first",
            FOLDERS - 1
        );
        run_script(folder.path(), &script).await?;
        let file = folder.path().join("programs.toml");
        fs::write(&file, toml::to_string(&BTreeMap::from([("program", programs)]))?)?;
        let names: Vec<_> = programs.iter().map(|program| program.name.as_str()).collect();
        let mut command = Command::new(built("ioc-runner")?);
        command.args(["start", "--name", "BENCH", "--openai-model", "stub-1", "--slots", &slots.to_string()]);
        command.arg("--program").arg(names.join(",")).arg("--program-file").arg(&file);
        command.arg("--data").arg(folder.path().join("data")).arg("--folders").arg(&repository);
        command.arg("--installed").arg(root().join(".local"));
        command.env_clear().envs(env::vars().filter(|(name, _)| name == "PATH"));
        command.env("RUST_LOG", "warn").env("IOC_URL", plane.url()).env("IOC_KEY", plane.key());
        for provider in ["ANTHROPIC", "OPENAI"] {
            command.env(format!("{provider}_API_KEY"), "none");
            command.env(format!("{provider}_BASE_URL"), plane.model.base_url());
        }
        let child = command.kill_on_drop(true).stdin(Stdio::null()).stdout(Stdio::null()).spawn()?;
        Ok(Self { child, folder })
    }

    pub(super) fn data(&self) -> PathBuf {
        self.folder.path().join("data")
    }

    /// A folder of the repository for the session of this number: two sessions at a time cannot have the same one.
    pub(super) fn session_folder(&self, number: usize) -> String {
        self.folder.path().join("repository").join(format!("d{}", number % FOLDERS)).display().to_string()
    }

    pub(super) fn id(&self) -> Result<Pid> {
        let id = self.child.id().context("the runner has ended")?;
        Ok(Pid::from_raw(i32::try_from(id)?))
    }

    /// Lets the runner end by itself, as a person does.
    pub(super) async fn stop(mut self) -> Result<()> {
        kill(self.id()?, Signal::SIGTERM)?;
        let status = timeout(END_TIME, self.child.wait()).await.context("the runner does not end")??;
        ensure!(status.success(), "the runner ended with {status}");
        Ok(())
    }
}

/// A folder beside the build, which agents of another user may pass. The system's temporary folder is hidden in
/// sandboxes.
pub(super) fn make_folder() -> Result<TempDir> {
    let folder = tempfile::Builder::new().prefix("runner-bench-").tempdir_in(root().join("target"))?;
    fs::set_permissions(folder.path(), fs::Permissions::from_mode(0o755))?;
    Ok(folder)
}

/// Runs a script of the shell with git as a newly installed machine has it.
pub(super) async fn run_script(folder: &Path, script: &str) -> Result<()> {
    let mut command = Command::new("sh");
    command
        .args(["-ec", script])
        .current_dir(folder)
        .env("GIT_CONFIG_GLOBAL", "/dev/null")
        .env("GIT_CONFIG_NOSYSTEM", "1");
    let output = command.stdin(Stdio::null()).output().await?;
    ensure!(output.status.success(), "{script}: {}", String::from_utf8_lossy(&output.stderr));
    Ok(())
}

/// This program as an agent.
pub(super) fn scripted_program() -> Result<AgentProgram> {
    let own = env::current_exe()?;
    let environment = [("MODEL_URL", "{base_url}"), ("MODEL", "{model}")];
    Ok(AgentProgram {
        name: SCRIPTED.to_owned(),
        version: None,
        command: vec![own.display().to_string(), acp_agent::MODE.to_owned()],
        arguments: Vec::new(),
        environment: environment.map(|(name, value)| (name.to_owned(), value.to_owned())).into(),
        files: BTreeMap::new(),
        asking: ProgramOverlay::default(),
        read_only: vec![own],
        protocol: ModelProtocol::OpenaiChat,
        mode: None,
        configures_tools: false,
    })
}
