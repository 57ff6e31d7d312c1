//! The phases of a run, as reports name them, and how long each took.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use crate::agents::registry::string_enum;

string_enum! {
    /// A phase of a run, in their order.
    RunPhase {
        /// The task was claimed.
        Claimed "claimed"
        /// The workspace is fetched.
        Cloning "cloning"
        /// The setup of the environment runs.
        Setup "setup"
        /// The agent is started.
        Starting "starting"
        /// The agent works.
        Working "working"
        /// The work is checked.
        Checks "checks"
        /// The work is delivered.
        Delivering "delivering"
        /// What the run needed is removed.
        Cleaning "cleaning"
    }
}

/// When each reported phase of a run began, in milliseconds since 1970.
#[derive(Clone, Debug, Default, Eq, PartialEq, Serialize, Deserialize)]
#[serde(transparent)]
pub struct PhaseTimes(BTreeMap<RunPhase, i64>);

impl PhaseTimes {
    /// The phase that began last.
    pub fn current(&self) -> Option<RunPhase> {
        self.in_order().last().map(|(phase, _)| *phase)
    }

    /// When a phase began.
    pub fn began_at(&self, phase: RunPhase) -> Option<i64> {
        self.0.get(&phase).copied()
    }

    /// How many milliseconds each phase took that another has followed. `None` if no phase was reported.
    pub fn durations(&self) -> Option<BTreeMap<RunPhase, i64>> {
        let phases = self.in_order();
        let durations = phases.windows(2).map(|pair| (pair[0].0, pair[1].1 - pair[0].1));
        (!phases.is_empty()).then(|| durations.collect())
    }

    /// The phases by the time at which they began.
    fn in_order(&self) -> Vec<(RunPhase, i64)> {
        let mut phases: Vec<_> = self.0.iter().map(|(phase, at)| (*phase, *at)).collect();
        phases.sort_by_key(|(phase, at)| (*at, *phase));
        phases
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn times(value: serde_json::Value) -> PhaseTimes {
        serde_json::from_value(value).unwrap()
    }

    #[test]
    fn a_phase_lasts_until_the_next_one_begins() {
        let run = times(json!({"claimed": 1000, "cloning": 1010, "starting": 1350, "working": 1350}));
        let expected = BTreeMap::from([(RunPhase::Claimed, 10), (RunPhase::Cloning, 340), (RunPhase::Starting, 0)]);
        assert_eq!(run.durations(), Some(expected));
        assert_eq!((run.current(), run.began_at(RunPhase::Cloning)), (Some(RunPhase::Working), Some(1010)));
    }

    #[test]
    fn a_run_without_phases_has_no_durations() {
        assert_eq!(times(json!({})).durations(), None);
        assert_eq!(times(json!({"claimed": 5})).durations(), Some(BTreeMap::new()));
    }
}
