//! The set-up script of an environment: run in a sandbox of its own before the agent starts. Its failure is the
//! session's, and no model was called.

use std::{
    collections::VecDeque,
    ffi::OsString,
    fmt::Write as _,
    path::{Path, PathBuf},
    time::Duration,
};

use axum::Router;
use tokio::{
    fs,
    io::{AsyncRead, AsyncReadExt},
    sync::mpsc,
    time::{Instant, timeout},
};

use super::run::{JobContext, RunEnd};
use crate::{
    control_plane::environment::SetupScript,
    egress::{DeniedConnection, EgressPolicy, EgressProxy, EgressSpec},
    gateway::{Gateway, GatewaySpec},
    sandbox::{
        AgentProgram, IsolationMethod, LoopbackPort, RunningSandbox, SandboxEnd, SandboxLimits, SandboxSpec,
        SessionPorts, grant_session_folders,
    },
    secret_mask::SecretMask,
    workspace::Workspace,
};

/// The code of a failed set-up.
const SETUP_FAILED: &str = "SETUP_FAILED";

/// How many lines of its output are shown of a failure, and how many characters they have at the most.
const SHOWN_LINES: usize = 200;
const SHOWN_CHARACTERS: usize = 9_000;

/// How many bytes of the output stay in memory.
const TAIL_BYTES: usize = 256 * 1024;

/// One run of a set-up script. It holds secrets, so it has no `Debug`.
pub struct SetupRun<'a> {
    pub context: &'a JobContext,
    /// The folder of the session's run, with the HOME that the agent gets next.
    pub folder: &'a Path,
    pub workspace: &'a Workspace,
    /// How the script is started, and as whom.
    pub method: &'a IsolationMethod,
    /// What the script may reach of the network.
    pub network: EgressPolicy,
    /// Where refused connections are reported.
    pub denials: mpsc::UnboundedSender<DeniedConnection>,
    pub limits: SandboxLimits,
    /// The variables of the environment, and its secrets of this phase.
    pub variables: Vec<(String, String)>,
    pub mask: SecretMask,
}

impl SetupRun<'_> {
    /// Runs the script to its end and returns how long it took. When this is dropped, all its processes end.
    pub async fn run(&self, setup: &SetupScript) -> Result<Duration, RunEnd> {
        let began = Instant::now();
        let connections = SetupConnections::open(self).await?;
        let spec = self.spec(&connections);
        for folder in [&spec.home, &spec.runtime_folder] {
            fs::create_dir_all(folder).await.map_err(|error| broken(&error))?;
        }
        grant_session_folders(self.method, &spec).map_err(|error| broken(&error))?;
        let started = RunningSandbox::start(self.method, &spec, &shell_program(&setup.script)).await;
        let mut sandbox = started.map_err(|error| broken(&error))?;
        drop(sandbox.stdin.take());
        let output = sandbox.stdout.take();
        let limit = Duration::from_secs(setup.timeout_seconds.max(1));
        let mut tail = OutputTail::default();
        let ended = timeout(limit, async {
            tail.read_all(output).await;
            sandbox.wait().await
        })
        .await;
        sandbox.stop();
        sandbox.wait().await;
        let shown = self.mask.mask_text(&tail.last_lines()).into_owned();
        match ended {
            Ok(SandboxEnd::Exited { code: 0 }) => Ok(began.elapsed()),
            Ok(end) => Err(failed_setup(&describe(end), &shown)),
            Err(_) => Err(failed_setup(&format!("took longer than {} s", limit.as_secs()), &shown)),
        }
    }

    fn spec(&self, connections: &SetupConnections) -> SandboxSpec {
        let text = |(name, value): &(String, String)| (OsString::from(name), OsString::from(value));
        let SetupConnections { gateway, proxy, ports } = connections;
        SandboxSpec {
            isolation: self.method.isolation(),
            work_tree: self.workspace.work_tree(),
            home: self.folder.join("home"),
            runtime_folder: self.folder.join("setup"),
            read_only: self.workspace.borrowed_objects().to_vec(),
            gateway_socket: gateway.socket().to_path_buf(),
            gateway_port: ports.gateway,
            egress: Some(LoopbackPort { port: ports.egress, socket: proxy.socket().to_path_buf() }),
            environment: self.variables.iter().map(text).collect(),
            limits: self.limits,
        }
    }
}

/// What the script reaches: the network by its policy, and no model.
struct SetupConnections {
    gateway: Gateway,
    proxy: EgressProxy,
    ports: SessionPorts,
}

