//! How a step writes what it found: on the row as it stands now, if no newer claim exists.

use crate::{
    engine::lease::claimed_by_another,
    kernel::{actor::Actor, error::Result},
    platform::postgres::Tx,
    training::services::TrainingServices,
};

use super::{TrainingJob, change::TrainingJobChange, service, store};

/// A change that a step is about to save: the current row, with its claim released.
pub(super) struct OpenJobWrite {
    pub(super) tx: Tx,
    pub(super) change: TrainingJobChange,
    /// Whether the job changed since the claim, so that the findings of the step are outdated.
    pub(super) moved: bool,
}

impl OpenJobWrite {
    /// Reads and locks the row. Fails if a newer claim exists.
    pub(super) async fn begin(services: &TrainingServices, claimed: &TrainingJob) -> Result<Self> {
        let mut tx = services.db.tenant(claimed.tenant_id).await?;
        let mut job = store::lock_job(&mut tx, claimed.tenant_id, claimed.id).await?;
        if job.schedule.fence != claimed.schedule.fence {
            return Err(claimed_by_another());
        }
        let moved = (job.status, job.attempt, job.stopping) != (claimed.status, claimed.attempt, claimed.stopping);
        job.schedule.lease_until = None;
        job.schedule.interrupted_steps = 0;
        job.schedule.failed_steps = 0;
        Ok(Self { tx, change: TrainingJobChange::new(job, Actor::system_part("trainer"), services.clock.now()), moved })
    }

    pub(super) async fn finish(mut self, services: &TrainingServices) -> Result<()> {
        service::save_change(services, self.tx, &mut self.change).await
    }
}

/// Saves the findings of a step. If the job changed meanwhile, only the claim is released, and the next step starts
/// over.
pub(super) async fn write(
    services: &TrainingServices,
    claimed: &TrainingJob,
    decide: impl FnOnce(&mut TrainingJobChange) -> Result<()>,
) -> Result<()> {
    write_even_if_moved(services, claimed, |change, moved| if moved { Ok(()) } else { decide(change) }).await
}

/// As [`write`], also if the job changed.
pub(super) async fn write_even_if_moved(
    services: &TrainingServices,
    claimed: &TrainingJob,
    decide: impl FnOnce(&mut TrainingJobChange, bool) -> Result<()>,
) -> Result<()> {
    let mut open = OpenJobWrite::begin(services, claimed).await?;
    decide(&mut open.change, open.moved)?;
    open.finish(services).await
}
