//! What the deactivation of a tenant does to its sessions, and its reactivation undoes. Pure.

use crate::{auth::Actor, clock::Time, error::Result};

use super::{
    Intent, IntentVerb,
    change::Change,
    status::{PauseReason, Status},
    verbs::{self, Progress},
};

/// Who asks for these pauses, as events and the audit log name it.
pub fn actor() -> Actor {
    Actor::system("tenant")
}

/// Has a session of a deactivated tenant paused, unless it is about to be held or stopped for another reason.
pub fn suspend(change: &mut Change) {
    let session = &mut change.session;
    match &mut session.intent {
        None if session.status.holds_slot() => {
            session.intent = Some(Intent {
                verb: IntentVerb::Pause,
                reason: Some("the tenant was deactivated".to_owned()),
                pause_reason: Some(PauseReason::Maintenance),
                resume_at: None,
                actor: actor(),
            });
            session.suspended = true;
            session.attempts = 0;
            session.version += 1;
            session.next_step_at = Some(change.now);
            change.verb = Some("suspend");
        }
        // It was released before its pause was carried out, and is to be held again.
        Some(intent) if session.suspended && intent.verb == IntentVerb::Pause => intent.resume_at = None,
        None if session.suspended && session.status == Status::Paused => {
            session.resume_at = None;
            session.next_step_at = None;
        }
        _ => {}
    }
}

/// Lets a session go on that [`suspend`] held, or is about to: the agent may have been told to rest already, so a pause
/// that was asked for is carried out, and ends at once.
pub fn release(change: &mut Change, free: bool, queue_until: Time) -> Result<Progress> {
    let session = &mut change.session;
    if !session.suspended {
        return Ok(Progress::Done);
    }
    if session.status == Status::Paused {
        change.verb = Some("release");
        return verbs::go_on(change, "the tenant was reactivated", true, free, queue_until);
    }
    if let Some(intent) = session.intent.as_mut().filter(|intent| intent.verb == IntentVerb::Pause) {
        intent.resume_at = Some(change.now);
    }
    Ok(Progress::Accepted)
}
