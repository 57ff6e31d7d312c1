//! Environments and changes of environments that callers send, parsed once: a refusal names every field that breaks a
//! rule. Which addresses repositories may have is decided by the caller of [`EnvironmentPatch::parse`].

use std::collections::BTreeMap;

use crate::kernel::error::{Error, Result, ValidationErrors};

use super::{
    Environment, fields,
    spec::{
        EnvironmentAgent, EnvironmentMcpServer, EnvironmentRepository, EnvironmentSpec, MinimumIsolation,
        NetworkPolicy, SetupScript,
    },
};

/// The fields as sent. An absent field is unchanged, and a null removes the value.
#[derive(Debug, Default)]
pub struct EnvironmentInput {
    pub name: Option<String>,
    pub is_default: Option<bool>,
    pub repositories: Option<Vec<EnvironmentRepository>>,
    pub setup: Option<Option<SetupScript>>,
    pub variables: Option<BTreeMap<String, String>>,
    pub secrets: Option<Vec<String>>,
    pub network: Option<NetworkPolicy>,
    pub mcp_servers: Option<Vec<EnvironmentMcpServer>>,
    pub rules: Option<String>,
    pub cpu: Option<Option<f64>>,
    pub memory_mb: Option<Option<i64>>,
    pub minimum_isolation: Option<MinimumIsolation>,
    pub agent: Option<Option<EnvironmentAgent>>,
}

/// A change whose fields are each within their limits.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct EnvironmentPatch {
    name: Option<String>,
    is_default: Option<bool>,
    repositories: Option<Vec<EnvironmentRepository>>,
    setup: Option<Option<SetupScript>>,
    variables: Option<BTreeMap<String, String>>,
    secrets: Option<Vec<String>>,
    network: Option<NetworkPolicy>,
    mcp_servers: Option<Vec<EnvironmentMcpServer>>,
    rules: Option<String>,
    cpu: Option<Option<f64>>,
    memory_mb: Option<Option<i32>>,
    minimum_isolation: Option<MinimumIsolation>,
    agent: Option<Option<EnvironmentAgent>>,
}

impl EnvironmentInput {
    fn check_parts(
        &self,
        refused: &mut ValidationErrors,
        may_clone: impl Fn(&str) -> std::result::Result<(), &'static str>,
    ) {
        if let Some(repositories) = &self.repositories {
            fields::check_repositories(refused, repositories, may_clone);
        }
        if let Some(Some(setup)) = &self.setup {
            fields::check_setup(refused, setup);
        }
        if let Some(variables) = &self.variables {
            fields::check_variables(refused, "variables", variables);
        }
        if let Some(names) = &self.secrets {
            fields::check_secret_names(refused, names);
        }
        if let Some(network) = &self.network {
            fields::check_network(refused, network);
        }
        if let Some(servers) = &self.mcp_servers {
            fields::check_mcp_servers(refused, servers);
        }
        if let Some(rules) = &self.rules {
            fields::check_rules(refused, rules);
        }
        if let Some(Some(agent)) = &self.agent {
            fields::check_agent(refused, agent);
        }
    }
}

impl EnvironmentPatch {
    /// Parses the input and reports all errors at once. `may_clone` returns why a repository may not be cloned.
    pub fn parse(
        input: EnvironmentInput,
        may_clone: impl Fn(&str) -> std::result::Result<(), &'static str>,
    ) -> Result<Self> {
        let mut refusals = ValidationErrors::default();
        let refused = &mut refusals;
        let name = input.name.clone().and_then(|name| refused.check("name", fields::parse_environment_name(name)));
        input.check_parts(refused, may_clone);
        let cpu = input.cpu.and_then(|cpu| refused.check("cpu", cpu.map(fields::parse_cpu).transpose()));
        let memory = |memory: Option<i64>| memory.map(fields::parse_memory).transpose();
        let memory_mb = input.memory_mb.and_then(|sent| refused.check("memory_mb", memory(sent)));
        refusals.into_result()?;
        Ok(Self {
            name,
            is_default: input.is_default,
            repositories: input.repositories,
            setup: input.setup,
            variables: input.variables,
            secrets: input.secrets,
            network: input.network,
            mcp_servers: input.mcp_servers,
            rules: input.rules,
            cpu,
            memory_mb,
            minimum_isolation: input.minimum_isolation,
            agent: input.agent,
        })
    }

