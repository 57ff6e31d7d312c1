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
    method::{Bubblewrap, IdentityMethod, Isolation, IsolationMethod, PlainProcess},
    ownership::grant_session_folders,
    refusal::{KernelSettings, explain_refusal},
    spec::{AgentProgram, INNER_RUNNER, SandboxLimits, SandboxSpec},
    user::AgentUser,
};

/// How long a sandbox may take to report its facts.
const PROBE_TIME: Duration = Duration::from_secs(20);

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

impl Enforcement {
    /// The name in reports.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Kernel => "kernel",
            Self::Sampled => "sampled",
            Self::Unbounded => "unbounded",
        }
    }
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
    /// The network: what leaves the sandbox passes the proxy of the session.
    pub network: Enforcement,
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
    /// How agents are started; none if `isolation` is [`Isolation::None`].
    pub method: Option<IsolationMethod>,
    /// Who enforces the limits.
    pub limits: LimitReport,
}

/// Finds the strongest isolation by trying it.
pub async fn probe_isolation(programs: &SandboxPrograms) -> IsolationReport {
    let refusal = match find_bubblewrap(programs).await {
        Ok(bubblewrap) => return report(None, Some(IsolationMethod::Sandbox(bubblewrap))),
        Err(reason) => reason,
    };
    match try_process(programs).await {
        Ok(process) => report(Some(refusal), Some(IsolationMethod::Process(process))),
        Err(reason) => report(Some(format!("{refusal} Also, {reason}")), None),
    }
}

/// The method of a report, if it isolates agents as well as it must.
pub fn choose_method(report: IsolationReport, minimum: Isolation) -> Result<IsolationMethod, SandboxError> {
    let reason = report.reason.unwrap_or_default();
    match report.method.filter(|method| method.isolation() >= minimum) {
        Some(IsolationMethod::Process(process)) => {
            tracing::warn!("agents run without a sandbox, with the files and the network of this machine: {reason}");
            Ok(IsolationMethod::Process(process))
        }
        Some(method) => Ok(method),
        None if report.isolation == Isolation::Process => {
            let other = "Or start the runner with --minimum-isolation process, where its agents may read the machine.";
            Err(SandboxError::Unavailable(format!("{reason} {other}")))
        }
        None => Err(SandboxError::Unavailable(reason)),
    }
}

fn report(reason: Option<String>, method: Option<IsolationMethod>) -> IsolationReport {
    let isolation = method.as_ref().map_or(Isolation::None, IsolationMethod::isolation);
    let (is_sandbox, has_user) =
        (isolation == Isolation::Sandbox, method.as_ref().is_some_and(|method| method.agent_user().is_some()));
    let kernel_if = |is_enforced, other| if is_enforced { Enforcement::Kernel } else { other };
    let limits = LimitReport {
        memory: Enforcement::Sampled,
        // Without a sandbox, the kernel counts all processes of a user together.
        processes: kernel_if(is_sandbox || has_user, Enforcement::Sampled),
        workspace: Enforcement::Sampled,
        temporary: kernel_if(is_sandbox, Enforcement::Unbounded),
        cpu: Enforcement::Unbounded,
        network: kernel_if(is_sandbox, Enforcement::Unbounded),
    };
    IsolationReport { isolation, reason, method, limits }
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
    grant_session_folders(&IsolationMethod::Sandbox(bubblewrap.clone()), spec)?;
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
        isolation: Isolation::Sandbox,
        work_tree: folder.join("work"),
        home: folder.join("home"),
        runtime_folder: folder.to_path_buf(),
        read_only: Vec::new(),
        gateway_socket: folder.join("gateway.sock"),
        gateway_port: 8080,
        egress: None,
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

async fn try_process(programs: &SandboxPrograms) -> Result<PlainProcess, String> {
    let user = nix::unistd::geteuid().is_root().then_some(programs.agent_user);
    let mut command = tokio::process::Command::new(&programs.runner);
    command.args(["inside", "--facts", "--supervise", "0"]).env_clear().current_dir("/").kill_on_drop(true);
    if let Some(AgentUser { uid, gid }) = user {
        command.args(["--user", &format!("{uid}:{gid}")]);
    }
    let output = timeout(PROBE_TIME, command.output()).await.map_err(|_| "our own program does not answer.")?;
    let output = output.map_err(|error| format!("our own program cannot be started: {error}."))?;
    if output.status.success() {
        return Ok(PlainProcess { runner_program: programs.runner.clone(), user });
    }
    Err(format!("an agent cannot be started as another user: {}.", String::from_utf8_lossy(&output.stderr).trim()))
}
