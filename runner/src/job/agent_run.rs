//! The agent of one task: its sandbox, its connection, and the turns that it takes.

use std::{
    ffi::OsString,
    path::{Path, PathBuf},
    time::Duration,
};

use tokio::{
    fs,
    sync::mpsc,
    time::{Instant, sleep_until},
};

use super::{
    Job, JobContext, RunEnd, log,
    reporter::{Command, Notice},
    transcript::Transcript,
};
use crate::{
    acp::{
        AgentConnection, AgentFailure, AgentUpdates, ConnectionOptions, PermissionAnswer, PermissionPolicy,
        PermissionRequestId, TurnEnd, TurnEndReason,
    },
    gateway::{Gateway, GatewayEvent, GatewaySpec},
    programs::ModelEndpoint,
    sandbox::{AgentProgram, RunningSandbox, SandboxEnd, SandboxSpec, grant_session_folders},
    workspace::Workspace,
};

/// The port of the sandbox's loopback at which the agent reaches its model.
const GATEWAY_PORT: u16 = 4100;

/// What agents send as their key.
const KEY_PLACEHOLDER: &str = "held-by-the-runner";

/// How many lines of an agent's standard error are shown of a failure.
const SHOWN_LINES: usize = 20;

/// How long an agent may take to end a turn that was cancelled.
const CANCEL_GRACE: Duration = Duration::from_secs(15);

pub(super) struct AgentRun<'a> {
    pub(super) context: &'a JobContext,
    pub(super) job: &'a Job,
    /// The folder of the run: HOME, the socket, the files of the sandbox.
    pub(super) folder: &'a Path,
    pub(super) workspace: &'a Workspace,
}

/// What has been counted so far.
#[derive(Debug, Default)]
struct Usage {
    tokens: i64,
    cost_usd: Option<String>,
}

/// An agent that has started.
struct StartedAgent {
    sandbox: RunningSandbox,
    connection: AgentConnection,
    updates: AgentUpdates,
    _gateway: Gateway,
    calls: mpsc::UnboundedReceiver<GatewayEvent>,
}

impl AgentRun<'_> {
    /// Starts the agent, lets it work until its last turn ends or its time is over, and ends it.
    pub(super) async fn drive(
        &self,
        limit: Duration,
        notices: &mpsc::Sender<Notice>,
        orders: mpsc::Receiver<Command>,
    ) -> (RunEnd, i64, Option<String>) {
        let mut usage = Usage::default();
        let end = match self.start().await {
            Err(end) => end,
            Ok(agent) => {
                let mut turns =
                    Turns { run: self, agent, notices, usage: &mut usage, transcript: Transcript::default() };
                let end = turns.take_all(limit, orders).await;
                turns.agent.connection.close_input();
                turns.agent.sandbox.stop();
                turns.agent.sandbox.wait().await;
                end
            }
        };
        (end, usage.tokens, usage.cost_usd)
    }

    async fn start(&self) -> Result<StartedAgent, RunEnd> {
        let (home, runtime) = (self.folder.join("home"), self.folder.join("runtime"));
        for folder in [&home, &runtime] {
            fs::create_dir_all(folder).await.map_err(|error| failed("RUN_FOLDER_FAILED", &error))?;
        }
        let (events, calls) = mpsc::unbounded_channel();
        let gateway = Gateway::start(GatewaySpec {
            socket: self.folder.join("model.sock"),
            providers: self.context.providers.clone(),
            client: self.context.upstream.clone(),
            events,
        })
        .map_err(|error| failed(error.code(), &error))?;
        let mut spec = self.spec(home, runtime, gateway.socket());
        let launch = self
            .job
            .program
            .prepare(&spec.home, Path::new(spec.inner_home()), &self.endpoint(), &PermissionPolicy::allow_all())
            .map_err(|error| failed(error.code(), &error))?;
        let mut command = launch.command.into_iter();
        let program = AgentProgram {
            program: PathBuf::from(command.next().unwrap_or_default()),
            arguments: command.map(OsString::from).collect(),
        };
        spec.environment = launch.environment.into_iter().map(|(name, text)| (name.into(), text.into())).collect();
        let bubblewrap = &self.context.bubblewrap;
        grant_session_folders(bubblewrap, &spec).map_err(|error| failed(error.code(), &error))?;
        let mut sandbox =
            RunningSandbox::start(bubblewrap, &spec, &program).await.map_err(|error| failed(error.code(), &error))?;
        let (Some(output), Some(input)) = (sandbox.stdout.take(), sandbox.stdin.take()) else {
            return Err(failed("SANDBOX_FAILED", &"the agent has no standard input and output"));
        };
        let (connection, updates) = AgentConnection::open(output, input, ConnectionOptions::default());
        let agent = StartedAgent { sandbox, connection, updates, _gateway: gateway, calls };
        let start = self.workspace.start_folder();
        let relative = start.strip_prefix(self.workspace.work_tree()).unwrap_or(Path::new(""));
        self.open_session(agent, &Path::new(spec.inner_work_tree()).join(relative)).await
    }

    /// `folder` is where the agent begins, as it sees it.
    async fn open_session(&self, mut agent: StartedAgent, folder: &Path) -> Result<StartedAgent, RunEnd> {
        let opening = async {
            agent.connection.initialize().await?;
            agent.connection.new_session(folder, Vec::new()).await?;
            if let Some(mode) = &self.job.program.mode {
                agent.connection.set_mode(mode).await?;
            }
            Ok(())
        };
        match opening.await {
            Ok(()) => Ok(agent),
            Err(failure) => Err(end_of_failure(&mut agent.sandbox, &failure).await),
        }
    }

    fn spec(&self, home: PathBuf, runtime: PathBuf, socket: &Path) -> SandboxSpec {
        let mut read_only = self.job.program.read_only.clone();
        read_only.extend(self.workspace.borrowed_objects().iter().cloned());
        let mut limits = self.context.limits;
        if let Some(megabytes) = self.job.task.requirements.memory_limit_mb {
            limits.memory_bytes = limits.memory_bytes.min(megabytes * 1024 * 1024);
        }
        SandboxSpec {
            work_tree: self.workspace.work_tree(),
            home,
            runtime_folder: runtime,
            read_only,
            gateway_socket: socket.to_path_buf(),
            gateway_port: GATEWAY_PORT,
            environment: Vec::new(),
            limits,
        }
    }

    /// The model that the session asks for, without its provider, else the runner's own.
    fn endpoint(&self) -> ModelEndpoint {
        let named = self.job.task.requirements.model.as_deref();
        let model = named.map(|name| name.split_once('/').map_or(name, |(_, model)| model));
        ModelEndpoint {
            base_url: format!("http://127.0.0.1:{GATEWAY_PORT}"),
            model: model.or(self.context.default_model.as_deref()).unwrap_or_default().to_owned(),
            api_key_placeholder: KEY_PLACEHOLDER.to_owned(),
        }
    }
}

