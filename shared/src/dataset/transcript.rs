//! From the log of a session to a conversation: who said what, in order, with the use of tools as a part of what the
//! assistant says. Pure.
//!
//! What the agent thought (`reasoning`) is left out. A tool is told once, when it ended:
//!
//! ```text
//! <tool_use name="bash" state="completed">
//! <input>{"command":"cargo test"}</input>
//! <output>
//! ok
//! </output>
//! </tool_use>
//! ```

use serde::{Deserialize, Serialize};
use serde_json::Value;

use super::redaction::Redactor;

/// The most that a transcript may have, in bytes of its events: longer ones are left out, never cut.
pub const LONGEST: usize = 256 << 10;

/// Who says something.
#[derive(Clone, Copy, Debug, Eq, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Speaker {
    System,
    User,
    Assistant,
}

/// One turn of a conversation.
#[derive(Clone, Debug, Eq, PartialEq, Serialize, Deserialize)]
pub struct Message {
    pub role: Speaker,
    pub content: String,
}

/// What is read of a session to make a conversation of.
#[derive(Clone, Debug, PartialEq)]
pub struct Transcript {
    pub prompt: String,
    /// In order: the type of each event with its payload, of messages, tools and questions.
    pub events: Vec<(String, Value)>,
    /// What its outcome says came of it.
    pub result: Option<Value>,
    /// It is longer than [`LONGEST`]; its events are not all here.
    pub too_long: bool,
}

impl Transcript {
    /// The conversation, redacted: it begins with the prompt and ends with the assistant. `None` when nobody answered.
    pub fn conversation(self, redactor: &mut Redactor) -> Option<Vec<Message>> {
        let mut turns = Turns::default();
        turns.say(Speaker::User, redactor.text(&self.prompt));
        for (kind, payload) in self.events {
            if let Some((speaker, text)) = told(&kind, payload, redactor) {
                turns.say(speaker, text);
            }
        }
        if !turns.is_answered() {
            let result = self.result.and_then(|result| outcome(result, redactor));
            turns.say(Speaker::Assistant, result.unwrap_or_default());
        }
        // What nobody answered is nothing to learn from.
        while turns.0.last().is_some_and(|last| last.role != Speaker::Assistant) {
            turns.0.pop();
        }
        (!turns.0.is_empty()).then_some(turns.0)
    }
}

/// Parts of one speaker in a row are one message.
#[derive(Default)]
struct Turns(Vec<Message>);

impl Turns {
    fn say(&mut self, role: Speaker, text: String) {
        if text.trim().is_empty() {
            return;
        }
        match self.0.last_mut().filter(|last| last.role == role) {
            Some(last) => {
                last.content.push_str("\n\n");
                last.content.push_str(&text);
            }
            None => self.0.push(Message { role, content: text }),
        }
    }

    fn is_answered(&self) -> bool {
        self.0.iter().any(|message| message.role == Speaker::Assistant)
    }
}

/// Who says what in an event, if it is a part of the conversation.
fn told(kind: &str, mut payload: Value, redactor: &mut Redactor) -> Option<(Speaker, String)> {
    let text = |name: &str| payload[name].as_str().unwrap_or_default();
    match kind {
        "session.message" => match text("role") {
            "assistant" => Some((Speaker::Assistant, redactor.text(text("text")))),
            "user" => Some((Speaker::User, redactor.text(&said(&payload)))),
            _ => None,
        },
        "session.tool" if matches!(text("state"), "completed" | "error") => {
            let input = payload.get_mut("input").map(Value::take);
            Some((Speaker::Assistant, tool(&payload, input, redactor)))
        }
        // May it do that? A question of that kind is no part of the work, nor is its answer.
        "session.question" if text("kind") == "input" => Some((Speaker::Assistant, redactor.text(text("text")))),
        _ => None,
    }
}

/// What a person said: a text, or what was chosen of the answers to a question.
fn said(payload: &Value) -> String {
    let choices = payload["answer"]["choices"].as_array().into_iter().flatten().filter_map(Value::as_str);
    let text = payload["text"].as_str().into_iter();
    text.chain(choices).collect::<Vec<_>>().join("\n")
}

fn tool(payload: &Value, input: Option<Value>, redactor: &mut Redactor) -> String {
    let word = |name: &str| payload[name].as_str().unwrap_or_default();
    let input = input.filter(|input| !input.is_null());
    let input = input.map(|input| format!("<input>{}</input>\n", redactor.json(input))).unwrap_or_default();
    let output = match word("output").trim_end() {
        "" => String::new(),
        output => format!("<output>\n{}\n</output>\n", redactor.text(output)),
    };
    format!("<tool_use name=\"{}\" state=\"{}\">\n{input}{output}</tool_use>", word("tool"), word("state"))
}

/// The result of a session whose agent said nothing besides: its text, or all of it as JSON.
fn outcome(result: Value, redactor: &mut Redactor) -> Option<String> {
    match result {
        Value::Null => None,
        Value::String(text) => Some(redactor.text(&text)),
        Value::Object(map) if map.is_empty() => None,
        Value::Object(map) => match map.get("text").or_else(|| map.get("summary")).and_then(Value::as_str) {
            Some(text) => Some(redactor.text(text)),
            None => Some(redactor.json(Value::Object(map))),
        },
        other => Some(redactor.json(other)),
    }
}

#[cfg(test)]
#[path = "transcript_tests.rs"]
mod tests;
