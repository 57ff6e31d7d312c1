//! The decisions of commands on a training job. Pure.

use crate::{
    kernel::error::{Code, Error, Result},
    models::registry::metrics::Metrics,
};

use super::{
    change::{TrainingJobChange, invalid_transition},
    status::TrainingStatus,
};

/// Starts a pending job: its dataset is curated next. `active` is the number of active jobs of the tenant.
pub fn start(change: &mut TrainingJobChange, active: i64, most: i64) -> Result<()> {
    if change.job.status.may_go(TrainingStatus::Queued) && active >= most {
        let detail = format!("{active} training jobs of the tenant are under way, and it may have {most} at once.");
        return Err(Error::new(Code::QuotaExceeded, detail));
    }
    change.action = Some("start");
    change.transition_to(TrainingStatus::Queued, "started")?;
    change.job.started_at = Some(change.now);
    change.job.schedule.next_step_at = Some(change.now);
    Ok(())
}

/// Cancels a job. If a provider may have it, the next step cancels it there.
pub fn cancel(change: &mut TrainingJobChange) -> Result<()> {
    change.action = Some("cancel");
    let at_provider = change.is_at_provider();
    change.transition_to(TrainingStatus::Cancelled, "cancelled")?;
    if at_provider {
        change.request_stop();
    }
    Ok(())
}

/// Makes a failed or cancelled job pending again, as a new attempt from the beginning.
pub fn retry(change: &mut TrainingJobChange) -> Result<()> {
    if change.job.stopping {
        let detail = "The provider has not confirmed yet that it stopped; try again shortly.";
        return Err(invalid_transition(&change.job, detail));
    }
    change.action = Some("retry");
    change.transition_to(TrainingStatus::Pending, "retried")?;
    let job = &mut change.job;
    job.attempt += 1;
    job.error = None;
    job.dataset = None;
    job.submitted_at = None;
    job.external_id = None;
    job.trainer_state = None;
    job.progress = None;
    job.polled_at = None;
    job.trained = None;
    job.metrics = Metrics::default();
    job.evaluation = None;
    job.started_at = None;
    job.schedule.next_step_at = None;
    job.schedule.poll_interval = std::time::Duration::ZERO;
    (job.schedule.transient_failures, job.schedule.not_found_polls) = (0, 0);
    (job.schedule.interrupted_steps, job.schedule.failed_steps) = (0, 0);
    Ok(())
}