/// The turns of an agent.
struct Turns<'a> {
    run: &'a AgentRun<'a>,
    agent: StartedAgent,
    notices: &'a mpsc::Sender<Notice>,
    usage: &'a mut Usage,
    transcript: Transcript,
}

/// Why a turn is over.
enum TurnOutcome {
    Ended(TurnEnd),
    Failed(AgentFailure),
    Cancelled,
    Abandoned,
    OutOfTime,
    SandboxEnded(SandboxEnd),
}

impl Turns<'_> {
    /// The first turn has the prompt; what people say meanwhile becomes the prompt of the next.
    async fn take_all(&mut self, limit: Duration, mut orders: mpsc::Receiver<Command>) -> RunEnd {
        let deadline = Instant::now() + limit;
        let mut prompts = vec![first_prompt(self.run)];
        while !prompts.is_empty() {
            let prompt = std::mem::take(&mut prompts).join("\n\n");
            let outcome = self.take_one(&prompt, deadline, &mut orders, &mut prompts).await;
            self.flush().await;
            match outcome {
                TurnOutcome::Ended(end) => {
                    if let Some(failure) = refusal_of(&end) {
                        return failure;
                    }
                }
                other => return self.end_of(other).await,
            }
            while let Ok(order) = orders.try_recv() {
                match order {
                    Command::Say(text) => prompts.push(text),
                    Command::Answer { .. } => {}
                    Command::Cancel | Command::Abandon => prompts.clear(),
                }
            }
        }
        RunEnd::Completed { text: self.transcript.last_message().to_owned() }
    }

    async fn take_one(
        &mut self,
        prompt: &str,
        deadline: Instant,
        orders: &mut mpsc::Receiver<Command>,
        next: &mut Vec<String>,
    ) -> TurnOutcome {
        let connection = self.agent.connection.clone();
        let prompted = connection.clone();
        let mut turn = std::pin::pin!(prompted.prompt(prompt));
        loop {
            tokio::select! {
                biased;
                Some(update) = self.agent.updates.next() => {
                    let entries = self.transcript.add(update);
                    self.send(entries).await;
                }
                Some(event) = self.agent.calls.recv() => self.count(event).await,
                ended = &mut turn => return match ended {
                    Ok(end) => TurnOutcome::Ended(end),
                    Err(failure) => TurnOutcome::Failed(failure),
                },
                ended = self.agent.sandbox.wait() => return TurnOutcome::SandboxEnded(ended),
                () = sleep_until(deadline) => return TurnOutcome::OutOfTime,
                Some(order) = orders.recv() => match order {
                    Command::Say(text) => next.push(text),
                    Command::Answer { question_id, granted } => answer(&connection, &question_id, granted).await,
                    Command::Cancel => {
                        let cancelled = connection.cancel_within(CANCEL_GRACE);
                        let _ = tokio::join!(cancelled, tokio::time::timeout(CANCEL_GRACE, &mut turn));
                        return TurnOutcome::Cancelled;
                    }
                    Command::Abandon => return TurnOutcome::Abandoned,
                },
            }
        }
    }

    async fn end_of(&mut self, outcome: TurnOutcome) -> RunEnd {
        match outcome {
            TurnOutcome::Ended(_) | TurnOutcome::Cancelled | TurnOutcome::Abandoned => {
                RunEnd::Completed { text: self.transcript.last_message().to_owned() }
            }
            TurnOutcome::Failed(failure) => end_of_failure(&mut self.agent.sandbox, &failure).await,
            TurnOutcome::OutOfTime => failed("RUN_TIMEOUT", &"the time of the session is over"),
            TurnOutcome::SandboxEnded(SandboxEnd::LimitExceeded(exceeded)) => {
                failed("LIMIT_EXCEEDED", &format!("the agent used more than it may: {exceeded:?}"))
            }
            TurnOutcome::SandboxEnded(end) => {
                failed("AGENT_EXITED", &format!("the agent has ended ({end:?}): {}", last_lines(&self.agent.sandbox)))
            }
        }
    }

    /// What the agent sent before its turn ended.
    async fn flush(&mut self) {
        while let Some(update) = self.agent.updates.try_next() {
            let entries = self.transcript.add(update);
            self.send(entries).await;
        }
        while let Ok(event) = self.agent.calls.try_recv() {
            self.count(event).await;
        }
        let entries = self.transcript.close_message();
        self.send(entries).await;
    }

    async fn send(&self, entries: Vec<super::transcript::Entry>) {
        for entry in entries {
            let _ = self.notices.send(Notice::Entry(entry)).await;
        }
    }

    async fn count(&mut self, event: GatewayEvent) {
        match event {
            GatewayEvent::ModelCall(call) => {
                let used = call.usage.map_or(0, |usage| usage.input_tokens + usage.output_tokens);
                self.usage.tokens = self.usage.tokens.saturating_add(i64::try_from(used).unwrap_or(i64::MAX));
                self.usage.cost_usd = self.transcript.cost().map(|cost| format!("{cost:.6}"));
                let notice = Notice::Usage { tokens: self.usage.tokens, cost_usd: self.usage.cost_usd.clone() };
                let _ = self.notices.send(notice).await;
            }
            GatewayEvent::AuthenticationFailed { provider } => {
                let text = format!("{provider} refuses the key of the runner.");
                let _ = self.notices.send(log("error", &text)).await;
            }
            GatewayEvent::RateLimited { provider, status, .. } => {
                let text = format!("{provider} asks to wait ({status}).");
                let _ = self.notices.send(log("warning", &text)).await;
            }
            GatewayEvent::ModelRefused { model } => {
                let text = format!("The session may not use the model {model}.");
                let _ = self.notices.send(log("warning", &text)).await;
            }
        }
    }
}

