//! What a person reads who has to decide on a request for permission. Pure: everything is cut to a size that a report
//! can have.

use serde_json::{Map, Value, json};

use crate::{
    acp::{FileDiff, PermissionRequest, ToolCallReport},
    control_plane::wire::Question,
};

/// The longest title, command, path, and text of a change, in characters.
const TITLE_LENGTH: usize = 500;
const COMMAND_LENGTH: usize = 8000;
const PATH_LENGTH: usize = 1000;
const CHANGE_LENGTH: usize = 4000;
/// How many paths and changes are shown.
const PATHS: usize = 50;
const CHANGES: usize = 10;

/// The question for a request, without its id.
pub(super) fn describe_request(request: &PermissionRequest) -> Question {
    let call = &request.tool_call;
    let title = call.title.as_deref().or(call.name.as_deref()).unwrap_or("a tool");
    Question {
        question_id: String::new(),
        kind: "approval",
        text: format!("The agent asks for permission: {}", shorten(title, TITLE_LENGTH)),
        options: Vec::new(),
        details: describe_call(call),
    }
}

fn describe_call(call: &ToolCallReport) -> Value {
    let mut details = Map::new();
    let mut add = |name: &str, value: Value| {
        details.insert(name.to_owned(), value);
    };
    if let Some(kind) = call.kind {
        add("kind", json!(kind));
    }
    for (name, text) in [("tool", &call.name), ("title", &call.title)] {
        if let Some(text) = text {
            add(name, shorten(text, TITLE_LENGTH).into());
        }
    }
    let (command, paths) = (find_command(call), list_paths(call));
    let says_nothing = command.is_none() && paths.is_empty() && call.diffs.is_empty();
    if let Some(command) = command {
        add("command", shorten(&command, COMMAND_LENGTH).into());
    }
    if !paths.is_empty() {
        add("paths", paths.into());
    }
    if !call.diffs.is_empty() {
        add("changes", call.diffs.iter().take(CHANGES).map(describe_change).collect());
    }
    if let Some(input) = call.input.as_ref().filter(|_| says_nothing) {
        // As a text, because its form is the agent's: it may be nested deeper than a report may.
        add("input", shorten(&input.to_string(), COMMAND_LENGTH).into());
    }
    Value::Object(details)
}

/// Agents name it `command` or `cmd`, as a text or as a list of arguments.
fn find_command(call: &ToolCallReport) -> Option<String> {
    let input = call.input.as_ref()?;
    let command = ["command", "cmd"].into_iter().map(|name| &input[name]).find(|value| !value.is_null())?;
    match command {
        Value::String(text) => Some(text.clone()),
        Value::Array(parts) => {
            let parts: Option<Vec<_>> = parts.iter().map(Value::as_str).collect();
            Some(parts?.join(" "))
        }
        _ => None,
    }
}

fn list_paths(call: &ToolCallReport) -> Vec<Value> {
    let paths = call.locations.iter().map(|location| &location.path).chain(call.diffs.iter().map(|diff| &diff.path));
    let mut listed: Vec<Value> = Vec::new();
    for path in paths.map(|path| Value::from(shorten(path, PATH_LENGTH))) {
        if listed.len() < PATHS && !listed.contains(&path) {
            listed.push(path);
        }
    }
    listed
}

fn describe_change(diff: &FileDiff) -> Value {
    let mut change = json!({
        "path": shorten(&diff.path, PATH_LENGTH),
        "new_text": shorten(&diff.new_text, CHANGE_LENGTH),
    });
    if let Some(old) = &diff.old_text {
        change["old_text"] = shorten(old, CHANGE_LENGTH).into();
    }
    change
}

/// A text of at most so many characters, without NULs, and how much is missing.
fn shorten(text: &str, longest: usize) -> String {
    let text = text.replace('\0', "");
    let characters = text.chars().count();
    if characters <= longest {
        return text;
    }
    let kept: String = text.chars().take(longest).collect();
    format!("{kept}\n[{} more characters]", characters - longest)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::acp::{PermissionRequestId, ToolKind, ToolLocation};

    fn details(call: ToolCallReport) -> Value {
        describe_request(&PermissionRequest { id: PermissionRequestId(1), tool_call: call, options: Vec::new() })
            .details
    }

    #[test]
    fn a_command_is_shown_whether_it_is_a_text_or_a_list() {
        for input in [json!({"command": "rm x"}), json!({"cmd": "rm x"}), json!({"command": ["rm", "x"]})] {
            let call = ToolCallReport {
                kind: Some(ToolKind::Execute),
                title: Some("rm x".into()),
                input: Some(input),
                ..ToolCallReport::default()
            };
            assert_eq!(details(call), json!({"kind": "execute", "title": "rm x", "command": "rm x"}));
        }
    }

    #[test]
    fn a_change_is_shown_with_its_paths_and_texts() {
        let diff = FileDiff { path: "/work/a".into(), old_text: Some("1".into()), new_text: "2\0".into() };
        let location = ToolLocation { path: "/work/a".into(), line: Some(3) };
        let call = ToolCallReport {
            kind: Some(ToolKind::Edit),
            locations: vec![location],
            diffs: vec![diff],
            input: Some(json!({"secret": "of the form of an agent"})),
            ..ToolCallReport::default()
        };
        let expected = json!({"kind": "edit", "paths": ["/work/a"],
            "changes": [{"path": "/work/a", "old_text": "1", "new_text": "2"}]});
        assert_eq!(details(call), expected);
    }

    #[test]
    fn a_call_that_says_nothing_else_is_shown_with_its_input_as_text() {
        let call = ToolCallReport {
            name: Some("browse".into()),
            input: Some(json!({"url": "x"})),
            ..ToolCallReport::default()
        };
        assert_eq!(details(call), json!({"tool": "browse", "input": "{\"url\":\"x\"}"}));
    }

    #[test]
    fn a_question_of_any_size_fits_into_a_report() {
        let long = "ä".repeat(100_000);
        let diff = FileDiff { path: long.clone(), old_text: Some(long.clone()), new_text: long.clone() };
        let tool_call = ToolCallReport {
            title: Some(long.clone()),
            locations: vec![ToolLocation { path: long.clone(), line: None }; 200],
            input: Some(json!({"command": long})),
            diffs: vec![diff; 200],
            ..ToolCallReport::default()
        };
        let question = describe_request(&PermissionRequest { id: PermissionRequestId(1), tool_call, options: vec![] });
        assert!(question.text.chars().count() < 1000);
        assert!(question.details.to_string().len() < 256 * 1024, "{}", question.details.to_string().len());
        let command = question.details["command"].as_str().unwrap();
        assert!(command.ends_with("[92000 more characters]"), "{}", command.len());
    }
}
