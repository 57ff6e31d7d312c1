//! The connection to one agent process.

use std::{
    path::Path,
    sync::{Arc, atomic::Ordering},
    time::Duration,
};

use agent_client_protocol::{
    schema::ProtocolVersion,
    v1::schema::{
        CancelNotification, ClientCapabilities, ContentBlock, Implementation, InitializeRequest, LoadSessionRequest,
        McpServer, NewSessionRequest, PromptRequest, ResumeSessionRequest, SetSessionConfigOptionRequest,
        SetSessionModeRequest, TextContent,
    },
};
use serde_json::Value;
use tokio::{
    io::{AsyncRead, AsyncWrite},
    sync::oneshot,
    task::JoinSet,
    time::timeout,
};

use super::{
    failure::{AgentFailure, AgentFailureCode},
    line_reader::LineReader,
    permission::PermissionPolicy,
    permission_desk::PermissionAnswer,
    receiver::{Receiver, write_lines},
    request::{call, call_as, notify},
    session::{AgentInfo, SessionInfo, SessionOption, TurnEnd, read_agent_info, read_session, read_turn_end},
    state::ConnectionState,
    update::PermissionRequestId,
    update_queue::{AgentUpdates, create_queue},
};

/// How long [`AgentConnection::report_exit`] waits for what the agent wrote before.
const EXIT_GRACE: Duration = Duration::from_secs(1);

/// The limits of an agent's use of the runner.
#[derive(Clone, Copy, Debug)]
pub struct ConnectionLimits {
    /// How long an agent may take for `initialize`, and for each request that prepares a session. Default 60 s.
    pub start: Duration,
    /// The longest line that is read, in bytes. Default 8 MiB.
    pub line_bytes: usize,
    /// How many updates wait to be taken. Default 256.
    pub queued_updates: usize,
    /// In how many bytes the waiting updates came, together. Default 16 MiB.
    pub queued_bytes: u32,
}

impl Default for ConnectionLimits {
    fn default() -> Self {
        Self {
            start: Duration::from_mins(1),
            line_bytes: 8 * 1024 * 1024,
            queued_updates: 256,
            queued_bytes: 16 * 1024 * 1024,
        }
    }
}

/// How to connect to an agent.
#[derive(Default)]
pub struct ConnectionOptions {
    /// The rules for its requests for permission; all are granted by default.
    pub policy: PermissionPolicy,
    /// The limits of its use of the runner.
    pub limits: ConnectionLimits,
    /// Its standard error output, whose last lines failures show.
    pub errors: Option<Box<dyn AsyncRead + Send + Unpin>>,
}

/// The connection to one agent process, with at most one session. Clones are handles of the same connection; it ends
/// with the last of them.
#[derive(Clone)]
pub struct AgentConnection {
    state: Arc<ConnectionState>,
    limits: ConnectionLimits,
    _tasks: Arc<JoinSet<()>>,
}

impl AgentConnection {
    /// Connects to an agent by its standard output and input. Must be called within a Tokio runtime.
    pub fn open(
        output: impl AsyncRead + Send + Unpin + 'static,
        input: impl AsyncWrite + Send + Unpin + 'static,
        options: ConnectionOptions,
    ) -> (Self, AgentUpdates) {
        let limits = options.limits;
        let (state, lines) = ConnectionState::create(options.policy);
        let state = Arc::new(state);
        let (sender, updates) = create_queue(limits.queued_updates, limits.queued_bytes);
        let (errors_ended, errors_end) = oneshot::channel();
        let mut tasks = JoinSet::new();
        if let Some(errors) = options.errors {
            let error_output = state.error_output.clone();
            tasks.spawn(async move {
                error_output.follow(errors).await;
                _ = errors_ended.send(());
            });
        }
        tasks.spawn(write_lines(state.clone(), lines, input));
        let receiver = Receiver { state: state.clone(), updates: sender, errors_end };
        tasks.spawn(receiver.run(LineReader::new(output, limits.line_bytes)));
        (Self { state, limits, _tasks: Arc::new(tasks) }, updates)
    }

    /// Agrees with the agent on the protocol. First call of a connection.
    pub async fn initialize(&self) -> Result<AgentInfo, AgentFailure> {
        // Neither files nor terminals are offered: agents then use their own tools, inside of their sandbox.
        let request = InitializeRequest::new(ProtocolVersion::V1)
            .client_capabilities(ClientCapabilities::default())
            .client_info(Implementation::new("ioc-runner", env!("CARGO_PKG_VERSION")));
        let result = call(&self.state, &request, self.limits.start).await?;
        match result["protocolVersion"].as_u64() {
            Some(1) => {
                let agent = read_agent_info(&result);
                self.state.set_agent(agent.clone());
                Ok(agent)
            }
            other => {
                let version =
                    other.map_or_else(|| "an unknown version".to_owned(), |number| format!("version {number}"));
                let message = format!("the agent speaks {version} of ACP, and the runner version 1");
                Err(self.state.failure(AgentFailureCode::Protocol, message))
            }
        }
    }

    /// Creates a session that works in a folder, an absolute path as the agent sees it.
    pub async fn new_session(&self, folder: &Path, mcp_servers: Vec<McpServer>) -> Result<SessionInfo, AgentFailure> {
        let request = NewSessionRequest::new(folder).mcp_servers(mcp_servers);
        let result = call(&self.state, &request, self.limits.start).await?;
        let Some(id) = result["sessionId"].as_str() else {
            let message = "the agent answered session/new without a session";
            return Err(self.state.failure(AgentFailureCode::Protocol, message));
        };
        Ok(self.take_session(id, &result))
    }

