//! Why an agent gets no session: by its owner's decision, its health, its breakers, its trust, and what the session
//! requires. Pure.

use serde::Serialize;
use utoipa::ToSchema;

use crate::kernel::{clock::Time, id::AgentId};

use super::{
    Agent, Breaker, State, Status,
    breaker::{BreakerCause, describe_breaker},
    performance::Tier,
    requirements::RoutingRequirements,
    trust::PROOF_SUCCESSES,
};

/// Why an agent is not a candidate.
#[derive(Clone, Debug, PartialEq, Serialize, ToSchema)]
#[serde(tag = "reason", rename_all = "snake_case")]
#[schema(as = LeftOut)]
pub enum ExclusionReason {
    /// It gets only sessions that name it.
    OnlyByName,
    Draining,
    Maintenance,
    Deregistered,
    Offline,
    /// It missed heartbeats, or reports that it is degraded.
    Degraded,
    /// Its circuit breaker is open.
    BreakerOpen {
        /// Why the circuit breaker opened.
        cause: BreakerCause,
        /// The failures that opened it.
        failures: i64,
        /// When the agent is tried next.
        #[serde(skip_serializing_if = "Option::is_none")]
        #[schema(value_type = Option<String>, format = DateTime)]
        until: Option<Time>,
    },
    /// It did not claim what it was offered, and gets no further offers until it claims again.
    IgnoresOffers,
    /// It has no free capacity.
    AtCapacity,
    MissingCapabilities {
        /// The capabilities that the agent lacks.
        missing: Vec<String>,
    },
    MissingSkills {
        /// The skills that the agent lacks.
        missing: Vec<String>,
    },
    BelowTier {
        /// The tier of the agent.
        tier: Tier,
    },
    /// The session failed over from it.
    LostIt,
    /// It takes only the sessions of whoever registered it, until a lead trusts it.
    Restricted,
    /// The tenant requires a conformance run that is not recorded for it.
    LacksConformance,
    /// It is on probation, and works on the one session that names no agent which it may have.
    OnProbation {
        /// Its successes so far; three end the probation.
        successes: f64,
    },
}

impl ExclusionReason {
    /// How much the reason explains that a session waits, the most first; `None` if the agent does not suit the
    /// session.
    pub const fn wait_rank(&self) -> Option<u8> {
        match self {
            Self::BreakerOpen { .. } => Some(0),
            Self::AtCapacity | Self::IgnoresOffers | Self::OnProbation { .. } => Some(1),
            Self::Restricted | Self::LacksConformance => Some(2),
            Self::Offline | Self::Degraded | Self::Maintenance | Self::Draining => Some(3),
            Self::OnlyByName
            | Self::Deregistered
            | Self::MissingCapabilities { .. }
            | Self::MissingSkills { .. }
            | Self::BelowTier { .. }
            | Self::LostIt => None,
        }
    }

    /// When the agent is tried next, if that is known.
    pub fn until(&self) -> Option<Time> {
        match self {
            Self::BreakerOpen { until, .. } => *until,
            _ => None,
        }
    }

    /// The reason in words, for people who wait for the agent.
    pub fn describe(&self, agent: &Agent) -> String {
        let name = &agent.name;
        match self {
            Self::BreakerOpen { cause, failures, until } => describe_breaker(name, *cause, *failures, *until),
            Self::IgnoresOffers => {
                format!("{name}: did not claim what it was offered, and gets no further offers until it claims")
            }
            Self::OnlyByName => format!("{name}: gets only sessions that name it"),
            Self::Draining => format!("{name}: drains and takes no more sessions"),
            Self::Maintenance => format!("{name}: in maintenance"),
            Self::Deregistered => format!("{name}: deregistered"),
            Self::Offline => format!("{name}: offline"),
            Self::Degraded => format!("{name}: degraded"),
            Self::AtCapacity => match agent.capacity {
                Some(capacity) => format!("{name}: works on {} of {capacity} sessions", agent.running),
                None => format!("{name}: has no free place"),
            },
            Self::MissingCapabilities { missing } => format!("{name}: lacks {}", missing.join(", ")),
            Self::MissingSkills { missing } => format!("{name}: lacks the skills {}", missing.join(", ")),
            Self::BelowTier { tier } => format!("{name}: has the tier {}", tier.name()),
            Self::LostIt => format!("{name}: lost the session before"),
            Self::Restricted => {
                format!("{name}: takes only the sessions of whoever registered it, until a lead trusts it")
            }
            Self::LacksConformance => format!("{name}: has no recorded conformance run, which the tenant requires"),
            Self::OnProbation { successes } => {
                format!("{name}: on probation ({successes} of {PROOF_SUCCESSES} successes), works on one such session")
            }
        }
    }
}

