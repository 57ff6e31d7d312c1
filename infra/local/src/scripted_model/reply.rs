//! The answer to a request in the form of OpenAI's chat completions, whole or as a stream of events.

use async_stream::try_stream;
use axum::{
    Json,
    body::{Body, Bytes},
    http::header,
    response::{IntoResponse, Response},
};
use serde_json::{Value, json};
use tokio::time::sleep;

use super::{Step, seconds};
use crate::services::secret;

/// What each turn is said to have cost in tokens.
fn usage() -> Value {
    json!({
        "prompt_tokens": 1000, "completion_tokens": 50, "total_tokens": 1050,
        "prompt_tokens_details": {"cached_tokens": 200},
        "completion_tokens_details": {"reasoning_tokens": 10},
    })
}

/// Plays a step that is not an error.
pub(super) fn reply(request: &Value, step: Step) -> Response {
    let answer = Answer::new(request, step);
    if request["stream"] == true { answer.stream() } else { answer.whole() }
}

struct Answer {
    step: Step,
    text: String,
    calls: Vec<Value>,
    finish: String,
    /// What every event of one answer repeats.
    frame: Value,
}

impl Answer {
    fn new(request: &Value, step: Step) -> Self {
        let id = secret();
        let calls: Vec<Value> = step.calls().into_iter().enumerate().map(|(index, call)| {
            let args = if call.args.is_null() { json!({}) } else { call.args };
            let function = json!({"name": call.tool, "arguments": args.to_string()});
            json!({"index": index, "id": format!("call_{}_{index}", &id[..16]), "type": "function", "function": function})
        }).collect();
        let text = if calls.is_empty() { step.text.clone() } else { step.say.clone() };
        let natural = if calls.is_empty() { "stop" } else { "tool_calls" };
        let finish = step.finish.clone().unwrap_or_else(|| natural.to_owned());
        let model = request["model"].as_str().unwrap_or("stub-1");
        let created = shared::kernel::clock::Clock::System.now().timestamp();
        let frame = json!({"id": format!("chatcmpl-{id}"), "created": created, "model": model});
        Self { step, text, calls, finish, frame }
    }

    fn whole(self) -> Response {
        let mut message = json!({"role": "assistant", "content": self.text});
        if !self.calls.is_empty() {
            message["tool_calls"] = Value::Array(self.calls.clone());
        }
        let choices = json!([{"index": 0, "message": message, "finish_reason": self.finish}]);
        Json(self.framed(&json!({"object": "chat.completion", "choices": choices, "usage": usage()}))).into_response()
    }

    fn stream(self) -> Response {
        let events = try_stream! {
            yield self.delta(&json!({"role": "assistant", "content": ""}), None);
            for piece in pieces(&self.text, self.step.chunks.unwrap_or(3)) {
                yield self.delta(&json!({"content": piece}), None);
                sleep(seconds(self.step.chunk_sleep)).await;
            }
            if self.step.drop {
                // An error of the body is what breaks a connection off.
                Err(std::io::Error::other("the script drops the connection"))?;
            }
            for call in &self.calls {
                yield self.delta(&json!({"tool_calls": [call]}), None);
            }
            yield self.delta(&json!({}), Some(&self.finish));
            yield self.event(&json!({"choices": [], "usage": usage()}));
            yield Bytes::from_static(b"data: [DONE]\n\n");
        };
        let events: std::pin::Pin<Box<dyn futures_util::Stream<Item = std::io::Result<Bytes>> + Send>> =
            Box::pin(events);
        ([(header::CONTENT_TYPE, "text/event-stream"), (header::CACHE_CONTROL, "no-cache")], Body::from_stream(events))
            .into_response()
    }

    fn delta(&self, delta: &Value, finish: Option<&str>) -> Bytes {
        self.event(&json!({"choices": [{"index": 0, "delta": delta, "finish_reason": finish}]}))
    }

    fn event(&self, content: &Value) -> Bytes {
        let mut event = self.framed(content);
        event["object"] = "chat.completion.chunk".into();
        Bytes::from(format!("data: {event}\n\n"))
    }

    fn framed(&self, content: &Value) -> Value {
        let mut framed = self.frame.clone();
        if let (Some(framed), Some(content)) = (framed.as_object_mut(), content.as_object()) {
            framed.extend(content.clone());
        }
        framed
    }
}

/// A text cut into about so many pieces, between characters.
fn pieces(text: &str, count: usize) -> Vec<String> {
    let letters: Vec<char> = text.chars().collect();
    let size = letters.len().div_ceil(count.max(1)).max(1);
    letters.chunks(size).map(|piece| piece.iter().collect()).collect()
}
