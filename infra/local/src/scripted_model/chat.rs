//! Answers in the form of OpenAI's chat completions.

use axum::body::Bytes;
use serde_json::{Value, json};

use super::answer::{Answer, CREATED, NumberedCall, StreamPart, TOKENS};

fn usage() -> Value {
    json!({
        "prompt_tokens": TOKENS.input, "completion_tokens": TOKENS.output, "total_tokens": TOKENS.input + TOKENS.output,
        "prompt_tokens_details": {"cached_tokens": TOKENS.cached},
        "completion_tokens_details": {"reasoning_tokens": TOKENS.reasoning},
    })
}

fn finish(answer: &Answer) -> &str {
    answer.finish.as_deref().unwrap_or(if answer.calls.is_empty() { "stop" } else { "tool_calls" })
}

fn write_calls(calls: &[NumberedCall]) -> Vec<Value> {
    let write = |(index, numbered): (usize, &NumberedCall)| {
        let function = json!({"name": numbered.call.tool, "arguments": numbered.call.args.to_string()});
        json!({"index": index, "id": numbered.id, "type": "function", "function": function})
    };
    calls.iter().enumerate().map(write).collect()
}

/// The members that every object of one answer repeats, and its own content.
fn framed(answer: &Answer, content: &Value) -> Value {
    let mut framed = json!({"id": format!("chatcmpl-{}", answer.id), "created": CREATED, "model": answer.model});
    if let (Some(framed), Some(content)) = (framed.as_object_mut(), content.as_object()) {
        framed.extend(content.clone());
    }
    framed
}

pub(super) fn whole(answer: &Answer) -> Value {
    let mut message = json!({"role": "assistant", "content": answer.text});
    if !answer.calls.is_empty() {
        message["tool_calls"] = write_calls(&answer.calls).into();
    }
    let choices = json!([{"index": 0, "message": message, "finish_reason": finish(answer)}]);
    framed(answer, &json!({"object": "chat.completion", "choices": choices, "usage": usage()}))
}

pub(super) fn stream(answer: &Answer) -> Vec<StreamPart> {
    let event = |content: &Value| {
        let mut event = framed(answer, content);
        event["object"] = "chat.completion.chunk".into();
        StreamPart::Event(Bytes::from(format!("data: {event}\n\n")))
    };
    let delta = |delta: &Value, finish: Option<&str>| {
        event(&json!({"choices": [{"index": 0, "delta": delta, "finish_reason": finish}]}))
    };
    let mut parts = vec![delta(&json!({"role": "assistant", "content": ""}), None)];
    for piece in &answer.pieces {
        parts.push(delta(&json!({"content": piece}), None));
        parts.push(StreamPart::Pause);
    }
    parts.push(StreamPart::MayBreak);
    parts.extend(write_calls(&answer.calls).into_iter().map(|call| delta(&json!({"tool_calls": [call]}), None)));
    parts.push(delta(&json!({}), Some(finish(answer))));
    parts.push(event(&json!({"choices": [], "usage": usage()})));
    parts.push(StreamPart::Event(Bytes::from_static(b"data: [DONE]\n\n")));
    parts
}
