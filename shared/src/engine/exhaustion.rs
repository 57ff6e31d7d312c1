//! The end of a step that cannot be done: a row whose step fails again and again for a reason of its own, or takes its
//! process down each time, is ended without its agent, and affects nothing else.

use chrono::TimeDelta;

use crate::{
    engine::{
        commit::commit_change,
        interrupt::{ABORT_RETRY_DELAY, is_over_time},
        services::Engine,
    },
    kernel::{
        clock::Time,
        error::Result,
        failure::{Category, Failure},
    },
    sessions::{
        Session, SessionKey, change::SessionChange, status::Status, store::ClaimedSession, transitions::exhaustion,
        transitions::run,
    },
};

/// How many steps in a row may fail for a reason of their own before the session is ended.
const MAX_FAILED_STEPS: i32 = 5;

/// How many steps in a row may be interrupted, by crashes or time limits, before the session is ended.
const MAX_INTERRUPTED_STEPS: i32 = 15;

/// How many steps in a row may fail before a requested pause or stop, and the end of the session's time, are carried
/// out without its agent.
const MAX_FAILED_STEPS_BEFORE_END: i32 = 2;

/// Does the step of a session without its agent, if its agent can no longer be asked. False: the step is to be done.
pub(crate) async fn run_without_agent(engine: &Engine, claimed: &ClaimedSession) -> Result<bool> {
    let session = &claimed.session;
    let now = engine.clock.now();
    if session.status.holds_slot() && ends_without_agent(session, now) {
        commit_change(engine, session, "observer", |change| interrupt_without_agent(change, now)).await?;
        return Ok(true);
    }
    if !is_exhausted(session) {
        return Ok(false);
    }
    report_exhaustion(session);
    let retention = TimeDelta::from_std(engine.session_settings.workspace_retention).unwrap_or(TimeDelta::MAX);
    commit_change(engine, session, "observer", |change| match change.session.status {
        Status::Running | Status::Degraded => {
            run::fail_run(change, step_failure(), None)?;
            run::schedule_abort_retry(change, TimeDelta::zero());
            Ok(())
        }
        Status::Queued => exhaustion::fail_in_queue(change, step_failure()),
        Status::Paused | Status::Pending => {
            exhaustion::stop_waiting(change);
            Ok(())
        }
        _ => {
            exhaustion::skip_cleanup(change, retention);
            Ok(())
        }
    })
    .await?;
    Ok(true)
}

fn is_exhausted(session: &Session) -> bool {
    let schedule = &session.schedule;
    schedule.failed_steps >= MAX_FAILED_STEPS || schedule.interrupted_steps >= MAX_INTERRUPTED_STEPS
}

/// Whether the session is to be interrupted, and earlier attempts to do so with its agent failed.
fn ends_without_agent(session: &Session, now: Time) -> bool {
    let is_interrupted = session.intent.is_some() || is_over_time(session, now);
    is_interrupted && session.schedule.failed_steps >= MAX_FAILED_STEPS_BEFORE_END
}

/// Carries out the requested pause or stop, or ends the run that exceeded its time. The agent is aborted afterwards.
fn interrupt_without_agent(change: &mut SessionChange, now: Time) -> Result<()> {
    match change.session.intent.clone() {
        Some(intent) => run::apply_intent(change, intent, None)?,
        None if is_over_time(&change.session, now) => run::time_out(change, None)?,
        None => return Ok(()),
    }
    if change.session.status.is_over() {
        run::schedule_abort_retry(change, ABORT_RETRY_DELAY);
    }
    Ok(())
}

fn report_exhaustion(session: &Session) {
    let SessionKey { tenant_id, id } = session.key();
    let (failed, interrupted) = (session.schedule.failed_steps, session.schedule.interrupted_steps);
    let status = session.status.name();
    tracing::error!(
        tenant.id = %tenant_id, session.id = %id, failed, interrupted, status,
        "the step of a session is never done and is given up",
    );
}

fn step_failure() -> Failure {
    Failure::new(
        Category::Internal,
        "INTERNAL_ERROR",
        "A step of this session failed again and again on our side, so the session was ended. The log has the reason.",
    )
}