/// The first reason that excludes an agent from sessions that name none, if any.
pub fn exclusion_reason(
    agent: &Agent,
    wanted: &RoutingRequirements,
    lost: Option<AgentId>,
    now: Time,
) -> Option<ExclusionReason> {
    let lost_it = || (lost == Some(agent.id)).then_some(ExclusionReason::LostIt);
    let only_by_name = (!agent.routable).then_some(ExclusionReason::OnlyByName);
    only_by_name
        .or_else(|| state_reason(agent.state))
        .or_else(lost_it)
        .or_else(|| (!agent.trust.serves).then_some(ExclusionReason::Restricted))
        .or_else(|| agent.trust.lacks_conformance.then_some(ExclusionReason::LacksConformance))
        .or_else(|| health_reason(agent, now))
        .or_else(|| unfitness_reason(agent, wanted))
        .or_else(|| capacity_reason(agent, now))
        .or_else(|| probation_reason(agent))
}

/// The first reason why an agent takes no further session now, also none that names it.
pub fn hold_reason(agent: &Agent, now: Time) -> Option<ExclusionReason> {
    state_reason(agent.state)
        .or_else(|| (!agent.trust.serves).then_some(ExclusionReason::Restricted))
        .or_else(|| health_reason(agent, now))
        .or_else(|| capacity_reason(agent, now))
}

fn probation_reason(agent: &Agent) -> Option<ExclusionReason> {
    let successes = agent.figures.succeeded;
    (!agent.may_take_unnamed()).then_some(ExclusionReason::OnProbation { successes })
}

fn state_reason(state: State) -> Option<ExclusionReason> {
    match state {
        State::Active => None,
        State::Draining => Some(ExclusionReason::Draining),
        State::Maintenance => Some(ExclusionReason::Maintenance),
        State::Deregistered => Some(ExclusionReason::Deregistered),
    }
}

fn health_reason(agent: &Agent, now: Time) -> Option<ExclusionReason> {
    match agent.status() {
        Status::Offline if agent.breakers.server_down_since.is_some() => breaker_reason(agent, now),
        Status::Offline => Some(ExclusionReason::Offline),
        Status::Degraded => Some(ExclusionReason::Degraded),
        Status::Healthy | Status::Busy => None,
    }
}

fn unfitness_reason(agent: &Agent, wanted: &RoutingRequirements) -> Option<ExclusionReason> {
    let missing = |wanted: &[String], has: &[String]| -> Vec<String> {
        wanted.iter().filter(|one| !has.contains(one)).cloned().collect()
    };
    let capabilities = missing(&wanted.capabilities, &agent.capabilities);
    let skills = missing(&wanted.skills, &agent.skills);
    if !capabilities.is_empty() {
        Some(ExclusionReason::MissingCapabilities { missing: capabilities })
    } else if !skills.is_empty() {
        Some(ExclusionReason::MissingSkills { missing: skills })
    } else {
        let is_below = wanted.minimum_tier.is_some_and(|least| agent.tier() < least);
        is_below.then(|| ExclusionReason::BelowTier { tier: agent.tier() })
    }
}

fn capacity_reason(agent: &Agent, now: Time) -> Option<ExclusionReason> {
    let ignores_offers = agent.offers_ignored_since.map(|_| ExclusionReason::IgnoresOffers);
    breaker_reason(agent, now)
        .or(ignores_offers)
        .or_else(|| (!agent.has_capacity(now)).then_some(ExclusionReason::AtCapacity))
}

fn breaker_reason(agent: &Agent, now: Time) -> Option<ExclusionReason> {
    let breaker = agent.breakers.status(now);
    let cause = breaker.cause.filter(|_| breaker.state == Breaker::Open)?;
    Some(ExclusionReason::BreakerOpen { cause, failures: breaker.failures, until: breaker.until })
}
