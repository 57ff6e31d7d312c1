//! Answers in the form of OpenAI's responses.

use serde_json::{Value, json};

use super::answer::{Answer, CREATED, NumberedCall, StreamPart, TOKENS};

fn usage() -> Value {
    json!({
        "input_tokens": TOKENS.input, "input_tokens_details": {"cached_tokens": TOKENS.cached},
        "output_tokens": TOKENS.output, "output_tokens_details": {"reasoning_tokens": TOKENS.reasoning},
        "total_tokens": TOKENS.input + TOKENS.output,
    })
}

/// The response as a whole. `incomplete` says why it has no natural end.
fn frame(answer: &Answer, status: &str, output: &[Value]) -> Value {
    let mut frame = json!({
        "id": format!("resp_{}", answer.id), "object": "response", "created_at": CREATED, "model": answer.model,
        "status": status, "output": output, "error": null, "incomplete_details": null,
    });
    if status == "incomplete" {
        let reason = if answer.finish.as_deref() == Some("length") { "max_output_tokens" } else { "content_filter" };
        frame["incomplete_details"] = json!({"reason": reason});
    }
    if status != "in_progress" {
        frame["usage"] = usage();
    }
    frame
}

fn status(answer: &Answer) -> &'static str {
    match answer.finish.as_deref() {
        Some("length" | "content_filter") => "incomplete",
        _ => "completed",
    }
}

fn write_message(answer: &Answer, status: &str, content: &[Value]) -> Value {
    let id = format!("msg_{}", answer.id);
    json!({"type": "message", "id": id, "role": "assistant", "status": status, "content": content})
}

fn write_text(text: &str) -> Value {
    json!({"type": "output_text", "text": text, "annotations": []})
}

fn write_call(numbered: &NumberedCall, status: &str, arguments: &str) -> Value {
    let (namespace, name) = numbered.call.tool.split_once('/').unzip();
    let mut call = json!({
        "type": "function_call", "id": format!("fc_{}", numbered.id), "call_id": numbered.id,
        "name": name.unwrap_or(&numbered.call.tool), "arguments": arguments, "status": status,
    });
    if let Some(namespace) = namespace {
        call["namespace"] = namespace.into();
    }
    call
}

/// The finished items of the answer.
fn write_items(answer: &Answer) -> Vec<Value> {
    let mut items = Vec::new();
    if !answer.text.is_empty() || answer.calls.is_empty() {
        items.push(write_message(answer, "completed", &[write_text(&answer.text)]));
    }
    let calls = answer.calls.iter();
    items.extend(calls.map(|numbered| write_call(numbered, "completed", &numbered.call.args.to_string())));
    items
}

pub(super) fn whole(answer: &Answer) -> Value {
    frame(answer, status(answer), &write_items(answer))
}

pub(super) fn stream(answer: &Answer) -> Vec<StreamPart> {
    let items = write_items(answer);
    let mut events = vec![
        Some(json!({"type": "response.created", "response": frame(answer, "in_progress", &[])})),
        Some(json!({"type": "response.in_progress", "response": frame(answer, "in_progress", &[])})),
    ];
    let has_message = items.len() > answer.calls.len();
    if has_message {
        events.extend(message_events(answer, &items[0]));
    }
    let after_message = events.len();
    for (at, numbered) in answer.calls.iter().enumerate() {
        let index = at + usize::from(has_message);
        events.extend(call_events(numbered, index, &items[index]).map(Some));
    }
    let end = status(answer);
    events.push(Some(json!({"type": format!("response.{end}"), "response": frame(answer, end, &items)})));
    let mut parts = Vec::new();
    for (number, event) in events.into_iter().enumerate() {
        let Some(mut event) = event else {
            parts.push(StreamPart::Pause);
            continue;
        };
        event["sequence_number"] = number.into();
        let name = event["type"].as_str().unwrap_or_default().to_owned();
        parts.push(StreamPart::named(&name, &event));
    }
    parts.insert(after_message, StreamPart::MayBreak);
    parts
}

/// The events of the message; `None` stands for a pause.
fn message_events(answer: &Answer, item: &Value) -> Vec<Option<Value>> {
    let id = &item["id"];
    let at = |kind: &str| json!({"type": kind, "item_id": id, "output_index": 0, "content_index": 0});
    let with = |mut event: Value, name: &str, value: Value| {
        event[name] = value;
        Some(event)
    };
    let started = write_message(answer, "in_progress", &[]);
    let mut events = vec![
        Some(json!({"type": "response.output_item.added", "output_index": 0, "item": started})),
        with(at("response.content_part.added"), "part", write_text("")),
    ];
    for piece in &answer.pieces {
        events.push(with(at("response.output_text.delta"), "delta", piece.as_str().into()));
        events.push(None);
    }
    events.push(with(at("response.output_text.done"), "text", answer.text.as_str().into()));
    events.push(with(at("response.content_part.done"), "part", write_text(&answer.text)));
    events.push(Some(json!({"type": "response.output_item.done", "output_index": 0, "item": item})));
    events
}

fn call_events(numbered: &NumberedCall, index: usize, item: &Value) -> [Value; 4] {
    let started = write_call(numbered, "in_progress", "");
    let (id, arguments) = (&item["id"], &item["arguments"]);
    let at = |kind: &str| json!({"type": kind, "item_id": id, "output_index": index});
    let mut delta = at("response.function_call_arguments.delta");
    delta["delta"] = arguments.clone();
    let mut done = at("response.function_call_arguments.done");
    done["arguments"] = arguments.clone();
    [
        json!({"type": "response.output_item.added", "output_index": index, "item": started}),
        delta,
        done,
        json!({"type": "response.output_item.done", "output_index": index, "item": item}),
    ]
}
