//! One task from its claim to its result: workspace, gateway, sandbox, agent, delivery. Whatever happens, nothing is
//! left of it.

mod agent_run;
mod delivery;
pub mod reporter;
mod session_locks;
pub mod transcript;

use std::{
    path::{Path, PathBuf},
    sync::Arc,
    time::{Duration, Instant},
};

use tokio::{fs, sync::mpsc};

pub use self::session_locks::SessionLocks;
use self::{
    agent_run::AgentRun,
    delivery::deliver,
    reporter::{Command, Notice, report_until_end},
    transcript::Entry,
};
use crate::{
    control_plane::{
        ControlPlane,
        wire::{LogEntry, Task},
    },
    gateway::Provider,
    programs::AgentProgram,
    sandbox::{Bubblewrap, SandboxLimits, reclaim_work_tree},
    workspace::{Workspace, WorkspaceSource, Workspaces},
};

/// What all jobs of a runner share.
#[derive(Debug)]
pub struct JobContext {
    pub workspaces: Workspaces,
    pub bubblewrap: Bubblewrap,
    pub providers: Vec<Provider>,
    pub upstream: reqwest::Client,
    /// Held by the tasks at work.
    pub sessions: SessionLocks,
    /// The folder with a folder for each session at work.
    pub runs: PathBuf,
    pub limits: SandboxLimits,
    /// The model where a session names none, as its provider has it.
    pub default_model: Option<String>,
}

/// A task, and the program that works on it.
#[derive(Debug)]
pub struct Job {
    pub task: Task,
    pub program: Arc<AgentProgram>,
}

/// How a run has ended.
#[derive(Clone, Debug, PartialEq)]
pub enum RunEnd {
    /// The agent ended its last turn, or was cancelled.
    Completed { text: String },
    /// It could not work, or failed.
    Failed { code: String, message: String },
}

/// What a run came to.
#[derive(Debug)]
pub struct RunOutcome {
    pub end: RunEnd,
    /// The workspace with the work; absent if it could not be prepared.
    pub workspace: Option<Workspace>,
    pub tokens: i64,
    pub cost_usd: Option<String>,
}

/// Works on a task and reports its result, unless the task is lost meanwhile.
pub async fn run_job(context: &JobContext, plane: &ControlPlane, job: &Job) {
    let _session = context.sessions.lock(&job.task.session_id).await;
    let started = Instant::now();
    let folder = context.runs.join(&job.task.session_id);
    let (notices, received) = mpsc::channel(64);
    let (commands, orders) = mpsc::channel(16);
    let work = work_on(context, job, &folder, notices, orders);
    let (outcome, is_ours) = tokio::join!(work, report_until_end(plane, &job.task, received, commands));
    if is_ours {
        deliver(plane, &job.task, outcome, started.elapsed()).await;
    }
    clean_up(context, &job.task.session_id, &folder).await;
}

async fn work_on(
    context: &JobContext,
    job: &Job,
    folder: &Path,
    notices: mpsc::Sender<Notice>,
    orders: mpsc::Receiver<Command>,
) -> RunOutcome {
    let source = source_of(&job.task);
    let began = Instant::now();
    let workspace = match context.workspaces.prepare("own", &job.task.session_id, &source).await {
        Ok(workspace) => workspace,
        Err(error) => return RunOutcome::failed(error.code(), error.message()),
    };
    for warning in workspace.warnings() {
        let _ = notices.send(log("warning", &warning.message)).await;
    }
    let _ = notices.send(log("info", &format!("The workspace is ready after {} ms.", milliseconds(began)))).await;
    let run = AgentRun { context, job, folder, workspace: &workspace };
    let limit = Duration::from_secs(job.task.timeout_seconds);
    let (end, tokens, cost_usd) = run.drive(limit, &notices, orders).await;
    RunOutcome { end, workspace: Some(workspace), tokens, cost_usd }
}

impl RunOutcome {
    fn failed(code: &str, message: &str) -> Self {
        let end = RunEnd::Failed { code: code.to_owned(), message: message.to_owned() };
        Self { end, workspace: None, tokens: 0, cost_usd: None }
    }
}

fn source_of(task: &Task) -> WorkspaceSource {
    let place = task.context.workspace.clone().unwrap_or_default();
    let patch = task.context.continuation.as_ref().map(|continued| continued.patch.clone());
    WorkspaceSource {
        repository: place.repository,
        reference: place.reference,
        directory: place.directory,
        continuation: patch.filter(|patch| !patch.is_empty()),
    }
}

fn log(level: &'static str, message: &str) -> Notice {
    Notice::Entry(Entry::Log(LogEntry { level, message: message.chars().take(10_000).collect() }))
}

fn milliseconds(since: Instant) -> u128 {
    since.elapsed().as_millis()
}

/// Removes the workspace and the folder of the run. What cannot be removed is removed at the next start.
async fn clean_up(context: &JobContext, session: &str, folder: &Path) {
    let _ = reclaim_work_tree(folder);
    if let Err(error) = context.workspaces.remove(session).await {
        tracing::warn!(%error, session.id = session, "the workspace could not be removed");
    }
    match fs::remove_dir_all(folder).await {
        Err(error) if error.kind() != std::io::ErrorKind::NotFound => {
            tracing::warn!(%error, session.id = session, "the folder of the run could not be removed");
        }
        _ => {}
    }
}
