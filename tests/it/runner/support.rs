//! Real agents as processes, each with a HOME and a folder to work in of its own.

use std::{
    fs,
    path::{Path, PathBuf},
    process::Stdio,
    time::Duration,
};

use nix::{
    sys::signal::{Signal, kill, killpg},
    unistd::Pid,
};
use runner::{
    acp::{
        AgentConnection, AgentFailure, AgentUpdate, AgentUpdates, ConnectionOptions, HttpHeader, McpServer,
        McpServerHttp, PermissionPolicy, PermissionRequest, TurnEnd,
    },
    mcp::{SERVER_NAME, SERVER_PATH, ToolAccess, ToolCall, build_tool_routes},
    programs::{AgentProgram, ModelEndpoint, ProgramEndpoints, ProgramLocations, built_in_programs},
};
use serde_json::Value;
use tempfile::TempDir;
use tokio::{
    net::TcpListener,
    process::{Child, Command},
    sync::mpsc,
    task::JoinSet,
    time::{Instant, sleep, timeout},
};

use local::scripted_model::{ScriptedModel, serve};

/// How long anything of an agent may take on a loaded machine.
const PATIENCE: Duration = Duration::from_mins(1);

/// A prompt that makes the scripted model play these steps.
pub(crate) fn script(steps: &[Value]) -> String {
    format!("@@STUB {} @@", Value::from(steps))
}

/// Waits for a condition.
pub(crate) async fn wait_until(what: &str, holds: impl Fn() -> bool) {
    let started = Instant::now();
    while !holds() {
        assert!(started.elapsed() < PATIENCE, "waited in vain until {what}");
        sleep(Duration::from_millis(20)).await;
    }
}

/// The parts of a test that outlive one process of an agent.
pub(crate) struct AgentFixture {
    pub(crate) model: ScriptedModel,
    program: AgentProgram,
    policy: PermissionPolicy,
    access: ToolAccess,
    home: TempDir,
    work: TempDir,
    _serving: JoinSet<()>,
}

impl AgentFixture {
    pub(crate) async fn new(program: &str, policy: PermissionPolicy) -> Self {
        Self::with_tools(program, policy).await.0
    }

    /// A fixture, and the calls of the runner's tools by its agent.
    pub(crate) async fn with_tools(program: &str, policy: PermissionPolicy) -> (Self, mpsc::Receiver<ToolCall>) {
        let local = Path::new(env!("CARGO_MANIFEST_DIR")).join("../.local");
        let local = local.canonicalize().unwrap_or(local);
        let programs = built_in_programs(&ProgramLocations::find_below(&local));
        let program = programs.into_iter().find(|one| one.name == program);
        let program = program.expect("the agent is not installed: run `make setup-test`");
        let (home, work) = (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
        let model = serve("127.0.0.1:0").await.unwrap();
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let access = ToolAccess::create(&format!("http://{}", listener.local_addr().unwrap()));
        assert!(access.url.ends_with(SERVER_PATH));
        let (sender, calls) = mpsc::channel(8);
        let routes = build_tool_routes(&access, sender);
        let mut serving = JoinSet::new();
        serving.spawn(async move { axum::serve(listener, routes).await.unwrap() });
        (Self { model, program, policy, access, home, work, _serving: serving }, calls)
    }

    /// The tools, for an agent that does not have them by its own configuration.
    fn servers(&self) -> Vec<McpServer> {
        if self.program.configures_tools {
            return Vec::new();
        }
        let header = HttpHeader::new("Authorization", format!("Bearer {}", self.access.token));
        vec![McpServer::Http(McpServerHttp::new(SERVER_NAME, self.access.url.clone()).headers(vec![header]))]
    }

    /// Starts the agent with nothing in its environment but what its program names.
    pub(crate) async fn start(&self) -> RunningAgent {
        let model = ModelEndpoint {
            base_url: self.model.root_url(),
            model: "stub-1".into(),
            api_key_placeholder: "placeholder".into(),
        };
        let endpoints = ProgramEndpoints { model, tools: self.access.clone() };
        let launch = self.program.prepare(self.home.path(), self.home.path(), &endpoints, &self.policy).unwrap();
        let mut command = Command::new(&launch.command[0]);
        command.args(&launch.command[1..]).env_clear().envs(&launch.environment).current_dir(self.work.path());
        command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped()).process_group(0);
        let mut process = command.spawn().unwrap();
        let group = Pid::from_raw(i32::try_from(process.id().unwrap()).unwrap());
        let (output, input) = (process.stdout.take().unwrap(), process.stdin.take().unwrap());
        let options = ConnectionOptions {
            policy: self.policy.clone(),
            errors: process.stderr.take().map(|errors| Box::new(errors) as _),
            ..ConnectionOptions::default()
        };
        let (connection, updates) = AgentConnection::open(output, input, options);
        connection.initialize().await.unwrap();
        let (work, mode) = (self.work.path().to_path_buf(), self.program.mode.clone());
        RunningAgent { connection, updates, taken: Vec::new(), work, mode, servers: self.servers(), process, group }
    }

