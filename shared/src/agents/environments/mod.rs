//! Environments: where and with what the sessions of a tenant work. Every change is a new version, and a session works
//! with the version that it was created with.
//!
//! [`spec`] is the specification, [`draft`] parses what callers send, [`reference`] what a session names; all three are
//! pure. ADR 30 describes the design.

pub mod draft;
mod fields;
pub mod reference;
pub mod service;
pub mod spec;
pub mod store;

use serde::{Deserialize, Serialize};
use serde_json::{Map, Value, json};
use utoipa::ToSchema;

use crate::kernel::{actor::Actor, clock::Time, id::EnvironmentId};

use self::spec::EnvironmentSpec;

/// The most environments of one tenant.
pub const MAX_ENVIRONMENTS: i64 = 200;

/// An environment at its newest version.
#[derive(Clone, Debug, PartialEq)]
pub struct Environment {
    pub id: EnvironmentId,
    pub name: String,
    /// Whether sessions that name no environment work in this one.
    pub is_default: bool,
    pub spec: EnvironmentSpec,
    pub version: i32,
    pub created_by: Actor,
    pub created_at: Time,
    pub updated_at: Time,
}

/// One version of an environment.
#[derive(Clone, Debug, PartialEq)]
pub struct EnvironmentVersion {
    pub version: i32,
    pub name: String,
    pub spec: EnvironmentSpec,
    pub created_by: Actor,
    pub created_at: Time,
}

/// The version of an environment that a session works with.
#[derive(Clone, Debug, Eq, PartialEq, Serialize, Deserialize, ToSchema)]
pub struct SessionEnvironment {
    /// The id of the environment.
    pub id: EnvironmentId,
    /// The name that the environment had in this version.
    pub name: String,
    /// The version of the environment.
    pub version: i32,
}

/// The version of an environment that a task is to be done in. It holds the names of secrets, not their values.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, ToSchema)]
pub struct TaskEnvironment {
    #[serde(flatten)]
    pub named: SessionEnvironment,
    #[serde(flatten)]
    pub spec: EnvironmentSpec,
}

impl TaskEnvironment {
    /// The program that works in it, if it names one.
    pub fn program(&self) -> Option<&str> {
        self.spec.agent.as_ref()?.program.as_deref()
    }

    /// The model of sessions that name none.
    pub fn default_model(&self) -> Option<&str> {
        self.spec.agent.as_ref()?.model.as_deref()
    }

    /// Adds what the configuration of a session leaves open: the permissions of its agent, and what its network
    /// reaches.
    pub fn add_defaults(&self, config: &mut Map<String, Value>) {
        let permissions = self.spec.agent.as_ref().map(|agent| &agent.permissions).filter(|map| !map.is_empty());
        if let (Some(permissions), false) = (permissions, config.contains_key("permissions")) {
            config.insert("permissions".to_owned(), json!(permissions));
        }
        if !config.contains_key("network") {
            let network = json!({"mode": self.spec.network.agent, "domains": self.spec.network.domains});
            config.insert("network".to_owned(), network);
        }
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use super::*;
    use crate::agents::environments::spec::{EnvironmentAgent, Permission, ToolKind};

    fn environment() -> TaskEnvironment {
        let permissions = BTreeMap::from([(ToolKind::Execute, Permission::Ask)]);
        let agent =
            EnvironmentAgent { program: Some("opencode".to_owned()), permissions, ..EnvironmentAgent::default() };
        TaskEnvironment {
            named: SessionEnvironment { id: EnvironmentId::new(), name: "backend".to_owned(), version: 2 },
            spec: EnvironmentSpec { agent: Some(agent), ..EnvironmentSpec::default() },
        }
    }

    #[test]
    fn an_environment_fills_in_what_a_session_leaves_open_and_nothing_else() {
        let mut open = Map::new();
        environment().add_defaults(&mut open);
        let expected = json!({"permissions": {"execute": "ask"}, "network": {"mode": "none", "domains": []}});
        assert_eq!(Value::Object(open), expected);
        let own = json!({"permissions": {}, "network": {"mode": "open"}});
        let mut config = own.as_object().cloned().unwrap();
        environment().add_defaults(&mut config);
        assert_eq!(Value::Object(config), own);
    }

    #[test]
    fn a_task_has_its_environment_and_specification_in_one_object() {
        let environment = environment();
        let value = json!(environment);
        assert_eq!((&value["name"], &value["version"]), (&json!("backend"), &json!(2)));
        assert_eq!(value["agent"]["program"], "opencode");
        assert_eq!(serde_json::from_value::<TaskEnvironment>(value).unwrap(), environment);
    }
}
