//! Which isolation this machine can give an agent: found by making a sandbox, never by guessing.

use std::{
    path::{Path, PathBuf},
    process::Output,
    time::Duration,
};

use tokio::{net::UnixListener, time::timeout};

use super::{
    command::sandboxed_command,
    error::SandboxError,
    inside::SandboxFacts,
    launcher::spawn_from_lasting_thread,
    ownership::grant_session_folders,
    refusal::{KernelSettings, explain_refusal},
    spec::{AgentProgram, AgentUser, INNER_RUNNER, SandboxLimits, SandboxSpec},
};

/// How long a sandbox may take to report its facts.
const PROBE_TIME: Duration = Duration::from_secs(20);

/// How well an agent is separated from the machine.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Isolation {
    /// Nothing separates them.
    None,
    /// A process of its own with a HOME of its own, and as another user if the runner is root.
    Process,
    /// A sandbox with namespaces of its own and without network.
    Sandbox,
}

/// Who enforces a limit.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Enforcement {
    /// The kernel refuses what exceeds the limit.
    Kernel,
    /// The runner measures twice a second and ends what has exceeded the limit.
    Sampled,
    /// Nobody; the use is measured and reported.
    Unbounded,
}

/// Who enforces which limit.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct LimitReport {
    /// `memory_bytes`.
    pub memory: Enforcement,
    /// `processes`.
    pub processes: Enforcement,
    /// `workspace_bytes` of all files together; a single file is limited by the kernel.
    pub workspace: Enforcement,
    /// `temporary_bytes`.
    pub temporary: Enforcement,
    /// Processor time.
    pub cpu: Enforcement,
}

/// How the user of the agent differs from that of the runner.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum IdentityMethod {
    /// The runner's own user (which is not root) in a user namespace.
    UserNamespace {
        /// Whether the agent may make user namespaces of its own, because the kernel does not let us forbid it.
        nested: bool,
    },
    /// Another user than that of the runner, which is root.
    OtherUser {
        /// The user.
        user: AgentUser,
        /// Whether the agent cannot make user namespaces, in which it would have capabilities: a second bubblewrap, as
        /// the agent's user, puts it into one that allows none below. Not where the kernel allows none at all.
        is_confined: bool,
    },
}

impl IdentityMethod {
    /// The user that the agent sees as its own.
    pub fn inner_user(&self) -> AgentUser {
        match self {
            Self::OtherUser { user, .. } => *user,
            Self::UserNamespace { .. } => {
                AgentUser { uid: nix::unistd::geteuid().as_raw(), gid: nix::unistd::getegid().as_raw() }
            }
        }
    }
}

/// A bubblewrap that was seen to work, and how to use it.
#[derive(Clone, Debug)]
pub struct Bubblewrap {
    /// The program `bwrap`.
    pub program: PathBuf,
    /// Our own program, which is the first in each sandbox.
    pub runner_program: PathBuf,
    /// How the agent gets its user.
    pub method: IdentityMethod,
}

impl Bubblewrap {
    /// The same with another user for the agent, if the runner is root: one uid per slot.
    #[must_use]
    pub fn with_agent_user(mut self, user: AgentUser) -> Self {
        if let IdentityMethod::OtherUser { user: own, .. } = &mut self.method {
            *own = user;
        }
        self
    }
}

/// The programs from which a sandbox is made.
#[derive(Clone, Debug)]
pub struct SandboxPrograms {
    /// The program `bwrap`, 0.11 or newer, if it is installed.
    pub bubblewrap: Option<PathBuf>,
    /// Our own program `ioc-runner`.
    pub runner: PathBuf,
    /// The user of the agent if the runner is root.
    pub agent_user: AgentUser,
}

/// What this machine can isolate.
#[derive(Clone, Debug)]
pub struct IsolationReport {
    /// The strongest isolation that was seen to work.
    pub isolation: Isolation,
    /// Why it is not more: one sentence that ends with the remedy.
    pub reason: Option<String>,
    /// How sandboxes are made; present if `isolation` is [`Isolation::Sandbox`].
    pub bubblewrap: Option<Bubblewrap>,
    /// Who enforces the limits.
    pub limits: LimitReport,
}

/// Finds the strongest isolation by trying it.
pub async fn probe_isolation(programs: &SandboxPrograms) -> IsolationReport {
    let refusal = match find_bubblewrap(programs).await {
        Ok(bubblewrap) => return report(Isolation::Sandbox, None, Some(bubblewrap)),
        Err(reason) => reason,
    };
    match try_process(programs).await {
        Ok(()) => report(Isolation::Process, Some(refusal), None),
        Err(reason) => report(Isolation::None, Some(format!("{refusal} Also, {reason}")), None),
    }
}

