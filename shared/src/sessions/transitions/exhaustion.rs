//! What becomes of a session whose step is given up, because it failed or was interrupted too often.

use chrono::TimeDelta;
use serde_json::json;

use crate::kernel::{error::Result, failure::Failure};

use super::super::{change::SessionChange, outcome::Outcome, status::Status};

/// Ends a session that could not be taken out of the queue.
pub fn fail_in_queue(change: &mut SessionChange, failure: Failure) -> Result<()> {
    change.transition_to(Status::Failed, &failure.code)?;
    change.record_outcome(Outcome { error: Some(failure), ..Outcome::default() });
    change.schedule_cleanup();
    Ok(())
}

/// A session that could not be resumed by itself stays as it is, until a person resumes, stops or cancels it.
pub fn stop_waiting(change: &mut SessionChange) {
    let text = "The session could not be resumed by itself, because a step of it failed again and again on our side.";
    change.add_log(json!({"level": "error", "message": text, "code": "INTERNAL_ERROR"}));
    change.session.pause.resume_at = None;
    change.schedule_nothing();
}

/// The agent of a session that has ended could not be aborted, or its workspace could not be released. What is left of
/// the cleanup is tried once more when the workspace's retention is over.
pub fn skip_cleanup(change: &mut SessionChange, retention: TimeDelta) {
    let session = &mut change.session;
    let release_at = session.clock.ended_at.and_then(|ended| ended.checked_add_signed(retention));
    session.schedule.next_step_at = release_at.filter(|at| *at > change.now && session.run.state.is_some());
}
