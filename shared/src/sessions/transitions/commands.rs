//! The commands that people and agents give a session.

use serde_json::{Map, Value, json};

use crate::{
    agents::contract::{Answer, QuestionKind, UserMessage},
    events::log::EventType,
    kernel::{
        clock::Time,
        error::{Error, Result},
        failure::{Category, Failure},
        id::MessageId,
    },
};

use super::answer::as_answer;

use super::super::{
    change::{SessionChange, invalid_transition},
    draft::SessionPatch,
    outcome::Outcome,
    session::{Handover, Intent, IntentVerb, Session},
    status::{PauseReason, Status},
};

/// How far a command was carried out.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum CommandOutcome {
    /// The command has taken full effect.
    Applied,
    /// The command is recorded; the agent or the admission must act first.
    Accepted,
}

/// Queues a pending session.
pub fn start(change: &mut SessionChange, queue_until: Time) -> Result<CommandOutcome> {
    change.verb = Some("start");
    if change.session.status != Status::Pending {
        return Err(invalid_transition(
            &change.session,
            &format!("A {} session cannot be started.", change.session.status.name()),
        ));
    }
    change.session.run.handover.get_or_insert(Handover::Start);
    change.session.run.lost_agent_id = None;
    change.transition_to(Status::Queued, "start")?;
    change.session.schedule.next_step_at = Some(queue_until);
    Ok(CommandOutcome::Accepted)
}

/// Takes a queued session out of the queue.
pub fn unqueue(change: &mut SessionChange) -> Result<CommandOutcome> {
    change.verb = Some("unqueue");
    if change.session.status != Status::Queued {
        return Err(invalid_transition(&change.session, "Only a queued session can be taken out of the queue."));
    }
    refuse_in_handover(&change.session)?;
    change.transition_to(Status::Pending, "unqueue")?;
    change.session.schedule.next_step_at = None;
    Ok(CommandOutcome::Applied)
}

/// Refuses a command on a queued session that is being handed to its agent, which may have begun already.
pub fn refuse_in_handover(session: &Session) -> Result<()> {
    if session.is_offered() && session.may_have_begun() {
        let detail = "The session is being handed to its agent; cancel it, or try again in a moment.";
        return Err(invalid_transition(session, detail));
    }
    Ok(())
}

/// Requests the pause of a running session.
pub fn pause(change: &mut SessionChange, reason: Option<String>) -> Result<CommandOutcome> {
    change.verb = Some("pause");
    let status = change.session.status;
    if !status.holds_slot() {
        return Err(invalid_transition(&change.session, &format!("A {} session cannot be paused.", status.name())));
    }
    if change.session.intent.as_ref().is_some_and(|intent| intent.verb == IntentVerb::Stop) {
        return Err(invalid_transition(&change.session, "The session is being stopped."));
    }
    set_intent(change, IntentVerb::Pause, reason, Some(PauseReason::Manual));
    Ok(CommandOutcome::Accepted)
}

/// Resumes a paused session: it runs at once if `can_start`, else it is queued.
pub fn resume(change: &mut SessionChange, can_start: bool, queue_until: Time) -> Result<CommandOutcome> {
    change.verb = Some("resume");
    let session = &change.session;
    if session.status != Status::Paused {
        return Err(invalid_transition(session, &format!("A {} session cannot be resumed.", session.status.name())));
    }
    if session.pause.reason.is_some_and(PauseReason::asks_person) {
        return Err(invalid_transition(
            session,
            "The session waits for an answer: POST it to /messages with its question_id.",
        ));
    }
    resume_or_requeue(change, "resume", true, can_start, queue_until)
}

/// Moves a paused session to running if `can_start`, else to the queue. `ask`: the agent gets a message to continue.
pub fn resume_or_requeue(
    change: &mut SessionChange,
    reason: &str,
    ask: bool,
    can_start: bool,
    queue_until: Time,
) -> Result<CommandOutcome> {
    if change.session.run.handover.is_none() {
        let held = change.session.run.state.is_some();
        change.session.run.handover = Some(if held { Handover::Resume { ask } } else { Handover::Start });
    }
    if can_start {
        change.transition_to(Status::Running, reason)?;
        change.begin_run();
    } else {
        change.transition_to(Status::Queued, reason)?;
        change.session.schedule.next_step_at = Some(queue_until);
    }
    Ok(CommandOutcome::Accepted)
}

/// Cancels a session that has not run, or is paused. An offer of it is withdrawn.
pub fn cancel(change: &mut SessionChange, reason: Option<&str>) -> Result<CommandOutcome> {
    change.verb = Some("cancel");
    let status = change.session.status;
    if status.holds_slot() {
        return Err(invalid_transition(
            &change.session,
            &format!("A {} session is not cancelled but stopped: use /stop.", status.name()),
        ));
    }
    if change.session.is_offered() && change.session.may_have_begun() {
        // The agent is asked first which run to end: the handover under way records it.
        set_intent(change, IntentVerb::Stop, reason.map(str::to_owned), None);
        return Ok(CommandOutcome::Accepted);
    }
    change.transition_to(Status::Cancelled, reason.unwrap_or("cancel"))?;
    change.schedule_cleanup();
    Ok(CommandOutcome::Applied)
}

