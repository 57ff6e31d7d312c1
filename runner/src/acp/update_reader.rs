//! Reads what agents report, leniently: wrong types count as absent, unknown kinds are kept under their name.

use serde_json::{Value, json};

use super::{
    permission::{PermissionChoice, PermissionOption, ToolKind},
    update::{AgentUpdate, ContextUsage, Cost, FileDiff, PlanEntry, ToolCallReport, ToolLocation, ToolStatus},
};

/// How many bytes of a text are kept.
const TEXT_BYTES: usize = 256 * 1024;

/// How many bytes a value of the agent's own form may have as JSON.
const VALUE_BYTES: usize = 64 * 1024;

/// How many locations, changes, plan entries or options of one report are kept.
const ITEMS: usize = 200;

/// Reads the `update` of a `session/update`.
pub(super) fn read_update(update: Value) -> AgentUpdate {
    let kind = update["sessionUpdate"].as_str().unwrap_or("unknown").to_owned();
    let known = match kind.as_str() {
        "agent_message_chunk" => {
            read_chunk(&update).map(|(message_id, text)| AgentUpdate::Message { message_id, text })
        }
        "agent_thought_chunk" => {
            read_chunk(&update).map(|(message_id, text)| AgentUpdate::Thought { message_id, text })
        }
        "tool_call" => read_tool_call(&update).map(AgentUpdate::ToolCall),
        "tool_call_update" => read_tool_call(&update).map(AgentUpdate::ToolCallUpdate),
        "plan" => read_plan(&update).map(|entries| AgentUpdate::Plan { entries }),
        "usage_update" => read_usage(&update).map(AgentUpdate::Usage),
        _ => None,
    };
    known.unwrap_or_else(|| {
        let kind = kind.chars().take(100).collect();
        AgentUpdate::Other { kind, content: bound_value(update) }
    })
}

fn read_chunk(update: &Value) -> Option<(Option<String>, String)> {
    let text = update["content"]["text"].as_str().or_else(|| update["content"].as_str())?;
    Some((read_text(&update["messageId"]), bound_text(text)))
}

/// Reads a `tool_call`, a `tool_call_update`, or the `toolCall` of a request for permission.
pub(super) fn read_tool_call(call: &Value) -> Option<ToolCallReport> {
    let contents = || call["content"].as_array().into_iter().flatten().take(ITEMS);
    let texts: Vec<_> = contents().filter_map(|one| one["content"]["text"].as_str()).collect();
    let locations = call["locations"].as_array().into_iter().flatten().take(ITEMS).filter_map(read_location);
    Some(ToolCallReport {
        id: read_text(&call["toolCallId"])?,
        name: read_text(&call["name"]).or_else(|| read_text(&call["_meta"]["claudeCode"]["toolName"])),
        title: read_text(&call["title"]),
        kind: call["kind"].as_str().and_then(ToolKind::parse),
        status: call["status"].as_str().and_then(read_status),
        locations: locations.collect(),
        input: Some(&call["rawInput"]).filter(|input| !input.is_null()).map(|input| bound_value(input.clone())),
        content: Some(texts.join("\n")).filter(|text| !text.is_empty()).map(|text| bound_text(&text)),
        diffs: contents().filter(|one| one["type"] == "diff").filter_map(read_diff).collect(),
        exit_code: read_exit_code(call),
        output: read_output(&call["rawOutput"]),
    })
}

fn read_status(status: &str) -> Option<ToolStatus> {
    match status {
        "pending" => Some(ToolStatus::Pending),
        "in_progress" => Some(ToolStatus::InProgress),
        "completed" => Some(ToolStatus::Completed),
        "failed" => Some(ToolStatus::Failed),
        _ => None,
    }
}

fn read_location(location: &Value) -> Option<ToolLocation> {
    Some(ToolLocation { path: read_text(&location["path"])?, line: location["line"].as_u64() })
}

fn read_diff(diff: &Value) -> Option<FileDiff> {
    let old_text = diff["oldText"].as_str().map(bound_text);
    Some(FileDiff { path: read_text(&diff["path"])?, old_text, new_text: bound_text(diff["newText"].as_str()?) })
}

/// The protocol has no place for an exit code: each agent has its own.
fn read_exit_code(call: &Value) -> Option<i64> {
    let output = &call["rawOutput"];
    let places = [
        &output["exit_code"],
        &output["exitCode"],
        &output["metadata"]["exit"],
        &call["_meta"]["terminal_exit"]["exit_code"],
        &call["_meta"]["terminal_exit"]["exitCode"],
    ];
    let number = places.into_iter().find_map(Value::as_i64);
    // Claude Code says so in the text of a command that failed.
    let text = || output.as_str()?.strip_prefix("Exit code ")?.lines().next()?.trim().parse().ok();
    number.or_else(text)
}

fn read_output(output: &Value) -> Option<String> {
    let names = ["formatted_output", "aggregated_output", "output", "stdout"];
    let text = output.as_str().or_else(|| names.iter().find_map(|name| output[name].as_str()))?;
    Some(bound_text(text))
}

