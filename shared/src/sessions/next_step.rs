//! The job of a session's next step.

use std::time::Duration;

use crate::{
    kernel::clock::Time,
    platform::queue::{MAX_DELAY, job::Job},
};

use super::{session::Session, status::Status};

/// The job of the next step, and after which time it is due. `None`: no step is due soon. A step that is due later than
/// a message can wait is enqueued by the reconciler.
pub fn next_step_job(session: &Session, now: Time) -> Option<(Job, Duration)> {
    let (tenant_id, id) = (session.tenant_id, session.id);
    if session.status == Status::Queued && !session.is_offered() {
        return Some((Job::dispatch(tenant_id, id), Duration::ZERO));
    }
    let due = session.schedule.next_step_at?;
    let delay = (due - now).to_std().unwrap_or(Duration::ZERO);
    if delay > MAX_DELAY {
        return None;
    }
    let awaits_handover = session.run.handover.is_some() && session.occupies_slot();
    let job = if awaits_handover { Job::dispatch(tenant_id, id) } else { Job::observe(tenant_id, id) };
    Some((job, delay))
}
