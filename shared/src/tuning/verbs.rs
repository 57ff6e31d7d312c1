//! What people ask of a training job, decided. Pure.

use crate::{
    error::{Code, Error, Result},
    trainer::Metrics,
};

use super::{
    change::{Change, refuse},
    status::Status,
};

/// Asks a pending job to run: its dataset is curated next. `active` counts the tenant's jobs that were started and are
/// not over.
pub fn start(change: &mut Change, active: i64, most: i64) -> Result<()> {
    if change.job.status.may_go(Status::Queued) && active >= most {
        let detail = format!("{active} training jobs of the tenant are under way, and it may have {most} at once.");
        return Err(Error::new(Code::QuotaExceeded, detail));
    }
    change.verb = Some("start");
    change.go(Status::Queued, "started")?;
    change.job.started_at = Some(change.now);
    change.job.next_step_at = Some(change.now);
    Ok(())
}

/// Calls a job off. A provider that may have it is told by the next step.
pub fn cancel(change: &mut Change) -> Result<()> {
    change.verb = Some("cancel");
    let at_provider = change.is_at_provider();
    change.go(Status::Cancelled, "called off")?;
    if at_provider {
        change.stop();
    }
    Ok(())
}

/// Makes a failed or cancelled job pending again, as a new attempt that begins with nothing of the one before.
pub fn retry(change: &mut Change) -> Result<()> {
    if change.job.stopping {
        let detail = "The provider has not confirmed yet that it stopped; try again shortly.";
        return Err(refuse(&change.job, detail));
    }
    change.verb = Some("retry");
    change.go(Status::Pending, "to be tried again")?;
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
    job.next_step_at = None;
    job.look_pause = std::time::Duration::ZERO;
    (job.tries, job.unknown_looks, job.broken_off) = (0, 0, 0);
    Ok(())
}
