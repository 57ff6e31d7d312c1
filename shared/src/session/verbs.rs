//! What people and agents may ask of a session, decided purely. `Changed` says whether the agent must act first.

use serde_json::{Map, Value, json};

use crate::{
    clock::Time,
    error::{Error, Result},
    event::EventType,
    id::MessageId,
    redact,
    runtime::{Answer, QuestionKind, Said},
    text,
};

use super::{
    Handover, Intent, IntentVerb,
    change::{Cause, Change, refuse},
    draft::Patch,
    outcome::{Category, Failure, Outcome},
    status::{PauseReason, Status},
};

/// How far a call got.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum Progress {
    /// All that was asked is true now.
    Done,
    /// It was taken down; the agent or the scheduler must act first.
    Accepted,
}

/// Asks a pending session to run.
pub fn start(change: &mut Change, queue_until: Time) -> Result<Progress> {
    change.verb = Some("start");
    if change.session.status != Status::Pending {
        return Err(refuse(&change.session, &format!("A {} session cannot be started.", change.session.status.name())));
    }
    change.session.handover.get_or_insert(Handover::Start);
    change.session.lost_agent_id = None;
    change.go(Status::Queued, "start")?;
    change.session.next_step_at = Some(queue_until);
    Ok(Progress::Accepted)
}

/// Takes a waiting session out of the queue.
pub fn unqueue(change: &mut Change) -> Result<Progress> {
    change.verb = Some("unqueue");
    if change.session.status != Status::Queued {
        return Err(refuse(&change.session, "Only a queued session can be taken out of the queue."));
    }
    change.go(Status::Pending, "unqueue")?;
    change.session.next_step_at = None;
    Ok(Progress::Done)
}

/// Holds a running session.
pub fn pause(change: &mut Change, reason: Option<String>) -> Result<Progress> {
    change.verb = Some("pause");
    let status = change.session.status;
    if !status.holds_slot() {
        return Err(refuse(&change.session, &format!("A {} session cannot be paused.", status.name())));
    }
    if change.session.intent.as_ref().is_some_and(|intent| intent.verb == IntentVerb::Stop) {
        return Err(refuse(&change.session, "The session is being stopped."));
    }
    intend(change, IntentVerb::Pause, reason, Some(PauseReason::Manual));
    Ok(Progress::Accepted)
}

/// Lets a paused session go on. `free` says whether it may run at once.
pub fn resume(change: &mut Change, free: bool, queue_until: Time) -> Result<Progress> {
    change.verb = Some("resume");
    let session = &change.session;
    if session.status != Status::Paused {
        return Err(refuse(session, &format!("A {} session cannot be resumed.", session.status.name())));
    }
    if session.pause_reason.is_some_and(PauseReason::asks) {
        return Err(refuse(session, "The session waits for an answer: POST it to /messages with its question_id."));
    }
    go_on(change, "resume", true, free, queue_until)
}

/// From paused to running, or to the queue when no slot is free.
pub fn go_on(change: &mut Change, reason: &str, ask: bool, free: bool, queue_until: Time) -> Result<Progress> {
    if change.session.handover.is_none() {
        let held = change.session.run_state.is_some();
        change.session.handover = Some(if held { Handover::Resume { ask } } else { Handover::Start });
    }
    if free {
        change.go(Status::Running, reason)?;
        super::progress::begin_run(change);
    } else {
        change.go(Status::Queued, reason)?;
        change.session.next_step_at = Some(queue_until);
    }
    Ok(Progress::Accepted)
}

/// Calls off what has not run, or is held.
pub fn cancel(change: &mut Change, reason: Option<&str>) -> Result<Progress> {
    change.verb = Some("cancel");
    let status = change.session.status;
    if status.holds_slot() {
        return Err(refuse(
            &change.session,
            &format!("A {} session is not cancelled but stopped: use /stop.", status.name()),
        ));
    }
    change.go(Status::Cancelled, reason.unwrap_or("cancel"))?;
    clean_up_next(change);
    Ok(Progress::Done)
}

