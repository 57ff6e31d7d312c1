//! A request in any of the three forms of API, reduced to what the choice of a step needs.

use serde_json::Value;

/// The form of the API that a request uses.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Protocol {
    /// OpenAI's chat completions.
    Chat,
    /// OpenAI's responses.
    Responses,
    /// Anthropic's messages.
    Messages,
}

/// The author of an entry.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Speaker {
    User,
    /// One entry is one turn of the model, its calls of tools included.
    Model,
    /// Results of tools, and what an agent adds by itself.
    Other,
}

/// One part of a conversation.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Entry {
    pub(super) speaker: Speaker,
    pub(super) text: String,
}

/// A request.
#[derive(Debug)]
pub(super) struct Conversation {
    pub(super) protocol: Protocol,
    pub(super) model: String,
    pub(super) stream: bool,
    /// The names of the tools that it offers; one of a namespace stands as `namespace/name`.
    pub(super) tools: Vec<String>,
    pub(super) system: String,
    pub(super) entries: Vec<Entry>,
}

impl Conversation {
    /// Reads a request; what is not understood is left out.
    pub(super) fn read(protocol: Protocol, body: &Value) -> Self {
        let list = |name: &str| body[name].as_array().map(Vec::as_slice).unwrap_or_default();
        let tools = list("tools").iter().flat_map(|tool| match protocol {
            Protocol::Chat => name_of(&tool["function"]).into_iter().collect(),
            Protocol::Responses => names_of_responses(tool),
            Protocol::Messages => name_of(tool).into_iter().collect(),
        });
        let (system, entries) = match protocol {
            Protocol::Chat => (system_of_chat(list("messages")), read_messages(list("messages"))),
            Protocol::Responses => (text_of(&body["instructions"]), read_items(list("input"))),
            Protocol::Messages => (text_of(&body["system"]), read_messages(list("messages"))),
        };
        Self {
            protocol,
            model: body["model"].as_str().unwrap_or("stub-1").to_owned(),
            stream: body["stream"] == true,
            tools: tools.collect(),
            system,
            entries,
        }
    }

