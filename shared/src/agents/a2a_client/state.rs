//! The state that the runtime stores between two calls of a run.

use ::a2a::{Message, SendMessageResponse, Task};
use serde::{Deserialize, Serialize};
use serde_json::json;
use sha2::{Digest, Sha256};

use crate::{
    agents::contract::RunState,
    kernel::{
        failure::{Category, Failure},
        id::MessageId,
    },
};

use super::task_text::parts_text;

/// How many reported messages are remembered: more than one request returns.
const MAX_REPORTED: usize = 2 * super::call::HISTORY_LENGTH;
/// How many sent messages are remembered.
const MAX_SENT: usize = 20;
/// The longest stored text of a direct answer, in characters.
const MAX_ANSWER_CHARS: usize = 8000;

#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(default)]
pub(super) struct A2aRunState {
    /// The agent's id of the task; `None` when it answered directly.
    pub task: Option<String>,
    pub context: Option<String>,
    /// Truncated hashes of the messages that were reported.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub reported: Vec<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub answer: Option<DirectAnswer>,
    /// The question that was answered last. The agent may still show it for a moment.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub answered: Option<String>,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub said: Vec<MessageId>,
    /// Warnings to report with the next observation.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub notes: Vec<String>,
    pub turns: u32,
}

/// An answer for which the agent created no task.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub(super) struct DirectAnswer {
    pub id: String,
    pub text: String,
}

impl A2aRunState {
    pub(super) fn decode(state: &RunState) -> Result<Self, Failure> {
        serde_json::from_value(state.0.clone())
            .map_err(|error| Failure::new(Category::Internal, "STATE_UNREADABLE", error.to_string()))
    }

    pub(super) fn encode(&self) -> RunState {
        RunState(json!(self))
    }

    pub(super) fn for_task(task: &Task) -> Self {
        Self { task: Some(task.id.clone()), context: Some(task.context_id.clone()), ..Self::default() }
    }

    pub(super) fn for_answer(message: &Message) -> Self {
        let text = parts_text(&message.parts).chars().take(MAX_ANSWER_CHARS).collect();
        let answer = Some(DirectAnswer { id: message.message_id.clone(), text });
        Self { context: message.context_id.clone(), answer, ..Self::default() }
    }

    /// Applies the response to a message: the same task, another task, or a direct answer.
    pub(super) fn apply_response(&mut self, response: SendMessageResponse) {
        match response {
            SendMessageResponse::Task(task) => {
                self.task = Some(task.id);
                self.context = Some(task.context_id);
            }
            SendMessageResponse::Message(message) if self.task.is_none() => {
                *self = Self {
                    said: std::mem::take(&mut self.said),
                    reported: std::mem::take(&mut self.reported),
                    ..Self::for_answer(&message)
                };
            }
            // The task continues. If the agent keeps a history, the answer is in it.
            SendMessageResponse::Message(_) => {}
        }
    }

    pub(super) fn was_sent(&self, id: MessageId) -> bool {
        self.said.contains(&id)
    }

    pub(super) fn mark_sent(&mut self, id: MessageId) {
        self.said.push(id);
        let from = self.said.len().saturating_sub(MAX_SENT);
        self.said.drain(..from);
    }

    pub(super) fn add_note(&mut self, note: &str) {
        self.notes.push(note.chars().take(500).collect());
    }

    /// Records a message as reported. Returns false if it was reported before.
    pub(super) fn mark_reported(&mut self, what: &str) -> bool {
        let mark = hex::encode(&Sha256::digest(what)[..6]);
        if self.reported.contains(&mark) {
            return false;
        }
        self.reported.push(mark);
        let from = self.reported.len().saturating_sub(MAX_REPORTED);
        self.reported.drain(..from);
        true
    }
}
