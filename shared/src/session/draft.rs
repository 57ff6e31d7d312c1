//! What callers send, parsed once: a value of these types keeps every limit, and a refusal names every field that does not.

use serde_json::{Map, Value};

use crate::{
    agent::route::Requirements,
    error::{Refusals, Result},
    id::SessionId,
    model,
    text::is_unprintable,
};

use super::{Priority, SessionType, workspace::Workspace};

/// Titles that say nothing.
const EMPTY_TITLES: [&str; 5] = ["test session", "new session", "untitled", "coding task", "development session"];

/// What a caller asks a new session to be, before it was looked at.
#[derive(Clone, Debug, Default)]
pub struct Raw {
    pub title: String,
    pub description: Option<String>,
    pub session_type: Option<String>,
    pub priority: Option<Value>,
    pub initial_prompt: String,
    pub model_identifier: Option<String>,
    pub agent_config: Option<Map<String, Value>>,
    pub workspace: Option<Workspace>,
    pub max_duration_seconds: Option<i64>,
    pub cpu_limit: Option<f64>,
    pub memory_limit_mb: Option<i64>,
    pub parent_id: Option<String>,
    pub tags: Option<Vec<String>>,
    pub metadata: Option<Map<String, Value>>,
}

/// A session to be made, within all limits.
#[derive(Clone, Debug, PartialEq)]
pub struct Draft {
    pub title: String,
    pub description: Option<String>,
    pub session_type: SessionType,
    pub priority: Priority,
    pub initial_prompt: String,
    pub model_identifier: Option<String>,
    pub agent_config: Map<String, Value>,
    pub workspace: Option<Workspace>,
    pub max_duration_seconds: i32,
    pub cpu_limit: Option<f64>,
    pub memory_limit_mb: Option<i32>,
    pub parent_id: Option<SessionId>,
    pub tags: Vec<String>,
    pub metadata: Map<String, Value>,
}

impl Draft {
    /// Reads what was sent; refuses with all its faults at once.
    pub fn parse(raw: Raw) -> Result<Self> {
        let mut refusals = Refusals::default();
        let refused = &mut refusals;
        let title = refused.take("title", title(&raw.title));
        let description = refused.take("description", raw.description.map(|text| description(&text)).transpose());
        let session_type = refused.take("session_type", session_type(raw.session_type.as_deref()));
        let priority = refused.take("priority", raw.priority.as_ref().map_or(Ok(Priority::default()), priority));
        let initial_prompt = refused.take("initial_prompt", prompt(&raw.initial_prompt));
        let model_identifier = refused.take("model_identifier", raw.model_identifier.map(model_identifier).transpose());
        let agent_config = agent_config(refused, raw.agent_config.unwrap_or_default());
        if let Some(workspace) = &raw.workspace {
            workspace.check(refused);
        }
        let duration = refused.take("max_duration_seconds", max_duration(raw.max_duration_seconds.unwrap_or(3600)));
        let cpu_limit = refused.take("cpu_limit", raw.cpu_limit.map(cpu_limit).transpose());
        let memory_limit_mb = refused.take("memory_limit_mb", raw.memory_limit_mb.map(memory_limit).transpose());
        let parent_id = refused.take("parent_id", raw.parent_id.as_deref().map(parent).transpose());
        let tags = refused.take("tags", tags(raw.tags.unwrap_or_default()));
        let metadata = refused.take("metadata", metadata(raw.metadata.unwrap_or_default()));
        let draft = (|| {
            Some(Self {
                title: title?,
                description: description?,
                session_type: session_type?,
                priority: priority?,
                initial_prompt: initial_prompt?,
                model_identifier: model_identifier?,
                agent_config,
                workspace: raw.workspace,
                max_duration_seconds: duration?,
                cpu_limit: cpu_limit?,
                memory_limit_mb: memory_limit_mb?,
                parent_id: parent_id?,
                tags: tags?,
                metadata: metadata?,
            })
        })();
        refusals.finish()?;
        draft.ok_or_else(|| crate::error::Error::internal("a draft without a refusal has all its fields"))
    }

    /// The agent that the caller named, if any.
    pub fn agent(&self) -> Option<&str> {
        self.agent_config.get("agent").and_then(Value::as_str)
    }
}

