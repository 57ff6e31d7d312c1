//! Whether agents are alive, as their heartbeats tell: looked at by the sweep, all of them in one statement.

use std::time::Duration;

use chrono::TimeDelta;

use crate::{
    app::App,
    error::Result,
    external::{OFFLINE_AFTER, SUSPECT_AFTER, store},
    id::{AgentId, SessionId, TenantId},
    job::Job,
};

/// Marks agents that were silent for too long, and takes the work from those that are offline.
pub async fn sweep(app: &App) -> Result<()> {
    let now = app.clock.now();
    let ago = |beats: u32| now - TimeDelta::from_std(app.settings.beat * beats).unwrap_or_default();
    for (agent, liveness) in store::silent(&app.db, ago(SUSPECT_AFTER), ago(OFFLINE_AFTER), now).await? {
        tracing::warn!(agent.id = %agent, liveness, "an agent is silent");
    }
    // Also those that an earlier sweep marked and did not get further with.
    for agent in store::lost_agents(&app.db).await? {
        if let Err(error) = lost(app, agent).await {
            tracing::warn!(?error, agent.id = %agent, "a lost agent still has its work; the next sweep tries again");
        }
    }
    Ok(())
}

/// Takes the work of an agent that is offline still: its tasks are lost, what it writes of them is refused from now on, and
/// their sessions are looked at.
pub async fn lost(app: &App, agent: AgentId) -> Result<()> {
    let now = app.clock.now();
    let mut taken: Vec<(TenantId, SessionId)> = store::take_away(&app.db, agent, now).await?;
    taken.sort_unstable();
    for of_tenant in taken.chunk_by(|one, other| one.0 == other.0) {
        let sessions: Vec<_> = of_tenant.iter().map(|(_, session)| *session).collect();
        store::make_due(&app.db, of_tenant[0].0, &sessions, now).await?;
    }
    let bells: Vec<_> =
        taken.iter().map(|(tenant, session)| (Job::observe(*tenant, *session), Duration::ZERO)).collect();
    app.ring(&bells).await;
    Ok(())
}
