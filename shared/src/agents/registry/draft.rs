//! The input of callers for an agent, parsed once. Pure; the caller of [`AgentPatch::parse`] decides which URLs are
//! allowed.

use serde_json::{Map, Value};

use crate::{
    agents::eap::server::sign::is_secret,
    kernel::{
        error::{Error, Result, ValidationErrors},
        text,
        validation::small_json,
    },
};

use super::{Agent, AgentType, Capability, Kind, MAX_CAPACITY, State, capability::is_skill};

/// The most skills of one agent.
const MAX_SKILLS: usize = 100;

/// The fields as sent. An absent field is unchanged, and a null removes the value.
#[derive(Default)]
pub struct AgentInput {
    pub name: Option<String>,
    pub agent_type: Option<AgentType>,
    pub description: Option<Option<String>>,
    pub capabilities: Option<Vec<String>>,
    pub skills: Option<Vec<String>>,
    pub capacity: Option<i64>,
    pub endpoint_url: Option<Option<String>>,
    pub endpoint_secret: Option<Option<String>>,
    pub software_version: Option<Option<String>>,
    pub metadata: Option<Map<String, Value>>,
    pub state: Option<State>,
    pub trusted: Option<bool>,
    pub conformance_passed: Option<bool>,
}

/// A valid change to an agent. It holds a secret, so it has no `Debug`.
#[derive(Default)]
pub struct AgentPatch {
    name: Option<String>,
    agent_type: Option<AgentType>,
    description: Option<Option<String>>,
    capabilities: Option<Vec<String>>,
    skills: Option<Vec<String>>,
    capacity: Option<i32>,
    endpoint_url: Option<Option<String>>,
    software_version: Option<Option<String>>,
    metadata: Option<Map<String, Value>>,
    state: Option<State>,
    trusted: Option<bool>,
    /// Whether a passed conformance run is recorded; the service knows when.
    pub conformance_passed: Option<bool>,
    /// The secret to encrypt and store, or `Some(None)` to remove it.
    pub endpoint_secret: Option<Option<String>>,
}

impl AgentPatch {
    /// Parses the input and reports all errors at once. `may_call` returns why a URL may not be called.
    pub fn parse(input: AgentInput, may_call: impl Fn(&str) -> Result<(), &'static str>) -> Result<Self> {
        let mut refusals = ValidationErrors::default();
        let patch = Self::collect(input, may_call, &mut refusals);
        refusals.into_result()?;
        Ok(patch)
    }

    /// As [`AgentPatch::parse`], for a new agent.
    pub fn parse_new(
        kind: Kind,
        input: AgentInput,
        may_call: impl Fn(&str) -> Result<(), &'static str>,
    ) -> Result<Self> {
        let mut refusals = ValidationErrors::default();
        if matches!(kind, Kind::Scripted | Kind::Manual) {
            refusals.add("kind", "must be eap or a2a: the others are the platform's own");
        }
        if needs_endpoint(kind) && !matches!(input.endpoint_url, Some(Some(_))) {
            refusals.add("endpoint_url", required_fields(kind));
        }
        let signs = input.endpoint_secret.as_ref().is_some_and(|secret| secret.as_deref().is_some_and(is_secret));
        if kind == Kind::Eap && matches!(input.endpoint_url, Some(Some(_))) && !signs {
            refusals.add(
                "endpoint_secret",
                "what is pushed is signed with it: whsec_ and base64, as Standard Webhooks have it",
            );
        }
        let patch = Self::collect(input, may_call, &mut refusals);
        refusals.into_result()?;
        Ok(patch)
    }

