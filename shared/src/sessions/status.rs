//! The twelve states of a session and where each may go. This table is the only copy that decides; the SQL trigger, the
//! `OpenAPI` document and the docs are tested against it.

use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

/// The status of a session.
#[derive(Clone, Copy, Debug, Eq, Hash, Ord, PartialEq, PartialOrd, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "snake_case")]
pub enum Status {
    /// Created, not yet asked to run.
    Pending,
    /// Asked to run; waits for a slot, its workspace, an agent or tokens.
    Queued,
    Running,
    /// Held, with a reason; no compute is spent.
    Paused,
    /// Running, but its agent does not answer or errors pile up.
    Degraded,
    Completed,
    /// Part of the work stands.
    PartiallyCompleted,
    Failed,
    /// Exceeded its duration, or waited too long.
    Timeout,
    /// Stopped by a person while it ran.
    Stopped,
    /// Cancelled before it ran, or while paused.
    Cancelled,
    /// Its parent was deleted or ended while it still waited on it.
    Orphaned,
}

impl Status {
    pub const ALL: [Self; 12] = [
        Self::Pending,
        Self::Queued,
        Self::Running,
        Self::Paused,
        Self::Degraded,
        Self::Completed,
        Self::PartiallyCompleted,
        Self::Failed,
        Self::Timeout,
        Self::Stopped,
        Self::Cancelled,
        Self::Orphaned,
    ];

    /// The states this one may move to.
    pub const fn next(self) -> &'static [Self] {
        use Status::{
            Cancelled, Completed, Degraded, Failed, Orphaned, PartiallyCompleted, Paused, Pending, Queued, Running,
            Stopped, Timeout,
        };
        match self {
            Pending => &[Queued, Running, Cancelled, Failed, Orphaned],
            Queued => &[Running, Pending, Cancelled, Failed, Timeout, Orphaned],
            Running => &[Completed, PartiallyCompleted, Failed, Timeout, Paused, Stopped, Degraded, Orphaned],
            Paused => &[Running, Queued, Completed, PartiallyCompleted, Failed, Timeout, Stopped, Cancelled, Orphaned],
            Degraded => &[Running, Completed, PartiallyCompleted, Failed, Timeout, Paused, Stopped, Orphaned],
            Failed | Timeout | Stopped => &[Pending, Queued],
            Completed | PartiallyCompleted | Cancelled | Orphaned => &[],
        }
    }

    pub fn may_go(self, to: Self) -> bool {
        self.next().contains(&to)
    }

    /// Running and degraded sessions hold one of the tenant's slots.
    pub const fn holds_slot(self) -> bool {
        matches!(self, Self::Running | Self::Degraded)
    }

    /// Neither waiting nor over: it cannot be deleted.
    pub const fn is_active(self) -> bool {
        matches!(self, Self::Running | Self::Degraded | Self::Paused)
    }

    pub const fn is_over(self) -> bool {
        !matches!(self, Self::Pending | Self::Queued | Self::Running | Self::Paused | Self::Degraded)
    }

    /// What a retry may bring back.
    pub const fn may_retry(self) -> bool {
        matches!(self, Self::Failed | Self::Timeout | Self::Stopped)
    }

    pub const fn name(self) -> &'static str {
        match self {
            Self::Pending => "pending",
            Self::Queued => "queued",
            Self::Running => "running",
            Self::Paused => "paused",
            Self::Degraded => "degraded",
            Self::Completed => "completed",
            Self::PartiallyCompleted => "partially_completed",
            Self::Failed => "failed",
            Self::Timeout => "timeout",
            Self::Stopped => "stopped",
            Self::Cancelled => "cancelled",
            Self::Orphaned => "orphaned",
        }
    }

    pub fn parse(text: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|status| status.name() == text)
    }
}

/// Why a session is paused.
#[derive(Clone, Copy, Debug, Eq, Hash, PartialEq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "snake_case")]
pub enum PauseReason {
    Manual,
    /// The agent asks whether it may do something.
    Approval,
    /// The agent asks for words or a choice.
    Input,
    Auth,
    Budget,
    /// The tenant's tokens of the month are spent; resumes by itself.
    Quota,
    /// The provider asked to wait; resumes by itself.
    RateLimit,
    /// The agent waits for sessions that it created; resumes by itself.
    Dependency,
    Maintenance,
}

impl PauseReason {
    pub const ALL: [Self; 9] = [
        Self::Manual,
        Self::Approval,
        Self::Input,
        Self::Auth,
        Self::Budget,
        Self::Quota,
        Self::RateLimit,
        Self::Dependency,
        Self::Maintenance,
    ];

    pub const fn name(self) -> &'static str {
        match self {
            Self::Manual => "manual",
            Self::Approval => "approval",
            Self::Input => "input",
            Self::Auth => "auth",
            Self::Budget => "budget",
            Self::Quota => "quota",
            Self::RateLimit => "rate_limit",
            Self::Dependency => "dependency",
            Self::Maintenance => "maintenance",
        }
    }

    /// Ends with an answer, not with a resume.
    pub const fn asks_person(self) -> bool {
        matches!(self, Self::Approval | Self::Input)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_failed_timeout_and_stopped_come_back_from_an_end() {
        for status in Status::ALL {
            assert_eq!(status.is_over() && !status.next().is_empty(), status.may_retry(), "{}", status.name());
        }
    }

    #[test]
    fn every_state_that_is_not_over_can_be_left_and_no_state_goes_to_itself() {
        for status in Status::ALL {
            assert!(status.is_over() || !status.next().is_empty());
            assert!(!status.may_go(status));
        }
    }

    #[test]
    fn a_name_reads_back_as_its_state() {
        for status in Status::ALL {
            assert_eq!(Status::parse(status.name()), Some(status));
            assert_eq!(serde_json::to_value(status).unwrap(), status.name());
        }
        assert_eq!(Status::parse("Running"), None);
    }
}
