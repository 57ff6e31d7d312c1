//! Steps under a lease: claim a row that is due, do one thing, write, and free the claim.
//!
//! The row's lease keeps two workers from doing the same step at once, and is renewed for as long as the step takes.
//! The row's fence makes it harmless if two workers do the step all the same. A session is also locked in Redis, so
//! that two workers that receive its jobs at the same moment do not compete for the row.

use std::{future::Future, time::Duration};

use chrono::TimeDelta;
use futures_util::future::BoxFuture;

use crate::{
    engine::services::Engine,
    kernel::{
        clock::{Clock, Time},
        error::{Code, Error, Result},
        id::RequestId,
        panic::catch_panic,
    },
    platform::{
        context::Context,
        postgres::{Db, is_of_postgres},
        queue::job::JobOutcome,
        redis::lock::{AcquireOptions, AcquireOutcome, Grant, Resource},
    },
    sessions::{
        SessionKey,
        store::{self, ClaimedSession},
    },
};

/// How long to wait for another worker that has written its step but not released the lock yet.
const LOCK_RETRY_DELAY: Duration = Duration::from_millis(50);

/// The shortest pause between two renewals of a lease.
const RENEWAL_INTERVAL_MIN: Duration = Duration::from_millis(10);

/// A row whose steps are done under a lease.
pub(crate) trait LeasedRow: Sync {
    /// The row and whatever the step needs with it.
    type Claimed: Send;

    /// Claims the row until then, if its step is due and no other worker has it.
    fn claim(&self, now: Time, until: Time) -> impl Future<Output = Result<Option<Self::Claimed>>> + Send;

    /// The fence of a claim.
    fn fence(claimed: &Self::Claimed) -> i64;

    /// Extends the claim with this fence until then. False: a newer claim exists.
    fn renew(&self, fence: i64, until: Time) -> impl Future<Output = Result<bool>> + Send;

    /// Frees the claim with this fence, whose step failed now and wrote nothing. The row counts the attempt by its
    /// cause.
    fn release_failed(&self, fence: i64, now: Time, cause: FailureCause) -> impl Future<Output = Result<()>> + Send;
}

/// Why a step failed. It decides how the row counts the attempt.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(crate) enum FailureCause {
    /// The step itself: an error of ours, or a panic.
    Step,
    /// Postgres ended the step, though it is available: the step took too long, or others wrote the same rows.
    Interruption,
    /// A dependency is not available. This counts as no attempt.
    Outage,
}

impl FailureCause {
    pub(crate) fn of(error: &Error) -> Self {
        match error.code() {
            Code::DependencyUnavailable if is_of_postgres(error) => Self::Interruption,
            Code::DependencyUnavailable => Self::Outage,
            _ => Self::Step,
        }
    }
}

/// The lease of one step.
pub(crate) struct StepLease<'a, R> {
    row: R,
    clock: &'a Clock,
    duration: Duration,
    /// Known once the row is claimed.
    fence: Option<i64>,
}

impl<'a, R: LeasedRow> StepLease<'a, R> {
    pub(crate) fn new(context: &'a Context, row: R) -> Self {
        Self { row, clock: &context.clock, duration: context.step_lease, fence: None }
    }

    /// Claims the row and runs the step. Does nothing if the step is not due, or another worker has claimed the row.
    async fn run_step<'s, F>(&mut self, step: impl FnOnce(R::Claimed) -> F) -> Result<()>
    where
        F: Future<Output = Result<()>> + Send + 's,
    {
        let now = self.clock.now();
        let Some(claimed) = self.row.claim(now, self.end_after(now)).await? else { return Ok(()) };
        let fence = R::fence(&claimed);
        self.fence = Some(fence);
        let step: BoxFuture<'s, Result<()>> = Box::pin(catch_panic(step(claimed)));
        tokio::select! {
            result = step => result,
            lost = self.keep_claim(fence) => Err(lost),
        }
    }

    /// Frees the claim of a step that failed, and so wrote nothing: the next attempt need not wait for the lease's end.
    /// Where Postgres does not answer, the claim expires, and the attempt counts as an interruption.
    async fn release_failed_claim(&self, error: &Error) {
        let Some(fence) = self.fence else { return };
        let cause = FailureCause::of(error);
        if let Err(unwritten) = self.row.release_failed(fence, self.clock.now(), cause).await {
            tracing::warn!(error = ?unwritten, ?cause, "the claim of a failed step could not be freed; it expires");
        }
    }

    /// Renews the lease each time a third of it has passed. Ends when a newer claim exists.
    async fn keep_claim(&self, fence: i64) -> Error {
        loop {
            tokio::time::sleep((self.duration / 3).max(RENEWAL_INTERVAL_MIN)).await;
            match self.row.renew(fence, self.end_after(self.clock.now())).await {
                Ok(true) => {}
                Ok(false) => return claimed_by_another(),
                Err(error) => tracing::warn!(?error, "the lease of a step could not be renewed"),
            }
        }
    }

