//! Answers in the form of Anthropic's messages.

use serde_json::{Value, json};

use super::answer::{Answer, NumberedCall, StreamPart, TOKENS};

/// Anthropic counts what is cached apart from the input.
fn usage(output: u32) -> Value {
    json!({
        "input_tokens": TOKENS.input - TOKENS.cached, "cache_read_input_tokens": TOKENS.cached,
        "cache_creation_input_tokens": 0, "output_tokens": output,
    })
}

fn stop_reason(answer: &Answer) -> &str {
    match answer.finish.as_deref() {
        None if answer.calls.is_empty() => "end_turn",
        None => "tool_use",
        Some("stop") => "end_turn",
        Some("length") => "max_tokens",
        Some("content_filter") => "refusal",
        Some(other) => other,
    }
}

fn write_call(numbered: &NumberedCall, input: &Value) -> Value {
    json!({"type": "tool_use", "id": numbered.id, "name": numbered.call.tool, "input": input})
}

fn frame(answer: &Answer, content: &[Value], stop_reason: Option<&str>, usage: &Value) -> Value {
    json!({
        "id": format!("msg_{}", answer.id), "type": "message", "role": "assistant", "model": answer.model,
        "content": content, "stop_reason": stop_reason, "stop_sequence": null, "usage": usage,
    })
}

pub(super) fn whole(answer: &Answer) -> Value {
    let mut content = Vec::new();
    if !answer.text.is_empty() || answer.calls.is_empty() {
        content.push(json!({"type": "text", "text": answer.text}));
    }
    content.extend(answer.calls.iter().map(|numbered| write_call(numbered, &numbered.call.args)));
    frame(answer, &content, Some(stop_reason(answer)), &usage(TOKENS.output))
}

pub(super) fn stream(answer: &Answer) -> Vec<StreamPart> {
    let mut parts = vec![event(json!({"type": "message_start", "message": frame(answer, &[], None, &usage(1))}))];
    let mut index = 0;
    if !answer.text.is_empty() || answer.calls.is_empty() {
        let start = json!({"type": "text", "text": ""});
        parts.push(event(json!({"type": "content_block_start", "index": index, "content_block": start})));
        for piece in &answer.pieces {
            let delta = json!({"type": "text_delta", "text": piece});
            parts.push(event(json!({"type": "content_block_delta", "index": index, "delta": delta})));
            parts.push(StreamPart::Pause);
        }
        parts.push(event(json!({"type": "content_block_stop", "index": index})));
        index += 1;
    }
    parts.push(StreamPart::MayBreak);
    for numbered in &answer.calls {
        let start = write_call(numbered, &json!({}));
        let delta = json!({"type": "input_json_delta", "partial_json": numbered.call.args.to_string()});
        parts.push(event(json!({"type": "content_block_start", "index": index, "content_block": start})));
        parts.push(event(json!({"type": "content_block_delta", "index": index, "delta": delta})));
        parts.push(event(json!({"type": "content_block_stop", "index": index})));
        index += 1;
    }
    let end = json!({"stop_reason": stop_reason(answer), "stop_sequence": null});
    parts.push(event(json!({"type": "message_delta", "delta": end, "usage": {"output_tokens": TOKENS.output}})));
    parts.push(event(json!({"type": "message_stop"})));
    parts
}

#[expect(clippy::needless_pass_by_value, reason = "each event is created for its one use")]
fn event(content: Value) -> StreamPart {
    StreamPart::named(content["type"].as_str().unwrap_or_default(), &content)
}
