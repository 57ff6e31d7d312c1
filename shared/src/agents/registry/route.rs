//! Routing: which agents may run a session, and their scores. Pure; docs/agents.md specifies the formula.

use std::cmp::Ordering;

use serde::Serialize;
use utoipa::ToSchema;

use crate::kernel::{
    clock::Time,
    id::{AgentId, TenantId},
};

use super::{
    Agent, Liveness, Status,
    exclusion::{ExclusionReason, exclusion_reason},
    performance::confidence_interval,
    requirements::RoutingRequirements,
};

/// The weight of each part of the score.
pub const SUCCESS: f64 = 0.4;
pub const MATCHED: f64 = 0.3;
pub const LOAD: f64 = 0.2;
pub const AVAILABLE: f64 = 0.1;
pub const PREFERRED_ID: f64 = 0.2;
pub const PREFERRED_TYPE: f64 = 0.3;

/// How many other candidates an answer names beside the chosen agent.
pub const MAX_RUNNERS_UP: usize = 3;

/// The score of a candidate, in its parts.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, ToSchema)]
pub struct Score {
    /// The sum of the parts.
    pub total: f64,
    /// The part of the success rate: of the lower end of its confidence interval, 0 without results.
    pub success: f64,
    /// The part of the matched capabilities.
    pub matched: f64,
    /// The part of the load.
    pub load: f64,
    /// The part of the availability.
    pub available: f64,
    /// The part of a preferred agent.
    pub preferred_id: f64,
    /// The part of a preferred type, off probation.
    pub preferred_type: f64,
}

/// A candidate for the session.
#[derive(Clone, Debug)]
pub struct RoutingCandidate<'a> {
    pub agent: &'a Agent,
    pub score: Score,
}

/// The candidates, the best first, and the excluded agents with reasons.
#[derive(Clone, Debug, Default)]
pub struct Ranking<'a> {
    pub candidates: Vec<RoutingCandidate<'a>>,
    pub left_out: Vec<(&'a Agent, ExclusionReason)>,
}

/// Ranks the agents that a tenant sees. `lost` is the agent that the session failed over from.
pub fn rank_agents<'a>(
    agents: &'a [Agent],
    wanted: &RoutingRequirements,
    lost: Option<AgentId>,
    now: Time,
) -> Ranking<'a> {
    let mut ranking = Ranking::default();
    for agent in agents {
        match exclusion_reason(agent, wanted, lost, now) {
            Some(reason) => ranking.left_out.push((agent, reason)),
            None => ranking.candidates.push(RoutingCandidate { agent, score: score_agent(agent, wanted) }),
        }
    }
    ranking.candidates.sort_by(compare_candidates);
    ranking
}

/// Agents off probation first, then higher scores; among equal scores fewer sessions, then the longest idle time.
fn compare_candidates(a: &RoutingCandidate<'_>, b: &RoutingCandidate<'_>) -> Ordering {
    let idle = |one: &Agent| (one.last_result_at, one.id);
    let by_proof = a.agent.is_on_probation().cmp(&b.agent.is_on_probation());
    by_proof
        .then(b.score.total.total_cmp(&a.score.total))
        .then(a.agent.running.cmp(&b.agent.running))
        .then_with(|| idle(a.agent).cmp(&idle(b.agent)))
}

/// The score of a candidate.
pub fn score_agent(agent: &Agent, wanted: &RoutingRequirements) -> Score {
    // Rounds, because the formula adds decimal fractions.
    let exact = |value: f64| (value * 1e6).round() / 1e6;
    let flag = |yes: bool, worth: f64| if yes { worth } else { 0.0 };
    let certain = confidence_interval(agent.figures.succeeded, agent.figures.finished).map_or(0.0, |(low, _)| low);
    let has_preferred_type = wanted.preferred_agent_type == Some(agent.agent_type);
    let parts = Score {
        total: 0.0,
        success: exact(SUCCESS * certain),
        // Agents that lack one are excluded.
        matched: MATCHED,
        load: exact(LOAD * agent.load_level().score_share()),
        available: flag(agent.status() == Status::Healthy && agent.liveness == Liveness::Alive, AVAILABLE),
        preferred_id: flag(wanted.preferred_agent_ids.contains(&agent.id), PREFERRED_ID),
        preferred_type: flag(has_preferred_type && !agent.is_on_probation(), PREFERRED_TYPE),
    };
    let total =
        parts.success + parts.matched + parts.load + parts.available + parts.preferred_id + parts.preferred_type;
    Score { total: exact(total), ..parts }
}

/// The relation of an agent to a tenant.
#[derive(Clone, Copy, Debug, Eq, PartialEq, Serialize, ToSchema)]
#[serde(rename_all = "snake_case")]
pub enum Owner {
    Platform,
    Own,
    /// Another tenant, which shares it.
    Shared,
}

impl Agent {
    /// The owner, as this tenant sees it.
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
