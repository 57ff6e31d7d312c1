//! Sessions and changes of sessions that callers send. They are deserialized once and parsed once: a parsed value keeps
//! every limit, and a refusal names every field that does not.

use serde::{Deserialize, Deserializer};
use serde_json::{Map, Value};
use utoipa::ToSchema;

use crate::{
    agents::{contract::workspace::Workspace, environments::reference::EnvironmentChoice},
    kernel::{
        error::{Error, Result, ValidationErrors},
        id::SessionId,
        session_type::SessionType,
    },
    models::registry::identifier::model_identifier,
};

use super::{
    fields,
    spec::{Priority, SessionSpec},
};

/// A session to be created.
#[derive(Clone, Debug, Default, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
#[schema(as = NewSession)]
pub struct SessionInput {
    /// A short description of the task. Placeholder titles are rejected.
    #[schema(min_length = 1, max_length = 200)]
    pub title: String,
    /// A longer description for people.
    #[schema(max_length = 1000)]
    pub description: Option<String>,
    /// The kind of work. Default: `execution`.
    #[schema(value_type = Option<SessionType>)]
    pub session_type: Option<String>,
    /// The priority, as a word or a number from 0 (critical) to 4 (deferred). Default: 2.
    #[schema(value_type = Option<PriorityInput>)]
    pub priority: Option<Value>,
    /// The prompt for the agent.
    #[schema(min_length = 1, max_length = 100_000)]
    pub initial_prompt: String,
    /// The model: `provider/model`, `registry/<name>@<alias or version>` or `experiment/<name>`. Default: the default
    /// of the agent.
    #[schema(max_length = 200)]
    pub model_identifier: Option<String>,
    /// Configuration for the agent; `agent` names the agent.
    #[schema(value_type = Option<Object>)]
    pub agent_config: Option<Map<String, Value>>,
    /// The place where the agent works.
    pub workspace: Option<Workspace>,
    /// The environment to work in: a name or an id, with `@` and a version for one that is not the newest. Empty for
    /// none. Default: the default environment of the tenant, if it has one.
    #[schema(max_length = 200)]
    pub environment: Option<String>,
    /// The largest time in the states running and degraded, in seconds. Default: 3600.
    #[schema(minimum = 60, maximum = 86400)]
    pub max_duration_seconds: Option<i64>,
    /// The largest number of CPUs.
    #[schema(minimum = 0.1, maximum = 8)]
    pub cpu_limit: Option<f64>,
    /// The largest amount of memory in MiB.
    #[schema(minimum = 100, maximum = 8192)]
    pub memory_limit_mb: Option<i64>,
    /// The parent session.
    #[schema(format = Uuid)]
    pub parent_id: Option<String>,
    /// Tags for filtering.
    #[schema(max_items = 20)]
    pub tags: Option<Vec<String>>,
    /// Free-form data, at most 16 KiB as JSON.
    #[schema(value_type = Option<Object>)]
    pub metadata: Option<Map<String, Value>>,
    /// Whether to start the session at once. Default: false.
    #[serde(default)]
    pub start: bool,
}

/// A priority as a number or a word.
#[derive(Deserialize, ToSchema)]
#[serde(untagged)]
#[expect(dead_code, reason = "only its documentation is used")]
enum PriorityInput {
    Level(i16),
    Word(PriorityWord),
}

/// A priority as a word.
#[derive(Deserialize, ToSchema)]
#[serde(rename_all = "snake_case")]
enum PriorityWord {
    Critical,
    High,
    Medium,
    Low,
    Deferred,
}

/// A session to be created, within all limits.
#[derive(Clone, Debug, PartialEq)]
pub struct SessionDraft {
    pub spec: SessionSpec,
    pub parent_id: Option<SessionId>,
    /// The environment is looked up when the session is created.
    pub environment: EnvironmentChoice,
    /// Start the session right after its creation.
    pub start: bool,
}

impl SessionDraft {
    /// Parses what was sent. Refuses all wrong fields at once.
    pub fn parse(input: SessionInput) -> Result<Self> {
        let mut refusals = ValidationErrors::default();
        let (parent_id, start) = (input.parent_id.clone(), input.start);
        let environment = refusals.check("environment", EnvironmentChoice::parse(input.environment.as_deref()));
        let spec = parse_spec(&mut refusals, input);
        let parent_id = refusals.check("parent_id", parent_id.as_deref().map(fields::parse_parent).transpose());
        refusals.into_result()?;
        let parsed = spec.zip(parent_id).zip(environment);
        let draft = parsed.map(|((spec, parent_id), environment)| Self { spec, parent_id, environment, start });
        draft.ok_or_else(|| Error::internal("a draft without a refusal has all its fields"))
    }

    /// The agent that the caller named, if any.
    pub fn agent_name(&self) -> Option<&str> {
        self.spec.agent_config.get("agent").and_then(Value::as_str)
    }
}