    /// Whether a command that the agent has started in its folder still runs.
    pub(crate) fn runs_command(&self, name: &str) -> bool {
        processes_in(self.work.path()).iter().any(|(_, command)| command == name)
    }

    /// Writes a file for the agent, and returns its path.
    pub(crate) fn write(&self, file: &str, content: &str) -> PathBuf {
        let path = self.work.path().join(file);
        fs::write(&path, content).unwrap();
        path
    }

    /// The content of a file that the agent may have written.
    pub(crate) fn read(&self, file: &str) -> Option<String> {
        fs::read_to_string(self.work.path().join(file)).ok()
    }
}

/// A turn in a task of its own.
pub(crate) type RunningTurn = JoinSet<Result<TurnEnd, AgentFailure>>;

/// One process of an agent.
pub(crate) struct RunningAgent {
    pub(crate) connection: AgentConnection,
    updates: AgentUpdates,
    taken: Vec<AgentUpdate>,
    work: PathBuf,
    mode: Option<String>,
    servers: Vec<McpServer>,
    process: Child,
    group: Pid,
}

impl RunningAgent {
    /// Creates a session in the mode of the program, and returns its id.
    pub(crate) async fn create_session(&self) -> String {
        let session = self.connection.new_session(&self.work, self.servers.clone()).await.unwrap();
        self.choose_mode().await;
        session.id
    }

    pub(crate) async fn resume_session(&self, id: &str) {
        self.connection.resume_session(id, &self.work, self.servers.clone()).await.unwrap();
        self.choose_mode().await;
    }

    async fn choose_mode(&self) {
        if let Some(mode) = &self.mode {
            self.connection.set_mode(mode).await.unwrap();
        }
    }

    pub(crate) fn start_turn(&self, prompt: &str) -> RunningTurn {
        let (connection, prompt) = (self.connection.clone(), prompt.to_owned());
        let mut turns = JoinSet::new();
        turns.spawn(async move { connection.prompt(&prompt).await });
        turns
    }

    /// Takes updates until the turn has ended.
    pub(crate) async fn wait_for_end_of(&mut self, mut turn: RunningTurn) -> Result<TurnEnd, AgentFailure> {
        let ended = async {
            loop {
                tokio::select! {
                    Some(update) = self.updates.next() => self.taken.push(update),
                    Some(end) = turn.join_next() => return end.unwrap(),
                }
            }
        };
        let end = timeout(PATIENCE, ended).await.expect("the turn ends");
        while let Some(update) = self.updates.try_next() {
            self.taken.push(update);
        }
        end
    }

    pub(crate) async fn run_turn(&mut self, prompt: &str) -> Result<TurnEnd, AgentFailure> {
        let turn = self.start_turn(prompt);
        self.wait_for_end_of(turn).await
    }

    pub(crate) async fn wait_for_permission_request(&mut self) -> PermissionRequest {
        let asked = async {
            loop {
                match self.updates.next().await.expect("the agent goes on") {
                    AgentUpdate::PermissionRequest(request) => return request,
                    update => self.taken.push(update),
                }
            }
        };
        timeout(PATIENCE, asked).await.expect("the agent asks")
    }

    /// The updates since the last call.
    pub(crate) fn take_updates(&mut self) -> Vec<AgentUpdate> {
        std::mem::take(&mut self.taken)
    }

    /// Ends the agent and all that it has started with SIGKILL.
    pub(crate) async fn kill(&mut self) {
        killpg(self.group, Signal::SIGKILL).unwrap();
        self.process.wait().await.unwrap();
    }

    /// Closes the input of the agent, and kills what does not exit by itself.
    pub(crate) async fn stop(mut self) {
        self.connection.close_input();
        if timeout(Duration::from_secs(2), self.process.wait()).await.is_err() {
            self.kill().await;
        }
    }
}

impl Drop for RunningAgent {
    fn drop(&mut self) {
        // A failed test leaves no process either, and agents put commands into groups of their own.
        _ = killpg(self.group, Signal::SIGKILL);
        for (process, _) in processes_in(&self.work) {
            _ = kill(process, Signal::SIGKILL);
        }
    }
}

/// The processes that work in a folder, and the names of their programs.
fn processes_in(folder: &Path) -> Vec<(Pid, String)> {
    let folder = folder.canonicalize().unwrap_or_else(|_| folder.to_path_buf());
    let read = |entry: fs::DirEntry| {
        let process = entry.file_name().to_str()?.parse().ok()?;
        fs::read_link(entry.path().join("cwd")).ok().filter(|cwd| *cwd == folder)?;
        Some((Pid::from_raw(process), fs::read_to_string(entry.path().join("comm")).ok()?.trim().to_owned()))
    };
    fs::read_dir("/proc").into_iter().flatten().filter_map(Result::ok).filter_map(read).collect()
}
