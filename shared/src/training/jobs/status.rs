//! The seven states of a training job and the transitions between them. This table is the only copy that decides; the
//! SQL trigger, the `OpenAPI` document and the docs are tested against it.

use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

/// The status of a training job.
#[derive(Clone, Copy, Debug, Eq, Hash, PartialEq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "snake_case")]
#[schema(as = TrainingStatus)]
pub enum TrainingStatus {
    /// Configured, not yet started.
    Pending,
    /// Started: its dataset is curated and submitted to the provider.
    Queued,
    /// The provider has accepted it.
    Running,
    /// Trained; the result is evaluated and registered.
    Evaluating,
    Completed,
    Failed,
    /// Cancelled.
    Cancelled,
}

impl TrainingStatus {
    pub const ALL: [Self; 7] =
        [Self::Pending, Self::Queued, Self::Running, Self::Evaluating, Self::Completed, Self::Failed, Self::Cancelled];

    /// The states this one may move to.
    pub const fn next(self) -> &'static [Self] {
        use TrainingStatus::{Cancelled, Completed, Evaluating, Failed, Pending, Queued, Running};
        match self {
            Pending => &[Queued, Cancelled, Failed],
            Queued => &[Running, Failed, Cancelled],
            Running => &[Evaluating, Completed, Failed, Cancelled],
            Evaluating => &[Completed, Failed, Cancelled],
            Failed | Cancelled => &[Pending],
            Completed => &[],
        }
    }

    pub fn may_go(self, to: Self) -> bool {
        self.next().contains(&to)
    }

    /// Started and not ended: it counts against the limit of the tenant.
    pub const fn is_active(self) -> bool {
        matches!(self, Self::Queued | Self::Running | Self::Evaluating)
    }

    pub const fn is_over(self) -> bool {
        matches!(self, Self::Completed | Self::Failed | Self::Cancelled)
    }

    pub const fn name(self) -> &'static str {
        match self {
            Self::Pending => "pending",
            Self::Queued => "queued",
            Self::Running => "running",
            Self::Evaluating => "evaluating",
            Self::Completed => "completed",
            Self::Failed => "failed",
            Self::Cancelled => "cancelled",
        }
    }

    pub fn parse(text: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|status| status.name() == text)
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn a_name_reads_back_as_its_state() {
        for status in TrainingStatus::ALL {
            assert_eq!(TrainingStatus::parse(status.name()), Some(status));
            assert_eq!(serde_json::to_value(status).unwrap(), status.name());
        }
        assert_eq!(TrainingStatus::parse("Running"), None);
    }

    #[test]
    fn each_state_is_waiting_active_or_over_and_no_state_goes_to_itself() {
        for status in TrainingStatus::ALL {
            let groups = [status == TrainingStatus::Pending, status.is_active(), status.is_over()];
            assert_eq!(groups.iter().filter(|is| **is).count(), 1, "{}", status.name());
            assert!(!status.may_go(status));
            assert_eq!(status.next().is_empty(), status == TrainingStatus::Completed);
        }
    }

    proptest! {
        /// For every sequence of commands: completed jobs stay completed, active jobs can be cancelled, and only a
        /// retry leads back.
        #[test]
        fn no_walk_through_the_table_leaves_an_end_but_by_a_retry(asked in prop::collection::vec(0..7_usize, 0..40)) {
            let mut at = TrainingStatus::Pending;
            for to in asked.into_iter().map(|index| TrainingStatus::ALL[index]) {
                if !at.may_go(to) {
                    continue;
                }
                prop_assert_ne!(at, TrainingStatus::Completed);
                prop_assert!(!at.is_over() || to == TrainingStatus::Pending);
                prop_assert!(to != TrainingStatus::Pending || at.is_over());
                at = to;
                prop_assert!(!at.is_active() || at.may_go(TrainingStatus::Cancelled) && at.may_go(TrainingStatus::Failed));
            }
        }
    }
}
