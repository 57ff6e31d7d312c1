//! The callers that an operation serves, which follow from its security requirements.

use serde_json::Value;

/// The callers that an operation serves.
#[derive(Clone, Copy, Eq, PartialEq)]
pub(super) enum Audience {
    /// Everybody. A credential is not required, but is checked if it is sent.
    Public,
    /// Probes of the process, which ignore credentials.
    Probes,
    /// Users and programs, with an API key or a token.
    Callers,
    /// Agents and runners, with a credential of their own.
    Agents,
}

/// The credentials of agents and runners.
const OWN_CREDENTIALS: [&str; 3] = ["agent_token", "runner_credential", "enrolment_token"];

impl Audience {
    pub(super) fn of(path: &str, operation: &Value) -> Self {
        match operation["security"].as_array().map(Vec::as_slice) {
            None => Self::Callers,
            Some(ways) if ways.iter().any(|way| OWN_CREDENTIALS.iter().any(|name| way.get(name).is_some())) => {
                Self::Agents
            }
            Some(_) if path.starts_with("/api/") => Self::Public,
            Some(_) => Self::Probes,
        }
    }
}
