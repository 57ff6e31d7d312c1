//! The sessions of an agent that was removed, or that a tenant may no longer use: running sessions fail over, and
//! queued sessions that wait for the agent fail or are routed elsewhere.

use crate::{
    agents::registry::{self, State},
    engine::{failover::fail_over, follow_up::change_session, services::Engine},
    kernel::{
        actor::Actor,
        error::{Code, Result},
        id::{AgentId, TenantId},
    },
    platform::queue::job::JobOutcome,
    sessions::{SessionKey, transitions::agent_removed},
};

/// How many queued sessions are resolved at once. The reconciler continues with the rest.
const MAX_SESSIONS: i32 = 1000;

/// The job `ReassignSessions`: an agent was removed, or is no longer offered to some tenant. The sessions that it runs
/// for a tenant that may no longer use it finish there.
pub async fn reassign_sessions(engine: &Engine, tenant_id: TenantId, agent: AgentId) -> Result<JobOutcome> {
    if is_removed(engine, tenant_id, agent).await? {
        fail_over(engine, agent).await?;
    }
    resolve_waiting_for_removed(engine).await?;
    Ok(JobOutcome::Complete)
}

/// Whether the agent was deregistered. An agent that the tenant does not see is another tenant's, and was not removed.
async fn is_removed(engine: &Engine, tenant_id: TenantId, agent: AgentId) -> Result<bool> {
    match registry::store::find_agent(&engine.db, tenant_id, agent).await {
        Ok(agent) => Ok(agent.state == State::Deregistered),
        Err(error) if error.code() == Code::AgentNotFound => Ok(false),
        Err(error) => Err(error),
    }
}

/// Fails the queued sessions that name an agent which their tenant may no longer use. Sessions that wait for such an
/// agent and name none become routable.
pub async fn resolve_waiting_for_removed(engine: &Engine) -> Result<()> {
    for (tenant_id, id, agent) in registry::store::sessions_waiting_for_removed(&engine.db, MAX_SESSIONS).await? {
        let key = SessionKey::new(tenant_id, id);
        let decide = |change: &mut _| agent_removed::fail_or_reroute(change, agent);
        match change_session(engine, key, Actor::system_part("agents").into(), decide).await {
            Err(error) if error.code() != Code::SessionNotFound => {
                tracing::warn!(?error, session.id = %id, "a session waits for a removed agent; the reconciler will retry");
            }
            _ => {}
        }
    }
    Ok(())
}
