//! Runs one step of a training job: claim the row, run the step, save, and schedule the next step.

use crate::{
    engine::lease::{FailureCause, LeasedRow, run_leased},
    kernel::{
        clock::Time,
        error::{Code, Result},
        id::{TenantId, TrainingJobId},
    },
    platform::{postgres::Db, queue::job::JobOutcome},
    training::services::TrainingServices,
};

use super::{
    run_step::run_step,
    store::{self, ClaimedJob},
};

/// A training job as a leased row.
struct LeasedJob<'a> {
    db: &'a Db,
    tenant_id: TenantId,
    id: TrainingJobId,
    /// Whether only a step that polls the provider is claimed, or only any other step.
    polls: bool,
}

impl LeasedRow for LeasedJob<'_> {
    type Claimed = ClaimedJob;

    async fn claim(&self, now: Time, until: Time) -> Result<Option<ClaimedJob>> {
        store::claim_job(self.db, (self.tenant_id, self.id), self.polls, now, until).await
    }

    fn fence(claimed: &ClaimedJob) -> i64 {
        claimed.job.schedule.fence
    }

    async fn renew(&self, fence: i64, until: Time) -> Result<bool> {
        store::renew_lease(self.db, (self.tenant_id, self.id), fence, until).await
    }

    async fn release_failed(&self, fence: i64, now: Time, cause: FailureCause) -> Result<()> {
        let (failed, was_outage) = (cause == FailureCause::Step, cause == FailureCause::Outage);
        store::release_failed_step(self.db, (self.tenant_id, self.id), fence, now, failed, was_outage).await
    }
}

/// The jobs `Train` and `PollTraining`: runs the step of a training job that is due, if it is of that kind and no other
/// worker does.
pub async fn run_due_step(
    services: &TrainingServices,
    tenant_id: TenantId,
    id: TrainingJobId,
    polls: bool,
) -> Result<JobOutcome> {
    let row = LeasedJob { db: &services.db, tenant_id, id, polls };
    match run_leased(services, row, |claimed| run_step(services, claimed)).await {
        // The tenant was removed meanwhile.
        Err(error) if error.code() == Code::JobNotFound => Ok(JobOutcome::Complete),
        result => result.map(|()| JobOutcome::Complete),
    }
}