/// What a PATCH may change. A field that is absent stays.
#[derive(Clone, Debug, Default)]
pub struct RawPatch {
    pub title: Option<String>,
    /// `Some(None)` removes it.
    pub description: Option<Option<String>>,
    pub priority: Option<Value>,
    pub tags: Option<Vec<String>>,
    pub metadata: Option<Map<String, Value>>,
    pub max_duration_seconds: Option<i64>,
}

/// Changes within all limits.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Patch {
    pub title: Option<String>,
    pub description: Option<Option<String>>,
    pub priority: Option<Priority>,
    pub tags: Option<Vec<String>>,
    pub metadata: Option<Map<String, Value>>,
    pub max_duration_seconds: Option<i32>,
}

impl Patch {
    pub fn parse(raw: RawPatch) -> Result<Self> {
        let mut refused = Refusals::default();
        let patch = Self {
            title: raw.title.and_then(|text| refused.take("title", title(&text))),
            description: raw
                .description
                .and_then(|text| refused.take("description", text.map(|text| description(&text)).transpose())),
            priority: raw.priority.and_then(|value| refused.take("priority", priority(&value))),
            tags: raw.tags.and_then(|list| refused.take("tags", tags(list))),
            metadata: raw.metadata.and_then(|map| refused.take("metadata", metadata(map))),
            max_duration_seconds: raw
                .max_duration_seconds
                .and_then(|seconds| refused.take("max_duration_seconds", max_duration(seconds))),
        };
        refused.finish()?;
        Ok(patch)
    }
}

