//! Writing a step: its decision is applied to the row as it stands now, and the claim is freed with the same write.

use crate::{
    engine::{follow_up, lease::claimed_by_another, services::Engine},
    kernel::{actor::Actor, clock::Time, error::Result},
    sessions::{
        Session,
        change::SessionChange,
        store::{self, Artifact},
    },
};
use chrono::TimeDelta;

/// Writes the decision of a step, unless a newer claim exists. Where a command has moved the session since the claim,
/// only the claim is freed, and the next step starts from the new row.
pub(crate) async fn commit_change(
    engine: &Engine,
    claimed: &Session,
    actor: &str,
    decide: impl FnOnce(&mut SessionChange) -> Result<()>,
) -> Result<()> {
    commit_with_artifacts(engine, claimed, actor, &[], decide).await
}

/// As [`commit_change`], with artifacts whose bytes are stored already.
pub(crate) async fn commit_with_artifacts(
    engine: &Engine,
    claimed: &Session,
    actor: &str,
    artifacts: &[Artifact],
    decide: impl FnOnce(&mut SessionChange) -> Result<()>,
) -> Result<()> {
    let decide = |change: &mut SessionChange, moved| if moved { Ok(()) } else { decide(change) };
    commit_even_if_moved(engine, claimed, actor, artifacts, decide).await
}

/// As [`commit_with_artifacts`], and also decides when a command has moved the session to another status or run since
/// the claim (`moved`).
pub(crate) async fn commit_even_if_moved(
    engine: &Engine,
    claimed: &Session,
    actor: &str,
    artifacts: &[Artifact],
    decide: impl FnOnce(&mut SessionChange, bool) -> Result<()>,
) -> Result<()> {
    let mut tx = engine.db.tenant(claimed.tenant_id).await?;
    let session = store::lock_session(&mut tx, claimed.key()).await?;
    let progress = |session: &Session| (session.status, session.run.number, session.is_offered());
    let moved = progress(&session) != progress(claimed);
    let was_over = session.status.is_over();
    let requested = session.schedule.next_step_at.filter(|due| Some(*due) != claimed.schedule.next_step_at);
    let mut change = SessionChange::new(session, Actor::system_part(actor), engine.clock.now());
    release_lease(&mut change, claimed.schedule.fence)?;
    decide(&mut change, moved)?;
    schedule_next_step(engine, was_over, requested, &mut change);
    if !moved {
        store::save_artifacts(&mut tx, claimed.key(), artifacts).await?;
    }
    follow_up::save_and_follow_up(engine, tx, &mut change).await
}

/// Frees the claim with the write: the step is done, and the count of its failed attempts ends. Refuses the write if a
/// newer claim exists.
pub(crate) fn release_lease(change: &mut SessionChange, fence: i64) -> Result<()> {
    if change.session.schedule.fence != fence {
        return Err(claimed_by_another());
    }
    let schedule = &mut change.session.schedule;
    schedule.lease_until = None;
    (schedule.failed_steps, schedule.interrupted_steps) = (0, 0);
    Ok(())
}

/// When the next step is due, beyond what the transition decided.
fn schedule_next_step(engine: &Engine, was_over: bool, requested: Option<Time>, change: &mut SessionChange) {
    let session = &mut change.session;
    let next = &mut session.schedule.next_step_at;
    // A step was requested while this one was under way, and its job found the row claimed.
    if let Some(requested) = requested.filter(|_| !session.status.is_over()) {
        *next = Some(next.map_or(requested, |due| due.min(requested)));
    }
    // The session has just ended and its agent is idle: the workspace is kept for a while, then released.
    if session.status.is_over() && !was_over && next.is_none() && session.run.state.is_some() {
        let retention = TimeDelta::from_std(engine.session_settings.workspace_retention).unwrap_or(TimeDelta::MAX);
        *next = change.now.checked_add_signed(retention);
    }
}