    fn collect(
        input: AgentInput,
        may_call: impl Fn(&str) -> Result<(), &'static str>,
        refused: &mut ValidationErrors,
    ) -> Self {
        let capabilities = input.capabilities.map(|words| parse_known_words(words, refused));
        let skills = input.skills.map(|words| parse_free_words(words, refused));
        let mut line = |field: &str, value: Option<Option<String>>, most: usize| {
            value.and_then(|value| {
                refused.check(field, value.map(|value| text::parse_line(value, 1..=most)).transpose())
            })
        };
        let endpoint_secret = line("endpoint_secret", input.endpoint_secret, 1000);
        let software_version = line("version", input.software_version, 100);
        let endpoint_url = line("endpoint_url", input.endpoint_url, 2000);
        Self {
            capabilities,
            skills,
            endpoint_secret,
            software_version,
            name: input.name.and_then(|name| refused.check("name", self::name(name))),
            agent_type: input.agent_type,
            description: input
                .description
                .and_then(|text| refused.check("description", text.map(parse_description).transpose())),
            capacity: input.capacity.and_then(|number| refused.check("capacity", parse_capacity(number))),
            endpoint_url: endpoint_url.and_then(|url| {
                let checked = url.as_deref().map_or(Ok(()), may_call).map_err(str::to_owned);
                refused.check("endpoint_url", checked.map(|()| url))
            }),
            metadata: input.metadata.and_then(|map| refused.check("metadata", small_json(&map).map(|()| map))),
            state: input.state.and_then(|state| refused.check("state", parse_settable_state(state))),
            trusted: input.trusted,
            conformance_passed: input.conformance_passed,
        }
    }

    /// Applies the sent fields to an agent of the platform. The operator configures all but its state and its trust.
    pub fn apply_to_platform_agent(self, agent: &mut Agent) -> Result<()> {
        let Self { state, trusted, .. } = self;
        let rest = Self { state: None, trusted: None, ..self };
        let mut unchanged = agent.clone();
        let has_secret = rest.endpoint_secret.is_some() || rest.conformance_passed.is_some();
        if rest.apply(&mut unchanged).is_err() || has_secret || unchanged != *agent {
            let detail =
                "only state and trusted can be changed of an agent of the platform, which the operator configures";
            return Err(Error::invalid_field("agent", detail));
        }
        set_if_given(&mut agent.state, state);
        set_if_given(&mut agent.trust.trusted, trusted);
        Ok(())
    }

    /// Applies the sent fields. The fields that the kind requires must be set afterwards.
    pub fn apply(self, agent: &mut Agent) -> Result<()> {
        if agent.pool.is_some() && self.capacity.is_some() && self.capacity != agent.capacity {
            return Err(Error::invalid_field("capacity", "follows the slots of the runners of the agent's pool"));
        }
        set_if_given(&mut agent.name, self.name);
        set_if_given(&mut agent.agent_type, self.agent_type);
        set_if_given(&mut agent.description, self.description);
        set_if_given(&mut agent.capabilities, self.capabilities);
        set_if_given(&mut agent.skills, self.skills);
        agent.capacity = self.capacity.or(agent.capacity);
        set_if_given(&mut agent.endpoint_url, self.endpoint_url);
        set_if_given(&mut agent.software_version, self.software_version);
        set_if_given(&mut agent.metadata, self.metadata);
        set_if_given(&mut agent.state, self.state);
        set_if_given(&mut agent.trust.trusted, self.trusted);
        if needs_endpoint(agent.kind) && agent.endpoint_url.is_none() {
            return Err(Error::invalid_field("endpoint_url", required_fields(agent.kind)));
        }
        Ok(())
    }
}

fn set_if_given<T>(field: &mut T, value: Option<T>) {
    if let Some(value) = value {
        *field = value;
    }
}

/// Whether we call the agent, instead of the agent calling us.
const fn needs_endpoint(kind: Kind) -> bool {
    matches!(kind, Kind::A2a)
}

fn required_fields(kind: Kind) -> String {
    format!("is required of an agent of the kind {}, which we call", kind.name())
}

