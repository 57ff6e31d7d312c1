//! The wait of a session for sessions that its agent created: when it ends, and what the agent gets.

use chrono::TimeDelta;
use serde_json::json;

use crate::{
    agents::contract::{Answer, QuestionKind, UserMessage},
    kernel::{
        clock::Time,
        error::Result,
        id::{MessageId, SessionId},
    },
};

use super::{
    super::{
        change::SessionChange,
        child::{ChildState, describe_children},
        session::Session,
    },
    commands::{CommandOutcome, resume_or_requeue},
};

/// How long a wait lasts at the most. The agent may wait again.
const LONGEST_WAIT: TimeDelta = TimeDelta::hours(1);

/// How long a wait lasts for sessions of which none is at work: they wait for something that may never come.
const LONGEST_STALL: TimeDelta = TimeDelta::minutes(10);

/// How often the sessions are read again. The end of each makes its parent due as well.
const CHECK_INTERVAL: TimeDelta = TimeDelta::seconds(30);

/// What the agent gets, if its wait ends: once all sessions are over, or after too long a time. `missing` are ids of no
/// child.
pub fn describe_end(children: &[ChildState], missing: &[SessionId], waited: TimeDelta) -> Option<String> {
    let text = describe_children(children, missing);
    let mut open = children.iter().filter(|child| !child.is_over).peekable();
    if open.peek().is_none() {
        return Some(text);
    }
    let longest = if open.any(ChildState::is_at_work) { LONGEST_WAIT } else { LONGEST_STALL };
    let minutes = longest.num_minutes();
    (waited >= longest).then(|| {
        format!("Not all of these sessions are over after {minutes} minutes. You may wait for them again.\n\n{text}")
    })
}

/// Answers an agent that waits for sessions which are all over already: its session need not pause.
pub fn answer_at_once(change: &mut SessionChange, id: MessageId, answer: Answer) {
    change.messages.push((id, UserMessage::Answer { answer }));
    change.session.schedule.next_step_at = Some(change.now);
}

/// Ends the wait of a paused session with the answer. Does nothing if the session waits for something else by now.
pub fn end_wait(
    change: &mut SessionChange,
    id: MessageId,
    answer: Answer,
    can_start: bool,
    queue_until: Time,
) -> Result<CommandOutcome> {
    let asked = change.session.pause.question.as_ref();
    if asked.is_none_or(|question| question.question_id != answer.question_id) {
        return Ok(CommandOutcome::Applied);
    }
    change.add_log(json!({"level": "info", "message": "The wait of the agent for other sessions is over."}));
    change.messages.push((id, UserMessage::Answer { answer }));
    resume_or_requeue(change, "its sessions are over", false, can_start, queue_until)
}

/// When a paused session that nothing resumes now is due again. `requested` is what was requested since its step began.
pub fn next_check(session: &Session, requested: Option<Time>, now: Time) -> Option<Time> {
    let waits = session.pause.question.as_ref().is_some_and(|question| question.kind == QuestionKind::Sessions);
    if !waits {
        return session.pause.resume_at;
    }
    let check = now + CHECK_INTERVAL;
    Some(requested.map_or(check, |due| due.min(check)))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::sessions::status::{PauseReason, Status};

    fn child(status: Status, pause_reason: Option<PauseReason>) -> ChildState {
        ChildState {
            id: SessionId::new(),
            title: "A part".to_owned(),
            status,
            is_over: status.is_over(),
            text: None,
            error: None,
            waits: None,
            pause_reason,
        }
    }

    #[test]
    fn a_wait_ends_when_all_sessions_are_over() {
        let (done, running) = (child(Status::Completed, None), child(Status::Running, None));
        let failed = child(Status::Failed, None);
        assert!(describe_end(&[done.clone(), failed], &[], TimeDelta::zero()).is_some());
        assert!(describe_end(&[done, running], &[], TimeDelta::zero()).is_none());
        assert!(describe_end(&[], &[SessionId::new()], TimeDelta::zero()).unwrap().contains("has no such child"));
    }

    #[test]
    fn a_wait_is_bounded_and_shorter_where_no_session_is_at_work() {
        let at_work = [child(Status::Running, None), child(Status::Queued, None)];
        let waits_itself = [child(Status::Paused, Some(PauseReason::Dependency))];
        let stalled = [child(Status::Queued, None), child(Status::Paused, Some(PauseReason::Input))];
        let ends = |children: &[ChildState], minutes| {
            describe_end(children, &[], TimeDelta::minutes(minutes)).is_some_and(|text| text.starts_with("Not all"))
        };
        assert!(!ends(&at_work, 59) && ends(&at_work, 60));
        assert!(!ends(&waits_itself, 59) && ends(&waits_itself, 60));
        assert!(!ends(&stalled, 9) && ends(&stalled, 10));
    }
}
