//! What a session does when the work of its agent cannot be read: it is tried again, and its failure is never taken for
//! "nothing was changed".

use chrono::TimeDelta;
use serde_json::json;

use crate::{
    agents::contract::{Finish, RunOutput},
    kernel::{
        backoff::RetryPolicy,
        error::Result,
        failure::{Category, Failure},
    },
};

use super::{
    super::{
        change::{CheckpointCause, SessionChange},
        outcome::Outcome,
        status::Status,
    },
    run,
};

/// How often reading the work at the end of a run is tried.
const MAX_COLLECTIONS: i32 = 5;

/// Schedules another attempt to read the work of a run that has ended, if attempts are left. Returns whether it did.
pub fn schedule_collection(change: &mut SessionChange, unread: &Failure, policy: &RetryPolicy, jitter: f64) -> bool {
    let run = &mut change.session.run;
    if run.failed_collections + 1 >= MAX_COLLECTIONS {
        return false;
    }
    run.failed_collections += 1;
    let pause = policy.jittered_delay(run.failed_collections, jitter);
    let text = format!("{} Reading the work again in {:.1} s.", unread.message, pause.as_secs_f64());
    change.add_log(json!({"level": "warning", "message": text, "code": "WORK_UNREADABLE"}));
    change.session.schedule.next_step_at = Some(change.now + TimeDelta::from_std(pause).unwrap_or_default());
    true
}

/// Ends a run whose work could not be read. The last checkpoint still holds.
pub fn finish_unread(change: &mut SessionChange, finish: Finish, unread: &Failure) -> Result<()> {
    add_unread_warning(change, unread);
    let failure = Failure {
        remedy: "The work may still be in the agent's workspace: retry or fork the session, or look there.".to_owned(),
        ..Failure::new(Category::Agent, "WORK_UNREADABLE", &unread.message)
    };
    match finish {
        Finish::Completed { result, success_rate, .. } | Finish::Partial { result, success_rate, .. } => {
            change.checkpoint_with(CheckpointCause::Turn, None);
            change.transition_to(Status::PartiallyCompleted, "the work could not be read")?;
            let (result, error) = (Some(result), Some(failure));
            change.record_outcome(Outcome { result, error, success_rate, confidence_score: None });
            change.schedule_nothing();
            Ok(())
        }
        Finish::Failed(failure) => run::fail_run(change, failure, None),
        Finish::Aborted => run::fail_run(change, failure, None),
    }
}

/// Records that the work could not be read as the run was interrupted or given up.
pub fn add_unread_warning(change: &mut SessionChange, unread: &Failure) {
    change.session.run.failed_collections += 1;
    let text = format!("The work could not be read, so the last checkpoint still holds. {}", unread.message);
    change.add_log(json!({"level": "warning", "message": text, "code": "WORK_UNREADABLE"}));
}

/// Takes work that was read after the end. If it could not be read at the end, it becomes a checkpoint.
pub fn record_late_work(change: &mut SessionChange, work: Option<RunOutput>) {
    if work.is_none() {
        return;
    }
    if std::mem::take(&mut change.session.run.failed_collections) > 0 {
        change.checkpoint_with(CheckpointCause::Stop, work);
    } else {
        change.work = work;
    }
}
