//! What an agent may reach, and what a session may ask for.

use std::str::FromStr;

use serde::Deserialize;
use serde_json::Value;

use super::{destination::Destination, domain::DomainPattern};

/// The most domains of an allow-list.
const MOST_DOMAINS: usize = 100;

/// What an agent may reach. The model gateway is reachable under every policy.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub enum EgressPolicy {
    /// Nothing.
    #[default]
    None,
    /// The domains that match an entry.
    Allowlist(Vec<DomainPattern>),
    /// Every address of the public internet, at every port.
    Open,
}

/// A policy that a session asks for and cannot have.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum EgressPolicyError {
    /// The text is no policy.
    #[error(
        "network is wrong: {0}; write {{\"mode\": \"allowlist\", \"domains\": [\"example.com\"]}}, or the mode none or open"
    )]
    Invalid(String),
    /// The runner permits less.
    #[error("this runner does not permit {0}: ask for less in network, or start the runner with a wider --egress")]
    NotPermitted(String),
}

impl EgressPolicyError {
    /// The stable code of the failure.
    pub fn code(&self) -> &'static str {
        match self {
            Self::Invalid(_) => "EGRESS_POLICY_INVALID",
            Self::NotPermitted(_) => "EGRESS_NOT_PERMITTED",
        }
    }

    /// The category of the failure, as outcomes of sessions name it.
    pub fn category(&self) -> &'static str {
        match self {
            Self::Invalid(_) => "user",
            Self::NotPermitted(_) => "policy",
        }
    }
}

#[derive(Clone, Copy, Deserialize)]
#[serde(rename_all = "lowercase")]
enum Mode {
    None,
    Allowlist,
    Open,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct WrittenPolicy {
    mode: Mode,
    #[serde(default)]
    domains: Vec<String>,
}

impl EgressPolicy {
    /// Reads `{"mode": "none|allowlist|open", "domains": [..]}`.
    pub fn parse(value: &Value) -> Result<Self, EgressPolicyError> {
        let invalid = EgressPolicyError::Invalid;
        let written = WrittenPolicy::deserialize(value).map_err(|error| invalid(error.to_string()))?;
        match (written.mode, written.domains.as_slice()) {
            (Mode::Allowlist, domains) => read_allowlist(domains).map_err(invalid),
            (_, [_, ..]) => Err(invalid("domains belong to the mode allowlist".to_owned())),
            (Mode::None, []) => Ok(Self::None),
            (Mode::Open, []) => Ok(Self::Open),
        }
    }

    pub(super) fn admits(&self, destination: &Destination) -> bool {
        match self {
            Self::None => false,
            Self::Allowlist(domains) => domains.iter().any(|domain| domain.matches(destination)),
            Self::Open => true,
        }
    }

    /// The policy that a session asks for, where this one, of the runner, permits it.
    pub(super) fn grant(&self, asked: Self) -> Result<Self, EgressPolicyError> {
        let refused = match (self, &asked) {
            (_, Self::None) | (Self::Open, _) => None,
            (_, Self::Open) => Some("the mode open".to_owned()),
            (Self::None, Self::Allowlist(domains)) => domains.first().map(ToString::to_string),
            (Self::Allowlist(permitted), Self::Allowlist(domains)) => {
                let is_covered = |domain: &&DomainPattern| permitted.iter().any(|one| one.covers(domain));
                domains.iter().find(|domain| !is_covered(domain)).map(ToString::to_string)
            }
        };
        refused.map_or(Ok(asked), |refused| Err(EgressPolicyError::NotPermitted(refused)))
    }
}

impl FromStr for EgressPolicy {
    type Err = String;

    /// Reads `none`, `open`, or domains separated by commas.
    fn from_str(text: &str) -> Result<Self, String> {
        match text {
            "none" => Ok(Self::None),
            "open" => Ok(Self::Open),
            domains => read_allowlist(&domains.split(',').map(str::trim).collect::<Vec<_>>()),
        }
    }
}

fn read_allowlist(domains: &[impl AsRef<str>]) -> Result<EgressPolicy, String> {
    if domains.is_empty() || domains.len() > MOST_DOMAINS {
        return Err(format!("an allowlist has 1 to {MOST_DOMAINS} domains"));
    }
    let domains = domains.iter().map(|domain| domain.as_ref().parse()).collect::<Result<_, _>>()?;
    Ok(EgressPolicy::Allowlist(domains))
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn allowlist(domains: &[&str]) -> EgressPolicy {
        EgressPolicy::Allowlist(domains.iter().map(|domain| domain.parse().unwrap()).collect())
    }

    #[test]
    fn a_policy_is_read_from_json_and_from_a_setting() {
        assert_eq!(EgressPolicy::parse(&json!({"mode": "none"})), Ok(EgressPolicy::None));
        assert_eq!(EgressPolicy::parse(&json!({"mode": "open", "domains": []})), Ok(EgressPolicy::Open));
        let listed = EgressPolicy::parse(&json!({"mode": "allowlist", "domains": ["a.org", "*.b.org:8443"]}));
        assert_eq!(listed, Ok(allowlist(&["a.org", "*.b.org:8443"])));
        assert_eq!("a.org, *.b.org:8443".parse(), Ok(allowlist(&["a.org", "*.b.org:8443"])));
        assert_eq!(("none".parse(), "open".parse()), (Ok(EgressPolicy::None), Ok(EgressPolicy::Open)));
        assert!("".parse::<EgressPolicy>().is_err());
    }

    #[test]
    fn a_value_that_is_no_policy_is_refused_with_the_form_to_write() {
        let many = vec!["a.org"; 101];
        for value in [
            json!(null),
            json!("open"),
            json!({}),
            json!({"mode": "all"}),
            json!({"mode": "open", "domains": ["a.org"]}),
            json!({"mode": "allowlist"}),
            json!({"mode": "allowlist", "domains": ["*"]}),
            json!({"mode": "allowlist", "domains": many}),
            json!({"mode": "none", "hosts": []}),
        ] {
            let error = EgressPolicy::parse(&value).unwrap_err();
            assert_eq!((error.code(), error.category()), ("EGRESS_POLICY_INVALID", "user"), "{value}");
            assert!(error.to_string().contains("\"mode\""), "{error}");
        }
    }

    #[test]
    fn a_session_gets_no_more_than_its_runner_permits() {
        let ceiling = allowlist(&["*.a.org", "b.org"]);
        let part = allowlist(&["x.a.org", "b.org:443"]);
        assert_eq!(ceiling.grant(part.clone()), Ok(part.clone()));
        assert_eq!(EgressPolicy::Open.grant(part.clone()), Ok(part.clone()));
        for policy in [EgressPolicy::None, ceiling.clone(), EgressPolicy::Open] {
            assert_eq!(policy.grant(EgressPolicy::None), Ok(EgressPolicy::None));
        }
        let refused = ceiling.grant(allowlist(&["b.org", "a.org"])).unwrap_err();
        assert_eq!((refused.code(), refused.category()), ("EGRESS_NOT_PERMITTED", "policy"));
        assert!(refused.to_string().contains("permit a.org"), "{refused}");
        assert!(ceiling.grant(EgressPolicy::Open).is_err() && EgressPolicy::None.grant(part).is_err());
    }
}
