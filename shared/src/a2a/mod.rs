//! The A2A 1.0 (`Agent2Agent`) server: a tenant is an agent, and its sessions are tasks. The mapping here is pure. The
//! client is `agents::a2a_client`.

pub mod allowance;
pub mod card;
pub mod field_error;
pub mod message;
pub mod proto_json;
pub mod question;
pub mod service;
mod store;
pub mod task;

use ::a2a::{A2AError, TaskState};

use crate::{
    kernel::error::Error,
    sessions::{
        Session,
        status::{PauseReason, Status},
    },
};

/// An error of the protocol, or an error of the API.
#[derive(Debug)]
pub enum A2aRefusal {
    Protocol(A2AError),
    Failed(Error),
}

impl A2aRefusal {
    /// Whether nothing was done, and the same work is to be carried out again at once.
    pub(crate) fn is_repeatable(&self) -> bool {
        matches!(self, Self::Failed(error) if error.is_repeatable())
    }
}

impl From<Error> for A2aRefusal {
    fn from(error: Error) -> Self {
        Self::Failed(error)
    }
}

impl From<A2AError> for A2aRefusal {
    fn from(error: A2AError) -> Self {
        Self::Protocol(error)
    }
}

/// The task state for a session status.
pub fn task_state(status: Status, held: Option<PauseReason>) -> TaskState {
    match (status, held) {
        (Status::Pending | Status::Queued, _) => TaskState::Submitted,
        (Status::Paused, Some(PauseReason::Approval | PauseReason::Input)) => TaskState::InputRequired,
        (Status::Paused, Some(PauseReason::Auth)) => TaskState::AuthRequired,
        // Paused by a user or a limit: the protocol has no such state, and the client cannot change it.
        (Status::Running | Status::Degraded | Status::Paused, _) => TaskState::Working,
        (Status::Completed | Status::PartiallyCompleted, _) => TaskState::Completed,
        (Status::Failed | Status::Timeout | Status::Orphaned, _) => TaskState::Failed,
        (Status::Stopped | Status::Cancelled, _) => TaskState::Canceled,
    }
}

/// The state of a session's task.
pub fn state_of(session: &Session) -> TaskState {
    task_state(session.status, session.pause.reason)
}

/// Whether a task waits for its client: it has ended, or needs input.
pub fn is_idle(session: &Session) -> bool {
    let state = state_of(session);
    state.is_terminal() || matches!(state, TaskState::InputRequired | TaskState::AuthRequired)
}

/// The session statuses of a task state: those that have it in any case, and the pause reasons for which a paused
/// session has it.
fn statuses_of(wanted: &TaskState) -> (Vec<&'static str>, Vec<&'static str>) {
    let plain = Status::ALL.into_iter().filter(|one| *one != Status::Paused && task_state(*one, None) == *wanted);
    let held = PauseReason::ALL.into_iter().filter(|why| task_state(Status::Paused, Some(*why)) == *wanted);
    (plain.map(Status::name).collect(), held.map(PauseReason::name).collect())
}

/// The context id of a task: the one that its client chose, else the id of its session tree.
pub fn context_id(session: &Session) -> String {
    let named = session.spec.metadata.get("a2a").and_then(|a2a| a2a["context_id"].as_str());
    named.map_or_else(|| session.lineage.root_id.to_string(), str::to_owned)
}