/// Stops a running or paused session.
pub fn stop(change: &mut SessionChange, reason: Option<String>) -> Result<CommandOutcome> {
    change.verb = Some("stop");
    let status = change.session.status;
    match status {
        Status::Running | Status::Degraded => {
            set_intent(change, IntentVerb::Stop, reason, None);
            Ok(CommandOutcome::Accepted)
        }
        Status::Paused => {
            change.transition_to(Status::Stopped, reason.as_deref().unwrap_or("stop"))?;
            change.schedule_cleanup();
            Ok(CommandOutcome::Applied)
        }
        Status::Pending | Status::Queued => {
            let detail = format!("A {} session is not stopped but cancelled: use /cancel.", status.name());
            Err(invalid_transition(&change.session, &detail))
        }
        _ => Err(invalid_transition(&change.session, &format!("A {} session cannot be stopped.", status.name()))),
    }
}

/// Returns a failed, timed out or stopped session to pending. Once started, it continues from the last checkpoint.
pub fn retry(change: &mut SessionChange) -> Result<CommandOutcome> {
    change.verb = Some("retry");
    let sequence = change.session.last_checkpoint;
    return_to_pending(change, sequence, "retry")
}

/// Retries a session and queues it at once.
pub fn retry_and_start(change: &mut SessionChange, queue_until: Time) -> Result<CommandOutcome> {
    retry(change)?;
    let outcome = start(change, queue_until)?;
    change.verb = Some("retry");
    Ok(outcome)
}

/// Returns a session to pending, to continue from a checkpoint that exists.
pub fn restore(change: &mut SessionChange, sequence: i32) -> Result<CommandOutcome> {
    change.verb = Some("restore");
    let session = &mut change.session;
    match session.status {
        Status::Pending | Status::Queued => {
            session.run.handover = Some(Handover::Checkpoint { session_id: session.id, sequence });
            session.version += 1;
            if session.status == Status::Queued {
                unqueue(change)?;
            }
            change.add_event(EventType::Updated, json!({"changed": {"restored_checkpoint": sequence}}));
            Ok(CommandOutcome::Accepted)
        }
        _ => return_to_pending(change, sequence, "restore"),
    }
}

fn return_to_pending(change: &mut SessionChange, sequence: i32, reason: &str) -> Result<CommandOutcome> {
    let session = &change.session;
    if !session.status.may_retry() {
        return Err(invalid_transition(
            session,
            &format!("A {} session cannot be brought back.", session.status.name()),
        ));
    }
    if !session.is_recoverable() {
        let why = if session.last_checkpoint == 0 { "it has no checkpoint" } else { "it was retried three times" };
        return Err(invalid_transition(
            session,
            &format!("The session cannot be brought back: {why}. Fork it, or create it anew."),
        ));
    }
    let id = session.id;
    change.transition_to(Status::Pending, reason)?;
    let session = &mut change.session;
    session.retry_count += 1;
    session.run.attempts = 0;
    session.clock.active_ms = 0;
    session.run.unreachable_since = None;
    session.run.resolved_model = None;
    session.run.handover = Some(Handover::Checkpoint { session_id: id, sequence });
    session.schedule.next_step_at = None;
    Ok(CommandOutcome::Accepted)
}

/// Completes a session whose success a person or an agent reports.
pub fn complete(change: &mut SessionChange, outcome: Outcome) -> Result<CommandOutcome> {
    change.verb = Some("complete");
    change.transition_to(Status::Completed, "complete")?;
    change.record_outcome(outcome);
    change.schedule_cleanup();
    Ok(CommandOutcome::Applied)
}

/// Fails a session whose failure a person or an agent reports. The context is logged.
pub fn fail(
    change: &mut SessionChange,
    failure: Failure,
    context: Option<Map<String, Value>>,
) -> Result<CommandOutcome> {
    change.verb = Some("fail");
    if let Some(context) = context {
        let payload = json!({"level": "error", "message": failure.message, "context": context});
        change.add_log(payload);
    }
    change.transition_to(Status::Failed, "fail")?;
    change.record_outcome(Outcome { error: Some(failure), ..Outcome::default() });
    change.schedule_cleanup();
    Ok(CommandOutcome::Applied)
}

/// Sends a message to a session: a further prompt, or the answer to the question that the session is paused with. Plain
/// text to a session that is paused with a question is the answer.
pub fn send_message(
    change: &mut SessionChange,
    id: MessageId,
    message: UserMessage,
    can_start: bool,
    queue_until: Time,
) -> Result<CommandOutcome> {
    change.verb = Some("say");
    let message = as_answer(&change.session, message)?;
    let payload = message_payload(&change.session, id, &message)?;
    change.add_event(EventType::Message, payload);
    let is_answer = matches!(message, UserMessage::Answer { .. });
    change.messages.push((id, message));
    if is_answer {
        resume_or_requeue(change, "answer", false, can_start, queue_until)?;
    } else if change.session.status.holds_slot() && change.session.run.handover.is_none() {
        change.session.schedule.next_step_at = Some(change.now);
    }
    Ok(CommandOutcome::Accepted)
}

