//! Why a call to the control plane failed.

use std::time::Duration;

/// A failed call.
#[derive(Clone, Debug, thiserror::Error)]
#[error("{message}")]
pub struct CallError {
    /// What it means for the runner.
    pub failure: CallFailure,
    /// For people.
    pub message: String,
}

/// What a failed call means for the runner.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum CallFailure {
    /// Nobody answered, or the server has a fault of its own: the same call may succeed later.
    Unavailable,
    /// The server asks to wait.
    Busy {
        /// How long, if it said so.
        retry_after: Option<Duration>,
    },
    /// The task is no longer this runner's: its work is to be ended and dropped.
    LeaseLost,
    /// The token is not valid, or the agent was removed: the runner has to register anew.
    NotAuthenticated,
    /// The call is wrong; repeating it does not help.
    Refused,
}

impl CallFailure {
    /// The meaning of an answer by its status and the `code` of its problem.
    pub fn of_answer(status: u16, code: &str, retry_after: Option<Duration>) -> Self {
        match (status, code) {
            (_, "LEASE_LOST" | "TASK_NOT_FOUND" | "RESULT_DIFFERS") => Self::LeaseLost,
            (401, _) => Self::NotAuthenticated,
            (408 | 425 | 429, _) => Self::Busy { retry_after },
            (500.., _) => Self::Unavailable,
            _ => Self::Refused,
        }
    }

    /// Whether nobody answered, so that it is not known what the call has done.
    pub fn is_unavailable(self) -> bool {
        self == Self::Unavailable
    }

    /// Whether the same call may succeed later.
    pub fn is_transient(self) -> bool {
        matches!(self, Self::Unavailable | Self::Busy { .. })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_answer_is_understood_by_its_code_first_and_then_by_its_status() {
        for (status, code, failure) in [
            (409, "LEASE_LOST", CallFailure::LeaseLost),
            (404, "TASK_NOT_FOUND", CallFailure::LeaseLost),
            (409, "RESULT_DIFFERS", CallFailure::LeaseLost),
            (401, "AGENT_DEREGISTERED", CallFailure::NotAuthenticated),
            (429, "QUOTA_EXCEEDED", CallFailure::Busy { retry_after: None }),
            (503, "DEPENDENCY_UNAVAILABLE", CallFailure::Unavailable),
            (502, "", CallFailure::Unavailable),
            (422, "VALIDATION_FAILED", CallFailure::Refused),
            (413, "PAYLOAD_TOO_LARGE", CallFailure::Refused),
        ] {
            assert_eq!(CallFailure::of_answer(status, code, None), failure, "{status} {code}");
        }
    }
}
