//! The answer of a step before it has a form, and the parts of which a stream is made.

use axum::body::Bytes;
use serde_json::{Value, json};

use super::{Step, conversation::Conversation, script::Call, tools::translate};

/// The tokens that each turn is said to have cost.
pub(super) struct TokenCount {
    pub(super) input: u32,
    pub(super) cached: u32,
    pub(super) output: u32,
    pub(super) reasoning: u32,
}

/// `input` includes what is cached, and `output` the reasoning.
pub(super) const TOKENS: TokenCount = TokenCount { input: 1000, cached: 200, output: 50, reasoning: 10 };

/// When each answer is said to have been created. The model has no clock.
pub(super) const CREATED: u64 = 1_700_000_000;

/// One call of a tool with its id.
pub(super) struct NumberedCall {
    pub(super) id: String,
    pub(super) call: Call,
}

/// The answer of a step, before it has a form.
pub(super) struct Answer {
    pub(super) id: String,
    pub(super) model: String,
    pub(super) text: String,
    /// The text in the pieces of the stream.
    pub(super) pieces: Vec<String>,
    pub(super) calls: Vec<NumberedCall>,
    /// The reason that the step asks for, by its name in OpenAI's chat completions.
    pub(super) finish: Option<String>,
}

/// The next action of a stream.
pub(super) enum StreamPart {
    /// Sends these bytes.
    Event(Bytes),
    /// Waits for as long as the step says after each piece of text.
    Pause,
    /// Breaks the connection off where the step says so.
    MayBreak,
}

impl StreamPart {
    /// An event with a name, as server-sent events have it.
    pub(super) fn named(name: &str, content: &Value) -> Self {
        Self::Event(Bytes::from(format!("event: {name}\ndata: {content}\n\n")))
    }
}

impl Answer {
    pub(super) fn new(conversation: &Conversation, step: &Step) -> Self {
        let id = hex::encode(rand::random::<[u8; 16]>());
        let calls = step.calls().into_iter().enumerate().map(|(index, mut call)| {
            if call.args.is_null() {
                call.args = json!({});
            }
            let call = translate(call, &conversation.tools);
            NumberedCall { id: format!("call_{}_{index}", &id[..16]), call }
        });
        let calls: Vec<_> = calls.collect();
        let text = if calls.is_empty() { step.text.clone() } else { step.say.clone() };
        let pieces = cut_text(&text, step.chunks.unwrap_or(3));
        Self { model: conversation.model.clone(), text, pieces, calls, finish: step.finish.clone(), id }
    }
}

/// A text cut into about so many pieces, between characters.
fn cut_text(text: &str, count: usize) -> Vec<String> {
    let letters: Vec<char> = text.chars().collect();
    let size = letters.len().div_ceil(count.max(1)).max(1);
    letters.chunks(size).map(|piece| piece.iter().collect()).collect()
}
