//! Liveness of agents, from their heartbeats. The reconciler checks all agents in one statement.

use std::time::Duration;

use chrono::TimeDelta;

use crate::{
    agents::eap::server::{OFFLINE_AFTER, SUSPECT_AFTER, store},
    agents::services::AgentServices,
    kernel::{
        error::Result,
        id::{AgentId, SessionId, TenantId},
    },
    platform::queue::job::Job,
};

/// Marks agents that were silent for too long, and revokes the tasks of those that are offline.
pub async fn mark_silent_agents(services: &AgentServices) -> Result<()> {
    let now = services.clock.now();
    let ago = |intervals: u32| now - TimeDelta::from_std(services.heartbeat_interval * intervals).unwrap_or_default();
    for (agent, liveness) in
        store::mark_silent_agents(&services.db, ago(SUSPECT_AFTER), ago(OFFLINE_AFTER), now).await?
    {
        tracing::warn!(agent.id = %agent, liveness, "an agent is silent");
    }
    // Includes agents that an earlier run marked without revoking their tasks.
    for agent in store::lost_agents(&services.db).await? {
        if let Err(error) = revoke_work(services, agent).await {
            tracing::warn!(?error, agent.id = %agent, "the tasks of a lost agent were not revoked; the reconciler will retry");
        }
    }
    Ok(())
}

/// Revokes the tasks of an agent that is still offline: its later reports on them are rejected, and the sessions are
/// observed soon.
pub async fn revoke_work(services: &AgentServices, agent: AgentId) -> Result<()> {
    let now = services.clock.now();
    let mut revoked: Vec<(TenantId, SessionId)> = store::revoke_agent_tasks(&services.db, agent, now).await?;
    revoked.sort_unstable();
    for tenant_sessions in revoked.chunk_by(|one, other| one.0 == other.0) {
        let sessions: Vec<_> = tenant_sessions.iter().map(|(_, session)| *session).collect();
        store::make_sessions_due(&services.db, tenant_sessions[0].0, &sessions, now).await?;
    }
    let jobs: Vec<_> =
        revoked.iter().map(|(tenant, session)| (Job::observe(*tenant, *session), Duration::ZERO)).collect();
    services.enqueue(&jobs).await;
    Ok(())
}