    /// Whether the environment is to be the tenant's default from now on; `None` leaves it as it is.
    pub fn is_default(&self) -> Option<bool> {
        self.is_default
    }

    /// The name and the specification of a new environment.
    pub fn into_new(self) -> Result<(String, EnvironmentSpec)> {
        let name = self.name.clone().ok_or_else(|| Error::invalid_field("name", "is required"))?;
        let mut spec = EnvironmentSpec::default();
        self.apply_to_spec(&mut spec);
        check_spec(&spec)?;
        Ok((name, spec))
    }

    /// Applies the sent fields. Fails if they contradict each other or those that stay.
    pub fn apply(self, environment: &mut Environment) -> Result<()> {
        set_if_given(&mut environment.name, self.name.clone());
        set_if_given(&mut environment.is_default, self.is_default);
        self.apply_to_spec(&mut environment.spec);
        check_spec(&environment.spec)
    }

    fn apply_to_spec(self, spec: &mut EnvironmentSpec) {
        set_if_given(&mut spec.repositories, self.repositories);
        set_if_given(&mut spec.setup, self.setup);
        set_if_given(&mut spec.variables, self.variables);
        set_if_given(&mut spec.secrets, self.secrets);
        set_if_given(&mut spec.network, self.network);
        set_if_given(&mut spec.mcp_servers, self.mcp_servers);
        set_if_given(&mut spec.rules, self.rules);
        set_if_given(&mut spec.cpu, self.cpu);
        set_if_given(&mut spec.memory_mb, self.memory_mb);
        set_if_given(&mut spec.minimum_isolation, self.minimum_isolation);
        set_if_given(&mut spec.agent, self.agent);
    }
}

fn set_if_given<T>(field: &mut T, sent: Option<T>) {
    if let Some(value) = sent {
        *field = value;
    }
}

