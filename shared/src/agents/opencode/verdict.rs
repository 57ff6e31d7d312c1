//! What a look at the server means: the poll table, as a pure function over what was read.
//!
//! A status that is absent proves nothing by itself: it comes late at the start of a run and goes early at its end.
//! What may be passing is a [`Verdict::Unsure`] until it has lasted the time of grace.

use super::{
    fault::{Ended, ended, given_up, is_limit},
    wire::{Info, Message, PermissionRequest, QuestionRequest, Status},
};
use crate::kernel::failure::{Category, Failure};

/// Everything that a verdict follows from.
#[derive(Debug)]
pub(super) struct Sight<'a> {
    /// Of the session and its descendants, those that are not idle.
    pub(super) statuses: Vec<&'a Status>,
    pub(super) permission: Option<&'a PermissionRequest>,
    pub(super) question: Option<&'a QuestionRequest>,
    /// In the server's order, back to `anchor` or to what earlier looks have told.
    pub(super) messages: &'a [Message],
    /// Our message that is to be answered.
    pub(super) anchor: &'a str,
    /// An earlier look saw it stored.
    pub(super) anchor_told: bool,
    /// The same sight has lasted the time of grace.
    pub(super) lasted: bool,
    pub(super) now_ms: i64,
    pub(super) max_attempts: u32,
    pub(super) max_wait_ms: i64,
}

#[derive(Debug, PartialEq)]
pub(super) enum Verdict {
    Permission,
    Question,
    /// At work; false = nothing of it to be seen yet.
    Busy {
        begun: bool,
    },
    Retrying {
        attempt: u32,
        message: String,
    },
    /// The provider was tried often enough, or asks to wait too long: the run is to be aborted.
    GiveUp(GaveUp),
    /// May be passing.
    Unsure {
        begun: bool,
    },
    /// Our message did not arrive, or nobody took it up.
    Unanswered,
    /// The server died over it.
    Interrupted,
    Completed {
        cut: bool,
    },
    Aborted,
    Failed(Failure),
}

/// Why a provider was given up, as it is noted at the session before the abort: a second look finds only the abort.
#[derive(Clone, Debug, PartialEq, serde::Serialize, serde::Deserialize)]
#[serde(rename_all = "snake_case")]
pub(super) enum GaveUp {
    Limited { message: String, resume_at_ms: i64 },
    Failed(Failure),
}

pub(super) fn judge(sight: &Sight) -> Verdict {
    let answer = sight.answer();
    if sight.permission.is_some() {
        return Verdict::Permission;
    }
    if sight.question.is_some() {
        return Verdict::Question;
    }
    if let Some(status) = sight.statuses.iter().find(|status| status.kind == "retry") {
        return sight.retrying(status);
    }
    if !sight.statuses.is_empty() {
        return Verdict::Busy { begun: answer.is_some() };
    }
    match answer {
        None if sight.lasted => Verdict::Unanswered,
        None => Verdict::Unsure { begun: false },
        Some(message) => sight.idle(message),
    }
}

impl Sight<'_> {
    /// The last step of an agent that belongs to our message: its parent is that message or a later one, as a step that
    /// began before ours was stored does not know of it.
    fn answer(&self) -> Option<&Message> {
        let place = |id: &str| self.messages.iter().position(|message| message.info.id == id);
        let last = self.messages.iter().rposition(|message| message.info.is_assistant())?;
        let message = &self.messages[last];
        match (place(self.anchor), place(&message.info.parent_id)) {
            (Some(anchor), Some(parent)) => (parent >= anchor).then_some(message),
            // Its parent stands on an older page than our message.
            (Some(_), None) => None,
            (None, _) => self.anchor_told.then_some(message),
        }
    }

    #[expect(clippy::cast_possible_truncation, reason = "milliseconds of our age fit an i64")]
    fn retrying(&self, status: &Status) -> Verdict {
        let next = status.next as i64;
        let message = status.message.clone();
        let too_long = next - self.now_ms > self.max_wait_ms;
        if too_long && is_limit(&message) {
            return Verdict::GiveUp(GaveUp::Limited { message, resume_at_ms: next });
        }
        if too_long || status.attempt >= self.max_attempts {
            return Verdict::GiveUp(GaveUp::Failed(given_up(&message)));
        }
        Verdict::Retrying { attempt: status.attempt, message }
    }

    fn idle(&self, message: &Message) -> Verdict {
        let info = &message.info;
        let settled = |verdict| if self.lasted { verdict } else { Verdict::Unsure { begun: true } };
        if let Some(fault) = &info.error {
            let verdict = match ended(fault) {
                Ended::Aborted => Verdict::Aborted,
                Ended::Failed(failure) => Verdict::Failed(failure),
            };
            // The agent may yet compact its context and go on.
            return if fault.name == "ContextOverflowError" { settled(verdict) } else { verdict };
        }
        match (info.time.completed, info.finish.as_deref()) {
            (None, _) => settled(Verdict::Interrupted),
            (Some(_), None) => settled(Verdict::Aborted),
            (Some(_), Some("tool-calls" | "unknown")) => settled(stopped(message)),
            (Some(_), Some(finish)) => Verdict::Completed { cut: finish == "length" },
        }
    }
}

/// A step that asked for tools and was not followed by another: a refused tool ends a turn; else the server died
/// between two steps.
fn stopped(message: &Message) -> Verdict {
    let refused = message.parts.iter().any(|part| {
        let why = part.state.error.as_deref().unwrap_or_default();
        why.contains("rejected permission") || why.contains("dismissed this question")
    });
    if !refused {
        return Verdict::Interrupted;
    }
    let why = "The agent stopped, as a permission or a question was refused without a word to it.";
    Verdict::Failed(Failure::new(Category::Agent, "AGENT_STOPPED", why))
}

/// What a doubt is about: while it changes, something still happens.
pub(super) fn fingerprint(messages: &[Message]) -> String {
    let Some(Message { info, parts }) = messages.last() else { return "nothing".to_owned() };
    let states: usize = parts.iter().map(|part| part.state.status.len() + part.text.len()).sum();
    let Info { id, finish, time, error, .. } = info;
    format!("{id} {} {states} {finish:?} {} {}", parts.len(), time.completed.is_some(), error.is_some())
}

#[cfg(test)]
#[path = "verdict_tests.rs"]
mod tests;
