//! The sessions of a tenant as an agent of A2A 1.0 (`Agent2Agent`): a task is a session. The mapping here is pure; the other
//! direction, in which we are the client, is `runtime::a2a`.

pub mod card;
pub mod message;
pub mod service;
mod store;
pub mod task;

use ::a2a::{A2AError, TaskState};

use crate::{
    error::Error,
    session::{
        Session,
        status::{PauseReason, Status},
    },
};

/// Why something is refused: in a word that only the protocol has, or as everywhere.
#[derive(Debug)]
pub enum Refusal {
    Told(A2AError),
    Failed(Error),
}

impl From<Error> for Refusal {
    fn from(error: Error) -> Self {
        Self::Failed(error)
    }
}

impl From<A2AError> for Refusal {
    fn from(error: A2AError) -> Self {
        Self::Told(error)
    }
}

/// The state of a task whose session stands so.
pub fn state(status: Status, held: Option<PauseReason>) -> TaskState {
    match (status, held) {
        (Status::Pending | Status::Queued, _) => TaskState::Submitted,
        (Status::Paused, Some(PauseReason::Approval | PauseReason::Input)) => TaskState::InputRequired,
        (Status::Paused, Some(PauseReason::Auth)) => TaskState::AuthRequired,
        // Held by a person or a limit: the protocol has no word for it, and the client can do nothing about it.
        (Status::Running | Status::Degraded | Status::Paused, _) => TaskState::Working,
        (Status::Completed | Status::PartiallyCompleted, _) => TaskState::Completed,
        (Status::Failed | Status::Timeout | Status::Orphaned, _) => TaskState::Failed,
        (Status::Stopped | Status::Cancelled, _) => TaskState::Canceled,
    }
}

/// The state of a session's task.
pub fn state_of(session: &Session) -> TaskState {
    state(session.status, session.pause_reason)
}

/// Whether a task does not go on without its client: it is over, or waits for a word.
pub fn rests(session: &Session) -> bool {
    let state = state_of(session);
    state.is_terminal() || matches!(state, TaskState::InputRequired | TaskState::AuthRequired)
}

/// The states of sessions whose task is in a state: those that have it however they are held, and why one that is paused
/// has it.
fn statuses(wanted: &TaskState) -> (Vec<&'static str>, Vec<&'static str>) {
    let plain = Status::ALL.into_iter().filter(|one| *one != Status::Paused && state(*one, None) == *wanted);
    let held = PauseReason::ALL.into_iter().filter(|why| state(Status::Paused, Some(*why)) == *wanted);
    (plain.map(Status::name).collect(), held.map(PauseReason::name).collect())
}

/// The context of a session's task: the one that its client named, else its tree.
pub fn context(session: &Session) -> String {
    let named = session.metadata.get("a2a").and_then(|told| told["context_id"].as_str());
    named.map_or_else(|| session.root_id.to_string(), str::to_owned)
}