/// The payload of a message's event. Refuses a message that the session does not take.
fn message_payload(session: &Session, id: MessageId, message: &UserMessage) -> Result<Value> {
    if session.status.is_over() {
        let status = session.status.name();
        let detail = match message {
            UserMessage::Text { .. } => format!("A {status} session takes no further messages; retry or fork it."),
            UserMessage::Answer { .. } => {
                format!("The session is {status}, so its question was withdrawn; retry or fork the session.")
            }
        };
        return Err(invalid_transition(session, &detail));
    }
    match message {
        UserMessage::Text { text } => Ok(json!({"role": "user", "text": text, "part": id})),
        UserMessage::Answer { answer } => {
            let question = session.pause.question.as_ref();
            let question = question.filter(|question| question.question_id == answer.question_id).ok_or_else(|| {
                invalid_transition(session, "The session does not wait for the answer to this question.")
            })?;
            check_answer(question.kind, answer)?;
            Ok(json!({"role": "user", "text": answer.text, "part": id, "answer": answer}))
        }
    }
}

fn check_answer(kind: QuestionKind, answer: &Answer) -> Result<()> {
    match kind {
        QuestionKind::Approval if answer.decision.is_none() => {
            Err(Error::invalid_field("answer.decision", "must be approve or deny: this question asks for an approval"))
        }
        QuestionKind::Input if answer.text.is_none() && answer.choices.as_ref().is_none_or(Vec::is_empty) => {
            Err(Error::invalid_field("answer.text", "give text or choices: this question asks for input"))
        }
        _ => Ok(()),
    }
}

/// Changes the fields that a person may change.
pub fn patch(change: &mut SessionChange, patch: SessionPatch) -> Result<()> {
    change.verb = Some("update");
    let mut changed = serde_json::Map::new();
    let session = &mut change.session;
    if let Some(seconds) = patch.max_duration_seconds {
        if session.status.is_over() {
            return Err(invalid_transition(session, "The duration of a session that is over cannot be changed."));
        }
        session.spec.max_duration_seconds = seconds;
        changed.insert("max_duration_seconds".to_owned(), json!(seconds));
    }
    if let Some(title) = patch.title {
        changed.insert("title".to_owned(), json!(title));
        session.spec.title = title;
    }
    if let Some(description) = patch.description {
        changed.insert("description".to_owned(), json!(description));
        session.spec.description = description;
    }
    if let Some(priority) = patch.priority {
        changed.insert("priority".to_owned(), json!(priority.word()));
        session.spec.priority = priority;
    }
    if let Some(tags) = patch.tags {
        changed.insert("tags".to_owned(), json!(tags));
        session.spec.tags = tags;
    }
    if let Some(metadata) = patch.metadata {
        changed.insert("metadata".to_owned(), json!(metadata));
        session.spec.metadata = metadata;
    }
    if !changed.is_empty() {
        change.session.version += 1;
        change.add_event(EventType::Updated, json!({"changed": changed}));
    }
    Ok(())
}

/// Takes a checkpoint on request.
pub fn take_checkpoint(change: &mut SessionChange, data: Option<Value>, note: Option<String>) -> Result<()> {
    change.verb = Some("checkpoint");
    if change.session.status.is_over() {
        return Err(invalid_transition(&change.session, "No checkpoint is taken after the end."));
    }
    change.checkpoint_on_request(data, note);
    Ok(())
}

/// Ends a session that waited for a parent which ended without success or was deleted.
pub fn orphan(change: &mut SessionChange, parent_reason: &str) -> Result<()> {
    change.verb = Some("orphan");
    change.transition_to(Status::Orphaned, parent_reason)?;
    let failure = Failure::new(
        Category::Policy,
        "PARENT_ENDED",
        "The session that this one waited for has ended or was deleted.",
    );
    change.record_outcome(Outcome { error: Some(failure), ..Outcome::default() });
    change.schedule_cleanup();
    Ok(())
}

fn set_intent(change: &mut SessionChange, verb: IntentVerb, reason: Option<String>, pause_reason: Option<PauseReason>) {
    let asked = change.session.intent.as_ref().is_some_and(|intent| intent.verb == verb);
    // A request of a person replaces the pause that the deactivation of the tenant requested.
    if asked && !change.session.pause.suspended {
        return;
    }
    change.session.pause.suspended = false;
    change.session.intent =
        Some(Intent { verb, reason, pause_reason, resume_at: None, actor: change.by.actor.clone() });
    change.session.run.attempts = 0;
    change.session.version += 1;
    change.session.schedule.next_step_at = Some(change.now);
}