/// Ends what runs.
pub fn stop(change: &mut Change, reason: Option<String>) -> Result<Progress> {
    change.verb = Some("stop");
    let status = change.session.status;
    match status {
        Status::Running | Status::Degraded => {
            intend(change, IntentVerb::Stop, reason, None);
            Ok(Progress::Accepted)
        }
        Status::Paused => {
            change.go(Status::Stopped, reason.as_deref().unwrap_or("stop"))?;
            clean_up_next(change);
            Ok(Progress::Done)
        }
        Status::Pending | Status::Queued => {
            let detail = format!("A {} session is not stopped but cancelled: use /cancel.", status.name());
            Err(refuse(&change.session, &detail))
        }
        _ => Err(refuse(&change.session, &format!("A {} session cannot be stopped.", status.name()))),
    }
}

/// Brings back what failed, timed out or was stopped; once started it goes on from the last checkpoint.
pub fn retry(change: &mut Change) -> Result<Progress> {
    change.verb = Some("retry");
    let sequence = change.session.last_checkpoint;
    bring_back(change, sequence, "retry")
}

/// Back to pending, to go on from a checkpoint that exists.
pub fn restore(change: &mut Change, sequence: i32) -> Result<Progress> {
    change.verb = Some("restore");
    let session = &mut change.session;
    match session.status {
        Status::Pending | Status::Queued => {
            session.handover = Some(Handover::Checkpoint { session_id: session.id, sequence });
            session.version += 1;
            if session.status == Status::Queued {
                unqueue(change)?;
            }
            change.event(EventType::Updated, json!({"changed": {"restored_checkpoint": sequence}}));
            Ok(Progress::Accepted)
        }
        _ => bring_back(change, sequence, "restore"),
    }
}

fn bring_back(change: &mut Change, sequence: i32, reason: &str) -> Result<Progress> {
    let session = &change.session;
    if !session.status.may_retry() {
        return Err(refuse(session, &format!("A {} session cannot be brought back.", session.status.name())));
    }
    if !session.recoverable() {
        let why = if session.last_checkpoint == 0 { "it has no checkpoint" } else { "it was retried three times" };
        return Err(refuse(
            session,
            &format!("The session cannot be brought back: {why}. Fork it, or create it anew."),
        ));
    }
    let id = session.id;
    change.go(Status::Pending, reason)?;
    let session = &mut change.session;
    session.retry_count += 1;
    session.attempts = 0;
    session.active_ms = 0;
    session.unreachable_since = None;
    session.resolved_model = None;
    session.handover = Some(Handover::Checkpoint { session_id: id, sequence });
    session.next_step_at = None;
    Ok(Progress::Accepted)
}

/// The end that somebody who drives the session reports: done.
pub fn complete(change: &mut Change, outcome: Outcome) -> Result<Progress> {
    change.verb = Some("complete");
    change.go(Status::Completed, "complete")?;
    finish(change, outcome);
    Ok(Progress::Done)
}

/// The end that somebody who drives the session reports: failed.
pub fn fail(change: &mut Change, failure: Failure, context: Option<Map<String, Value>>) -> Result<Progress> {
    change.verb = Some("fail");
    if let Some(context) = context {
        let payload = json!({"level": "error", "message": failure.message, "context": context});
        change.event(EventType::Log, payload);
    }
    change.go(Status::Failed, "fail")?;
    finish(change, Outcome { error: Some(failure), ..Outcome::default() });
    Ok(Progress::Done)
}

/// Writes the outcome of a session that has just ended, and lets the next step tidy up after it.
pub fn finish(change: &mut Change, mut outcome: Outcome) {
    outcome.result = outcome.result.map(|result| text::without_nul(redact::masked(result)));
    let kind = if outcome.error.is_some() && change.session.status != Status::PartiallyCompleted {
        EventType::Failed
    } else {
        EventType::Completed
    };
    change.event(kind, serde_json::to_value(&outcome).unwrap_or(Value::Null));
    change.session.outcome = Some(outcome);
    clean_up_next(change);
}

/// After an end: the next step tells the agent to let go, if it was ever given the work.
pub fn clean_up_next(change: &mut Change) {
    change.session.next_step_at = change.session.run_state.is_some().then_some(change.now);
}

