//! A coding session: a prompt given to an agent, run to an end, with everything it did on record.
//!
//! [`session`] is the row, [`spec`] the part that the caller decides, [`status`] the table of states. [`draft`] and
//! [`reports`] parse what callers send, and [`child`] is what the agent of a parent learns. [`transitions`] decide,
//! purely, what a command or a step changes, as a [`change::SessionChange`]. [`routing`] ranks the agents for a
//! session. [`store`] is the SQL, [`service`] creates and reads sessions; the engine runs them.

pub mod admission;
pub mod change;
mod checkpoint_cause;
pub mod child;
pub mod draft;
pub(crate) mod fields;
pub mod next_step;
pub mod outcome;
pub mod policy;
pub mod queue;
pub mod reports;
pub mod routing;
pub mod service;
pub mod services;
pub mod session;
pub mod spec;
pub mod status;
pub mod store;
pub mod transitions;
pub mod usage_claims;

use serde::Serialize;
use utoipa::ToSchema;

use crate::kernel::{clock::Time, id::AgentId};

pub use self::{
    queue::{QueuePosition, WaitingFor},
    session::{
        ForkedFrom, Handover, Intent, IntentVerb, MAX_CHECKPOINTS, MAX_DEPTH, MAX_RETRIES, MAX_TREE, NewLineage,
        PauseState, Session, SessionClock, SessionKey, SessionLineage, SessionRun, StepSchedule,
    },
    spec::{Priority, SessionSpec},
    usage_claims::{SessionUsage, UsageAmount, UsageBounds},
};

/// The agent that a session was assigned to.
#[derive(Clone, Debug, PartialEq, Serialize, ToSchema)]
pub struct AgentRef {
    /// The id of the agent.
    pub id: AgentId,
    /// The name of the agent.
    pub name: String,
    /// The protocol that the agent speaks.
    pub kind: String,
}

/// Why a queued session waits for an agent.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct WaitReason {
    pub detail: String,
    /// When the agent is tried next, if that is known.
    pub until: Option<Time>,
}
