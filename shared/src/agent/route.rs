//! Which agent is the right one for a piece of work: who may get it, the score of each in parts, and why others fell out.
//! Pure; the formula is that of docs/agents.md.

use std::cmp::Ordering;

use serde::Serialize;
use serde_json::{Map, Value};
use utoipa::ToSchema;

use crate::{
    clock::Time,
    error::Refusals,
    id::{AgentId, TenantId},
};

use super::{
    Agent, AgentType, Breaker, Liveness, State, Status,
    capability::{Capability, is_skill},
    standing::Tier,
};

/// How much each part of a score counts.
pub const TIER: f64 = 0.4;
pub const MATCHED: f64 = 0.3;
pub const LOAD: f64 = 0.2;
pub const AVAILABLE: f64 = 0.1;
pub const PREFERRED_ID: f64 = 0.2;
pub const PREFERRED_TYPE: f64 = 0.3;

/// How many others an answer names beside the chosen agent.
pub const RUNNERS_UP: usize = 3;

/// How many capabilities, skills or agents a piece of work may name.
const MOST_NAMED: usize = 50;

/// What a piece of work asks of its agent.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Requirements {
    pub capabilities: Vec<String>,
    pub skills: Vec<String>,
    pub preferred_agent_ids: Vec<AgentId>,
    pub preferred_agent_type: Option<AgentType>,
    pub minimum_tier: Option<Tier>,
}

/// The words under which a session's `agent_config` says what it asks of its agent.
const CAPABILITIES: &str = "required_capabilities";
const SKILLS: &str = "skills";
const PREFERRED_IDS: &str = "preferred_agent_ids";
const PREFERRED: &str = "preferred_agent_type";
const MINIMUM_TIER: &str = "minimum_tier";

impl Requirements {
    /// What a session's configuration asks of its agent; refused by field below `agent_config`.
    pub fn of_config(config: &Map<String, Value>, refusals: &mut Refusals) -> Self {
        let field = |name: &str| format!("agent_config.{name}");
        let mut texts = |name: &str| match config.get(name) {
            None => Vec::new(),
            Some(Value::Array(values)) if values.len() <= MOST_NAMED && values.iter().all(Value::is_string) => {
                values.iter().filter_map(Value::as_str).map(str::to_owned).collect()
            }
            Some(_) => {
                refusals.add(field(name), format!("must be a list of at most {MOST_NAMED} texts"));
                Vec::new()
            }
        };
        let raw = Raw {
            required_capabilities: texts(CAPABILITIES),
            skills: texts(SKILLS),
            preferred_agent_ids: texts(PREFERRED_IDS),
            preferred_agent_type: config.get(PREFERRED).map(text_of),
            minimum_tier: config.get(MINIMUM_TIER).map(text_of),
        };
        raw.parse(refusals, field)
    }

    /// Whether any agent will do.
    pub fn is_empty(&self) -> bool {
        *self == Self::default()
    }
}

/// The text of a value, and of what is no text nothing that could be meant.
fn text_of(value: &Value) -> String {
    value.as_str().unwrap_or_default().to_owned()
}

/// Requirements as they are sent.
#[derive(Clone, Debug, Default)]
pub struct Raw {
    pub required_capabilities: Vec<String>,
    pub skills: Vec<String>,
    pub preferred_agent_ids: Vec<String>,
    pub preferred_agent_type: Option<String>,
    pub minimum_tier: Option<String>,
}

impl Raw {
    /// Parses them; `field` makes the name under which a refusal is told.
    pub fn parse(self, refusals: &mut Refusals, field: impl Fn(&str) -> String) -> Requirements {
        for (name, count) in [
            (CAPABILITIES, self.required_capabilities.len()),
            (SKILLS, self.skills.len()),
            (PREFERRED_IDS, self.preferred_agent_ids.len()),
        ] {
            if count > MOST_NAMED {
                refusals.add(field(name), format!("names more than {MOST_NAMED}"));
            }
        }
        if self.required_capabilities.iter().any(|one| one.parse::<Capability>().is_err()) {
            refusals.add(field(CAPABILITIES), "names what is no capability; see docs/agents.md");
        }
        if self.skills.iter().any(|one| !is_skill(one)) {
            refusals.add(field(SKILLS), "skills have 1 to 50 characters of a-z 0-9 _ -");
        }
        let ids: Result<Vec<AgentId>, _> = self.preferred_agent_ids.iter().map(|one| one.parse()).collect();
        if ids.is_err() {
            refusals.add(field(PREFERRED_IDS), "names what is no id of an agent");
        }
        let preferred_agent_type = self.preferred_agent_type.as_deref().and_then(AgentType::parse);
        if self.preferred_agent_type.is_some() && preferred_agent_type.is_none() {
            refusals.add(field(PREFERRED), "is no type of an agent");
        }
        let minimum_tier = self.minimum_tier.as_deref().and_then(Tier::parse);
        if self.minimum_tier.is_some() && minimum_tier.is_none() {
            refusals.add(field(MINIMUM_TIER), "is no tier");
        }
        Requirements {
            capabilities: unique(self.required_capabilities),
            skills: unique(self.skills),
            preferred_agent_ids: ids.unwrap_or_default(),
            preferred_agent_type,
            minimum_tier,
        }
    }
}

fn unique(mut texts: Vec<String>) -> Vec<String> {
    texts.sort_unstable();
    texts.dedup();
    texts
}

/// The score of an agent, in the parts that it is the sum of.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, ToSchema)]
pub struct Score {
    pub total: f64,
    pub tier: f64,
    pub matched: f64,
    pub load: f64,
    pub available: f64,
    pub preferred_id: f64,
    pub preferred_type: f64,
}

