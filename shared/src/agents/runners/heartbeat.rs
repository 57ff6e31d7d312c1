//! What a runner sends with each heartbeat, and what it is asked to do.

use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use crate::kernel::error::{Result, ValidationErrors};

use super::{MAX_SLOTS, RunnerJob, RunnerState};

/// The largest figure of a job: a MiB count or a percentage beyond it is an error of the runner.
const MAX_FIGURE: f64 = 1e9;

/// A heartbeat of a runner.
#[derive(Clone, Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
#[schema(as = NewRunnerHeartbeat)]
pub struct NewHeartbeat {
    /// The state of the runner: `offline` ends its leases at once.
    pub state: RunnerState,
    /// The tasks that it works on, at most 50.
    #[serde(default)]
    #[schema(max_items = 50)]
    pub jobs: Vec<RunnerJob>,
}

/// A valid heartbeat.
#[derive(Clone, Debug, PartialEq)]
pub struct RunnerHeartbeat {
    pub state: RunnerState,
    pub jobs: Vec<RunnerJob>,
}

impl RunnerHeartbeat {
    pub fn parse(new: NewHeartbeat) -> Result<Self> {
        let mut refused = ValidationErrors::default();
        if i32::try_from(new.jobs.len()).is_ok_and(|jobs| jobs > MAX_SLOTS) {
            refused.add("jobs", format!("must be at most {MAX_SLOTS}"));
        }
        for (at, job) in new.jobs.iter().enumerate() {
            for (name, figure) in [("rss_mb", job.rss_mb), ("cpu_percent", job.cpu_percent)] {
                if figure.is_some_and(|figure| !(0.0..=MAX_FIGURE).contains(&figure)) {
                    refused.add(format!("jobs[{at}].{name}"), "must be 0 or more");
                }
            }
        }
        refused.into_result()?;
        Ok(Self { state: new.state, jobs: new.jobs })
    }
}

/// What a runner is asked to do. It is repeated until the runner reports the state that follows.
#[derive(Clone, Copy, Debug, Eq, PartialEq, Serialize, ToSchema)]
#[serde(rename_all = "snake_case")]
pub enum RunnerCommand {
    /// Finish the tasks at hand and take no new ones.
    Drain,
    /// Take work again.
    Resume,
}

#[cfg(test)]
mod tests {
    use serde_json::{Value, json};

    use super::*;

    fn parse(jobs: &Value) -> Result<RunnerHeartbeat> {
        RunnerHeartbeat::parse(serde_json::from_value(json!({"state": "active", "jobs": jobs})).unwrap())
    }

    #[test]
    fn the_figures_of_a_job_are_not_negative() {
        let task = "01900000-0000-7000-8000-000000000000";
        let good = json!([{"task_id": task, "phase": "working", "rss_mb": 812.5, "cpu_percent": 0}]);
        assert_eq!(parse(&good).unwrap().jobs.len(), 1);
        let bad = parse(&json!([{"task_id": task}, {"task_id": task, "rss_mb": -1}])).unwrap_err();
        assert_eq!(bad.fields()[0].field, "jobs[1].rss_mb");
        let many = vec![json!({"task_id": task}); 51];
        assert_eq!(parse(&json!(many)).unwrap_err().fields()[0].field, "jobs");
    }
}