    /// Goes on with a session of an earlier process with the same HOME. An agent that can only load a session repeats
    /// its history; those updates are dropped.
    pub async fn resume_session(
        &self,
        id: &str,
        folder: &Path,
        mcp_servers: Vec<McpServer>,
    ) -> Result<SessionInfo, AgentFailure> {
        let agent = self.state.agent()?;
        let result = if agent.can_resume {
            let request = ResumeSessionRequest::new(id.to_owned(), folder).mcp_servers(mcp_servers);
            call(&self.state, &request, self.limits.start).await?
        } else if agent.can_load {
            let request = LoadSessionRequest::new(id.to_owned(), folder).mcp_servers(mcp_servers);
            self.state.replays.store(true, Ordering::Relaxed);
            let result = call(&self.state, &request, self.limits.start).await;
            self.state.replays.store(false, Ordering::Relaxed);
            result?
        } else {
            let message = format!("{} {} cannot resume sessions", agent.name, agent.version);
            return Err(self.state.failure(AgentFailureCode::Unsupported, message));
        };
        Ok(self.take_session(id, &result))
    }

    fn take_session(&self, id: &str, result: &Value) -> SessionInfo {
        let session = read_session(id.to_owned(), result);
        self.state.set_session(session.clone());
        session
    }

    /// Runs one turn. It takes as long as the agent takes: limit it with [`cancel_within`](Self::cancel_within) from
    /// elsewhere, and do not drop the future, because the turn would go on.
    pub async fn prompt(&self, text: &str) -> Result<TurnEnd, AgentFailure> {
        let session = self.state.session()?;
        let id = self.state.new_id();
        if !self.state.begin_turn(id) {
            return Err(AgentFailure::new(AgentFailureCode::Busy, "the agent works on another turn"));
        }
        let content = vec![ContentBlock::Text(TextContent::new(text))];
        let request = PromptRequest::new(session.id, content);
        let result = call_as(&self.state, id, &request).await;
        self.state.end_turn(id);
        Ok(read_turn_end(&result?))
    }

    /// Asks the agent to end the running turn, and answers its waiting requests for permission as cancelled.
    /// [`prompt`](Self::prompt) then returns with the reason `Cancelled`, unless the agent ignores it.
    pub async fn cancel(&self) -> Result<(), AgentFailure> {
        let session = self.state.session()?;
        for answer in self.state.desk.cancel_all() {
            self.state.send(answer).await?;
        }
        notify(&self.state, &CancelNotification::new(session.id)).await
    }

    /// Cancels the running turn and waits until it has ended. After the grace time it fails with
    /// `AGENT_UNRESPONSIVE`: kill the process then.
    pub async fn cancel_within(&self, grace: Duration) -> Result<(), AgentFailure> {
        let cancelled = async {
            self.cancel().await?;
            self.state.wait_for_turn_end().await;
            Ok(())
        };
        timeout(grace, cancelled).await.unwrap_or_else(|_| {
            let message =
                format!("the agent did not end its turn within {} s after it was cancelled", grace.as_secs_f64());
            Err(self.state.failure(AgentFailureCode::Unresponsive, message))
        })
    }

    /// Answers a request for permission. Each can be answered once.
    pub async fn answer_permission(
        &self,
        id: PermissionRequestId,
        answer: &PermissionAnswer,
    ) -> Result<(), AgentFailure> {
        self.state.send(self.state.desk.answer(id, answer)?).await
    }

    /// Chooses the model of the session. Fails with `AGENT_UNSUPPORTED` where the agent does not offer it.
    pub async fn set_model(&self, model: &str) -> Result<(), AgentFailure> {
        self.set_option("model", model).await
    }

    /// Chooses the mode of the session. Fails with `AGENT_UNSUPPORTED` where the agent does not offer it.
    pub async fn set_mode(&self, mode: &str) -> Result<(), AgentFailure> {
        self.set_option("mode", mode).await
    }

    async fn set_option(&self, subject: &str, value: &str) -> Result<(), AgentFailure> {
        let session = self.state.session()?;
        let option = session.find_option(subject).filter(|option| option.values.iter().any(|one| one == value));
        let Some(option) = option.cloned() else {
            let offered = session.find_option(subject).map(|option| option.values.join(", ")).unwrap_or_default();
            let message = format!("the agent offers no {subject} {value}; it offers: {offered}");
            return Err(AgentFailure::new(AgentFailureCode::Unsupported, message));
        };
        let result = self.send_option(&session.id, &option, value).await?;
        // Some answers list all options anew: the choice of a model can change what else can be chosen.
        if result["configOptions"].is_array() {
            self.take_session(&session.id, &result);
        }
        Ok(())
    }

    async fn send_option(&self, session: &str, option: &SessionOption, value: &str) -> Result<Value, AgentFailure> {
        let (session, value) = (session.to_owned(), value.to_owned());
        if option.by_mode {
            return call(&self.state, &SetSessionModeRequest::new(session, value), self.limits.start).await;
        }
        let request = SetSessionConfigOptionRequest::new(session, option.id.clone(), value.as_str());
        call(&self.state, &request, self.limits.start).await
    }

    /// Notes that the process has exited, such as with `exit status: 1`, and ends the connection, also where a process
    /// that the agent has started keeps its output open.
    pub async fn report_exit(&self, status: String) {
        self.state.note_exit_status(status);
        if timeout(EXIT_GRACE, self.state.wait_for_end()).await.is_err() {
            self.state.end(self.state.failure_of_exit());
        }
    }

    /// Waits until the connection has ended, and says why.
    pub async fn wait_for_end(&self) -> AgentFailure {
        self.state.wait_for_end().await
    }

    /// Closes the input of the agent once everything before is written. Most agents then exit by themselves.
    pub fn close_input(&self) {
        self.state.close_input();
    }
}
