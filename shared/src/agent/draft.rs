//! What callers send of an agent, parsed once. Pure; whether a URL may be called is asked of whoever calls it.

use serde_json::{Map, Value};

use crate::{
    error::{Error, Refusals, Result},
    external::sign::is_secret,
    session::draft::small_json,
    text,
};

use super::{Agent, AgentType, Capability, Kind, MAX_CAPACITY, State, capability::is_skill};

/// Skills of one agent at most.
const MAX_SKILLS: usize = 100;

/// The fields as they came; what is absent is not to be changed, and a null takes away.
#[derive(Default)]
pub struct Raw {
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
}

/// A change to an agent that keeps every rule of a field by itself. It holds a secret, so it has no `Debug`.
#[derive(Default)]
pub struct Patch {
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
    /// What is to be sealed, or taken away.
    pub endpoint_secret: Option<Option<String>>,
}

impl Patch {
    /// Reads what was sent; refuses with all its faults at once. `may_call` says why a URL may not be called.
    pub fn parse(raw: Raw, may_call: impl Fn(&str) -> Result<(), &'static str>) -> Result<Self> {
        let mut refusals = Refusals::default();
        let patch = Self::collect(raw, may_call, &mut refusals);
        refusals.finish()?;
        Ok(patch)
    }

    /// As [`Patch::parse`], of an agent to be made.
    pub fn parse_new(kind: Kind, raw: Raw, may_call: impl Fn(&str) -> Result<(), &'static str>) -> Result<Self> {
        let mut refusals = Refusals::default();
        if matches!(kind, Kind::Scripted | Kind::Manual) {
            refusals.add("kind", "must be opencode, eap or a2a: the others are the platform's own");
        }
        if needs_endpoint(kind) && !matches!(raw.endpoint_url, Some(Some(_))) {
            refusals.add("endpoint_url", required(kind));
        }
        let signs = raw.endpoint_secret.as_ref().is_some_and(|secret| secret.as_deref().is_some_and(is_secret));
        if kind == Kind::Eap && matches!(raw.endpoint_url, Some(Some(_))) && !signs {
            refusals.add(
                "endpoint_secret",
                "what is pushed is signed with it: whsec_ and base64, as Standard Webhooks have it",
            );
        }
        let patch = Self::collect(raw, may_call, &mut refusals);
        refusals.finish()?;
        Ok(patch)
    }

    fn collect(raw: Raw, may_call: impl Fn(&str) -> Result<(), &'static str>, refused: &mut Refusals) -> Self {
        let capabilities = raw.capabilities.map(|words| known(words, refused));
        let skills = raw.skills.map(|words| free(words, refused));
        let mut line = |field: &str, value: Option<Option<String>>, most: usize| {
            value.and_then(|value| refused.take(field, value.map(|value| text::line(value, 1..=most)).transpose()))
        };
        let endpoint_secret = line("endpoint_secret", raw.endpoint_secret, 1000);
        let software_version = line("version", raw.software_version, 100);
        let endpoint_url = line("endpoint_url", raw.endpoint_url, 2000);
        Self {
            capabilities,
            skills,
            endpoint_secret,
            software_version,
            name: raw.name.and_then(|name| refused.take("name", self::name(name))),
            agent_type: raw.agent_type,
            description: raw
                .description
                .and_then(|text| refused.take("description", text.map(description).transpose())),
            capacity: raw.capacity.and_then(|number| refused.take("capacity", capacity(number))),
            endpoint_url: endpoint_url.and_then(|url| {
                let checked = url.as_deref().map_or(Ok(()), may_call).map_err(str::to_owned);
                refused.take("endpoint_url", checked.map(|()| url))
            }),
            metadata: raw.metadata.and_then(|map| refused.take("metadata", small_json(&map).map(|()| map))),
            state: raw.state.and_then(|state| refused.take("state", settable(state))),
        }
    }

