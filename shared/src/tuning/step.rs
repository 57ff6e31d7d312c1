//! One step of a training job: claim, do one thing, write, say when the next is due.
//!
//! The row's lease keeps two workers from doing the same step at once, renewed for as long as it takes; its fence makes it
//! harmless when they do.

use std::time::Duration;

use chrono::TimeDelta;
use futures_util::future::BoxFuture;

use crate::{
    app::App,
    auth::Actor,
    clock::Time,
    db::Tx,
    error::{Code, Error, Result},
    id::{TenantId, TrainingJobId},
    job::Verdict,
};

use super::{TrainingJob, change::Change, service, store, work};

/// The jobs `Train` and `PollTraining`: does what is due of a training job, if it is of that kind and nobody else does.
pub async fn run(app: &App, tenant_id: TenantId, id: TrainingJobId, polls: bool) -> Result<Verdict> {
    let (named, now) = ((tenant_id, id), app.clock.now());
    let Some(claimed) = store::claim(&app.db, named, polls, now, lease_end(app, now)).await? else {
        return Ok(Verdict::Done);
    };
    let fence = claimed.job.fence;
    let step: BoxFuture<'_, Result<()>> = Box::pin(work::one(app, claimed));
    let done = tokio::select! {
        result = step => result,
        lost = keep_claim(app, named, fence) => Err(lost),
    };
    match done {
        // Its tenant was removed meanwhile.
        Err(error) if error.code() == Code::JobNotFound => Ok(Verdict::Done),
        Err(error) => {
            // Nothing was written: let the next try begin before the lease is over.
            let _ = store::renew(&app.db, named, fence, app.clock.now()).await;
            Err(error)
        }
        Ok(()) => Ok(Verdict::Done),
    }
}

fn lease_end(app: &App, now: Time) -> Time {
    now + TimeDelta::from_std(app.settings.step_lease).unwrap_or_default()
}

/// Renews the row's lease at a third of it; ends when a newer claim exists.
async fn keep_claim(app: &App, named: (TenantId, TrainingJobId), fence: i64) -> Error {
    loop {
        tokio::time::sleep((app.settings.step_lease / 3).max(Duration::from_millis(10))).await;
        match store::renew(&app.db, named, fence, lease_end(app, app.clock.now())).await {
            Ok(true) => {}
            Ok(false) => return taken_over(),
            Err(error) => tracing::warn!(?error, "a training step's lease could not be renewed"),
        }
    }
}

fn taken_over() -> Error {
    Error::new(Code::DependencyUnavailable, "The step was taken over by another worker.")
}

/// A change that a step is about to write: the row as it stands now, with the claim given back.
pub(super) struct Open {
    pub(super) tx: Tx,
    pub(super) change: Change,
    /// Somebody has moved the job since the claim: what the step saw tells nothing of that.
    pub(super) moved: bool,
}

impl Open {
    /// Reads and locks the row, unless a newer claim exists: then nothing may be written.
    pub(super) async fn of(app: &App, claimed: &TrainingJob) -> Result<Self> {
        let mut tx = app.db.tenant(claimed.tenant_id).await?;
        let mut job = store::lock(&mut tx, claimed.tenant_id, claimed.id).await?;
        if job.fence != claimed.fence {
            return Err(taken_over());
        }
        let moved = (job.status, job.attempt, job.stopping) != (claimed.status, claimed.attempt, claimed.stopping);
        job.lease_until = None;
        job.broken_off = 0;
        Ok(Self { tx, change: Change::new(job, Actor::system("trainer"), app.clock.now()), moved })
    }

    pub(super) async fn finish(mut self, app: &App) -> Result<()> {
        service::save(app, self.tx, &mut self.change).await
    }
}

/// Writes what a step found, on the row as it stands now. Where the job was moved meanwhile the claim is given back, and
/// the next step looks anew.
pub(super) async fn write(
    app: &App,
    claimed: &TrainingJob,
    decide: impl FnOnce(&mut Change) -> Result<()>,
) -> Result<()> {
    write_as_it_stands(app, claimed, |change, moved| if moved { Ok(()) } else { decide(change) }).await
}

/// As [`write`], also where the job was moved.
pub(super) async fn write_as_it_stands(
    app: &App,
    claimed: &TrainingJob,
    decide: impl FnOnce(&mut Change, bool) -> Result<()>,
) -> Result<()> {
    let mut open = Open::of(app, claimed).await?;
    decide(&mut open.change, open.moved)?;
    open.finish(app).await
}
