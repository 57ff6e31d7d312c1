//! The background jobs: a closed, versioned list that carries ids only. A job is a doorbell: it says "look at this row".

use std::time::Duration;

use serde::{Deserialize, Serialize};

use crate::{
    error::Error,
    id::{SessionId, TenantId, TrainingJobId},
};

/// What there is to look at. Losing, repeating or delaying one changes nothing but time.
#[derive(Clone, Debug, Eq, Hash, PartialEq, Serialize, Deserialize)]
#[serde(tag = "job", rename_all = "snake_case", deny_unknown_fields)]
pub enum Job {
    /// A session waits for a slot or is to be handed to its agent.
    Dispatch { version: u8, tenant_id: TenantId, session_id: SessionId },
    /// A session runs, or has something to finish: see how its agent does.
    Observe { version: u8, tenant_id: TenantId, session_id: SessionId },
    /// A session is gone, and its agent keeps its workspace: have it given back.
    GiveBack { version: u8, tenant_id: TenantId, session_id: SessionId },
    /// A tenant has news, and there are those who watch: tell them.
    Broadcast { version: u8, tenant_id: TenantId },
    /// A training job has something to do that is no look at its provider: curate, submit, evaluate, register, stop.
    Train { version: u8, tenant_id: TenantId, job_id: TrainingJobId },
    /// A provider trains: see how far it is.
    PollTraining { version: u8, tenant_id: TenantId, job_id: TrainingJobId },
    /// Ring again for every due row that nobody serves.
    Sweep { version: u8 },
}

/// The version that this code writes; a newer one is refused (and redelivered to newer code), not guessed at.
pub const VERSION: u8 = 1;

/// Which queue a job travels on: one per function that consumes it.
#[derive(Clone, Copy, Debug, Eq, Hash, Ord, PartialEq, PartialOrd)]
pub enum Lane {
    Dispatch,
    Observe,
    Broadcast,
    Poll,
    Sweep,
    Train,
}

impl Lane {
    pub const ALL: [Self; 6] = [Self::Dispatch, Self::Observe, Self::Broadcast, Self::Poll, Self::Sweep, Self::Train];

    pub const fn name(self) -> &'static str {
        match self {
            Self::Dispatch => "dispatch",
            Self::Observe => "observe",
            Self::Broadcast => "broadcast",
            Self::Poll => "poll",
            Self::Sweep => "sweep",
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

    pub fn give_back(tenant_id: TenantId, session_id: SessionId) -> Self {
        Self::GiveBack { version: VERSION, tenant_id, session_id }
    }

    pub fn broadcast(tenant_id: TenantId) -> Self {
        Self::Broadcast { version: VERSION, tenant_id }
    }

    pub fn train(tenant_id: TenantId, job_id: TrainingJobId) -> Self {
        Self::Train { version: VERSION, tenant_id, job_id }
    }

    pub fn poll_training(tenant_id: TenantId, job_id: TrainingJobId) -> Self {
        Self::PollTraining { version: VERSION, tenant_id, job_id }
    }

    pub fn sweep() -> Self {
        Self::Sweep { version: VERSION }
    }

    pub fn lane(&self) -> Lane {
        match self {
            Self::Dispatch { .. } => Lane::Dispatch,
            Self::Observe { .. } | Self::GiveBack { .. } => Lane::Observe,
            Self::Broadcast { .. } => Lane::Broadcast,
            Self::Train { .. } => Lane::Train,
            Self::PollTraining { .. } => Lane::Poll,
            Self::Sweep { .. } => Lane::Sweep,
        }
    }

    /// The tenant, by which the queue keeps turns fair (SQS: the message group).
    pub fn tenant_id(&self) -> Option<TenantId> {
        match self {
            Self::Dispatch { tenant_id, .. }
            | Self::Observe { tenant_id, .. }
            | Self::GiveBack { tenant_id, .. }
            | Self::Broadcast { tenant_id, .. }
            | Self::Train { tenant_id, .. }
            | Self::PollTraining { tenant_id, .. } => Some(*tenant_id),
            Self::Sweep { .. } => None,
        }
    }

    pub fn version(&self) -> u8 {
        match self {
            Self::Dispatch { version, .. }
            | Self::Observe { version, .. }
            | Self::GiveBack { version, .. }
            | Self::Broadcast { version, .. }
            | Self::Train { version, .. }
            | Self::PollTraining { version, .. }
            | Self::Sweep { version } => *version,
        }
    }
}

/// What a job's handler decided. An `Err` beside it means: try again after the queue's own pause.
#[derive(Debug)]
pub enum Verdict {
    /// Nothing more to do for this message.
    Done,
    /// Show the message again after this time.
    Later(Duration),
    /// It can never succeed: put it aside for a person to see.
    Never(Error),
}
