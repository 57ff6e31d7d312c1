//! Routing: a session that names no agent goes to the best suitable agent that has capacity.

use crate::{
    agents::registry,
    engine::{
        admission::{QUEUE_BATCH, admit_in_order},
        services::Engine,
    },
    kernel::{error::Result, id::AgentId},
    sessions::{
        Session, SessionKey,
        routing::rank_agents,
        store::{self, FoundSession},
    },
};

/// How many agents are tried for a session at one time. Agents of a lower rank suit it less than a short wait.
const MAX_CANDIDATES: usize = 4;

/// Tries the suitable agents for a queued session, the best first, except `tried`. Returns whether the session was
/// admitted and is left to the caller to hand over.
pub(crate) async fn admit_on_suitable_agent(engine: &Engine, key: SessionKey, tried: Option<AgentId>) -> Result<bool> {
    let FoundSession { session, .. } = store::find_session(&engine.db, key, engine.clock.now()).await?;
    let agents = registry::store::list_visible(&engine.db, key.tenant_id, Some(&session.created_by)).await?;
    let ranking = rank_agents(engine, &agents, &session);
    let untried = ranking.candidates.iter().filter(|one| Some(one.agent.id) != tried);
    for candidate in untried.take(MAX_CANDIDATES) {
        let agent = candidate.agent.id;
        let Some(permit) = engine.admission_gate.try_enter(agent) else { continue };
        let queue = store::next_in_queue(&engine.db, agent, engine.clock.now(), QUEUE_BATCH).await?;
        if admit_in_order(engine, &permit, agent, queue, Some(key.id)).await? {
            return Ok(true);
        }
    }
    Ok(false)
}

/// Whether another agent than the session's own suits it and has capacity for it.
pub(crate) async fn has_other_agent(engine: &Engine, session: &Session) -> Result<bool> {
    let agents = registry::store::list_visible(&engine.db, session.tenant_id, Some(&session.created_by)).await?;
    let mut without_own = session.clone();
    without_own.run.lost_agent_id = session.run.agent_id;
    Ok(!rank_agents(engine, &agents, &without_own).candidates.is_empty())
}
