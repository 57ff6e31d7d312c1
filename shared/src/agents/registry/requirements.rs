//! What a session requires of its agent, and its input. Pure.

use serde_json::{Map, Value};

use crate::kernel::{error::ValidationErrors, id::AgentId};

use super::{
    AgentType,
    capability::{Capability, is_skill},
    performance::Tier,
};

/// The most capabilities, skills or agents that requirements may name.
const MAX_NAMED: usize = 50;

/// What a session requires of its agent.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct RoutingRequirements {
    pub capabilities: Vec<String>,
    pub skills: Vec<String>,
    pub preferred_agent_ids: Vec<AgentId>,
    pub preferred_agent_type: Option<AgentType>,
    pub minimum_tier: Option<Tier>,
}

/// The keys of requirements in a session's `agent_config`.
const CAPABILITIES: &str = "required_capabilities";
const SKILLS: &str = "skills";
const PREFERRED_IDS: &str = "preferred_agent_ids";
const PREFERRED: &str = "preferred_agent_type";
const MINIMUM_TIER: &str = "minimum_tier";

impl RoutingRequirements {
    /// The requirements in a session's configuration. Errors name fields below `agent_config`.
    pub fn of_config(config: &Map<String, Value>, refusals: &mut ValidationErrors) -> Self {
        let field = |name: &str| format!("agent_config.{name}");
        let mut texts = |name: &str| match config.get(name) {
            None => Vec::new(),
            Some(Value::Array(values)) if values.len() <= MAX_NAMED && values.iter().all(Value::is_string) => {
                values.iter().filter_map(Value::as_str).map(str::to_owned).collect()
            }
            Some(_) => {
                refusals.add(field(name), format!("must be a list of at most {MAX_NAMED} texts"));
                Vec::new()
            }
        };
        let input = RequirementsInput {
            required_capabilities: texts(CAPABILITIES),
            skills: texts(SKILLS),
            preferred_agent_ids: texts(PREFERRED_IDS),
            preferred_agent_type: config.get(PREFERRED).map(text_of),
            minimum_tier: config.get(MINIMUM_TIER).map(text_of),
        };
        input.parse(refusals, field)
    }

    /// Whether every agent meets them.
    pub fn is_empty(&self) -> bool {
        *self == Self::default()
    }
}

/// Adds a skill to the requirements in a session's configuration, which are valid.
pub fn add_required_skill(config: &mut Map<String, Value>, skill: &str) {
    let skills = config.entry(SKILLS).or_insert_with(|| Value::Array(Vec::new()));
    if let Value::Array(known) = skills
        && !known.iter().any(|one| one == skill)
    {
        known.push(skill.into());
    }
}

/// The text of a value; other types become an empty text, which is never valid.
fn text_of(value: &Value) -> String {
    value.as_str().unwrap_or_default().to_owned()
}

/// Requirements, as sent.
#[derive(Clone, Debug, Default)]
pub struct RequirementsInput {
    pub required_capabilities: Vec<String>,
    pub skills: Vec<String>,
    pub preferred_agent_ids: Vec<String>,
    pub preferred_agent_type: Option<String>,
    pub minimum_tier: Option<String>,
}

impl RequirementsInput {
    /// Parses them. `field` gives the field name for an error.
    pub fn parse(self, refusals: &mut ValidationErrors, field: impl Fn(&str) -> String) -> RoutingRequirements {
        for (name, count) in [
            (CAPABILITIES, self.required_capabilities.len()),
            (SKILLS, self.skills.len()),
            (PREFERRED_IDS, self.preferred_agent_ids.len()),
        ] {
            if count > MAX_NAMED {
                refusals.add(field(name), format!("names more than {MAX_NAMED}"));
            }
        }
        if self.required_capabilities.iter().any(|one| one.parse::<Capability>().is_err()) {
            refusals.add(field(CAPABILITIES), "names an unknown capability; see docs/agents.md");
        }
        if self.skills.iter().any(|one| !is_skill(one)) {
            refusals.add(field(SKILLS), "skills have 1 to 50 characters of a-z 0-9 _ -");
        }
        let ids: Result<Vec<AgentId>, _> = self.preferred_agent_ids.iter().map(|one| one.parse()).collect();
        if ids.is_err() {
            refusals.add(field(PREFERRED_IDS), "names an invalid agent id");
        }
        let preferred_agent_type = self.preferred_agent_type.as_deref().and_then(AgentType::parse);
        if self.preferred_agent_type.is_some() && preferred_agent_type.is_none() {
            refusals.add(field(PREFERRED), "is not an agent type");
        }
        let minimum_tier = self.minimum_tier.as_deref().and_then(Tier::parse);
        if self.minimum_tier.is_some() && minimum_tier.is_none() {
            refusals.add(field(MINIMUM_TIER), "is not a tier");
        }
        RoutingRequirements {
            capabilities: unique_words(self.required_capabilities),
            skills: unique_words(self.skills),
            preferred_agent_ids: ids.unwrap_or_default(),
            preferred_agent_type,
            minimum_tier,
        }
    }
}

fn unique_words(mut texts: Vec<String>) -> Vec<String> {
    texts.sort_unstable();
    texts.dedup();
    texts
}
