//! Converts the log of a session to a conversation: messages in order, with tool use as part of the assistant messages.
//! Pure.
//!
//! Reasoning (`reasoning`) is excluded. A tool call appears once, when it ended:
//!
//! ```text
//! <tool_use name="bash" state="completed">
//! <input>{"command":"cargo test"}</input>
//! <output>
//! ok
//! </output>
//! </tool_use>
//! ```

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};
use serde_json::Value;

use super::redaction::Redactor;

/// The longest transcript, in bytes of events. Longer ones are excluded, never truncated.
pub const LONGEST: usize = 256 << 10;

/// The speaker of a message.
#[derive(Clone, Copy, Debug, Eq, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Speaker {
    System,
    User,
    Assistant,
}

/// One turn of a conversation.
#[derive(Clone, Debug, Eq, PartialEq, Serialize, Deserialize)]
pub struct ChatMessage {
    pub role: Speaker,
    pub content: String,
}

/// The part of a session from which a conversation is made.
#[derive(Clone, Debug, PartialEq)]
pub struct Transcript {
    pub prompt: String,
    /// The events of messages, tools and questions in order: type and payload.
    pub events: Vec<(String, Value)>,
    /// The result in its outcome.
    pub result: Option<Value>,
    /// Whether it is longer than [`LONGEST`], so that events are missing.
    pub too_long: bool,
}

/// A transcript that was converted and redacted.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct RedactedTranscript {
    /// The conversation; `None` when the agent gave no answer.
    pub messages: Option<Vec<ChatMessage>>,
    /// How many passages were removed, by kind.
    pub redactions: BTreeMap<String, u64>,
    /// Whether it is longer than [`LONGEST`], so that there is no conversation.
    pub too_long: bool,
}

impl Transcript {
    /// The transcript as a conversation without secrets and personal data.
    pub fn into_redacted(self) -> RedactedTranscript {
        if self.too_long {
            return RedactedTranscript { too_long: true, ..RedactedTranscript::default() };
        }
        let mut redactor = Redactor::default();
        let messages = self.into_conversation(&mut redactor);
        RedactedTranscript { messages, redactions: redactor.counts(), too_long: false }
    }

    /// The redacted conversation: it begins with the prompt and ends with the assistant. `None` when the agent gave no
    /// answer.
    pub fn into_conversation(self, redactor: &mut Redactor) -> Option<Vec<ChatMessage>> {
        let mut turns = Turns::default();
        turns.add_turn(Speaker::User, redactor.redact_text(&self.prompt));
        for (kind, payload) in self.events {
            if let Some((speaker, text)) = read_event(&kind, payload, redactor) {
                turns.add_turn(speaker, text);
            }
        }
        if !turns.is_answered() {
            let result = self.result.and_then(|result| tool_outcome(result, redactor));
            turns.add_turn(Speaker::Assistant, result.unwrap_or_default());
        }
        // A message without an answer teaches nothing.
        while turns.0.last().is_some_and(|last| last.role != Speaker::Assistant) {
            turns.0.pop();
        }
        (!turns.0.is_empty()).then_some(turns.0)
    }
}

/// Consecutive parts of one speaker form one message.
#[derive(Default)]
struct Turns(Vec<ChatMessage>);

impl Turns {
    fn add_turn(&mut self, role: Speaker, text: String) {
        if text.trim().is_empty() {
            return;
        }
        match self.0.last_mut().filter(|last| last.role == role) {
            Some(last) => {
                last.content.push_str("\n\n");
                last.content.push_str(&text);
            }
            None => self.0.push(ChatMessage { role, content: text }),
        }
    }

    fn is_answered(&self) -> bool {
        self.0.iter().any(|message| message.role == Speaker::Assistant)
    }
}

/// The speaker and text of an event, if it is part of the conversation.
fn read_event(kind: &str, mut payload: Value, redactor: &mut Redactor) -> Option<(Speaker, String)> {
    let text = |name: &str| payload[name].as_str().unwrap_or_default();
    match kind {
        "session.message" => match text("role") {
            "assistant" => Some((Speaker::Assistant, redactor.redact_text(text("text")))),
            "user" => Some((Speaker::User, redactor.redact_text(&message_text(&payload)))),
            _ => None,
        },
        "session.tool" if matches!(text("state"), "completed" | "error") => {
            let input = payload.get_mut("input").map(Value::take);
            Some((Speaker::Assistant, tool_text(&payload, input, redactor)))
        }
        // Approval questions and their answers are not part of the work.
        "session.question" if text("kind") == "input" => Some((Speaker::Assistant, redactor.redact_text(text("text")))),
        _ => None,
    }
}

/// The text of a user message, or of the chosen answers to a question.
fn message_text(payload: &Value) -> String {
    let choices = payload["answer"]["choices"].as_array().into_iter().flatten().filter_map(Value::as_str);
    let text = payload["text"].as_str().into_iter();
    text.chain(choices).collect::<Vec<_>>().join("\n")
}

fn tool_text(payload: &Value, input: Option<Value>, redactor: &mut Redactor) -> String {
    let word = |name: &str| payload[name].as_str().unwrap_or_default();
    let input = input.filter(|input| !input.is_null());
    let input = input.map(|input| format!("<input>{}</input>\n", redactor.redact_json(input))).unwrap_or_default();
    let output = match word("output").trim_end() {
        "" => String::new(),
        output => format!("<output>\n{}\n</output>\n", redactor.redact_text(output)),
    };
    let tool = redactor.redact_text(word("tool")).replace(['"', '<', '>', '\n'], "_");
    format!("<tool_use name=\"{tool}\" state=\"{}\">\n{input}{output}</tool_use>", word("state"))
}

/// The result of a session without assistant messages: its text, or all of it as JSON.
fn tool_outcome(result: Value, redactor: &mut Redactor) -> Option<String> {
    match result {
        Value::Null => None,
        Value::String(text) => Some(redactor.redact_text(&text)),
        Value::Object(map) if map.is_empty() => None,
        Value::Object(map) => match map.get("text").or_else(|| map.get("summary")).and_then(Value::as_str) {
            Some(text) => Some(redactor.redact_text(text)),
            None => Some(redactor.redact_json(Value::Object(map))),
        },
        other => Some(redactor.redact_json(other)),
    }
}

#[cfg(test)]
#[path = "transcript_tests.rs"]
mod tests;