impl SetupConnections {
    async fn open(run: &SetupRun<'_>) -> Result<Self, RunEnd> {
        fs::create_dir_all(run.folder).await.map_err(|error| broken(&error))?;
        let (socket, egress_socket) = (run.folder.join("setup.sock"), run.folder.join("setup-net.sock"));
        let ports = SessionPorts::open(run.method, &socket, &egress_socket).await.map_err(|error| broken(&error))?;
        // A sandbox needs the socket; without providers no model can be called through it.
        let (events, _calls) = mpsc::unbounded_channel();
        let gateway = Gateway::start(GatewaySpec {
            socket,
            providers: Vec::new(),
            client: run.context.upstream.clone(),
            events,
            routes: Router::new(),
        })
        .map_err(|error| broken(&error))?;
        let proxy = EgressProxy::start(EgressSpec {
            socket: egress_socket,
            policy: run.network.clone(),
            guard: run.context.egress.address_guard(),
            denials: run.denials.clone(),
        })
        .map_err(|error| broken(&error))?;
        Ok(Self { gateway, proxy, ports })
    }
}

/// The script with both outputs in one, in their order. It ends at the first command that fails.
fn shell_program(script: &str) -> AgentProgram {
    let arguments = ["-e".into(), "-c".into(), format!("exec 2>&1\n{script}").into()];
    AgentProgram { program: PathBuf::from("sh"), arguments: arguments.to_vec() }
}

fn describe(end: SandboxEnd) -> String {
    match end {
        SandboxEnd::Exited { code } => format!("ended with exit code {code}"),
        SandboxEnd::Stopped => "was stopped".to_owned(),
        SandboxEnd::LimitExceeded(exceeded) => format!("used more than it may: {exceeded:?}"),
    }
}

fn failed_setup(why: &str, output: &str) -> RunEnd {
    let mut message = format!("The set-up script {why}.");
    if !output.is_empty() {
        let _ = write!(message, " Its last lines:\n{output}");
    }
    RunEnd::failed(SETUP_FAILED, &message)
}

/// The set-up could not be started: a fault of this machine, not of the script.
fn broken(error: &impl ToString) -> RunEnd {
    RunEnd::failed("SETUP_NOT_STARTED", error)
}

/// The end of an output.
#[derive(Debug, Default)]
struct OutputTail(VecDeque<u8>);

impl OutputTail {
    /// Reads to the end, so that the writer never waits.
    async fn read_all(&mut self, source: Option<impl AsyncRead + Unpin>) {
        let Some(mut source) = source else { return };
        let mut buffer = vec![0; 16 * 1024];
        while let Ok(length @ 1..) = source.read(&mut buffer).await {
            self.0.extend(&buffer[..length]);
            let beyond = self.0.len().saturating_sub(TAIL_BYTES);
            self.0.drain(..beyond);
        }
    }

    /// The last lines that fit into a result, without what a terminal does not show.
    fn last_lines(&self) -> String {
        let bytes: Vec<u8> = self.0.iter().copied().collect();
        let text = String::from_utf8_lossy(&bytes);
        let (mut lines, mut length) = (VecDeque::new(), 0);
        for line in text.lines().rev().take(SHOWN_LINES) {
            let line: String = line.chars().filter(|c| !c.is_control() || *c == '\t').collect();
            length += line.chars().count() + 1;
            if length > SHOWN_CHARACTERS {
                break;
            }
            lines.push_front(line);
        }
        lines.into_iter().collect::<Vec<_>>().join("\n")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    async fn tail(text: &[u8]) -> String {
        let mut tail = OutputTail::default();
        tail.read_all(Some(text)).await;
        tail.last_lines()
    }

    #[tokio::test]
    async fn a_failure_shows_the_last_200_lines_as_far_as_they_fit() {
        let lines = (1..=300).map(|n| format!("line {n}")).collect::<Vec<_>>().join("\n");
        let shown = tail(lines.as_bytes()).await;
        assert_eq!((shown.lines().count(), shown.lines().next()), (200, Some("line 101")));
        let long = (1..=300).map(|n| format!("{n} {}", "x".repeat(500))).collect::<Vec<_>>().join("\n");
        let shown = tail(long.as_bytes()).await;
        assert!(shown.chars().count() <= SHOWN_CHARACTERS && shown.contains("300 x"), "{}", shown.len());
        assert_eq!(tail(b"\x1b[31mred\x1b[0m \xff\n").await, "[31mred[0m \u{fffd}");
        assert_eq!(tail(b"").await, "");
    }

    #[test]
    fn a_failed_set_up_says_why_and_shows_its_output() {
        let RunEnd::Failed { code, message } = failed_setup(&describe(SandboxEnd::Exited { code: 2 }), "make: no rule")
        else {
            panic!("a failure");
        };
        assert_eq!(code, "SETUP_FAILED");
        assert_eq!(message, "The set-up script ended with exit code 2. Its last lines:\nmake: no rule");
    }
}
