//! What a run is given, and what it comes to.

use std::{path::PathBuf, sync::Arc, time::Duration};

use super::{attachments::Attachment, outage::OutageLimits, session_locks::SessionLocks, session_slots::SessionSlots};
use crate::{
    acp::PermissionPolicy,
    control_plane::wire::{Artifact, Task},
    egress::EgressSettings,
    gateway::Provider,
    job_gauge::JobGauge,
    programs::{AgentProgram, DefaultModels},
    sandbox::{AgentUserPool, IsolationMethod, SandboxLimits},
    workspace::{WorkspaceError, Workspaces},
};

/// What all jobs of a runner share.
#[derive(Debug)]
pub struct JobContext {
    pub workspaces: Workspaces,
    /// How agents are started.
    pub method: IsolationMethod,
    pub outage: OutageLimits,
    /// How many of them have a process at once.
    pub slots: Arc<SessionSlots>,
    /// The users of the agents, if the runner is root.
    pub users: AgentUserPool,
    /// What sessions may reach of the network.
    pub egress: EgressSettings,
    pub providers: Vec<Provider>,
    pub upstream: reqwest::Client,
    /// Held by the tasks at work.
    pub sessions: SessionLocks,
    /// The folder with a folder for each session at work.
    pub runs: PathBuf,
    pub limits: SandboxLimits,
    /// The models where a session names none.
    pub default_models: DefaultModels,
    /// The rules for what sessions say nothing about.
    pub permissions: PermissionPolicy,
}

impl JobContext {
    /// The limits of this runner, and of the session where those are smaller.
    pub(super) fn limits_of(&self, task: &Task) -> SandboxLimits {
        let mut limits = self.limits;
        if let Some(megabytes) = task.requirements.memory_limit_mb {
            limits.memory_bytes = limits.memory_bytes.min(megabytes * 1024 * 1024);
        }
        limits
    }
}

/// A task, and the program that works on it.
#[derive(Debug)]
pub struct Job {
    pub task: Task,
    pub program: Arc<AgentProgram>,
    pub gauge: Arc<JobGauge>,
}

/// How a run has ended.
#[derive(Clone, Debug, PartialEq)]
pub enum RunEnd {
    /// The agent ended its last turn, or was cancelled.
    Completed { text: String },
    /// It could not work, or failed.
    Failed { code: String, message: String },
}

impl RunEnd {
    pub(super) fn failed(code: &str, message: &impl ToString) -> Self {
        Self::Failed { code: code.to_owned(), message: message.to_string() }
    }
}

/// What an agent did in a run.
#[derive(Debug)]
pub(super) struct RunReport {
    pub(super) end: RunEnd,
    pub(super) tokens: i64,
    pub(super) cost_usd: Option<String>,
    pub(super) attachments: Vec<Attachment>,
    /// For how long the session is to pause, if the provider of its model asks for it.
    pub(super) retry_after: Option<Duration>,
}

impl RunReport {
    /// The report of a run in which no agent did anything.
    pub(super) fn without_work(end: RunEnd) -> Self {
        Self { end, tokens: 0, cost_usd: None, attachments: Vec::new(), retry_after: None }
    }
}

/// The changes of a run, as they are delivered.
#[derive(Debug)]
pub(super) struct RunWork {
    pub(super) patch: Vec<u8>,
    /// The commits, uploaded already.
    pub(super) bundle: Option<Artifact>,
}

/// What a run came to.
#[derive(Debug)]
pub(super) struct RunOutcome {
    pub(super) report: RunReport,
    /// Absent if no workspace could be prepared, or the task is another's now.
    pub(super) work: Option<Result<RunWork, WorkspaceError>>,
}

impl RunOutcome {
    /// The outcome of a run for which there was no workspace.
    pub(super) fn without_workspace(end: RunEnd) -> Self {
        Self { report: RunReport::without_work(end), work: None }
    }
}
