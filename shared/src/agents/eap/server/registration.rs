//! What an agent sends when it registers and with each heartbeat.

use chrono::{DateTime, FixedOffset};
use serde::Deserialize;
use serde_json::{Map, Value};
use utoipa::ToSchema;

use crate::{
    agents::registry::{AgentType, Capability, DEFAULT_CAPACITY, MAX_CAPACITY, Status, capability::is_skill},
    kernel::{
        error::{Result, ValidationErrors},
        text::parse_line,
        validation::small_json,
    },
};

use super::VERSIONS;

/// The most capabilities and skills of one agent.
pub const MAX_CAPABILITIES: usize = 100;

/// An agent to register.
#[derive(Clone, Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct NewRegistration {
    /// The version of the protocol: `1.0` or `1.1`.
    pub protocol_version: String,
    /// The name, unique in the tenant.
    #[schema(pattern = "^[A-Z0-9_-]{3,100}$")]
    pub name: String,
    /// The version of the agent's software. Default: `unknown`.
    #[serde(default = "default_version")]
    #[schema(min_length = 1, max_length = 100)]
    pub version: String,
    /// The kind of work that the agent is made for.
    pub agent_type: AgentType,
    /// The capabilities of the agent. Unknown words become skills.
    #[serde(default)]
    #[schema(max_items = 100)]
    pub capabilities: Vec<String>,
    /// An https URL to which tasks are pushed. Without it the agent pulls its tasks.
    #[serde(default)]
    #[schema(max_length = 2000)]
    pub endpoint_url: Option<String>,
    /// The largest number of concurrent tasks. Default: 5.
    #[serde(default)]
    #[schema(minimum = 1, maximum = 50)]
    pub capacity: Option<i64>,
    /// Free-form data, at most 16 KiB as JSON.
    #[serde(default)]
    #[schema(value_type = Object)]
    pub metadata: Map<String, Value>,
}

/// A valid registration.
#[derive(Clone, Debug, PartialEq)]
pub struct AgentRegistration {
    pub name: String,
    pub version: String,
    pub agent_type: AgentType,
    pub capabilities: Vec<String>,
    pub skills: Vec<String>,
    /// The address is not checked yet.
    pub endpoint_url: Option<String>,
    pub capacity: i32,
    pub metadata: Map<String, Value>,
}

impl AgentRegistration {
    pub fn parse(new: NewRegistration) -> Result<Self> {
        let mut refused = ValidationErrors::default();
        if !VERSIONS.contains(&new.protocol_version.as_str()) {
            refused.add("protocol_version", format!("must be one of {}", VERSIONS.join(", ")));
        }
        if !is_name(&new.name) {
            refused.add("name", "must have 3 to 100 characters of A-Z 0-9 _ -");
        }
        let version = refused.check("version", parse_line(new.version, 1..=100));
        let (capabilities, skills) = split_capabilities(&mut refused, new.capabilities);
        let endpoint_url = new.endpoint_url.map(|url| url.trim_end_matches('/').to_owned());
        if endpoint_url.as_ref().is_some_and(|url| url.chars().count() > 2000) {
            refused.add("endpoint_url", "must have at most 2000 characters");
        }
        let capacity = new.capacity.map_or(Ok(DEFAULT_CAPACITY), |capacity| {
            let fits = i32::try_from(capacity).ok().filter(|capacity| (1..=MAX_CAPACITY).contains(capacity));
            fits.ok_or_else(|| format!("must be 1 to {MAX_CAPACITY}"))
        });
        let capacity = refused.check("capacity", capacity);
        refused.check("metadata", small_json(&new.metadata));
        refused.into_result()?;
        Ok(Self {
            name: new.name,
            version: version.unwrap_or_default(),
            agent_type: new.agent_type,
            capabilities,
            skills,
            endpoint_url,
            capacity: capacity.unwrap_or(DEFAULT_CAPACITY),
            metadata: new.metadata,
        })
    }
}

fn default_version() -> String {
    "unknown".to_owned()
}

fn is_name(text: &str) -> bool {
    (3..=100).contains(&text.len())
        && text.bytes().all(|b| b.is_ascii_uppercase() || b.is_ascii_digit() || b == b'_' || b == b'-')
}

fn split_capabilities(refused: &mut ValidationErrors, named: Vec<String>) -> (Vec<String>, Vec<String>) {
    if named.len() > MAX_CAPABILITIES {
        refused.add("capabilities", format!("must be at most {MAX_CAPABILITIES}"));
        return Default::default();
    }
    let (mut capabilities, mut skills) = (Vec::new(), Vec::new());
    for (at, word) in named.into_iter().enumerate() {
        let kept = match word.parse::<Capability>() {
            Ok(_) => &mut capabilities,
            Err(()) if is_skill(&word) => &mut skills,
            Err(()) => {
                refused.add(format!("capabilities[{at}]"), "must have 1 to 50 characters of a-z 0-9 _ -");
                continue;
            }
        };
        if !kept.contains(&word) {
            kept.push(word);
        }
    }
    (capabilities, skills)
}

