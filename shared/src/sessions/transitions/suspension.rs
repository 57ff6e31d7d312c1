//! Suspension: the deactivation of a tenant pauses its sessions, and the reactivation resumes them.

use crate::kernel::{actor::Actor, clock::Time, error::Result};

use super::{
    super::{
        change::SessionChange,
        session::{Intent, IntentVerb},
        status::{PauseReason, Status},
    },
    commands::{self, CommandOutcome},
    offer::withdraw_offer,
};

/// The actor of these pauses, as events and the audit log name it.
pub fn suspension_actor() -> Actor {
    Actor::system_part("tenant")
}

/// Requests the pause of a session of a deactivated tenant, unless its pause or stop is requested for another reason.
/// An offer is withdrawn; if the agent is about to take it, the reconciler requests the pause later.
pub fn suspend_session(change: &mut SessionChange, queue_until: Time) {
    if change.session.is_offered() && change.session.intent.is_none() && !change.session.may_have_begun() {
        withdraw_offer(change, queue_until);
        return;
    }
    let session = &mut change.session;
    match &mut session.intent {
        None if session.status.holds_slot() => {
            session.intent = Some(Intent {
                verb: IntentVerb::Pause,
                reason: Some("the tenant was deactivated".to_owned()),
                pause_reason: Some(PauseReason::Maintenance),
                resume_at: None,
                actor: suspension_actor(),
            });
            session.pause.suspended = true;
            session.run.attempts = 0;
            session.version += 1;
            session.schedule.next_step_at = Some(change.now);
            change.verb = Some("suspend");
        }
        // The tenant was reactivated before the pause was carried out, and is deactivated again.
        Some(intent) if session.pause.suspended && intent.verb == IntentVerb::Pause => intent.resume_at = None,
        None if session.pause.suspended && session.status == Status::Paused => {
            session.pause.resume_at = None;
            session.schedule.next_step_at = None;
        }
        _ => {}
    }
}

/// Resumes a session that [`suspend_session`] paused. A pause that is only requested is still carried out, because the
/// agent may have been aborted already, and ends at once.
pub fn release_session(change: &mut SessionChange, can_resume: bool, queue_until: Time) -> Result<CommandOutcome> {
    let session = &mut change.session;
    if !session.pause.suspended {
        return Ok(CommandOutcome::Applied);
    }
    if session.status == Status::Paused {
        change.verb = Some("release");
        return commands::resume_or_requeue(change, "the tenant was reactivated", true, can_resume, queue_until);
    }
    if let Some(intent) = session.intent.as_mut().filter(|intent| intent.verb == IntentVerb::Pause) {
        intent.resume_at = Some(change.now);
    }
    Ok(CommandOutcome::Accepted)
}
