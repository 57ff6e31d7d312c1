//! Why queued sessions wait for an agent, for those who read them.

use crate::{
    agents::{
        registry::{self, Agent, exclusion::hold_reason},
        services::AgentServices,
    },
    kernel::{actor::Actor, error::Result, id::TenantId},
    sessions::{Session, WaitReason, WaitingFor, routing::rank_agents, services::SessionServices, store::FoundSession},
};

/// The most agents that the reason of a waiting session names.
const MAX_NAMED: usize = 3;

/// Adds to each session that waits for an agent the reason why, by the rules that dispatch decides by.
pub(super) async fn explain_waits(
    services: &SessionServices,
    tenant: TenantId,
    found: &mut [FoundSession],
) -> Result<()> {
    let waits = |one: &FoundSession| {
        one.queue.as_ref().is_some_and(|queue| queue.waiting_for == WaitingFor::Agent) && !one.session.is_offered()
    };
    if !found.iter().any(waits) {
        return Ok(());
    }
    let mut known: Option<(Actor, Vec<Agent>)> = None;
    for one in found.iter_mut().filter(|one| waits(one)) {
        let creator = &one.session.created_by;
        let agents = match known.take() {
            Some((actor, agents)) if actor == *creator => agents,
            _ => registry::store::list_visible(&services.db, tenant, Some(creator)).await?,
        };
        let reason = wait_reason(services, &agents, &one.session);
        if let Some((queue, reason)) = one.queue.as_mut().zip(reason) {
            (queue.detail, queue.until) = (reason.detail, reason.until);
        }
        known = Some((creator.clone(), agents));
    }
    Ok(())
}

fn wait_reason(services: &AgentServices, agents: &[Agent], session: &Session) -> Option<WaitReason> {
    let now = services.clock.now();
    if !session.is_routed() {
        let agent = agents.iter().find(|one| Some(one.id) == session.run.agent_id)?;
        let reason = hold_reason(agent, now)?;
        return Some(WaitReason { detail: reason.describe(agent), until: reason.until() });
    }
    let ranking = rank_agents(services, agents, session);
    // An agent that suits takes it as soon as the job runs.
    if !ranking.candidates.is_empty() {
        return None;
    }
    let explaining = ranking.left_out.iter().filter_map(|(agent, why)| Some((why.wait_rank()?, *agent, why)));
    let mut held: Vec<_> = explaining.collect();
    if held.is_empty() {
        let detail = "no agent that takes sessions which name none has what the session requires".to_owned();
        return Some(WaitReason { detail, until: None });
    }
    held.sort_by_key(|(rank, ..)| *rank);
    let until = held.iter().filter_map(|(.., why)| why.until()).min();
    let details: Vec<_> = held.iter().take(MAX_NAMED).map(|(_, agent, why)| why.describe(agent)).collect();
    Some(WaitReason { detail: details.join("; "), until })
}
