//! What the runtime remembers of a run between two calls.

use ::a2a::{Message, SendMessageResponse, Task};
use serde::{Deserialize, Serialize};
use serde_json::json;
use sha2::{Digest, Sha256};

use crate::{
    id::MessageId,
    session::outcome::{Category, Failure},
};

use super::{super::RunState, look};

/// How many messages are known to be told: more than the agent is asked to send at once.
const TOLD: usize = 2 * super::call::HISTORY;
/// How many messages of ours are known to be sent.
const SAID: usize = 20;
/// How much of an answer without a task is kept, in characters.
const ANSWER: usize = 8000;

#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(default)]
pub(super) struct Memory {
    /// The agent's id of the task; none when it answered at once.
    pub task: Option<String>,
    pub context: Option<String>,
    /// The beginnings of the hashes of what was told.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub told: Vec<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub answer: Option<Answer>,
    /// The question that was answered last: the agent may still show it for a moment.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub answered: Option<String>,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub said: Vec<MessageId>,
    /// What is to be told with the next look.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub notes: Vec<String>,
    pub turns: u32,
}

/// What an agent said that made no task of it.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub(super) struct Answer {
    pub id: String,
    pub text: String,
}

impl Memory {
    pub(super) fn read(state: &RunState) -> Result<Self, Failure> {
        serde_json::from_value(state.0.clone())
            .map_err(|error| Failure::new(Category::Internal, "STATE_UNREADABLE", error.to_string()))
    }

    pub(super) fn state(&self) -> RunState {
        RunState(json!(self))
    }

    pub(super) fn of(task: &Task) -> Self {
        Self { task: Some(task.id.clone()), context: Some(task.context_id.clone()), ..Self::default() }
    }

    pub(super) fn answered_at_once(message: &Message) -> Self {
        let text = look::text(&message.parts).chars().take(ANSWER).collect();
        let answer = Some(Answer { id: message.message_id.clone(), text });
        Self { context: message.context_id.clone(), answer, ..Self::default() }
    }

    /// Goes on with what the agent made of a message: the same task, another one, or an answer.
    pub(super) fn follow(&mut self, response: SendMessageResponse) {
        match response {
            SendMessageResponse::Task(task) => {
                self.task = Some(task.id);
                self.context = Some(task.context_id);
            }
            SendMessageResponse::Message(message) if self.task.is_none() => {
                *self = Self {
                    said: std::mem::take(&mut self.said),
                    told: std::mem::take(&mut self.told),
                    ..Self::answered_at_once(&message)
                };
            }
            // The task goes on; what was said beside it is in its history, if the agent keeps one.
            SendMessageResponse::Message(_) => {}
        }
    }

    pub(super) fn has_said(&self, id: MessageId) -> bool {
        self.said.contains(&id)
    }

    pub(super) fn keep_said(&mut self, id: MessageId) {
        self.said.push(id);
        let from = self.said.len().saturating_sub(SAID);
        self.said.drain(..from);
    }

    pub(super) fn note(&mut self, note: &str) {
        self.notes.push(note.chars().take(500).collect());
    }

    /// Notes that something is told; false when it was told before.
    pub(super) fn tell(&mut self, what: &str) -> bool {
        let mark = hex::encode(&Sha256::digest(what)[..6]);
        if self.told.contains(&mark) {
            return false;
        }
        self.told.push(mark);
        let from = self.told.len().saturating_sub(TOLD);
        self.told.drain(..from);
        true
    }
}