async fn answer(connection: &AgentConnection, question_id: &str, granted: bool) {
    let Ok(id) = question_id.parse().map(PermissionRequestId) else { return };
    let answer = if granted { PermissionAnswer::Grant } else { PermissionAnswer::Refuse };
    if let Err(failure) = connection.answer_permission(id, &answer).await {
        tracing::warn!(%failure, "an answer did not reach the agent");
    }
}

fn first_prompt(run: &AgentRun<'_>) -> String {
    let context = &run.job.task.context;
    let earlier =
        context.continuation.as_ref().map(|continued| continued.summary.as_str()).filter(|text| !text.is_empty());
    let parent = context.parent_summary.as_deref().filter(|text| !text.is_empty());
    let before = [
        parent.map(|text| format!("The session that this one belongs to came to: {text}")),
        earlier.map(|text| format!("The work so far, which is in the files already: {text}")),
    ];
    before.into_iter().flatten().chain([context.prompt.clone()]).collect::<Vec<_>>().join("\n\n")
}

/// A turn that ended without the work being done.
fn refusal_of(end: &TurnEnd) -> Option<RunEnd> {
    match end.reason {
        TurnEndReason::Refusal => Some(failed("AGENT_REFUSED", &"the agent refused the work")),
        _ => None,
    }
}

async fn end_of_failure(sandbox: &mut RunningSandbox, failure: &AgentFailure) -> RunEnd {
    sandbox.stop();
    let end = sandbox.wait().await;
    let said = last_lines(sandbox);
    let said = if said.is_empty() { said } else { format!(": {said}") };
    failed(failure.code.as_str(), &format!("{} ({end:?}){said}", failure.message))
}

/// The last lines that the agent wrote to its standard error.
fn last_lines(sandbox: &RunningSandbox) -> String {
    let errors = sandbox.error_output();
    let tail = String::from_utf8_lossy(&errors.tail);
    let lines: Vec<_> = tail.lines().rev().take(SHOWN_LINES).collect();
    lines.into_iter().rev().collect::<Vec<_>>().join("\n")
}

fn failed(code: &str, message: &impl ToString) -> RunEnd {
    RunEnd::Failed { code: code.to_owned(), message: message.to_string() }
}
