//! The settings of a runner for the network of its sessions.

use serde_json::Value;

use super::{
    address::{AddressBlock, AddressGuard},
    policy::{EgressPolicy, EgressPolicyError},
};

/// What the sessions of a runner may ask for.
#[derive(Clone, Debug, Default, clap::Args)]
pub struct EgressSettings {
    /// What sessions may ask for: none, open, or domains separated by commas, such as example.com,*.example.org
    #[arg(long = "egress", env = "RUNNER_EGRESS", default_value = "none")]
    pub policy: EgressPolicy,
    /// Addresses outside of the public internet that sessions may reach all the same, such as 10.1.0.0/16
    #[arg(long = "egress-address", env = "RUNNER_EGRESS_ADDRESSES", value_delimiter = ',')]
    pub permitted_addresses: Vec<AddressBlock>,
}

impl EgressSettings {
    /// The policy for a session: what it asks for, if that is permitted, and nothing if it asks for nothing.
    pub fn choose_policy(&self, asked: Option<&Value>) -> Result<EgressPolicy, EgressPolicyError> {
        let asked = asked.map_or(Ok(EgressPolicy::None), EgressPolicy::parse)?;
        self.policy.grant(asked)
    }

    /// The policy for the set-up script of an environment. `open`, which environments have unless they say otherwise,
    /// means as much as this runner permits.
    pub fn choose_setup_policy(&self, asked: Option<&Value>) -> Result<EgressPolicy, EgressPolicyError> {
        match asked.map_or(Ok(EgressPolicy::None), EgressPolicy::parse)? {
            EgressPolicy::Open => Ok(self.policy.clone()),
            asked => self.policy.grant(asked),
        }
    }

    /// The guard for the addresses of all sessions.
    pub fn address_guard(&self) -> AddressGuard {
        AddressGuard { permitted: self.permitted_addresses.clone() }
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn a_session_that_asks_for_no_network_has_none_on_an_open_runner() {
        let settings = EgressSettings { policy: EgressPolicy::Open, ..EgressSettings::default() };
        assert_eq!(settings.choose_policy(None), Ok(EgressPolicy::None));
        assert_eq!(settings.choose_policy(Some(&json!({"mode": "open"}))), Ok(EgressPolicy::Open));
        let none = EgressSettings::default();
        assert_eq!(none.choose_policy(Some(&json!({"mode": "open"}))).unwrap_err().code(), "EGRESS_NOT_PERMITTED");
    }

    #[test]
    fn an_open_set_up_reaches_what_the_runner_permits_and_a_list_nothing_beyond() {
        let settings = EgressSettings { policy: "packages.example.com".parse().unwrap(), ..EgressSettings::default() };
        assert_eq!(settings.choose_setup_policy(Some(&json!({"mode": "open"}))), Ok(settings.policy.clone()));
        assert_eq!(settings.choose_setup_policy(None), Ok(EgressPolicy::None));
        let beyond = json!({"mode": "allowlist", "domains": ["packages.example.com", "registry.example.org"]});
        assert_eq!(settings.choose_setup_policy(Some(&beyond)).unwrap_err().code(), "EGRESS_NOT_PERMITTED");
    }
}
