//! A session's events as lines for people.

use std::fmt::Write;

use serde_json::Value;

/// The line of one event; `None` for events that would only repeat others.
pub(super) fn line(event: &Value) -> Option<String> {
    let payload = &event["payload"];
    let text = |name: &str| payload[name].as_str().unwrap_or_default();
    let text = match event["type"].as_str()? {
        "session.created" => "the session was created".to_owned(),
        "session.status_changed" => status(payload),
        "session.message" if text("role") == "user" => return None,
        "session.message" => format!("agent: {}", first_lines(text("text"), 4)),
        "session.tool" => tool(payload)?,
        "session.file_changed" => format!("changed {}", text("path")),
        "session.checkpoint_created" => format!("checkpoint {} ({})", payload["sequence"], text("cause")),
        "session.question" => format!("asks: {}", first_lines(text("text"), 4)),
        "session.log" => format!("{}: {}", text("level"), first_lines(text("message"), 4)),
        "session.artifact" => format!("created {}", text("path")),
        "session.failed" => format!("failed: {}", payload["error"]["message"].as_str().unwrap_or("without a reason")),
        _ => return None,
    };
    Some(text)
}

fn status(payload: &Value) -> String {
    let text = |name: &str| payload[name].as_str().unwrap_or_default();
    let mut line = format!("{} -> {}", text("from"), text("to"));
    for reason in [text("reason"), text("pause_reason")].into_iter().filter(|reason| !reason.is_empty()) {
        _ = write!(line, ", {reason}");
    }
    line
}

/// A tool call is shown when it has ended.
fn tool(payload: &Value) -> Option<String> {
    let text = |name: &str| payload[name].as_str().unwrap_or_default();
    if !matches!(text("state"), "completed" | "error" | "failed") {
        return None;
    }
    let mut line = format!("tool {}: {}", text("tool"), text("title"));
    if text("state") != "completed" {
        _ = write!(line, " ({})", text("state"));
    }
    if text("tool") == "bash" && !text("output").trim().is_empty() {
        _ = write!(line, "\n{}", first_lines(text("output").trim(), 6));
    }
    Some(line)
}

fn first_lines(text: &str, most: usize) -> String {
    let lines: Vec<&str> = text.trim().lines().collect();
    let more = if lines.len() > most { "\n..." } else { "" };
    format!("{}{more}", lines[..lines.len().min(most)].join("\n"))
}

/// The files of a diff, in any of the forms of the response.
pub(super) fn files(diff: &Value) -> Vec<Value> {
    let list = diff.as_array().or_else(|| diff["items"].as_array()).or_else(|| diff["files"].as_array());
    list.cloned().unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn a_change_of_state_names_its_reason() {
        let event = json!({"type": "session.status_changed", "payload": {"from": "running", "to": "paused", "pause_reason": "input"}});
        assert_eq!(line(&event).unwrap(), "running -> paused, input");
    }

    #[test]
    fn a_tool_call_is_shown_once_when_it_has_ended() {
        let event = |state: &str| json!({"type": "session.tool", "payload": {"tool": "write", "state": state, "title": "a.py"}});
        assert_eq!(line(&event("running")), None);
        assert_eq!(line(&event("completed")).unwrap(), "tool write: a.py");
        assert_eq!(line(&event("error")).unwrap(), "tool write: a.py (error)");
    }

    #[test]
    fn an_event_of_a_new_kind_is_passed_over() {
        assert_eq!(line(&json!({"type": "session.sang", "payload": {}})), None);
    }
}