fn read_plan(update: &Value) -> Option<Vec<PlanEntry>> {
    let read = |entry: &Value| {
        let text = |name: &str, absent: &str| read_text(&entry[name]).unwrap_or_else(|| absent.to_owned());
        let content = read_text(&entry["content"])?;
        Some(PlanEntry { content, status: text("status", "pending"), priority: text("priority", "medium") })
    };
    Some(update["entries"].as_array()?.iter().take(ITEMS).filter_map(read).collect())
}

fn read_usage(update: &Value) -> Option<ContextUsage> {
    let cost = &update["cost"];
    let read_cost = || Some(Cost { amount: cost["amount"].as_f64()?, currency: read_text(&cost["currency"])? });
    Some(ContextUsage { used: update["used"].as_u64()?, size: update["size"].as_u64()?, cost: read_cost() })
}

/// Reads the `options` of a request for permission.
pub(super) fn read_options(options: &Value) -> Vec<PermissionOption> {
    let read = |option: &Value| {
        let id = read_text(&option["optionId"])?;
        let choice = serde_json::from_value::<PermissionChoice>(option["kind"].clone()).ok();
        Some(PermissionOption { name: read_text(&option["name"]).unwrap_or_else(|| id.clone()), id, choice })
    };
    options.as_array().into_iter().flatten().take(ITEMS).filter_map(read).collect()
}

fn read_text(text: &Value) -> Option<String> {
    text.as_str().map(|text| cut(text, 4096))
}

fn bound_text(text: &str) -> String {
    cut(text, TEXT_BYTES)
}

/// A text of at most so many bytes, and what is missing.
fn cut(text: &str, bytes: usize) -> String {
    if text.len() <= bytes {
        return text.to_owned();
    }
    let end = text.floor_char_boundary(bytes);
    format!("{}\n[{} more bytes]", &text[..end], text.len() - end)
}

/// The value, or what remains of one that is too large.
fn bound_value(value: Value) -> Value {
    let bytes = value.to_string().len();
    if bytes <= VALUE_BYTES { value } else { json!({"truncated": true, "bytes": bytes}) }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn an_unknown_kind_is_kept_under_its_name() {
        let update = json!({"sessionUpdate": "telepathy", "strength": 3});
        assert_eq!(read_update(update.clone()), AgentUpdate::Other { kind: "telepathy".into(), content: update });
    }

    #[test]
    fn wrong_types_count_as_absent() {
        let update = json!({"sessionUpdate": "tool_call", "toolCallId": "c", "title": 7, "kind": "dance",
            "status": [], "locations": "x", "content": {"a": 1}, "rawOutput": 3});
        let expected = ToolCallReport { id: "c".into(), ..ToolCallReport::default() };
        assert_eq!(read_update(update), AgentUpdate::ToolCall(expected));
    }

    #[test]
    fn the_exit_code_is_found_where_each_agent_puts_it() {
        for (agent, output) in [
            ("OpenCode", json!({"output": "hi\n", "metadata": {"exit": 3}})),
            ("Codex", json!({"exit_code": 3, "formatted_output": "hi\n"})),
            ("Claude Code", json!("Exit code 3\nhi")),
        ] {
            let call = read_tool_call(&json!({"toolCallId": "c", "rawOutput": output})).unwrap();
            assert_eq!(call.exit_code, Some(3), "{agent}");
            assert!(call.output.unwrap().contains("hi"), "{agent}");
        }
    }

    #[test]
    fn texts_and_values_of_any_size_are_cut() {
        let update = json!({"sessionUpdate": "tool_call", "toolCallId": "c", "rawOutput": "é".repeat(1_000_000),
            "rawInput": {"content": "x".repeat(1_000_000)}});
        let AgentUpdate::ToolCall(call) = read_update(update) else { panic!() };
        let output = call.output.unwrap();
        assert!(output.len() < TEXT_BYTES + 40 && output.ends_with("[1737856 more bytes]"), "{}", output.len());
        assert_eq!(call.input.unwrap()["truncated"], true);
    }

    fn any_value() -> impl Strategy<Value = Value> {
        let names = prop_oneof![
            Just("sessionUpdate"),
            Just("tool_call"),
            Just("tool_call_update"),
            Just("agent_message_chunk"),
            Just("plan"),
            Just("usage_update"),
            Just("content"),
            Just("toolCallId"),
            Just("rawOutput"),
            Just("entries"),
            Just("options"),
            Just("used"),
        ];
        let leaf = prop_oneof![
            Just(Value::Null),
            any::<bool>().prop_map(Value::from),
            any::<i64>().prop_map(Value::from),
            names.clone().prop_map(Value::from),
        ];
        leaf.prop_recursive(4, 40, 6, move |inner| {
            let list = proptest::collection::vec(inner.clone(), 0..4).prop_map(Value::from);
            let object = proptest::collection::btree_map(names.clone().prop_map(str::to_owned), inner, 0..6)
                .prop_map(|members| Value::Object(members.into_iter().collect()));
            prop_oneof![list, object]
        })
    }

    proptest! {
        #[test]
        fn an_update_of_any_form_is_read_without_a_panic(value in any_value()) {
            read_update(value.clone());
            read_options(&value);
        }
    }
}