    /// Changes what was sent, and nothing else. What the kind needs must be there after it.
    pub fn apply(self, agent: &mut Agent) -> Result<()> {
        set(&mut agent.name, self.name);
        set(&mut agent.agent_type, self.agent_type);
        set(&mut agent.description, self.description);
        set(&mut agent.capabilities, self.capabilities);
        set(&mut agent.skills, self.skills);
        agent.capacity = self.capacity.or(agent.capacity);
        set(&mut agent.endpoint_url, self.endpoint_url);
        set(&mut agent.software_version, self.software_version);
        set(&mut agent.metadata, self.metadata);
        set(&mut agent.state, self.state);
        if needs_endpoint(agent.kind) && agent.endpoint_url.is_none() {
            return Err(Error::field("endpoint_url", required(agent.kind)));
        }
        Ok(())
    }
}

fn set<T>(field: &mut T, value: Option<T>) {
    if let Some(value) = value {
        *field = value;
    }
}

/// Whether we call it, rather than it us.
const fn needs_endpoint(kind: Kind) -> bool {
    matches!(kind, Kind::OpenCode | Kind::A2a)
}

fn required(kind: Kind) -> String {
    format!("is required of an agent of the kind {}, which we call", kind.name())
}

/// What an agent may be called: what sessions name it by, so it cannot be taken for an id.
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

fn known(words: Vec<String>, refused: &mut Refusals) -> Vec<String> {
    each(words, |at, word| {
        let known = word.parse::<Capability>().is_ok();
        if !known {
            refused.add(format!("capabilities[{at}]"), "is not one of the capabilities there are; see docs/agents.md");
        }
        known
    })
}

fn free(words: Vec<String>, refused: &mut Refusals) -> Vec<String> {
    if words.len() > MAX_SKILLS {
        refused.add("skills", format!("must be at most {MAX_SKILLS}"));
        return Vec::new();
    }
    each(words, |at, word| {
        let fits = is_skill(word);
        if !fits {
            refused.add(format!("skills[{at}]"), "must have 1 to 50 of the characters a-z, 0-9, _ and -");
        }
        fits
    })
}

/// The words that are kept, each once, as they came.
fn each(words: Vec<String>, mut takes: impl FnMut(usize, &str) -> bool) -> Vec<String> {
    let mut kept: Vec<String> = Vec::new();
    for (at, word) in words.into_iter().enumerate() {
        if takes(at, &word) && !kept.contains(&word) {
            kept.push(word);
        }
    }
    kept
}

fn description(text: String) -> Result<String, String> {
    if text.chars().count() > 1000 || text.contains('\0') {
        return Err("must have at most 1000 characters, none of them NUL".to_owned());
    }
    Ok(text)
}

fn capacity(number: i64) -> Result<i32, String> {
    let fits = i32::try_from(number).ok().filter(|number| (1..=MAX_CAPACITY).contains(number));
    fits.ok_or_else(|| format!("must be 1 to {MAX_CAPACITY}"))
}

fn settable(state: State) -> Result<State, String> {
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

    fn refused(raw: Raw) -> Vec<String> {
        let error = Patch::parse(raw, |_| Err("may not be called")).err();
        error.map(|error| error.fields().iter().map(|one| one.field.clone()).collect()).unwrap_or_default()
    }

    #[test]
    fn every_fault_is_named_at_once_and_where_it_stands() {
        let raw = Raw {
            name: Some("a b".to_owned()),
            capabilities: Some(vec!["testing".to_owned(), "flying".to_owned()]),
            skills: Some(vec!["Python".to_owned()]),
            capacity: Some(51),
            endpoint_url: Some(Some("https://127.0.0.1/".to_owned())),
            endpoint_secret: Some(Some(String::new())),
            state: Some(State::Draining),
            ..Raw::default()
        };
        let mut fields = refused(raw);
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
    fn what_is_said_twice_is_kept_once() {
        let words = ["rust", "python", "rust"].map(str::to_owned).to_vec();
        assert_eq!(free(words, &mut Refusals::default()), ["rust", "python"]);
    }
}
