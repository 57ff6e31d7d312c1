//! The texts of a task: its messages, and the parts of a message. Pure.

use ::a2a::{Message, Part, PartContent, Role, Task};

/// The longest text of one transcript entry, in characters.
const MAX_ENTRY_CHARS: usize = 100_000;

/// The messages of the history, then the message of the status.
pub(super) fn task_messages(task: &Task) -> impl Iterator<Item = &Message> {
    task.history.iter().flatten().chain(&task.status.message)
}

/// The last message of the agent, as text.
pub(super) fn last_agent_text(task: &Task) -> Option<String> {
    let last = task_messages(task).filter(|message| message.role != Role::User).last();
    last.map(|message| parts_text(&message.parts)).filter(|text| !is_blank(text))
}

/// Whether a text says nothing.
pub(super) fn is_blank(text: &str) -> bool {
    text.trim().is_empty()
}

/// The key by which a repeated message is recognized: its id, or its text when it has none.
pub(super) fn message_key(message: &Message) -> String {
    if message.message_id.is_empty() { parts_text(&message.parts) } else { message.message_id.clone() }
}

/// The parts of a message as text. A file is replaced by its name and size.
pub(super) fn parts_text(parts: &[Part]) -> String {
    let words = parts.iter().map(|part| match &part.content {
        PartContent::Text(text) => text.clone(),
        PartContent::Data(data) => data.to_string(),
        PartContent::Url(url) => url.clone(),
        PartContent::Raw(bytes) => {
            format!("[{}, {} bytes]", part.filename.as_deref().unwrap_or("a file"), bytes.len())
        }
    });
    words.collect::<Vec<_>>().join("\n").chars().take(MAX_ENTRY_CHARS).collect()
}