/// Says something to a session. An answer must fit the question that the session is held with.
pub fn say(change: &mut Change, id: MessageId, said: Said, free: bool, queue_until: Time) -> Result<Progress> {
    change.verb = Some("say");
    let session = &change.session;
    if session.status.is_over() {
        let detail = format!("A {} session takes no further messages; retry or fork it.", session.status.name());
        return Err(refuse(session, &detail));
    }
    let payload = match &said {
        Said::Text { text } => {
            json!({"role": "user", "text": text, "part": id})
        }
        Said::Answer { answer } => {
            let question = session
                .pause_question
                .as_ref()
                .filter(|question| question.question_id == answer.question_id)
                .ok_or_else(|| refuse(session, "The session does not wait for the answer to this question."))?;
            check_answer(question.kind, answer)?;
            json!({"role": "user", "text": answer.text, "part": id, "answer": answer})
        }
    };
    change.event(EventType::Message, payload);
    let answers = matches!(said, Said::Answer { .. });
    change.said.push((id, said));
    if answers {
        go_on(change, "answer", false, free, queue_until)?;
    } else if change.session.status.holds_slot() && change.session.handover.is_none() {
        change.session.next_step_at = Some(change.now);
    }
    Ok(Progress::Accepted)
}

fn check_answer(kind: QuestionKind, answer: &Answer) -> Result<()> {
    match kind {
        QuestionKind::Approval if answer.decision.is_none() => {
            Err(Error::field("answer.decision", "must be approve or deny: this question asks for an approval"))
        }
        QuestionKind::Input if answer.text.is_none() && answer.choices.as_ref().is_none_or(Vec::is_empty) => {
            Err(Error::field("answer.text", "give text or choices: this question asks for input"))
        }
        _ => Ok(()),
    }
}

/// Changes what a person may change.
pub fn patch(change: &mut Change, patch: Patch) -> Result<()> {
    change.verb = Some("update");
    let mut changed = serde_json::Map::new();
    let session = &mut change.session;
    if let Some(seconds) = patch.max_duration_seconds {
        if session.status.is_over() {
            return Err(refuse(session, "The duration of a session that is over cannot be changed."));
        }
        session.max_duration_seconds = seconds;
        changed.insert("max_duration_seconds".to_owned(), json!(seconds));
    }
    if let Some(title) = patch.title {
        changed.insert("title".to_owned(), json!(title));
        session.title = title;
    }
    if let Some(description) = patch.description {
        changed.insert("description".to_owned(), json!(description));
        session.description = description;
    }
    if let Some(priority) = patch.priority {
        changed.insert("priority".to_owned(), json!(priority.word()));
        session.priority = priority;
    }
    if let Some(tags) = patch.tags {
        changed.insert("tags".to_owned(), json!(tags));
        session.tags = tags;
    }
    if let Some(metadata) = patch.metadata {
        changed.insert("metadata".to_owned(), json!(metadata));
        session.metadata = metadata;
    }
    if !changed.is_empty() {
        change.session.version += 1;
        change.event(EventType::Updated, json!({"changed": changed}));
    }
    Ok(())
}

/// A checkpoint on request.
pub fn take_checkpoint(change: &mut Change, data: Option<Value>, note: Option<String>) -> Result<()> {
    change.verb = Some("checkpoint");
    if change.session.status.is_over() {
        return Err(refuse(&change.session, "No checkpoint is taken after the end."));
    }
    change.checkpoint_with(Cause::Manual, None, data, note);
    Ok(())
}

/// Ends a session that waited on one which is gone.
pub fn orphan(change: &mut Change, parent_reason: &str) -> Result<()> {
    change.verb = Some("orphan");
    change.go(Status::Orphaned, parent_reason)?;
    let failure = Failure::new(Category::Policy, "PARENT_ENDED", "The session that this one waited on is gone.");
    finish(change, Outcome { error: Some(failure), ..Outcome::default() });
    Ok(())
}

fn intend(change: &mut Change, verb: IntentVerb, reason: Option<String>, pause_reason: Option<PauseReason>) {
    let asked = change.session.intent.as_ref().is_some_and(|intent| intent.verb == verb);
    // What a person asks for takes the place of what the deactivation of the tenant did.
    if asked && !change.session.suspended {
        return;
    }
    change.session.suspended = false;
    change.session.intent =
        Some(Intent { verb, reason, pause_reason, resume_at: None, actor: change.by.actor.clone() });
    change.session.attempts = 0;
    change.session.version += 1;
    change.session.next_step_at = Some(change.now);
}
