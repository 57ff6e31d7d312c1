//! The limits of each field of a session that callers send. A refusal is the message for the field.

use serde_json::{Map, Value};

use crate::{
    agents::registry::requirements::RoutingRequirements,
    kernel::{
        error::ValidationErrors, id::SessionId, session_type::SessionType, text::is_misleading, validation::small_json,
    },
};

use super::spec::Priority;

/// Titles that say nothing about the work.
const EMPTY_TITLES: [&str; 5] = ["test session", "new session", "untitled", "coding task", "development session"];

pub(super) fn parse_title(text: &str) -> Result<String, String> {
    let text = text.trim();
    if text.chars().any(is_misleading) {
        return Err("must be printable, on one line".to_owned());
    }
    if !(1..=200).contains(&text.chars().count()) {
        return Err("must have 1 to 200 characters".to_owned());
    }
    if EMPTY_TITLES.contains(&text.to_lowercase().as_str()) {
        return Err("says nothing of the work; name what is to be done".to_owned());
    }
    Ok(text.to_owned())
}

pub(super) fn parse_description(text: &str) -> Result<String, String> {
    refuse_nul(text)?;
    if text.chars().count() > 1000 {
        return Err("must have at most 1000 characters".to_owned());
    }
    Ok(text.to_owned())
}

pub(super) fn parse_session_type(text: Option<&str>) -> Result<SessionType, String> {
    match text {
        None => Ok(SessionType::default()),
        Some(text) => SessionType::parse(text)
            .ok_or_else(|| "must be one of planning, execution, review, debug, integration".to_owned()),
    }
}

pub(super) fn parse_priority(value: &Value) -> Result<Priority, String> {
    let parsed = match value {
        Value::Number(level) => level.as_i64().and_then(Priority::from_level),
        Value::String(word) if Priority::WORDS.contains(&word.as_str()) => Priority::parse(word),
        _ => None,
    };
    parsed.ok_or_else(|| "must be 0 to 4, or one of critical, high, medium, low, deferred".to_owned())
}

/// The longest prompt or message to an agent, in characters.
pub(crate) const MAX_PROMPT_LENGTH: usize = 100_000;

/// A prompt or a further message to an agent: 1 to [`MAX_PROMPT_LENGTH`] characters after trimming.
pub(crate) fn parse_prompt(text: &str) -> Result<String, String> {
    let text = text.trim();
    refuse_nul(text)?;
    if !(1..=MAX_PROMPT_LENGTH).contains(&text.chars().count()) {
        return Err(format!("must have 1 to {MAX_PROMPT_LENGTH} characters"));
    }
    Ok(text.to_owned())
}

pub(super) fn check_agent_config(refusals: &mut ValidationErrors, config: Map<String, Value>) -> Map<String, Value> {
    for (key, value) in &config {
        if key.is_empty() || !key.bytes().all(|b| b.is_ascii_alphanumeric() || matches!(b, b'_' | b'-')) {
            refusals.add(format!("agent_config.{}", printable_part(key)), "keys are of A-Z a-z 0-9 _ -");
        }
        if key == "agent" && value.as_str().is_none_or(str::is_empty) {
            refusals.add("agent_config.agent", "must be the name of an agent");
        }
    }
    RoutingRequirements::of_config(&config, refusals);
    if let Err(message) = small_json(&config) {
        refusals.add("agent_config", message);
    }
    config
}

pub(super) fn parse_max_duration(seconds: i64) -> Result<i32, String> {
    i32::try_from(seconds)
        .ok()
        .filter(|seconds| (60..=86_400).contains(seconds))
        .ok_or_else(|| "must be 60 to 86400".to_owned())
}

pub(super) fn parse_cpu_limit(cores: f64) -> Result<f64, String> {
    if (0.1..=8.0).contains(&cores) { Ok(cores) } else { Err("must be 0.1 to 8".to_owned()) }
}

pub(super) fn parse_memory_limit(megabytes: i64) -> Result<i32, String> {
    i32::try_from(megabytes)
        .ok()
        .filter(|megabytes| (100..=8192).contains(megabytes))
        .ok_or_else(|| "must be 100 to 8192".to_owned())
}

pub(super) fn parse_parent(text: &str) -> Result<SessionId, String> {
    text.parse().map_err(|_| "must be the uuid of a session".to_owned())
}

pub(crate) fn parse_tags(tags: Vec<String>) -> Result<Vec<String>, String> {
    let mut distinct: Vec<String> = Vec::with_capacity(tags.len().min(20));
    for tag in tags {
        let tag = tag.trim();
        if !(1..=50).contains(&tag.chars().count()) || tag.chars().any(is_misleading) {
            return Err("each must have 1 to 50 printable characters".to_owned());
        }
        if !distinct.iter().any(|one| one == tag) {
            distinct.push(tag.to_owned());
        }
    }
    if distinct.len() > 20 { Err("must be at most 20".to_owned()) } else { Ok(distinct) }
}

pub(super) fn parse_metadata(map: Map<String, Value>) -> Result<Map<String, Value>, String> {
    small_json(&map)?;
    Ok(map)
}

fn refuse_nul(text: &str) -> Result<(), String> {
    if text.contains('\0') { Err("must not hold NUL characters".to_owned()) } else { Ok(()) }
}

fn printable_part(text: &str) -> String {
    text.chars().map(|c| if c.is_control() { '\u{fffd}' } else { c }).take(50).collect()
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    proptest! {
        #[test]
        fn a_parsed_title_is_trimmed_printable_and_parses_to_itself(text in "\\PC{0,220}") {
            if let Ok(parsed) = parse_title(&text) {
                prop_assert_eq!(parse_title(&parsed), Ok(parsed.clone()));
                prop_assert!((1..=200).contains(&parsed.chars().count()));
            }
        }
    }
}