/// The rules between fields, of which a change may send only one.
fn check_spec(spec: &EnvironmentSpec) -> Result<()> {
    let mut refusals = ValidationErrors::default();
    for (at, name) in spec.secrets.iter().enumerate() {
        if spec.variables.contains_key(name) {
            refusals.add(format!("secrets[{at}]"), "is the name of a variable as well");
        }
    }
    refusals.into_result()
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::{
        super::spec::{NetworkMode, Permission, ToolKind},
        *,
    };

    fn parse(input: EnvironmentInput) -> Result<EnvironmentPatch> {
        EnvironmentPatch::parse(input, |url| if url.contains("10.0.0.1") { Err("is not public") } else { Ok(()) })
    }

    fn refused_fields(input: EnvironmentInput) -> Vec<String> {
        let error = parse(input).unwrap_err();
        error.fields().iter().map(|field| field.field.clone()).collect()
    }

    fn repository(url: &str, path: Option<&str>) -> EnvironmentRepository {
        EnvironmentRepository { url: url.to_owned(), reference: None, path: path.map(str::to_owned) }
    }

    #[test]
    fn a_name_alone_makes_an_environment_with_the_defaults() {
        let input = EnvironmentInput { name: Some("backend".to_owned()), ..EnvironmentInput::default() };
        let (name, spec) = parse(input).unwrap().into_new().unwrap();
        assert_eq!(name, "backend");
        assert_eq!(spec, EnvironmentSpec::default());
        assert_eq!((spec.network.setup, spec.network.agent), (NetworkMode::Open, NetworkMode::None));
        assert_eq!(parse(EnvironmentInput::default()).unwrap().into_new().unwrap_err().fields()[0].field, "name");
    }

    /// An environment that breaks each rule.
    fn faulty() -> EnvironmentInput {
        let server = |name: &str, command: Option<&str>, url: &str| EnvironmentMcpServer {
            name: name.to_owned(),
            command: command.map(str::to_owned),
            url: Some(url.to_owned()),
            ..EnvironmentMcpServer::default()
        };
        EnvironmentInput {
            name: Some("a b".to_owned()),
            repositories: Some(vec![
                repository("https://example.com/a.git", None),
                repository("https://me:key@example.com/a.git", None),
                repository("https://10.0.0.1/a.git", Some("../up")),
                repository("https://example.com/b.git", Some("a//b")),
            ]),
            setup: Some(Some(SetupScript { script: String::new(), timeout_seconds: 3601 })),
            variables: Some(BTreeMap::from([("A-B".to_owned(), String::new()), ("B".to_owned(), "\0".to_owned())])),
            secrets: Some(vec!["T".to_owned(), "T".to_owned(), "HOME".to_owned()]),
            network: Some(NetworkPolicy { agent: NetworkMode::Allowlist, ..NetworkPolicy::default() }),
            mcp_servers: Some(vec![
                server("docs", Some("npx"), "https://example.com/mcp"),
                server("docs", None, "http://example.com/mcp"),
            ]),
            rules: Some("x".repeat(20_001)),
            cpu: Some(Some(9.0)),
            memory_mb: Some(Some(99)),
            agent: Some(Some(EnvironmentAgent { model: Some("gpt".to_owned()), ..EnvironmentAgent::default() })),
            ..EnvironmentInput::default()
        }
    }

    #[test]
    fn every_fault_of_an_environment_is_named_at_once() {
        let expected = "name repositories[1].url repositories[1].path repositories[2].url repositories[2].path \
                        repositories[3].path setup.script setup.timeout_seconds variables.A-B variables.B secrets[1] \
                        secrets[2] network.domains mcp_servers[0].command mcp_servers[1].name mcp_servers[1].url rules \
                        agent.model cpu memory_mb";
        assert_eq!(refused_fields(faulty()).join(" "), expected);
    }

    #[test]
    fn the_bounds_of_lists_and_texts_hold_at_their_edge_and_not_one_beyond() {
        let repositories = |count: usize| EnvironmentInput {
            repositories: Some((0..count).map(|n| repository("https://a.org/a", Some(&format!("r{n}")))).collect()),
            ..EnvironmentInput::default()
        };
        assert!(parse(repositories(10)).is_ok() && parse(repositories(11)).is_err());
        let secrets = |count: usize| EnvironmentInput {
            secrets: Some((0..count).map(|n| format!("S{n}")).collect()),
            ..EnvironmentInput::default()
        };
        assert!(parse(secrets(50)).is_ok() && parse(secrets(51)).is_err());
        let script = |bytes: usize| EnvironmentInput {
            setup: Some(Some(SetupScript { script: "x".repeat(bytes), timeout_seconds: 1 })),
            ..EnvironmentInput::default()
        };
        assert!(parse(script(65_536)).is_ok() && parse(script(65_537)).is_err());
        let variable = |bytes: usize| EnvironmentInput {
            variables: Some(BTreeMap::from([("A".to_owned(), "x".repeat(bytes))])),
            ..EnvironmentInput::default()
        };
        assert!(parse(variable(8192)).is_ok() && parse(variable(8193)).is_err());
    }

    #[test]
    fn a_domain_is_a_name_of_two_labels_or_all_below_one() {
        let network = |domain: &str| EnvironmentInput {
            network: Some(NetworkPolicy {
                setup: NetworkMode::Allowlist,
                domains: vec![domain.to_owned()],
                ..NetworkPolicy::default()
            }),
            ..EnvironmentInput::default()
        };
        for good in ["example.com", "*.example.com", "a-1.b.c"] {
            assert!(parse(network(good)).is_ok(), "{good}");
        }
        for wrong in ["", "com", "*", "*.com", "a.*.com", "Example.com", "-a.com", "a..com", "a.com/x", "a.com:443"] {
            assert_eq!(refused_fields(network(wrong)), ["network.domains[0]"], "{wrong}");
        }
    }

    #[test]
    fn a_secret_that_contradicts_a_variable_of_an_earlier_version_is_refused() {
        let variables = Some(BTreeMap::from([("TOKEN".to_owned(), "x".to_owned())]));
        let first = EnvironmentInput { variables, ..EnvironmentInput::default() };
        let mut spec = EnvironmentSpec::default();
        parse(first).unwrap().apply_to_spec(&mut spec);
        let second = EnvironmentInput { secrets: Some(vec!["TOKEN".to_owned()]), ..EnvironmentInput::default() };
        parse(second).unwrap().apply_to_spec(&mut spec);
        assert_eq!(check_spec(&spec).unwrap_err().fields()[0].field, "secrets[0]");
    }

    #[test]
    fn a_stored_specification_is_read_with_the_defaults_for_what_it_lacks() {
        let spec: EnvironmentSpec = serde_json::from_value(json!({
            "rules": "Be brief.", "agent": {"permissions": {"execute": "ask"}}, "a field of a later version": 1
        }))
        .unwrap();
        let agent = spec.agent.clone().unwrap();
        assert_eq!(agent.permissions.get(&ToolKind::Execute), Some(&Permission::Ask));
        assert_eq!(spec.network, NetworkPolicy::default());
    }
}
