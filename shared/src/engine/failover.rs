//! Failover: when an agent is lost, each of its sessions continues elsewhere once, from its last checkpoint, or fails
//! with a transient error.

use std::time::Duration;

use chrono::TimeDelta;

use crate::{
    agents::registry,
    engine::{agent_call::AgentCall, follow_up, services::Engine},
    kernel::{
        actor::Actor,
        error::{Code, Error, Result},
        failure::{AGENT_LOST, Failure},
        id::AgentId,
    },
    platform::postgres::lock_names,
    sessions::{
        Session, SessionKey,
        change::SessionChange,
        routing::rank_agents,
        store::{self, AgentSelector},
        transitions::{offer, run},
    },
};

/// How long a lost agent may take to abort its run, in case it still answers.
const ABORT_TIMEOUT: Duration = Duration::from_secs(2);

/// Moves all sessions of a lost agent. A session that cannot be moved is logged, and retried by the reconciler.
pub async fn fail_over(engine: &Engine, lost: AgentId) -> Result<()> {
    let rows =
        engine.db.query_directory("select tenant_id, session_id from running_sessions_of_agent($1)", &[&lost]).await?;
    for row in rows {
        let key = SessionKey::new(row.try_get("tenant_id")?, row.try_get("session_id")?);
        if let Err(error) = Box::pin(move_to_another_agent(engine, key, lost)).await {
            tracing::warn!(?error, session.id = %key.id, "a session of a lost agent could not be moved; it is retried");
        }
    }
    Ok(())
}

/// Moves one session away from the agent that lost it.
pub(crate) async fn move_to_another_agent(engine: &Engine, key: SessionKey, lost: AgentId) -> Result<()> {
    let session = match store::find_session(&engine.db, key, engine.clock.now()).await {
        Ok(found) => found.session,
        Err(error) if error.code() == Code::SessionNotFound => return Ok(()),
        Err(error) => return Err(error),
    };
    if session.is_offered() {
        return withdraw_offer(engine, key, lost).await;
    }
    if !is_running_on(&session, lost) {
        return Ok(());
    }
    if session.can_fail_over() {
        let agents = registry::store::list_visible(&engine.db, key.tenant_id, Some(&session.created_by)).await?;
        let mut without_lost = session.clone();
        without_lost.run.lost_agent_id = Some(lost);
        for candidate in rank_agents(engine, &agents, &without_lost).candidates {
            match assign_to(engine, key, lost, candidate.agent.id).await? {
                Reassignment::Assigned => {
                    abort_on_lost_agent(engine, &session, lost).await;
                    return Ok(());
                }
                Reassignment::NotMovable => return Ok(()),
                Reassignment::AgentFull => {}
            }
        }
    }
    fail_lost(engine, key, lost).await?;
    abort_on_lost_agent(engine, &session, lost).await;
    Ok(())
}

/// Withdraws the offer to a lost agent. A handover that is under way finds the agent lost by itself.
async fn withdraw_offer(engine: &Engine, key: SessionKey, lost: AgentId) -> Result<()> {
    let withdrawn = follow_up::change_session(engine, key, Actor::system_part("dispatcher").into(), |change| {
        let session = &change.session;
        if session.is_offered() && session.run.agent_id == Some(lost) && !session.may_have_begun() {
            let queue_until = engine.session_settings.queue_deadline_of(session);
            offer::withdraw_from_lost(change, queue_until);
        }
        Ok(())
    });
    withdrawn.await.map(|_| ())
}

fn is_running_on(session: &Session, agent: AgentId) -> bool {
    session.status.holds_slot() && session.run.agent_id == Some(agent)
}

/// The result of the attempt to assign a session to another agent.
enum Reassignment {
    Assigned,
    AgentFull,
    /// The session has ended, or was moved already.
    NotMovable,
}

async fn assign_to(engine: &Engine, key: SessionKey, lost: AgentId, agent: AgentId) -> Result<Reassignment> {
    let mut tx = engine.db.tenant(key.tenant_id).await?;
    tx.take_lock(&lock_names::agent_turns(agent));
    let now = engine.clock.now();
    let (session, snapshot) = store::lock_with_snapshot(&mut tx, key, AgentSelector::Agent(agent), now).await?;
    if !is_running_on(&session, lost) || !session.can_fail_over() {
        return Ok(Reassignment::NotMovable);
    }
    if snapshot.agent_id != Some(agent) || snapshot.agent_full || snapshot.agent_withheld {
        return Ok(Reassignment::AgentFull);
    }
    let mut change = SessionChange::new(session, Actor::system_part("dispatcher"), now);
    run::move_to_agent(&mut change, agent)?;
    follow_up::save_and_follow_up(engine, tx, &mut change).await?;
    Ok(Reassignment::Assigned)
}

async fn fail_lost(engine: &Engine, key: SessionKey, lost: AgentId) -> Result<()> {
    let failed = follow_up::change_session(engine, key, Actor::system_part("dispatcher").into(), |change| {
        if !is_running_on(&change.session, lost) {
            return Ok(());
        }
        let message = "The agent was lost, and no other could take the session over.";
        run::fail_run(change, Failure::transient(AGENT_LOST, message), None)?;
        run::schedule_abort_retry(change, TimeDelta::zero());
        Ok(())
    });
    failed.await.map(|_| ())
}

/// Aborts the run on the lost agent, in case it still answers. Whatever it writes is refused in any case.
async fn abort_on_lost_agent(engine: &Engine, session: &Session, lost: AgentId) {
    let Some(state) = session.run.state.clone() else { return };
    let abort = async {
        let agent = registry::store::find_endpoint(&engine.db, session.tenant_id, lost).await?;
        let call = AgentCall::of_running(engine, agent, session, state).await?;
        if let Err(failure) = call.runtime.abort(&call.assignment, &call.state).await {
            tracing::info!(session.id = %session.id, failure.message, "a lost agent could not be aborted");
        }
        Ok::<_, Error>(())
    };
    if let Ok(Err(error)) = tokio::time::timeout(ABORT_TIMEOUT, abort).await {
        tracing::info!(?error, session.id = %session.id, "the run of a lost agent was not aborted");
    }
}