fn report(isolation: Isolation, reason: Option<String>, bubblewrap: Option<Bubblewrap>) -> IsolationReport {
    let is_sandbox = isolation == Isolation::Sandbox;
    let either = |sandbox| if is_sandbox { sandbox } else { Enforcement::Unbounded };
    let limits = LimitReport {
        memory: either(Enforcement::Sampled),
        processes: either(Enforcement::Kernel),
        workspace: either(Enforcement::Sampled),
        temporary: either(Enforcement::Kernel),
        cpu: Enforcement::Unbounded,
    };
    IsolationReport { isolation, reason, bubblewrap, limits }
}

async fn find_bubblewrap(programs: &SandboxPrograms) -> Result<Bubblewrap, String> {
    let Some(program) = programs.bubblewrap.clone() else {
        return Err("Bubblewrap is not installed: run `make setup`.".to_owned());
    };
    let methods = if nix::unistd::geteuid().is_root() {
        [true, false].map(|is_confined| IdentityMethod::OtherUser { user: programs.agent_user, is_confined }).to_vec()
    } else {
        [false, true].map(|nested| IdentityMethod::UserNamespace { nested }).to_vec()
    };
    let mut refusal = String::new();
    for method in methods {
        let bubblewrap = Bubblewrap { program: program.clone(), runner_program: programs.runner.clone(), method };
        match try_sandbox(&bubblewrap).await {
            Ok(()) => return Ok(bubblewrap),
            Err(reason) => refusal = reason,
        }
    }
    Err(explain_refusal(&refusal, &KernelSettings::read()))
}

/// Makes a sandbox and lets it report what it sees.
async fn try_sandbox(bubblewrap: &Bubblewrap) -> Result<(), String> {
    let folder = tempfile::tempdir().map_err(|error| format!("no temporary folder can be made: {error}"))?;
    let spec = make_probe_spec(folder.path());
    let _gateway = UnixListener::bind(&spec.gateway_socket).map_err(|error| error.to_string())?;
    let output = run_probe(bubblewrap, &spec).await.map_err(|error| error.to_string())?;
    judge_facts(&output)
}

async fn run_probe(bubblewrap: &Bubblewrap, spec: &SandboxSpec) -> Result<Output, SandboxError> {
    for folder in [&spec.work_tree, &spec.home] {
        let made = std::fs::create_dir(folder);
        made.map_err(SandboxError::of_start(format!("making {}", folder.display())))?;
    }
    grant_session_folders(bubblewrap, spec)?;
    let facts = ["inside", "--facts"].map(Into::into).to_vec();
    let program = AgentProgram { program: INNER_RUNNER.into(), arguments: facts };
    let command = sandboxed_command(bubblewrap, spec, &program)?;
    let action = || format!("running {}", bubblewrap.program.display());
    let child = spawn_from_lasting_thread(command).await.map_err(SandboxError::of_start(action()))?;
    let ended = timeout(PROBE_TIME, child.wait_with_output()).await;
    ended
        .map_err(|_| SandboxError::Unavailable("the sandbox did not start in time".to_owned()))?
        .map_err(SandboxError::of_start(action()))
}

fn make_probe_spec(folder: &Path) -> SandboxSpec {
    SandboxSpec {
        work_tree: folder.join("work"),
        home: folder.join("home"),
        runtime_folder: folder.to_path_buf(),
        read_only: Vec::new(),
        gateway_socket: folder.join("gateway.sock"),
        gateway_port: 8080,
        environment: Vec::new(),
        limits: SandboxLimits::default(),
    }
}

fn judge_facts(output: &Output) -> Result<(), String> {
    if !output.status.success() {
        return Err(String::from_utf8_lossy(&output.stderr).trim().to_owned());
    }
    let facts: SandboxFacts = serde_json::from_slice(&output.stdout).map_err(|error| error.to_string())?;
    if facts.uid == 0 || facts.gid == 0 {
        return Err("the agent would run as uid 0 or gid 0".to_owned());
    }
    if !facts.interfaces.is_empty() {
        return Err(format!("the sandbox has the network interfaces {}", facts.interfaces.join(", ")));
    }
    // Bubblewrap, perhaps a second one, our first program, and the one that reports.
    if facts.processes > 4 {
        return Err(format!("the sandbox sees {} processes", facts.processes));
    }
    Ok(())
}

async fn try_process(programs: &SandboxPrograms) -> Result<(), String> {
    let AgentUser { uid, gid } = programs.agent_user;
    let mut command = tokio::process::Command::new(&programs.runner);
    command.args(["inside", "--user", &format!("{uid}:{gid}"), "--facts"]).env_clear().kill_on_drop(true);
    let output = timeout(PROBE_TIME, command.output()).await.map_err(|_| "our own program does not answer.")?;
    let output = output.map_err(|error| format!("our own program cannot be started: {error}."))?;
    if output.status.success() {
        return Ok(());
    }
    Err(format!("an agent cannot be started as another user: {}.", String::from_utf8_lossy(&output.stderr).trim()))
}
