//! The background jobs: a closed, versioned list that carries ids only. A job asks a worker to look at one row, which
//! says what is due.

use std::time::Duration;

use serde::{Deserialize, Serialize};

use crate::{
    kernel::{
        error::Error,
        id::{AgentId, SessionId, TenantId, TrainingJobId},
    },
    platform::notification::RunnerSignal,
};

/// A job. Losing, repeating or delaying one changes nothing but time.
#[derive(Clone, Debug, Eq, Hash, PartialEq, Serialize, Deserialize)]
#[serde(tag = "job", rename_all = "snake_case", deny_unknown_fields)]
pub enum Job {
    /// A session waits to be admitted, or to be handed to its agent.
    Dispatch { version: u8, tenant_id: TenantId, session_id: SessionId },
    /// A session runs, or its end is not cleaned up yet: observe its agent.
    Observe { version: u8, tenant_id: TenantId, session_id: SessionId },
    /// An agent may have new free places: admit the sessions that are next in its queue.
    Admit { version: u8, tenant_id: TenantId, agent_id: AgentId },
    /// An agent was removed, or is no longer offered to some tenant: reassign or fail the sessions that depend on it.
    ReassignSessions { version: u8, tenant_id: TenantId, agent_id: AgentId },
    /// The server of an agent did not answer: probe it, for its circuit breaker.
    ProbeAgent { version: u8, agent_id: AgentId },
    /// A session was deleted, and its agent keeps its workspace: have the agent release it.
    ReleaseWorkspace { version: u8, tenant_id: TenantId, session_id: SessionId },
    /// A tenant has new events: send them to its live connections.
    Broadcast { version: u8, tenant_id: TenantId },
    /// Runners have something to fetch: send the signal to their connections.
    SignalRunners { version: u8, signal: RunnerSignal },
    /// A training job has a step that does not poll its provider: curate, submit, evaluate, register, stop.
    Train { version: u8, tenant_id: TenantId, job_id: TrainingJobId },
    /// A provider trains: poll its progress.
    PollTraining { version: u8, tenant_id: TenantId, job_id: TrainingJobId },
    /// Enqueue every due row again that no worker serves.
    Reconcile { version: u8 },
}

/// The version that this code writes; a newer one is refused (and redelivered to newer code), not guessed at.
pub const VERSION: u8 = 1;

/// Which queue a job travels on: one per function that consumes it.
#[derive(Clone, Copy, Debug, Eq, Hash, Ord, PartialEq, PartialOrd)]
pub enum QueueName {
    Dispatch,
    Observe,
    Broadcast,
    Poll,
    Reconcile,
    Train,
}

impl QueueName {
    pub const ALL: [Self; 6] =
        [Self::Dispatch, Self::Observe, Self::Broadcast, Self::Poll, Self::Reconcile, Self::Train];

    pub const fn name(self) -> &'static str {
        match self {
            Self::Dispatch => "dispatch",
            Self::Observe => "observe",
            Self::Broadcast => "broadcast",
            Self::Poll => "poll",
            Self::Reconcile => "reconcile",
            Self::Train => "train",
        }
    }
}

impl Job {
    pub fn dispatch(tenant_id: TenantId, session_id: SessionId) -> Self {
        Self::Dispatch { version: VERSION, tenant_id, session_id }
    }

    pub fn observe(tenant_id: TenantId, session_id: SessionId) -> Self {
        Self::Observe { version: VERSION, tenant_id, session_id }
    }

    /// `tenant_id` owns the agent.
    pub fn admit(tenant_id: TenantId, agent_id: AgentId) -> Self {
        Self::Admit { version: VERSION, tenant_id, agent_id }
    }

    /// `tenant_id` owns the agent, or was offered it.
    pub fn reassign_sessions(tenant_id: TenantId, agent_id: AgentId) -> Self {
        Self::ReassignSessions { version: VERSION, tenant_id, agent_id }
    }

    pub fn release_workspace(tenant_id: TenantId, session_id: SessionId) -> Self {
        Self::ReleaseWorkspace { version: VERSION, tenant_id, session_id }
    }

    pub fn probe_agent(agent_id: AgentId) -> Self {
        Self::ProbeAgent { version: VERSION, agent_id }
    }

    pub fn broadcast(tenant_id: TenantId) -> Self {
        Self::Broadcast { version: VERSION, tenant_id }
    }

    pub fn signal_runners(signal: RunnerSignal) -> Self {
        Self::SignalRunners { version: VERSION, signal }
    }

    pub fn train(tenant_id: TenantId, job_id: TrainingJobId) -> Self {
        Self::Train { version: VERSION, tenant_id, job_id }
    }

    pub fn poll_training(tenant_id: TenantId, job_id: TrainingJobId) -> Self {
        Self::PollTraining { version: VERSION, tenant_id, job_id }
    }

    pub fn reconcile() -> Self {
        Self::Reconcile { version: VERSION }
    }

    pub fn queue_name(&self) -> QueueName {
        match self {
            Self::Dispatch { .. } | Self::Admit { .. } | Self::ReassignSessions { .. } => QueueName::Dispatch,
            Self::Observe { .. } | Self::ReleaseWorkspace { .. } | Self::ProbeAgent { .. } => QueueName::Observe,
            Self::Broadcast { .. } | Self::SignalRunners { .. } => QueueName::Broadcast,
            Self::Train { .. } => QueueName::Train,
            Self::PollTraining { .. } => QueueName::Poll,
            Self::Reconcile { .. } => QueueName::Reconcile,
        }
    }

    /// The tenant, by which the queue keeps turns fair (SQS: the message group).
    pub fn tenant_id(&self) -> Option<TenantId> {
        match self {
            Self::Dispatch { tenant_id, .. }
            | Self::Observe { tenant_id, .. }
            | Self::Admit { tenant_id, .. }
            | Self::ReassignSessions { tenant_id, .. }
            | Self::ReleaseWorkspace { tenant_id, .. }
            | Self::Broadcast { tenant_id, .. }
            | Self::Train { tenant_id, .. }
            | Self::PollTraining { tenant_id, .. } => Some(*tenant_id),
            Self::Reconcile { .. } | Self::ProbeAgent { .. } | Self::SignalRunners { .. } => None,
        }
    }

    pub fn version(&self) -> u8 {
        match self {
            Self::Dispatch { version, .. }
            | Self::Observe { version, .. }
            | Self::Admit { version, .. }
            | Self::ReassignSessions { version, .. }
            | Self::ReleaseWorkspace { version, .. }
            | Self::ProbeAgent { version, .. }
            | Self::Broadcast { version, .. }
            | Self::SignalRunners { version, .. }
            | Self::Train { version, .. }
            | Self::PollTraining { version, .. }
            | Self::Reconcile { version } => *version,
        }
    }
}

/// What the handler of a job decided. An `Err` beside it means: retry after the queue's own pause.
#[derive(Debug)]
pub enum JobOutcome {
    /// The message is done with.
    Complete,
    /// Deliver the message again after this time.
    Snooze(Duration),
    /// The job can never succeed: move the message to the dead-letter queue.
    Discard(Error),
}
