//! When an agent is lost with the work that it has: each of its sessions goes on elsewhere once, from its last checkpoint, or
//! fails for the moment.

use std::time::Duration;

use chrono::TimeDelta;

use crate::{
    agent,
    app::App,
    auth::Actor,
    error::{Code, Result},
    id::{AgentId, SessionId, TenantId},
    observe::Run,
    session::{
        Session,
        change::Change,
        outcome::{AGENT_LOST, Failure},
        progress, service,
        store::{self, Towards},
    },
    step,
};

use super::{routing::rank, turns};

/// How long the lost agent is waited for to let go, in case it still hears.
const LETTING_GO: Duration = Duration::from_secs(2);

/// Moves all sessions of a lost agent. What fails is told to the log and found again by the next sweep.
pub async fn failover(app: &App, lost: AgentId) -> Result<()> {
    let rows = app.db.directory("select tenant_id, session_id from sessions_at_agent($1)", &[&lost]).await?;
    for row in rows {
        let (tenant_id, id): (TenantId, SessionId) = (row.try_get("tenant_id")?, row.try_get("session_id")?);
        if let Err(error) = Box::pin(move_elsewhere(app, tenant_id, id, lost)).await {
            tracing::warn!(?error, session.id = %id, "a session of a lost agent could not be moved; it is tried again");
        }
    }
    Ok(())
}

/// Moves one session away from the agent that lost it.
pub(crate) async fn move_elsewhere(app: &App, tenant_id: TenantId, id: SessionId, lost: AgentId) -> Result<()> {
    let session = match store::find(&app.db, tenant_id, id, app.clock.now()).await {
        Ok(found) => found.session,
        Err(error) if error.code() == Code::SessionNotFound => return Ok(()),
        Err(error) => return Err(error),
    };
    if !is_at(&session, lost) {
        return Ok(());
    }
    if may_move(&session) {
        let agents = agent::store::visible(&app.db, tenant_id).await?;
        let session = Session { lost_agent_id: Some(lost), ..session.clone() };
        for candidate in rank(app, &agents, &session).candidates {
            if let Some(moved) = give_to(app, &session, lost, candidate.agent.id).await? {
                if moved {
                    let_go(app, &session, lost).await;
                }
                return Ok(());
            }
        }
    }
    fail(app, tenant_id, id, lost).await?;
    let_go(app, &session, lost).await;
    Ok(())
}

/// Whether a session may go on elsewhere when its agent is lost: it names none, and has not been moved before.
pub(crate) fn may_move(session: &Session) -> bool {
    session.is_routed() && session.lost_agent_id.is_none()
}

fn is_at(session: &Session, agent: AgentId) -> bool {
    session.status.holds_slot() && session.agent_id == Some(agent)
}

/// Gives a session to another agent: `None` when that one has no room, false when the session is not to be moved any more.
async fn give_to(app: &App, seen: &Session, lost: AgentId, agent: AgentId) -> Result<Option<bool>> {
    let mut tx = app.db.tenant(seen.tenant_id).await?;
    tx.lock(&turns(agent));
    let now = app.clock.now();
    let (session, room) = store::lock_with_room(&mut tx, (seen.tenant_id, seen.id), Towards::Agent(agent), now).await?;
    if !is_at(&session, lost) || !may_move(&session) {
        return Ok(Some(false));
    }
    if room.agent_id != Some(agent) || room.agent_full {
        return Ok(None);
    }
    let mut change = Change::new(session, Actor::system("dispatcher"), now);
    progress::move_to(&mut change, agent)?;
    service::save(app, tx, &mut change).await?;
    Ok(Some(true))
}

async fn fail(app: &App, tenant_id: TenantId, id: SessionId, lost: AgentId) -> Result<()> {
    service::change(app, tenant_id, id, Actor::system("dispatcher").into(), |change| {
        if !is_at(&change.session, lost) {
            return Ok(());
        }
        let why = "The agent was lost, and no other could take the session over.";
        progress::fail(change, Failure::transient(AGENT_LOST, why), None)?;
        progress::not_at_rest(change, TimeDelta::zero());
        Ok(())
    })
    .await
    .map(|_| ())
}

/// Tells the lost agent to let go of the run, in case it still hears: what it writes is refused in any case.
async fn let_go(app: &App, session: &Session, lost: AgentId) {
    let Some(state) = session.run_state.clone() else { return };
    let told = async {
        let agent = agent::store::contact(&app.db, session.tenant_id, lost).await?;
        let runtime = app.agents.runtime(&agent)?;
        let assignment = step::assignment_for(app, agent, &Session { handover: None, ..session.clone() }).await?;
        let run = Run { runtime, assignment, state };
        if let Err(failure) = run.runtime.abort(&run.assignment, &run.state).await {
            tracing::info!(session.id = %session.id, failure.message, "a lost agent could not be told to let go");
        }
        Ok::<_, crate::error::Error>(())
    };
    if let Ok(Err(error)) = tokio::time::timeout(LETTING_GO, Box::pin(told)).await {
        tracing::info!(?error, session.id = %session.id, "a lost agent was not told to let go");
    }
}