/// Why an agent may not get a piece of work.
#[derive(Clone, Debug, Eq, PartialEq, Serialize, ToSchema)]
#[serde(tag = "reason", rename_all = "snake_case")]
pub enum LeftOut {
    /// It gets only what names it.
    OnlyByName,
    Draining,
    Maintenance,
    Deregistered,
    Offline,
    /// It missed heartbeats, or says that it is not well.
    Degraded,
    /// It failed too often of late.
    BreakerOpen,
    /// It has as many sessions as it may.
    AtCapacity,
    MissingCapabilities {
        missing: Vec<String>,
    },
    MissingSkills {
        missing: Vec<String>,
    },
    BelowTier {
        tier: Tier,
    },
    /// The work was taken from it before.
    LostIt,
}

/// An agent that may get the work.
#[derive(Clone, Debug)]
pub struct Candidate<'a> {
    pub agent: &'a Agent,
    pub score: Score,
}

/// Who may get a piece of work, the best first, and why the others may not.
#[derive(Clone, Debug, Default)]
pub struct Ranking<'a> {
    pub candidates: Vec<Candidate<'a>>,
    pub left_out: Vec<(&'a Agent, LeftOut)>,
}

/// Ranks the agents that a tenant sees. `lost` is one that the work was taken from.
pub fn rank<'a>(agents: &'a [Agent], wanted: &Requirements, lost: Option<AgentId>, now: Time) -> Ranking<'a> {
    let mut ranking = Ranking::default();
    for agent in agents {
        match left_out(agent, wanted, lost, now) {
            Some(reason) => ranking.left_out.push((agent, reason)),
            None => ranking.candidates.push(Candidate { agent, score: score(agent, wanted) }),
        }
    }
    ranking.candidates.sort_by(better);
    ranking
}

/// Higher scores first; among equals fewer sessions, then who has been idle longest.
fn better(a: &Candidate<'_>, b: &Candidate<'_>) -> Ordering {
    let idle = |one: &Agent| (one.last_result_at, one.id);
    b.score
        .total
        .total_cmp(&a.score.total)
        .then(a.agent.running.cmp(&b.agent.running))
        .then_with(|| idle(a.agent).cmp(&idle(b.agent)))
}

/// The first reason why an agent may not get the work.
pub fn left_out(agent: &Agent, wanted: &Requirements, lost: Option<AgentId>, now: Time) -> Option<LeftOut> {
    let missing = |wanted: &[String], has: &[String]| -> Vec<String> {
        wanted.iter().filter(|one| !has.contains(one)).cloned().collect()
    };
    let capabilities = missing(&wanted.capabilities, &agent.capabilities);
    let skills = missing(&wanted.skills, &agent.skills);
    match agent.state {
        _ if !agent.routable => Some(LeftOut::OnlyByName),
        State::Draining => Some(LeftOut::Draining),
        State::Maintenance => Some(LeftOut::Maintenance),
        State::Deregistered => Some(LeftOut::Deregistered),
        State::Active if lost == Some(agent.id) => Some(LeftOut::LostIt),
        State::Active if agent.status() == Status::Offline => Some(LeftOut::Offline),
        State::Active if agent.status() == Status::Degraded => Some(LeftOut::Degraded),
        State::Active if !capabilities.is_empty() => Some(LeftOut::MissingCapabilities { missing: capabilities }),
        State::Active if !skills.is_empty() => Some(LeftOut::MissingSkills { missing: skills }),
        State::Active if wanted.minimum_tier.is_some_and(|least| agent.tier() < least) => {
            Some(LeftOut::BelowTier { tier: agent.tier() })
        }
        State::Active if agent.breaker(now) == Breaker::Open => Some(LeftOut::BreakerOpen),
        State::Active if !agent.has_room(now) => Some(LeftOut::AtCapacity),
        State::Active => None,
    }
}

/// What an agent that may get the work is worth for it.
pub fn score(agent: &Agent, wanted: &Requirements) -> Score {
    // Sums of tenths: what binary fractions add is no part of the formula.
    let exact = |value: f64| (value * 1e6).round() / 1e6;
    let flag = |yes: bool, worth: f64| if yes { worth } else { 0.0 };
    let parts = Score {
        total: 0.0,
        tier: exact(TIER * agent.tier().worth()),
        // Whoever lacks one is left out.
        matched: MATCHED,
        load: exact(LOAD * agent.load_level().worth()),
        available: flag(agent.status() == Status::Healthy && agent.liveness == Liveness::Alive, AVAILABLE),
        preferred_id: flag(wanted.preferred_agent_ids.contains(&agent.id), PREFERRED_ID),
        preferred_type: flag(wanted.preferred_agent_type == Some(agent.agent_type), PREFERRED_TYPE),
    };
    let total = parts.tier + parts.matched + parts.load + parts.available + parts.preferred_id + parts.preferred_type;
    Score { total: exact(total), ..parts }
}

/// Whose agent it is, as a tenant sees it.
#[derive(Clone, Copy, Debug, Eq, PartialEq, Serialize, ToSchema)]
#[serde(rename_all = "snake_case")]
pub enum Owner {
    Platform,
    Own,
    /// Of another tenant that shares it.
    Shared,
}

impl Agent {
    /// Whose it is, as this tenant sees it.
    pub fn owner(&self, seen_by: TenantId) -> Owner {
        match self.tenant_id {
            None => Owner::Platform,
            Some(tenant) if tenant == seen_by => Owner::Own,
            Some(_) => Owner::Shared,
        }
    }
}

#[cfg(test)]
#[path = "route_tests.rs"]
mod tests;