    fn end_after(&self, now: Time) -> Time {
        now + TimeDelta::from_std(self.duration).unwrap_or_default()
    }
}

/// The error of a step whose row another worker has claimed since.
#[track_caller]
pub(crate) fn claimed_by_another() -> Error {
    Error::new(Code::DependencyUnavailable, "Another worker has claimed the step.")
}

/// Runs the step of a row that is due, if no other worker does.
pub(crate) async fn run_leased<'s, R, F>(context: &Context, row: R, step: impl FnOnce(R::Claimed) -> F) -> Result<()>
where
    R: LeasedRow,
    F: Future<Output = Result<()>> + Send + 's,
{
    let mut lease = StepLease::new(context, row);
    let result = lease.run_step(step).await;
    if let Err(error) = &result {
        lease.release_failed_claim(error).await;
    }
    result
}

/// A session as a leased row.
struct LeasedSession<'a> {
    db: &'a Db,
    key: SessionKey,
    /// The fence of the lock in Redis. Without it the row's own fence is counted up.
    granted_fence: Option<i64>,
}

impl LeasedRow for LeasedSession<'_> {
    type Claimed = ClaimedSession;

    async fn claim(&self, now: Time, until: Time) -> Result<Option<ClaimedSession>> {
        store::claim_session(self.db, self.key, now, until, self.granted_fence).await
    }

    fn fence(claimed: &ClaimedSession) -> i64 {
        claimed.session.schedule.fence
    }

    async fn renew(&self, fence: i64, until: Time) -> Result<bool> {
        store::renew_lease(self.db, self.key, fence, until).await
    }

    async fn release_failed(&self, fence: i64, now: Time, cause: FailureCause) -> Result<()> {
        let (failed, was_outage) = (cause == FailureCause::Step, cause == FailureCause::Outage);
        store::release_failed_step(self.db, self.key, fence, now, failed, was_outage).await
    }
}

/// Runs the step of a session that is due, if no other worker does.
pub(crate) async fn run_session_step<'s, F>(
    engine: &Engine,
    key: SessionKey,
    step: impl FnOnce(ClaimedSession) -> F,
) -> Result<JobOutcome>
where
    F: Future<Output = Result<()>> + Send + 's,
{
    let grant = match acquire_lock(engine, key).await {
        SessionLock::Granted(grant) => Some(grant),
        // A worker that still works on the row sees what is due when it writes, and enqueues it. A worker that has
        // written already, and is about to release the lock, does not.
        SessionLock::HeldByAnother if store::is_due(&engine.db, key, engine.clock.now()).await? => {
            return Ok(JobOutcome::Snooze(LOCK_RETRY_DELAY));
        }
        SessionLock::HeldByAnother => return Ok(JobOutcome::Complete),
        SessionLock::Unavailable => None,
    };
    let granted_fence = grant.as_ref().map(|grant| grant.fence);
    let mut lease = StepLease::new(engine, LeasedSession { db: &engine.db, key, granted_fence });
    let mut done = None;
    let under_lease = async { done = Some(lease.run_step(step).await) };
    let lost = if let Some(grant) = grant {
        engine.locks.hold(grant, under_lease).await.err()
    } else {
        under_lease.await;
        None
    };
    // A lock that was lost after the step was done does not matter: the write had the fence.
    let done = done.unwrap_or_else(|| lost.map_or(Ok(()), |lost| Err(lost.into())));
    if let Err(error) = &done {
        lease.release_failed_claim(error).await;
    }
    done.map(|()| JobOutcome::Complete)
}

enum SessionLock {
    Granted(Grant),
    HeldByAnother,
    /// Redis does not answer: the row's lease and fence alone guard the step.
    Unavailable,
}

async fn acquire_lock(engine: &Engine, key: SessionKey) -> SessionLock {
    let resource = Resource::session(key.tenant_id, key.id);
    let owner = RequestId::new().to_string();
    // No worker queues for a step: whoever has the lock does it, or its job comes again. The ticket of a worker that
    // died while it asked would only keep the others out.
    let options =
        AcquireOptions { lease: engine.step_lease, ticket: Duration::from_millis(1), ..AcquireOptions::new(owner) };
    match engine.locks.acquire(&resource, &options).await {
        Ok(AcquireOutcome::Granted(grant)) => SessionLock::Granted(grant),
        Ok(AcquireOutcome::Queued { .. }) => SessionLock::HeldByAnother,
        Err(error) => {
            tracing::warn!(?error, "the lock of a session is not available; the row's own lease guards the step");
            SessionLock::Unavailable
        }
    }
}
