//! What a task tells: where it stands, and what is new in it. Pure.

use ::a2a::{Message, Part, PartContent, Role, Task, TaskState};
use serde_json::{Value, json};
use sha2::{Digest, Sha256};

use crate::session::outcome::{Category, Failure};

use super::{
    super::{Entry, Finish, LogLevel, Phase, Question, QuestionKind},
    memory::Memory,
};

/// The longest text that is told in one entry, in characters.
const LONGEST: usize = 100_000;

/// Where a task stands, and what was not told of it before.
pub(super) fn at(task: &Task, memory: &mut Memory) -> (Phase, Vec<Entry>) {
    let told = messages(task).filter(|message| memory.tell(&mark(message))).filter_map(entry).collect();
    memory.turns =
        memory.turns.max(task.artifacts.as_ref().map_or(0, |made| u32::try_from(made.len()).unwrap_or(u32::MAX)));
    (phase(task, memory), told)
}

/// The same for an agent that answered without making a task.
pub(super) fn at_answer(memory: &mut Memory) -> (Phase, Vec<Entry>) {
    let Some(answer) = memory.answer.clone() else {
        let failure = Failure::new(Category::Internal, "RUN_LOST", "The run left no trace.");
        return (Phase::Finished(Finish::Failed(failure)), Vec::new());
    };
    let said = Entry::Message { role: "assistant".to_owned(), text: answer.text.clone(), part: answer.id.clone() };
    let told = memory.tell(&answer.id).then_some(said).into_iter().collect();
    (completed(&answer.text), told)
}

fn phase(task: &Task, memory: &Memory) -> Phase {
    let said = || words_of(task);
    let failed = |code: &str, category| {
        let text = said().unwrap_or_else(|| "The agent does not say why.".to_owned());
        Phase::Finished(Finish::Failed(Failure::new(category, code, text)))
    };
    match task.status.state {
        TaskState::Submitted => Phase::Starting,
        TaskState::Working | TaskState::Unspecified => Phase::Working,
        // The agent has our answer and does not show it yet.
        TaskState::InputRequired | TaskState::AuthRequired if memory.answered.as_ref() == Some(&question_id(task)) => {
            Phase::Working
        }
        TaskState::InputRequired => Phase::Waiting(question(task, QuestionKind::Input, "The agent asks for input.")),
        TaskState::AuthRequired => {
            Phase::Waiting(question(task, QuestionKind::Auth, "The agent asks for a credential."))
        }
        TaskState::Completed => completed(&result(task)),
        TaskState::Failed => failed("AGENT_FAILED", Category::Agent),
        TaskState::Rejected => failed("TASK_REJECTED", Category::Agent),
        TaskState::Canceled => Phase::Finished(Finish::Aborted),
    }
}

fn completed(text: &str) -> Phase {
    Phase::Finished(Finish::Completed { result: json!({"text": text}), success_rate: None, confidence_score: None })
}

/// What it came to, in words: what it says at the end, else what it said last, else what it made.
fn result(task: &Task) -> String {
    let made = || task.artifacts.iter().flatten().map(|made| text(&made.parts)).find(|text| !text.is_empty());
    words_of(task).or_else(made).unwrap_or_else(|| "done".to_owned())
}

/// What the agent says with the state, or said last.
pub(super) fn words_of(task: &Task) -> Option<String> {
    let last = messages(task).filter(|message| message.role != Role::User).last();
    last.map(|message| text(&message.parts)).filter(|text| !text.is_empty())
}

/// Whether it cannot go on without a word of ours.
pub(super) fn waits(task: &Task) -> bool {
    matches!(task.status.state, TaskState::InputRequired | TaskState::AuthRequired)
}

fn question(task: &Task, kind: QuestionKind, otherwise: &str) -> Question {
    let asked = task.status.message.as_ref().map(|message| text(&message.parts)).filter(|text| !text.is_empty());
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

/// The id of what a task waits for: that of its message, and where that has none, of what it says and when.
pub(super) fn question_id(task: &Task) -> String {
    let named = task.status.message.as_ref().map(|message| message.message_id.as_str()).filter(|id| !id.is_empty());
    let said = || json!([task.id, task.status.timestamp, task.status.message]).to_string();
    let what = named.map_or_else(said, |id| format!("{}/{id}", task.id));
    hex::encode(&Sha256::digest(what)[..16])
}

/// The history and what is said with the state, in order.
fn messages(task: &Task) -> impl Iterator<Item = &Message> {
    task.history.iter().flatten().chain(&task.status.message)
}

/// What a message is known by when it comes again.
fn mark(message: &Message) -> String {
    if message.message_id.is_empty() { text(&message.parts) } else { message.message_id.clone() }
}

/// What we said ourselves is on record already.
fn entry(message: &Message) -> Option<Entry> {
    let text = text(&message.parts);
    (message.role != Role::User && !text.is_empty()).then(|| Entry::Message {
        role: "assistant".to_owned(),
        text,
        part: message.message_id.clone(),
    })
}

pub(super) fn log(level: LogLevel, message: String) -> Entry {
    Entry::Log { level, message }
}

/// Parts as text: what is none is named.
pub(super) fn text(parts: &[Part]) -> String {
    let words = parts.iter().map(|part| match &part.content {
        PartContent::Text(text) => text.clone(),
        PartContent::Data(data) => data.to_string(),
        PartContent::Url(url) => url.clone(),
        PartContent::Raw(bytes) => {
            format!("[{}, {} bytes]", part.filename.as_deref().unwrap_or("a file"), bytes.len())
        }
    });
    words.collect::<Vec<_>>().join("\n").chars().take(LONGEST).collect()
}

#[cfg(test)]
#[path = "look_tests.rs"]
mod tests;
