//! Starts an agent: the services around its sandbox, which outlive its process, then the process and its session.

use std::{
    collections::BTreeMap,
    ffi::OsString,
    path::{Path, PathBuf},
};

use tokio::{fs, sync::mpsc};

use super::{
    environment::variables_of,
    mcp_servers::choose_mcp_servers,
    reporter::Notice,
    run::{Job, JobContext, RunEnd},
    session_secrets::SessionSecrets,
};
use crate::{
    acp::{
        AgentConnection, AgentFailure, AgentFailureCode, AgentUpdates, ConnectionOptions, McpServer, PermissionPolicy,
    },
    control_plane::ControlPlane,
    egress::{DeniedConnection, EgressPolicy, EgressProxy, EgressSpec},
    gateway::{Gateway, GatewayEvent, GatewaySpec},
    mcp::{ToolAccess, ToolCall, build_tool_routes},
    programs::{ModelEndpoint, ProgramEndpoints},
    sandbox::{
        AgentProgram, IsolationMethod, LoopbackPort, RunningSandbox, SandboxEnd, SandboxSpec, SessionPorts,
        grant_session_folders,
    },
    workspace::Workspace,
};

/// What agents send as their key.
const KEY_PLACEHOLDER: &str = "held-by-the-runner";

/// How many lines of an agent's standard error are shown of a failure.
const SHOWN_LINES: usize = 20;

/// How many calls of tools wait to be taken.
const WAITING_CALLS: usize = 16;

/// The run for which an agent starts.
#[derive(Clone, Copy)]
pub(super) struct AgentRun<'a> {
    pub(super) context: &'a JobContext,
    pub(super) plane: &'a ControlPlane,
    pub(super) job: &'a Job,
    pub(super) secrets: &'a SessionSecrets,
    /// What people said before the agent started.
    pub(super) said: &'a [String],
    /// The folder of the run: HOME, the socket, the files of the sandbox.
    pub(super) folder: &'a Path,
    pub(super) workspace: &'a Workspace,
    /// How the agent is started, and as whom.
    pub(super) method: &'a IsolationMethod,
    /// What the agent may reach of the network.
    pub(super) network: &'a EgressPolicy,
    pub(super) notices: &'a mpsc::Sender<Notice>,
}

/// What a session has beside its agent, also where its process is started anew.
pub(super) struct SessionServices {
    gateway: Gateway,
    ports: SessionPorts,
    access: ToolAccess,
    pub(super) proxy: EgressProxy,
    /// What the proxy refused.
    pub(super) denied: mpsc::UnboundedReceiver<DeniedConnection>,
    /// The calls of the model.
    pub(super) model_calls: mpsc::UnboundedReceiver<GatewayEvent>,
    /// The calls of the runner's tools.
    pub(super) tool_calls: mpsc::Receiver<ToolCall>,
}

impl SessionServices {
    /// Starts the gateway, with the tools of the session behind it, and the proxy.
    pub(super) async fn start(run: &AgentRun<'_>) -> Result<Self, RunEnd> {
        let AgentRun { context, folder, .. } = *run;
        fs::create_dir_all(folder).await.map_err(|error| RunEnd::failed("RUN_FOLDER_FAILED", &error))?;
        let (events, model_calls) = mpsc::unbounded_channel();
        let (calls, tool_calls) = mpsc::channel(WAITING_CALLS);
        let (socket, egress_socket) = (folder.join("model.sock"), folder.join("egress.sock"));
        let ports = SessionPorts::open(run.method, &socket, &egress_socket).await;
        let ports = ports.map_err(|error| RunEnd::failed(error.code(), &error))?;
        let access = ToolAccess::create(&gateway_url(&ports));
        let gateway = Gateway::start(GatewaySpec {
            socket,
            providers: run.secrets.with_own_keys(&context.providers),
            client: context.upstream.clone(),
            events,
            routes: build_tool_routes(&access, calls),
        })
        .map_err(|error| RunEnd::failed(error.code(), &error))?;
        let (proxy, denied) = start_proxy(run, egress_socket)?;
        Ok(Self { gateway, ports, access, proxy, denied, model_calls, tool_calls })
    }
}

fn start_proxy(
    run: &AgentRun<'_>,
    socket: PathBuf,
) -> Result<(EgressProxy, mpsc::UnboundedReceiver<DeniedConnection>), RunEnd> {
    let (denials, denied) = mpsc::unbounded_channel();
    let guard = run.context.egress.address_guard();
    let proxy = EgressProxy::start(EgressSpec { socket, policy: run.network.clone(), guard, denials });
    Ok((proxy.map_err(|error| RunEnd::failed(error.code(), &error))?, denied))
}

