//! The transcript, each entry told once: text and reasoning when they are complete, tool calls by their state, changed
//! files by the step that changed them.

use std::collections::BTreeSet;

use serde_json::{Value, json};

use super::{
    ids,
    state::Cursor,
    wire::{Message, Part},
};
use crate::agents::contract::TranscriptEntry;

/// The most that is told of a tool's input or output.
const LONGEST: usize = 8 << 10;
const TOLD: u8 = 1;

/// What is new in `messages` since `cursor`, which is moved on. Paths are told relative to `root`.
pub(super) fn news(messages: &[Message], cursor: &mut Cursor, root: &str) -> Vec<TranscriptEntry> {
    let told = |message: &&Message| message.info.id <= cursor.done;
    let start = match messages.iter().position(|message| message.info.id == cursor.done) {
        Some(done) => done + 1,
        None => messages.iter().take_while(told).count(), // it was deleted at the server
    };
    let messages = &messages[start..];
    let last = messages.iter().rposition(|message| message.info.role == "assistant").unwrap_or(messages.len());
    let mut entries = Vec::new();
    let mut done = true;
    for (index, message) in messages.iter().enumerate() {
        tell(message, index < last, cursor, root, &mut entries);
        // The last step may still get parts, such as the patch that follows its end.
        done &= index < last;
        if done {
            cursor.done.clone_from(&message.info.id);
            for part in &message.parts {
                cursor.parts.remove(&part.id);
            }
        }
    }
    entries
}

fn tell(message: &Message, over: bool, cursor: &mut Cursor, root: &str, entries: &mut Vec<TranscriptEntry>) {
    let info = &message.info;
    let complete = over || info.time.completed.is_some();
    if info.role == "user" && ids::is_ours(&info.id) {
        return;
    }
    let mut changed = BTreeSet::new();
    for part in &message.parts {
        let before = cursor.parts.get(&part.id).copied();
        let now = match part.kind.as_str() {
            "text" | "reasoning" => said(part, &info.role, complete, before, entries),
            "tool" => called(part, before, entries),
            "patch" => Some(TOLD),
            _ => None,
        };
        let Some(now) = now else { continue };
        for path in changes(part, root) {
            if changed.insert(path.clone()) && before != Some(now) {
                entries.push(TranscriptEntry::FileChanged { path });
            }
        }
        cursor.parts.insert(part.id.clone(), now);
    }
    if complete && !changed.is_empty() && cursor.counted != info.id {
        cursor.turns += 1;
        cursor.counted.clone_from(&info.id);
    }
}

/// A text when nothing more is to come of it. The answer is what to note of the part.
fn said(part: &Part, role: &str, complete: bool, before: Option<u8>, entries: &mut Vec<TranscriptEntry>) -> Option<u8> {
    let ended = complete || role == "user" || part.time.is_some_and(|time| time.end.is_some());
    if !ended || part.synthetic || part.ignored || part.text.trim().is_empty() {
        return None;
    }
    if before.is_none() {
        let role = if part.kind == "reasoning" { "reasoning" } else { role };
        entries.push(TranscriptEntry::Message {
            role: role.to_owned(),
            text: part.text.clone(),
            part: part.id.clone(),
        });
    }
    Some(TOLD)
}

/// A call when its state is another than was told.
fn called(part: &Part, before: Option<u8>, entries: &mut Vec<TranscriptEntry>) -> Option<u8> {
    let state = &part.state;
    let now = match state.status.as_str() {
        "running" => 1,
        "completed" => 2,
        "error" => 3,
        _ => return None,
    };
    if before.is_none_or(|before| before < now) {
        entries.push(TranscriptEntry::Tool {
            tool: part.tool.clone(),
            state: state.status.clone(),
            title: state.title.clone().unwrap_or_default(),
            input: (!state.input.is_null()).then(|| short_value(&state.input)),
            output: state.output.as_deref().or(state.error.as_deref()).map(|text| short(text, LONGEST)),
            part: part.id.clone(),
        });
    }
    Some(now)
}

/// The files that a part changed: a step's patch names all of them, where the server takes snapshots; a finished edit
/// names its own.
fn changes(part: &Part, root: &str) -> Vec<String> {
    let edited = matches!(part.tool.as_str(), "write" | "edit" | "multiedit") && part.state.status == "completed";
    let edited = part.state.input.get("filePath").and_then(Value::as_str).filter(|_| edited);
    let paths = part.files.iter().map(String::as_str).chain(edited);
    paths.filter_map(|path| relative(path, root)).map(str::to_owned).collect()
}

/// The path within the worktree; what lies outside is no work of the session.
fn relative<'a>(path: &'a str, root: &str) -> Option<&'a str> {
    match path.strip_prefix(root) {
        Some(inner) => inner.strip_prefix('/').filter(|inner| !inner.is_empty()),
        None => (!path.starts_with('/')).then_some(path),
    }
}

/// The text, or its beginning with a note of what was left out.
pub(super) fn short(text: &str, longest: usize) -> String {
    if text.len() <= longest {
        return text.to_owned();
    }
    let end = text.floor_char_boundary(longest);
    format!("{}\n[{} more bytes]", &text[..end], text.len() - end)
}

/// The value, with its long texts cut, or its beginning as text where that does not help.
fn short_value(value: &Value) -> Value {
    if value.to_string().len() <= LONGEST {
        return value.clone();
    }
    if let Value::Object(map) = value {
        let each = LONGEST / map.len().max(1);
        let cut = map.iter().map(|(key, value)| match value {
            Value::String(text) => (key.clone(), json!(short(text, each))),
            other => (key.clone(), other.clone()),
        });
        let cut = Value::Object(cut.collect());
        if cut.to_string().len() <= LONGEST * 2 {
            return cut;
        }
    }
    json!({"cut": short(&value.to_string(), LONGEST)})
}

/// The last thing that the agent said in these messages.
pub(super) fn last_text(messages: &[Message]) -> Option<String> {
    let spoken = messages.iter().rev().filter(|message| message.info.is_assistant()).map(|message| {
        let texts = message.parts.iter().filter(|part| part.kind == "text" && !part.synthetic && !part.ignored);
        texts.map(|part| part.text.trim()).filter(|text| !text.is_empty()).collect::<Vec<_>>().join("\n\n")
    });
    spoken.into_iter().find(|text| !text.is_empty())
}

#[cfg(test)]
#[path = "transcript_tests.rs"]
mod tests;