    /// The texts of the user, with their indexes.
    pub(super) fn prompts(&self) -> Vec<(usize, &str)> {
        let said = |(at, entry): (usize, &'_ Entry)| (entry.speaker == Speaker::User).then_some(at);
        self.entries.iter().enumerate().filter_map(said).map(|at| (at, self.entries[at].text.as_str())).collect()
    }

    /// How many turns the model has had after the entry with this index.
    pub(super) fn turns_after(&self, at: usize) -> usize {
        self.entries[at + 1..].iter().filter(|entry| entry.speaker == Speaker::Model).count()
    }
}

fn name_of(tool: &Value) -> Option<String> {
    tool["name"].as_str().map(str::to_owned)
}

/// A tool, the tools of a namespace, or one of the provider's own, which has only a type.
fn names_of_responses(tool: &Value) -> Vec<String> {
    match (tool["type"].as_str(), tool["name"].as_str()) {
        (Some("namespace"), Some(namespace)) => {
            let tools = tool["tools"].as_array().into_iter().flatten();
            tools.filter_map(name_of).map(|name| format!("{namespace}/{name}")).collect()
        }
        (kind, name) => name.or(kind).map(str::to_owned).into_iter().collect(),
    }
}

fn system_of_chat(messages: &[Value]) -> String {
    let system = messages.iter().filter(|message| message["role"] == "system");
    system.map(|message| text_of(&message["content"])).collect::<Vec<_>>().join("\n")
}

fn read_messages(messages: &[Value]) -> Vec<Entry> {
    let entries = messages.iter().map(|message| {
        let text = text_of(&message["content"]);
        match message["role"].as_str() {
            Some("assistant") if text.trim() == NO_TURN => Entry { speaker: Speaker::Other, text },
            Some("assistant") => Entry { speaker: Speaker::Model, text },
            Some("user") => user_entry(text),
            _ => Entry { speaker: Speaker::Other, text },
        }
    });
    entries.collect()
}

/// The items of OpenAI's responses: a turn of the model is several of them in a row.
fn read_items(items: &[Value]) -> Vec<Entry> {
    let mut entries: Vec<Entry> = Vec::new();
    for item in items {
        let text = text_of(&item["content"]);
        let kind = item["type"].as_str().unwrap_or("message");
        let entry = match (kind, item["role"].as_str()) {
            ("message", Some("user")) => user_entry(text),
            ("message", Some("assistant")) => Entry { speaker: Speaker::Model, text },
            ("message", _) => Entry { speaker: Speaker::Other, text },
            _ if kind.ends_with("_output") => Entry { speaker: Speaker::Other, text },
            _ => Entry { speaker: Speaker::Model, text },
        };
        let goes_on =
            entry.speaker == Speaker::Model && entries.last().is_some_and(|last| last.speaker == Speaker::Model);
        if !goes_on {
            entries.push(entry);
        }
    }
    entries
}

/// A message in the user's name may hold nothing that the user has said, such as the results of tools.
fn user_entry(text: String) -> Entry {
    let speaker = if text.trim().is_empty() { Speaker::Other } else { Speaker::User };
    Entry { speaker, text }
}

/// What Claude Code adds in the model's name when it resumes a session that was interrupted.
const NO_TURN: &str = "No response requested.";

/// The beginnings of texts that agents add to messages in the user's name.
const ADDED: [&str; 5] = [
    "<system-reminder>",
    "<environment_context>",
    "<user_instructions>",
    "<permissions instructions>",
    "# AGENTS.md instructions",
];

/// The text of a content, which is a string or a list of parts.
fn text_of(content: &Value) -> String {
    let texts: Vec<&str> = match content {
        Value::String(text) => vec![text],
        Value::Array(parts) => parts.iter().filter_map(|part| part["text"].as_str()).collect(),
        _ => Vec::new(),
    };
    let is_added = |text: &&str| ADDED.iter().any(|start| text.trim_start().starts_with(start));
    texts.into_iter().filter(|text| !is_added(text)).collect::<Vec<_>>().join("\n")
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::{
        Speaker::{Model, Other, User},
        *,
    };

    fn speakers(conversation: &Conversation) -> Vec<Speaker> {
        conversation.entries.iter().map(|entry| entry.speaker).collect()
    }

    #[test]
    fn a_turn_of_several_items_is_one_turn() {
        let body = json!({"instructions": "You code.", "tools": [{"type": "function", "name": "shell"}], "input": [
            {"type": "message", "role": "developer", "content": [{"type": "input_text", "text": "rules"}]},
            {"type": "message", "role": "user", "content": [{"type": "input_text", "text": "<environment_context>"}]},
            {"type": "message", "role": "user", "content": [{"type": "input_text", "text": "go"}]},
            {"type": "reasoning", "summary": []},
            {"type": "message", "role": "assistant", "content": [{"type": "output_text", "text": "now"}]},
            {"type": "function_call", "name": "shell", "call_id": "c"},
            {"type": "function_call_output", "call_id": "c", "output": "done"},
            {"type": "function_call", "name": "shell", "call_id": "d"},
        ]});
        let conversation = Conversation::read(Protocol::Responses, &body);
        assert_eq!(speakers(&conversation), [Other, Other, User, Model, Other, Model]);
        assert_eq!(conversation.prompts(), [(2, "go")]);
        assert_eq!(conversation.turns_after(2), 2);
    }

    #[test]
    fn the_tools_of_a_namespace_are_offered_under_both_names() {
        let body = json!({"tools": [{"type": "function", "name": "shell"}, {"type": "web_search"},
            {"type": "namespace", "name": "mcp__ioc", "tools": [{"type": "function", "name": "attach"}]}]});
        assert_eq!(Conversation::read(Protocol::Responses, &body).tools, ["shell", "web_search", "mcp__ioc/attach"]);
    }

    #[test]
    fn results_of_tools_in_the_name_of_the_user_are_no_prompt() {
        let body = json!({"system": [{"type": "text", "text": "You code."}], "messages": [
            {"role": "user", "content": [{"type": "text", "text": "<system-reminder>\nx"}, {"type": "text", "text": "go"}]},
            {"role": "assistant", "content": [{"type": "tool_use", "id": "t", "name": "Write", "input": {}}]},
            {"role": "user", "content": [{"type": "tool_result", "tool_use_id": "t", "content": "@@STUB []"}]},
        ]});
        let conversation = Conversation::read(Protocol::Messages, &body);
        assert_eq!(speakers(&conversation), [User, Model, Other]);
        assert_eq!((conversation.prompts(), conversation.system.as_str()), (vec![(0, "go")], "You code."));
    }

    #[test]
    fn a_note_that_claude_adds_when_it_resumes_is_no_turn_of_the_model() {
        let body = json!({"messages": [
            {"role": "user", "content": "go"},
            {"role": "assistant", "content": [{"type": "text", "text": "No response requested."}]},
        ]});
        assert_eq!(Conversation::read(Protocol::Messages, &body).turns_after(0), 0);
    }
}