fn gateway_url(ports: &SessionPorts) -> String {
    format!("http://127.0.0.1:{}", ports.gateway)
}

/// An agent that has started, with a session.
pub(super) struct StartedAgent {
    pub(super) sandbox: RunningSandbox,
    pub(super) connection: AgentConnection,
    pub(super) updates: AgentUpdates,
    /// Its own name for the session.
    pub(super) session: String,
    /// Whether another process can go on with the session.
    pub(super) is_resumable: bool,
}

/// How an agent could not be started, or its process has ended.
#[derive(Clone, Debug, PartialEq)]
pub(super) enum AgentEnd {
    /// The run is over.
    Final(RunEnd),
    /// The process ended by itself; another one may fare better.
    Exited(RunEnd),
    /// The process was ended while a person is asked. Another one goes on with the answer.
    Idle,
}

impl From<RunEnd> for AgentEnd {
    fn from(end: RunEnd) -> Self {
        Self::Final(end)
    }
}

impl AgentRun<'_> {
    /// Starts a process of the agent, which goes on with a session of an earlier one if there is one.
    pub(super) async fn start(
        &self,
        services: &SessionServices,
        policy: &PermissionPolicy,
        session: Option<&str>,
    ) -> Result<StartedAgent, AgentEnd> {
        let mut spec = self.spec(services);
        for folder in [&spec.home, &spec.runtime_folder] {
            fs::create_dir_all(folder).await.map_err(|error| RunEnd::failed("RUN_FOLDER_FAILED", &error))?;
        }
        let endpoints = ProgramEndpoints { model: self.endpoint(services), tools: services.access.clone() };
        let launch = self
            .job
            .program
            .prepare(&spec.home, spec.inner_home(), &endpoints, policy)
            .map_err(|error| RunEnd::failed(error.code(), &error))?;
        let mut command = launch.command.into_iter();
        let program = AgentProgram {
            program: PathBuf::from(command.next().unwrap_or_default()),
            arguments: command.map(OsString::from).collect(),
        };
        spec.environment = self.variables(launch.environment);
        let sandbox = self.start_sandbox(&spec, &program).await?;
        let folder = self.inner_start_folder(&spec);
        self.open_session(sandbox, policy, &folder, (session, services)).await
    }

    /// The variables of the session's environment, and those of the program, which win.
    fn variables(&self, of_program: BTreeMap<String, String>) -> Vec<(OsString, OsString)> {
        let own = variables_of(&self.job.task).into_iter().chain(self.secrets.agent_variables());
        own.chain(of_program).map(|(name, text)| (name.into(), text.into())).collect()
    }

    async fn start_sandbox(&self, spec: &SandboxSpec, program: &AgentProgram) -> Result<RunningSandbox, RunEnd> {
        grant_session_folders(self.method, spec).map_err(|error| RunEnd::failed(error.code(), &error))?;
        let sandbox = RunningSandbox::start(self.method, spec, program).await;
        sandbox.map_err(|error| RunEnd::failed(error.code(), &error))
    }

    /// `folder` is where the agent begins, as it sees it.
    async fn open_session(
        &self,
        mut sandbox: RunningSandbox,
        policy: &PermissionPolicy,
        folder: &Path,
        (session, services): (Option<&str>, &SessionServices),
    ) -> Result<StartedAgent, AgentEnd> {
        let (Some(output), Some(input)) = (sandbox.stdout.take(), sandbox.stdin.take()) else {
            return Err(RunEnd::failed("SANDBOX_FAILED", &"the agent has no standard input and output").into());
        };
        let options = ConnectionOptions { policy: policy.clone(), ..ConnectionOptions::default() };
        let (connection, updates) = AgentConnection::open(output, input, options);
        let opening = async {
            let agent = connection.initialize().await?;
            let servers = self.list_servers(agent.mcp_over_http, &services.access).await;
            let opened = match session {
                Some(id) => connection.resume_session(id, folder, servers).await?,
                None => connection.new_session(folder, servers).await?,
            };
            if let Some(mode) = &self.job.program.mode {
                connection.set_mode(mode).await?;
            }
            Ok((opened.id, agent.can_resume || agent.can_load))
        };
        match opening.await {
            Ok((session, is_resumable)) => Ok(StartedAgent { sandbox, connection, updates, session, is_resumable }),
            Err(failure) => Err(end_of_failure(&mut sandbox, &failure).await),
        }
    }

    /// The runner's tools, unless the agent has them by its own configuration, and the servers of the environment.
    async fn list_servers(&self, is_http_reachable: bool, access: &ToolAccess) -> Vec<McpServer> {
        let own = (!self.job.program.configures_tools).then_some(access);
        let environment = self.job.task.context.environment.as_ref();
        let of_environment = environment.map_or(&[][..], |environment| &environment.mcp_servers);
        let (servers, unusable) = choose_mcp_servers(own, of_environment, is_http_reachable);
        if !unusable.is_empty() {
            let text = format!("The agent reaches no MCP servers over HTTP, and has no {}.", unusable.join(", "));
            let _ = self.notices.send(Notice::log("warning", &text)).await;
        }
        servers
    }

    fn spec(&self, services: &SessionServices) -> SandboxSpec {
        let mut read_only = self.job.program.read_only.clone();
        read_only.extend(self.workspace.borrowed_objects().iter().cloned());
        let SessionServices { gateway, ports, proxy, .. } = services;
        SandboxSpec {
            isolation: self.method.isolation(),
            work_tree: self.workspace.work_tree(),
            home: self.folder.join("home"),
            runtime_folder: self.folder.join("runtime"),
            read_only,
            gateway_socket: gateway.socket().to_path_buf(),
            gateway_port: ports.gateway,
            egress: Some(LoopbackPort { port: ports.egress, socket: proxy.socket().to_path_buf() }),
            environment: Vec::new(),
            limits: self.context.limits_of(&self.job.task),
        }
    }

    /// Where the agent sees its work tree.
    pub(super) fn find_inner_work_tree(&self, services: &SessionServices) -> PathBuf {
        self.spec(services).inner_work_tree().to_path_buf()
    }

    fn inner_start_folder(&self, spec: &SandboxSpec) -> PathBuf {
        let start = self.workspace.start_folder();
        let relative = start.strip_prefix(self.workspace.work_tree()).unwrap_or(Path::new(""));
        spec.inner_work_tree().join(relative)
    }

    /// The model that the session asks for, without its provider, else the runner's own.
    fn endpoint(&self, services: &SessionServices) -> ModelEndpoint {
        let named = self.job.task.requirements.model.as_deref();
        let model = named.map(|name| name.split_once('/').map_or(name, |(_, model)| model));
        ModelEndpoint {
            base_url: gateway_url(&services.ports),
            model: model.unwrap_or_else(|| self.context.default_models.of(self.job.program.protocol)).to_owned(),
            api_key_placeholder: KEY_PLACEHOLDER.to_owned(),
        }
    }
}

