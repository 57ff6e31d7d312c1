//! Statistics of agents: counts over all visible agents, and the performance of one.

use std::collections::BTreeMap;

use crate::{
    agents::registry::{
        Kind, Status,
        performance::{LoadLevel, Tier},
        store::{self, OutcomeCursor, RunOutcome, StatsByCapability},
    },
    agents::services::AgentServices,
    identity::auth::Caller,
    kernel::{clock::Time, error::Result, id::AgentId},
};

/// Counts of the agents that a tenant sees. Every value of each enumeration is present, also with a count of 0.
#[derive(Clone, Debug)]
pub struct AgentCounts {
    pub total: i64,
    pub by_status: BTreeMap<&'static str, i64>,
    pub by_tier: BTreeMap<&'static str, i64>,
    pub by_load_level: BTreeMap<&'static str, i64>,
    pub by_kind: BTreeMap<&'static str, i64>,
    /// The sum of the capacities of agents with a limit.
    pub capacity: i64,
    pub tasks_in_progress: i64,
    /// Agents that get new work now.
    pub available: i64,
}

/// Counts the agents that the caller's tenant sees.
pub async fn count_agents(services: &AgentServices, caller: &Caller) -> Result<AgentCounts> {
    let agents = store::list_visible(&services.db, caller.tenant_id, None).await?;
    let now = services.clock.now();
    let mut counts = AgentCounts {
        total: 0,
        by_status: Status::ALL.iter().map(|one| (one.name(), 0)).collect(),
        by_tier: Tier::ALL.iter().map(|one| (one.name(), 0)).collect(),
        by_load_level: LoadLevel::ALL.iter().map(|one| (one.name(), 0)).collect(),
        by_kind: Kind::ALL.iter().map(|one| (one.name(), 0)).collect(),
        capacity: 0,
        tasks_in_progress: 0,
        available: 0,
    };
    for agent in &agents {
        counts.total += 1;
        for (by, word) in [
            (&mut counts.by_status, agent.status().name()),
            (&mut counts.by_tier, agent.tier().name()),
            (&mut counts.by_load_level, agent.load_level().name()),
            (&mut counts.by_kind, agent.kind.name()),
        ] {
            *by.entry(word).or_default() += 1;
        }
        counts.capacity += agent.capacity.map_or(0, i64::from);
        counts.tasks_in_progress += agent.running;
        counts.available += i64::from(agent.availability(now) == super::super::Availability::Available);
    }
    Ok(counts)
}

/// The performance of an agent.
#[derive(Clone, Debug)]
pub struct AgentPerformance {
    /// Over all results, then per capability; empty when there are no results.
    pub figures: Vec<StatsByCapability>,
    pub outcomes: Vec<RunOutcome>,
}

/// The performance of an agent that the caller's tenant sees: over all results if the tenant owns it, else over the
/// tenant's own sessions.
pub async fn agent_performance(
    services: &AgentServices,
    caller: &Caller,
    id: AgentId,
    since: Option<Time>,
    after: Option<OutcomeCursor>,
    limit: i64,
) -> Result<AgentPerformance> {
    super::get(services, caller, id).await?;
    let figures = store::stats_by_capability(&services.db, caller.tenant_id, id, since).await?;
    let outcomes = store::list_outcomes(&services.db, caller.tenant_id, id, since, after, limit).await?;
    Ok(AgentPerformance { figures, outcomes })
}
