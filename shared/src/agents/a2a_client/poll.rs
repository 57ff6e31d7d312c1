//! Reads a polled task: its phase and the transcript entries that are new. Pure.

use ::a2a::{Message, PartContent, Role, Task, TaskState};
use serde_json::{Value, json};
use sha2::{Digest, Sha256};

use crate::{
    agents::contract::{Finish, LogLevel, Phase, Question, QuestionKind, TranscriptEntry},
    kernel::{
        canonical_json::to_canonical_json,
        failure::{Category, Failure},
    },
};

use super::{
    state::A2aRunState,
    task_text::{is_blank, last_agent_text, message_key, parts_text, task_messages},
};

/// The phase of a task, and the transcript entries that were not reported before.
pub(super) fn read_task(task: &Task, state: &mut A2aRunState) -> (Phase, Vec<TranscriptEntry>) {
    let new_entries = task_messages(task)
        .filter(|message| state.mark_reported(&message_key(message)))
        .filter_map(transcript_entry)
        .collect();
    state.turns =
        state.turns.max(task.artifacts.as_ref().map_or(0, |made| u32::try_from(made.len()).unwrap_or(u32::MAX)));
    (task_phase(task, state), new_entries)
}

/// The same for an agent that answered directly, without a task.
pub(super) fn read_answer(state: &mut A2aRunState) -> (Phase, Vec<TranscriptEntry>) {
    let Some(answer) = state.answer.clone() else {
        let failure = Failure::new(Category::Internal, "RUN_LOST", "The run left no trace.");
        return (Phase::Finished(Finish::Failed(failure)), Vec::new());
    };
    let said =
        TranscriptEntry::Message { role: "assistant".to_owned(), text: answer.text.clone(), part: answer.id.clone() };
    let new_entries = state.mark_reported(&answer.id).then_some(said).into_iter().collect();
    (completed_phase(&answer.text), new_entries)
}

fn task_phase(task: &Task, state: &A2aRunState) -> Phase {
    let reason = || last_agent_text(task);
    let failed = |code: &str, category| {
        let text = reason().unwrap_or_else(|| "The agent does not say why.".to_owned());
        Phase::Finished(Finish::Failed(Failure::new(category, code, text)))
    };
    match task.status.state {
        TaskState::Submitted => Phase::Starting,
        TaskState::Working | TaskState::Unspecified => Phase::Working,
        // The agent has our answer, but its task does not show it yet.
        TaskState::InputRequired | TaskState::AuthRequired if state.answered.as_ref() == Some(&question_id(task)) => {
            Phase::Working
        }
        TaskState::InputRequired => {
            Phase::Waiting(build_question(task, QuestionKind::Input, "The agent asks for input."))
        }
        TaskState::AuthRequired => {
            Phase::Waiting(build_question(task, QuestionKind::Auth, "The agent asks for a credential."))
        }
        TaskState::Completed => completed_phase(&result_text(task)),
        TaskState::Failed => failed("AGENT_FAILED", Category::Agent),
        TaskState::Rejected => failed("TASK_REJECTED", Category::Agent),
        TaskState::Canceled => Phase::Finished(Finish::Aborted),
    }
}

fn completed_phase(text: &str) -> Phase {
    Phase::Finished(Finish::Completed { result: json!({"text": text}), success_rate: None, confidence_score: None })
}

/// The result as text: the last message of the agent, else the text of its first artifact. Empty if there is neither.
fn result_text(task: &Task) -> String {
    let made = || task.artifacts.iter().flatten().map(|made| parts_text(&made.parts)).find(|text| !is_blank(text));
    last_agent_text(task).or_else(made).unwrap_or_default()
}

/// Whether the task waits for input from the client.
pub(super) fn needs_input(task: &Task) -> bool {
    matches!(task.status.state, TaskState::InputRequired | TaskState::AuthRequired)
}

fn build_question(task: &Task, kind: QuestionKind, otherwise: &str) -> Question {
    let asked = task.status.message.as_ref().map(|message| parts_text(&message.parts)).filter(|text| !text.is_empty());
    let data = task.status.message.iter().flat_map(|message| &message.parts).find_map(|part| match &part.content {
        PartContent::Data(data) => Some(data.clone()),
        _ => None,
    });
    Question {
        question_id: question_id(task),
        kind,
        text: asked.unwrap_or_else(|| otherwise.to_owned()),
        options: Vec::new(),
        details: data.unwrap_or(Value::Null),
    }
}

/// The id of the question that a task asks: derived from the id of its message, or from its content and time when the
/// message has no id.
pub(super) fn question_id(task: &Task) -> String {
    let named = task.status.message.as_ref().map(|message| message.message_id.as_str()).filter(|id| !id.is_empty());
    let said = || to_canonical_json(&(&task.id, &task.status.timestamp, &task.status.message)).unwrap_or_default();
    let what = named.map_or_else(said, |id| format!("{}/{id}", task.id));
    hex::encode(&Sha256::digest(what)[..16])
}

/// Messages of the user are skipped: they are in the log already.
fn transcript_entry(message: &Message) -> Option<TranscriptEntry> {
    let text = parts_text(&message.parts);
    (message.role != Role::User && !text.is_empty()).then(|| TranscriptEntry::Message {
        role: "assistant".to_owned(),
        text,
        part: message.message_id.clone(),
    })
}

pub(super) fn log_entry(level: LogLevel, message: String) -> TranscriptEntry {
    TranscriptEntry::Log { level, message }
}

#[cfg(test)]
#[path = "poll_tests.rs"]
mod tests;