/// Ends the sandbox of an agent that has failed.
pub(super) async fn end_of_failure(sandbox: &mut RunningSandbox, failure: &AgentFailure) -> AgentEnd {
    sandbox.stop();
    let end = sandbox.wait().await;
    if let SandboxEnd::LimitExceeded(_) = end {
        return end_of_sandbox(sandbox, end);
    }
    let said = last_lines(sandbox);
    let said = if said.is_empty() { said } else { format!(": {said}") };
    let failed = RunEnd::failed(failure.code.as_str(), &format!("{} ({end:?}){said}", failure.message));
    if failure.code == AgentFailureCode::Exited { AgentEnd::Exited(failed) } else { failed.into() }
}

/// The end of an agent whose sandbox has ended before its turn.
pub(super) fn end_of_sandbox(sandbox: &RunningSandbox, end: SandboxEnd) -> AgentEnd {
    if let SandboxEnd::LimitExceeded(exceeded) = end {
        return RunEnd::failed("LIMIT_EXCEEDED", &format!("the agent used more than it may: {exceeded:?}")).into();
    }
    let message = format!("the agent has ended ({end:?}): {}", last_lines(sandbox));
    AgentEnd::Exited(RunEnd::failed("AGENT_EXITED", &message))
}

/// The last lines that the agent wrote to its standard error.
fn last_lines(sandbox: &RunningSandbox) -> String {
    let errors = sandbox.error_output();
    let tail = String::from_utf8_lossy(&errors.tail);
    let lines: Vec<_> = tail.lines().rev().take(SHOWN_LINES).collect();
    lines.into_iter().rev().collect::<Vec<_>>().join("\n")
}