/// `None` if a field was refused.
fn parse_spec(refusals: &mut ValidationErrors, input: SessionInput) -> Option<SessionSpec> {
    let title = refusals.check("title", fields::parse_title(&input.title));
    let description = input.description.map(|text| fields::parse_description(&text)).transpose();
    let description = refusals.check("description", description);
    let session_type = refusals.check("session_type", fields::parse_session_type(input.session_type.as_deref()));
    let priority = input.priority.as_ref().map_or(Ok(Priority::default()), fields::parse_priority);
    let priority = refusals.check("priority", priority);
    let initial_prompt = refusals.check("initial_prompt", fields::parse_prompt(&input.initial_prompt));
    let model = refusals.check("model_identifier", input.model_identifier.map(model_identifier).transpose());
    let agent_config = fields::check_agent_config(refusals, input.agent_config.unwrap_or_default());
    if let Some(workspace) = &input.workspace {
        workspace.check(refusals);
    }
    let duration = fields::parse_max_duration(input.max_duration_seconds.unwrap_or(3600));
    let duration = refusals.check("max_duration_seconds", duration);
    let cpu_limit = refusals.check("cpu_limit", input.cpu_limit.map(fields::parse_cpu_limit).transpose());
    let memory_limit = input.memory_limit_mb.map(fields::parse_memory_limit).transpose();
    let memory_limit = refusals.check("memory_limit_mb", memory_limit);
    let tags = refusals.check("tags", fields::parse_tags(input.tags.unwrap_or_default()));
    let metadata = refusals.check("metadata", fields::parse_metadata(input.metadata.unwrap_or_default()));
    Some(SessionSpec {
        title: title?,
        description: description?,
        session_type: session_type?,
        priority: priority?,
        initial_prompt: initial_prompt?,
        model_identifier: model?,
        agent_config,
        workspace: input.workspace,
        environment: None,
        max_duration_seconds: duration?,
        cpu_limit: cpu_limit?,
        memory_limit_mb: memory_limit?,
        tags: tags?,
        metadata: metadata?,
    })
}

/// The changes to a session. Absent fields keep their value.
#[derive(Clone, Debug, Default, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
#[schema(as = SessionPatch)]
pub struct SessionPatchInput {
    /// A short description of the task.
    #[schema(min_length = 1, max_length = 200)]
    pub title: Option<String>,
    /// A longer description for people; null removes it.
    #[serde(default, deserialize_with = "double_option")]
    #[schema(value_type = Option<String>, max_length = 1000)]
    pub description: Option<Option<String>>,
    /// The priority, as a word or a number.
    #[schema(value_type = Option<PriorityInput>)]
    pub priority: Option<Value>,
    /// Tags for filtering. Replaces all of them.
    #[schema(max_items = 20)]
    pub tags: Option<Vec<String>>,
    /// Free-form data, at most 16 KiB as JSON. Replaces the stored data.
    #[schema(value_type = Option<Object>)]
    pub metadata: Option<Map<String, Value>>,
    /// The largest time in the states running and degraded, in seconds.
    #[schema(minimum = 60, maximum = 86400)]
    pub max_duration_seconds: Option<i64>,
}

/// Distinguishes a null that was sent (`Some(None)`) from an absent field (`None`).
fn double_option<'de, D: Deserializer<'de>, T: Deserialize<'de>>(deserializer: D) -> Result<Option<T>, D::Error> {
    T::deserialize(deserializer).map(Some)
}

/// Changes within all limits.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct SessionPatch {
    pub title: Option<String>,
    pub description: Option<Option<String>>,
    pub priority: Option<Priority>,
    pub tags: Option<Vec<String>>,
    pub metadata: Option<Map<String, Value>>,
    pub max_duration_seconds: Option<i32>,
}

impl SessionPatch {
    /// Parses what was sent. Refuses all wrong fields at once.
    pub fn parse(input: SessionPatchInput) -> Result<Self> {
        let mut refusals = ValidationErrors::default();
        let description = |text: Option<String>| text.map(|text| fields::parse_description(&text)).transpose();
        let patch = Self {
            title: input.title.and_then(|text| refusals.check("title", fields::parse_title(&text))),
            description: input.description.and_then(|text| refusals.check("description", description(text))),
            priority: input.priority.and_then(|value| refusals.check("priority", fields::parse_priority(&value))),
            tags: input.tags.and_then(|list| refusals.check("tags", fields::parse_tags(list))),
            metadata: input.metadata.and_then(|map| refusals.check("metadata", fields::parse_metadata(map))),
            max_duration_seconds: input
                .max_duration_seconds
                .and_then(|seconds| refusals.check("max_duration_seconds", fields::parse_max_duration(seconds))),
        };
        refusals.into_result()?;
        Ok(patch)
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn valid_input() -> SessionInput {
        SessionInput {
            title: "Fix the parser".to_owned(),
            initial_prompt: "Do it.".to_owned(),
            ..SessionInput::default()
        }
    }

    #[test]
    fn defaults_are_those_of_the_rules() {
        let draft = SessionDraft::parse(valid_input()).unwrap();
        assert_eq!(draft.spec.session_type, SessionType::Execution);
        assert_eq!((draft.spec.priority.level(), draft.spec.priority.word()), (2, "medium"));
        assert_eq!(draft.spec.max_duration_seconds, 3600);
    }

    #[test]
    fn every_refused_field_is_named_at_once() {
        let error = SessionDraft::parse(SessionInput {
            title: " Untitled ".to_owned(),
            initial_prompt: " ".to_owned(),
            priority: Some(json!(5)),
            cpu_limit: Some(0.0),
            ..SessionInput::default()
        })
        .unwrap_err();
        let fields: Vec<_> = error.fields().iter().map(|f| f.field.as_str()).collect();
        assert_eq!(fields, ["title", "priority", "initial_prompt", "cpu_limit"]);
    }

    #[test]
    fn limits_hold_at_their_edge_and_not_one_beyond() {
        let good = |change: fn(&mut SessionInput)| {
            let mut input = valid_input();
            change(&mut input);
            SessionDraft::parse(input).is_ok()
        };
        assert!(good(|r| r.title = "x".repeat(200)) && !good(|r| r.title = "x".repeat(201)));
        assert!(good(|r| r.title = format!(" {} ", "ä".repeat(200))) && !good(|r| r.title = " ".to_owned()));
        assert!(good(|r| r.description = Some("x".repeat(1000))) && !good(|r| r.description = Some("x".repeat(1001))));
        assert!(good(|r| r.initial_prompt = "x".repeat(100_000)) && !good(|r| r.initial_prompt = "x".repeat(100_001)));
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
}