/// Whether a text is a valid name of an agent. Sessions refer to agents by name or id, so a name must not look like an
/// id.
pub fn name(text: String) -> Result<String, String> {
    let fits = (1..=100).contains(&text.len())
        && text.bytes().all(|byte| byte.is_ascii_alphanumeric() || byte == b'_' || byte == b'-');
    if !fits {
        return Err("must have 1 to 100 of the characters A-Z, a-z, 0-9, _ and -".to_owned());
    }
    if uuid::Uuid::try_parse(&text).is_ok() {
        return Err("must not look like an id".to_owned());
    }
    Ok(text)
}

fn parse_known_words(words: Vec<String>, refused: &mut ValidationErrors) -> Vec<String> {
    keep_accepted(words, |at, word| {
        let known = word.parse::<Capability>().is_ok();
        if !known {
            refused.add(format!("capabilities[{at}]"), "is not one of the capabilities there are; see docs/agents.md");
        }
        known
    })
}

fn parse_free_words(words: Vec<String>, refused: &mut ValidationErrors) -> Vec<String> {
    if words.len() > MAX_SKILLS {
        refused.add("skills", format!("must be at most {MAX_SKILLS}"));
        return Vec::new();
    }
    keep_accepted(words, |at, word| {
        let fits = is_skill(word);
        if !fits {
            refused.add(format!("skills[{at}]"), "must have 1 to 50 of the characters a-z, 0-9, _ and -");
        }
        fits
    })
}

/// The words without duplicates, in their order.
fn keep_accepted(words: Vec<String>, mut takes: impl FnMut(usize, &str) -> bool) -> Vec<String> {
    let mut kept: Vec<String> = Vec::new();
    for (at, word) in words.into_iter().enumerate() {
        if takes(at, &word) && !kept.contains(&word) {
            kept.push(word);
        }
    }
    kept
}

fn parse_description(text: String) -> Result<String, String> {
    if text.chars().count() > 1000 || text.contains('\0') {
        return Err("must have at most 1000 characters, none of them NUL".to_owned());
    }
    Ok(text)
}

fn parse_capacity(number: i64) -> Result<i32, String> {
    let fits = i32::try_from(number).ok().filter(|number| (1..=MAX_CAPACITY).contains(number));
    fits.ok_or_else(|| format!("must be 1 to {MAX_CAPACITY}"))
}

fn parse_settable_state(state: State) -> Result<State, String> {
    match state {
        State::Active | State::Maintenance => Ok(state),
        State::Draining | State::Deregistered => {
            Err("must be active or maintenance: DELETE drains and deregisters".to_owned())
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn refused(input: AgentInput) -> Vec<String> {
        let error = AgentPatch::parse(input, |_| Err("may not be called")).err();
        error.map(|error| error.fields().iter().map(|one| one.field.clone()).collect()).unwrap_or_default()
    }

    #[test]
    fn every_fault_is_named_at_once_and_where_it_stands() {
        let input = AgentInput {
            name: Some("a b".to_owned()),
            capabilities: Some(vec!["testing".to_owned(), "flying".to_owned()]),
            skills: Some(vec!["Python".to_owned()]),
            capacity: Some(51),
            endpoint_url: Some(Some("https://127.0.0.1/".to_owned())),
            endpoint_secret: Some(Some(String::new())),
            state: Some(State::Draining),
            ..AgentInput::default()
        };
        let mut fields = refused(input);
        fields.sort();
        let expected = ["capabilities[1]", "capacity", "endpoint_secret", "endpoint_url", "name", "skills[0]", "state"];
        assert_eq!(fields, expected);
    }

    #[test]
    fn a_name_cannot_be_taken_for_an_id() {
        assert!(name("01900000-0000-7000-8000-000000000000".to_owned()).is_err());
        assert!(name("01900000000070008000000000000000".to_owned()).is_err());
        assert!(name("reviewer-1".to_owned()).is_ok());
    }

    #[test]
    fn repeated_values_are_kept_once() {
        let words = ["rust", "python", "rust"].map(str::to_owned).to_vec();
        assert_eq!(parse_free_words(words, &mut ValidationErrors::default()), ["rust", "python"]);
    }
}
