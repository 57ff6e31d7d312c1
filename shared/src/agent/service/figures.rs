//! How agents do: all that a tenant sees in counts, and one by what came of its work.

use std::collections::BTreeMap;

use crate::{
    agent::{
        Kind, Status,
        standing::{LoadLevel, Tier},
        store::{self, After, InFigures, Outcome},
    },
    app::App,
    auth::Caller,
    clock::Time,
    error::Result,
    id::AgentId,
};

/// The agents that a tenant sees, in counts. Every word of each list is there, also with none.
#[derive(Clone, Debug)]
pub struct Counts {
    pub total: i64,
    pub by_status: BTreeMap<&'static str, i64>,
    pub by_tier: BTreeMap<&'static str, i64>,
    pub by_load_level: BTreeMap<&'static str, i64>,
    pub by_kind: BTreeMap<&'static str, i64>,
    /// Sessions at once that those agents may have which have a limit.
    pub capacity: i64,
    pub tasks_in_progress: i64,
    /// Those that get new work now.
    pub available: i64,
}

/// Counts the agents that the caller's tenant sees.
pub async fn counts(app: &App, caller: &Caller) -> Result<Counts> {
    let agents = store::visible(&app.db, caller.tenant_id).await?;
    let now = app.clock.now();
    let mut counts = Counts {
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

/// What came of an agent's work.
#[derive(Clone, Debug)]
pub struct Performance {
    /// Of all results, then of each capability; none when there are no results.
    pub figures: Vec<InFigures>,
    pub outcomes: Vec<Outcome>,
}

/// What came of the work of an agent that the caller's tenant sees: all of it when it is its own, else of the tenant's own
/// sessions.
pub async fn performance(
    app: &App,
    caller: &Caller,
    id: AgentId,
    since: Option<Time>,
    after: Option<After>,
    most: i64,
) -> Result<Performance> {
    super::get(app, caller, id).await?;
    let figures = store::in_figures(&app.db, caller.tenant_id, id, since).await?;
    let outcomes = store::outcomes(&app.db, caller.tenant_id, id, since, after, most).await?;
    Ok(Performance { figures, outcomes })
}