/// A heartbeat.
#[derive(Clone, Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
#[schema(as = NewHeartbeat)]
pub struct NewHeartbeat {
    /// The health of the agent.
    pub status: Status,
    /// The load of the agent, 0 to 1. Default: 0; the number of its sessions counts in any case.
    #[serde(default)]
    #[schema(minimum = 0, maximum = 1)]
    pub current_load: f64,
    /// The number of tasks that the agent works on. Default: 0.
    #[serde(default)]
    #[schema(minimum = 0, maximum = 1_000_000)]
    pub tasks_in_progress: i64,
    /// Metrics of the agent's own, at most 16 KiB as JSON.
    #[serde(default)]
    #[schema(value_type = Object)]
    pub metrics: Map<String, Value>,
    /// The time of the heartbeat at the agent. The time of arrival counts.
    #[serde(default)]
    #[schema(value_type = Option<String>, format = DateTime)]
    pub timestamp: Option<DateTime<FixedOffset>>,
}

/// A valid heartbeat.
#[derive(Clone, Debug, PartialEq)]
pub struct Heartbeat {
    pub status: Status,
    pub load: f64,
    pub tasks: i32,
    pub metrics: Map<String, Value>,
}

impl Heartbeat {
    pub fn parse(new: NewHeartbeat) -> Result<Self> {
        let mut refused = ValidationErrors::default();
        if !(0.0..=1.0).contains(&new.current_load) {
            refused.add("current_load", "must be 0 to 1");
        }
        let tasks = i32::try_from(new.tasks_in_progress).ok().filter(|tasks| (0..=1_000_000).contains(tasks));
        let tasks = refused.check("tasks_in_progress", tasks.ok_or_else(|| "must be 0 to 1000000".to_owned()));
        refused.check("metrics", small_json(&new.metrics));
        refused.into_result()?;
        Ok(Self { status: new.status, load: new.current_load, tasks: tasks.unwrap_or_default(), metrics: new.metrics })
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn registration(changed: &Value) -> Result<AgentRegistration> {
        let mut body =
            json!({"protocol_version": "1.0", "name": "AGENT_1", "version": "2", "agent_type": "implementer"});
        body.as_object_mut().unwrap().extend(changed.as_object().unwrap().clone());
        AgentRegistration::parse(serde_json::from_value(body).unwrap())
    }

    #[test]
    fn an_unknown_capability_becomes_a_skill_if_valid() {
        let named = json!({"capabilities": ["testing", "python_expert", "testing", "python_expert"]});
        let read = registration(&named).unwrap();
        assert_eq!((read.capabilities, read.skills), (vec!["testing".to_owned()], vec!["python_expert".to_owned()]));
        let refused = registration(&json!({"capabilities": ["testing", "Python!"]})).unwrap_err();
        assert_eq!(refused.fields()[0].field, "capabilities[1]");
    }

    #[test]
    fn limits_hold_at_their_edge_and_every_refused_field_is_named() {
        for good in
            [json!({"name": "A".repeat(100)}), json!({"name": "A-9"}), json!({"capacity": 50}), json!({"capacity": 1})]
        {
            assert!(registration(&good).is_ok(), "{good}");
        }
        for (field, value) in [
            ("name", json!("A".repeat(101))),
            ("name", json!("AB")),
            ("name", json!("agent")),
            ("protocol_version", json!("2.0")),
            ("version", json!("")),
            ("capacity", json!(0)),
            ("capacity", json!(51)),
            ("metadata", json!({"a": "x".repeat(17_000)})),
        ] {
            let refused = registration(&json!({field: value})).unwrap_err();
            assert_eq!(refused.fields()[0].field, field);
        }
    }

    #[test]
    fn a_heartbeat_has_a_load_of_0_to_1() {
        let heartbeat = |load: f64, tasks: i64| {
            Heartbeat::parse(NewHeartbeat {
                status: Status::Healthy,
                current_load: load,
                tasks_in_progress: tasks,
                metrics: Map::new(),
                timestamp: None,
            })
        };
        assert!(heartbeat(0.0, 0).is_ok() && heartbeat(1.0, 1_000_000).is_ok());
        assert!(heartbeat(1.01, 0).is_err() && heartbeat(-0.1, 0).is_err() && heartbeat(0.0, -1).is_err());
    }
}