fn title(text: &str) -> Result<String, String> {
    let text = text.trim();
    if text.chars().any(is_unprintable) {
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

fn description(text: &str) -> Result<String, String> {
    no_nul(text)?;
    if text.chars().count() > 1000 {
        return Err("must have at most 1000 characters".to_owned());
    }
    Ok(text.to_owned())
}

fn session_type(text: Option<&str>) -> Result<SessionType, String> {
    match text {
        None => Ok(SessionType::default()),
        Some(text) => SessionType::parse(text)
            .ok_or_else(|| "must be one of planning, execution, review, debug, integration".to_owned()),
    }
}

fn priority(value: &Value) -> Result<Priority, String> {
    let parsed = match value {
        Value::Number(level) => level.as_i64().and_then(Priority::from_level),
        Value::String(word) if Priority::WORDS.contains(&word.as_str()) => Priority::parse(word),
        _ => None,
    };
    parsed.ok_or_else(|| "must be 0 to 4, or one of critical, high, medium, low, deferred".to_owned())
}

/// A prompt or a further message to an agent: 1 to 10000 characters after trimming.
pub fn prompt(text: &str) -> Result<String, String> {
    let text = text.trim();
    no_nul(text)?;
    if !(1..=10_000).contains(&text.chars().count()) {
        return Err("must have 1 to 10000 characters".to_owned());
    }
    Ok(text.to_owned())
}

/// `provider/model`, or a reference to what is looked up when the session is dispatched.
pub fn model_identifier(text: String) -> Result<String, String> {
    if text.starts_with(model::name::REGISTRY) {
        return text.parse::<model::Reference>().map(|_| text);
    }
    if let Some(name) = text.strip_prefix(model::name::EXPERIMENT) {
        return name.parse::<model::Name>().map(|_| text);
    }
    let part = |text: &str, also: &[u8]| {
        !text.is_empty() && text.bytes().all(|b| b.is_ascii_alphanumeric() || b"_.-".contains(&b) || also.contains(&b))
    };
    // Fine-tuned models and tagged ones have colons in their names.
    let good = text.len() <= 200
        && text
            .split_once('/')
            .is_some_and(|(provider, model)| part(provider, b"") && model.split('/').all(|one| part(one, b":")));
    if good {
        Ok(text)
    } else {
        Err("must be provider/model, each part of A-Z a-z 0-9 _ . - and, in the model, of colons".to_owned())
    }
}

fn agent_config(refusals: &mut Refusals, config: Map<String, Value>) -> Map<String, Value> {
    for (key, value) in &config {
        if key.is_empty() || !key.bytes().all(|b| b.is_ascii_alphanumeric() || matches!(b, b'_' | b'-')) {
            refusals.add(format!("agent_config.{}", printable(key)), "keys are of A-Z a-z 0-9 _ -");
        }
        if key == "agent" && value.as_str().is_none_or(str::is_empty) {
            refusals.add("agent_config.agent", "must be the name of an agent");
        }
    }
    Requirements::of_config(&config, refusals);
    if let Err(message) = small_json(&config) {
        refusals.add("agent_config", message);
    }
    config
}

fn max_duration(seconds: i64) -> Result<i32, String> {
    i32::try_from(seconds)
        .ok()
        .filter(|seconds| (60..=86_400).contains(seconds))
        .ok_or_else(|| "must be 60 to 86400".to_owned())
}

fn cpu_limit(cores: f64) -> Result<f64, String> {
    if (0.1..=8.0).contains(&cores) { Ok(cores) } else { Err("must be 0.1 to 8".to_owned()) }
}

fn memory_limit(megabytes: i64) -> Result<i32, String> {
    i32::try_from(megabytes)
        .ok()
        .filter(|megabytes| (100..=8192).contains(megabytes))
        .ok_or_else(|| "must be 100 to 8192".to_owned())
}

fn parent(text: &str) -> Result<SessionId, String> {
    text.parse().map_err(|_| "must be the uuid of a session".to_owned())
}

pub(crate) fn tags(tags: Vec<String>) -> Result<Vec<String>, String> {
    let mut kept: Vec<String> = Vec::with_capacity(tags.len().min(20));
    for tag in tags {
        let tag = tag.trim();
        if !(1..=50).contains(&tag.chars().count()) || tag.chars().any(is_unprintable) {
            return Err("each must have 1 to 50 printable characters".to_owned());
        }
        if !kept.iter().any(|one| one == tag) {
            kept.push(tag.to_owned());
        }
    }
    if kept.len() > 20 { Err("must be at most 20".to_owned()) } else { Ok(kept) }
}

fn metadata(map: Map<String, Value>) -> Result<Map<String, Value>, String> {
    small_json(&map)?;
    Ok(map)
}

/// How many levels of objects and arrays JSON may have that we keep: it is shown within other JSON, which parsers take
/// only to some depth.
pub const MAX_JSON_DEPTH: usize = 32;

/// At most 16 KiB as JSON and of bounded depth, without NULs (which Postgres cannot keep).
pub fn small_json(map: &Map<String, Value>) -> Result<(), String> {
    if map.values().any(|value| is_deeper(value, MAX_JSON_DEPTH - 1)) {
        return Err(format!("must be at most {MAX_JSON_DEPTH} levels deep"));
    }
    let text = serde_json::to_string(map).map_err(|error| error.to_string())?;
    if text.len() > 16 * 1024 {
        return Err("must have at most 16 KiB as JSON".to_owned());
    }
    if map.iter().any(|(key, value)| key.contains('\0') || has_nul(value)) {
        return Err("must not hold NUL characters".to_owned());
    }
    Ok(())
}

/// Whether it has more levels of objects and arrays than `most`.
pub fn is_deeper(value: &Value, most: usize) -> bool {
    match value {
        Value::Array(values) => most == 0 || values.iter().any(|value| is_deeper(value, most - 1)),
        Value::Object(map) => most == 0 || map.values().any(|value| is_deeper(value, most - 1)),
        _ => false,
    }
}

/// Whether any text in it, at any depth, holds a NUL.
pub fn has_nul(value: &Value) -> bool {
    match value {
        Value::String(text) => text.contains('\0'),
        Value::Array(values) => values.iter().any(has_nul),
        Value::Object(map) => map.iter().any(|(key, value)| key.contains('\0') || has_nul(value)),
        _ => false,
    }
}

fn no_nul(text: &str) -> Result<(), String> {
    if text.contains('\0') { Err("must not hold NUL characters".to_owned()) } else { Ok(()) }
}

fn printable(text: &str) -> String {
    text.chars().map(|c| if c.is_control() { '\u{fffd}' } else { c }).take(50).collect()
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;
    use serde_json::json;

    use super::*;

    fn raw() -> Raw {
        Raw { title: "Fix the parser".to_owned(), initial_prompt: "Do it.".to_owned(), ..Raw::default() }
    }

    #[test]
    fn defaults_are_those_of_the_rules() {
        let draft = Draft::parse(raw()).unwrap();
        assert_eq!(draft.session_type, SessionType::Execution);
        assert_eq!((draft.priority.level(), draft.priority.word()), (2, "medium"));
        assert_eq!(draft.max_duration_seconds, 3600);
    }

    #[test]
    fn every_refused_field_is_named_at_once() {
        let error = Draft::parse(Raw {
            title: " Untitled ".to_owned(),
            initial_prompt: " ".to_owned(),
            priority: Some(json!(5)),
            cpu_limit: Some(0.0),
            ..Raw::default()
        })
        .unwrap_err();
        let fields: Vec<_> = error.fields().iter().map(|f| f.field.as_str()).collect();
        assert_eq!(fields, ["title", "priority", "initial_prompt", "cpu_limit"]);
    }

    #[test]
    fn limits_hold_at_their_edge_and_not_one_beyond() {
        let good = |change: fn(&mut Raw)| {
            let mut raw = raw();
            change(&mut raw);
            Draft::parse(raw).is_ok()
        };
        assert!(good(|r| r.title = "x".repeat(200)) && !good(|r| r.title = "x".repeat(201)));
        assert!(good(|r| r.title = format!(" {} ", "ä".repeat(200))) && !good(|r| r.title = " ".to_owned()));
        assert!(good(|r| r.description = Some("x".repeat(1000))) && !good(|r| r.description = Some("x".repeat(1001))));
        assert!(good(|r| r.initial_prompt = "x".repeat(10_000)) && !good(|r| r.initial_prompt = "x".repeat(10_001)));
        assert!(good(|r| r.max_duration_seconds = Some(60)) && !good(|r| r.max_duration_seconds = Some(59)));
        assert!(good(|r| r.max_duration_seconds = Some(86_400)) && !good(|r| r.max_duration_seconds = Some(86_401)));
        assert!(good(|r| r.cpu_limit = Some(0.1)) && !good(|r| r.cpu_limit = Some(0.09)));
        assert!(good(|r| r.cpu_limit = Some(8.0)) && !good(|r| r.cpu_limit = Some(8.01)));
        assert!(good(|r| r.memory_limit_mb = Some(100)) && !good(|r| r.memory_limit_mb = Some(99)));
        assert!(good(|r| r.memory_limit_mb = Some(8192)) && !good(|r| r.memory_limit_mb = Some(8193)));
        assert!(good(|r| r.tags = Some((0..20).map(|n| n.to_string()).collect())));
        assert!(!good(|r| r.tags = Some((0..21).map(|n| n.to_string()).collect())));
        assert!(good(|r| r.tags = Some(vec!["x".repeat(50)])) && !good(|r| r.tags = Some(vec!["x".repeat(51)])));
        assert!(good(|r| r.metadata = json!({"k": "x".repeat(16 * 1024 - 8)}).as_object().cloned()));
        assert!(!good(|r| r.metadata = json!({"k": "x".repeat(16 * 1024 - 7)}).as_object().cloned()));
        assert!(good(|r| r.model_identifier = Some("openrouter/meta/llama-3.1".to_owned())));
        assert!(good(|r| r.model_identifier = Some("openai/ft:gpt-4o-mini:acme::9x8y".to_owned())));
        assert!(!good(|r| r.model_identifier = Some("open:ai/gpt".to_owned())));
        assert!(!good(|r| r.model_identifier = Some("gpt".to_owned())));
        assert!(!good(|r| r.model_identifier = Some("a//b".to_owned())));
        assert!(good(|r| r.model_identifier = Some("registry/reviewer@champion".to_owned())));
        assert!(!good(|r| r.model_identifier = Some("registry/reviewer".to_owned())));
        assert!(!good(|r| r.agent_config = json!({"bad key": 1}).as_object().cloned()));
        assert!(!good(|r| r.metadata = json!({"k": ["\0"]}).as_object().cloned()));
        assert!(good(|r| r.priority = Some(json!("deferred"))) && good(|r| r.priority = Some(json!(0))));
        assert!(!good(|r| r.priority = Some(json!("2"))) && !good(|r| r.priority = Some(json!(2.5))));
    }

    proptest! {
        #[test]
        fn a_parsed_title_is_trimmed_printable_and_parses_to_itself(text in "\\PC{0,220}") {
            if let Ok(parsed) = title(&text) {
                prop_assert_eq!(title(&parsed), Ok(parsed.clone()));
                prop_assert!((1..=200).contains(&parsed.chars().count()));
            }
        }
    }
}
