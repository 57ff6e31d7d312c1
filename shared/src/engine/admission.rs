//! Admission: gives the free places of an agent to the sessions that are next in its queue.

use std::time::Duration;

use crate::{
    engine::{admission_gate::AdmissionPermit, services::Engine},
    kernel::{
        actor::Actor,
        clock::Time,
        error::{Code, Result},
        id::{AgentId, SessionId, TenantId},
    },
    platform::{
        postgres::{Tx, lock_names},
        queue::job::{Job, JobOutcome},
    },
    sessions::{
        Session, SessionKey,
        admission::AdmissionSnapshot,
        change::SessionChange,
        status::Status,
        store::{self, AgentSelector, DispatchState},
        transitions::offer,
    },
};

/// How many sessions are read from a queue at once.
pub(crate) const QUEUE_BATCH: i32 = 16;

/// The job `Admit`: an agent may have new free places.
pub async fn admit_for_agent(engine: &Engine, agent: AgentId) -> Result<JobOutcome> {
    admit_on_agent(engine, agent).await?;
    Ok(JobOutcome::Complete)
}

/// Gives the free places of an agent to the sessions that are next in its queue.
pub async fn admit_on_agent(engine: &Engine, agent: AgentId) -> Result<()> {
    if let Some(permit) = engine.admission_gate.try_enter(agent) {
        let queue = store::next_in_queue(&engine.db, agent, engine.clock.now(), QUEUE_BATCH).await?;
        admit_in_order(engine, &permit, agent, queue, None).await?;
    }
    Ok(())
}

/// After a slot or a workspace of a tenant became free: its queued sessions may wait for it on any agent.
pub async fn admit_for_tenant(engine: &Engine, tenant_id: TenantId, agent: Option<AgentId>) -> Result<()> {
    let mut awaited = store::awaited_agents(&engine.db, tenant_id, QUEUE_BATCH.into()).await?;
    let further = agent.filter(|agent| !awaited.agents.contains(agent));
    awaited.agents.extend(further);
    for agent in awaited.agents {
        admit_on_agent(engine, agent).await?;
    }
    let jobs: Vec<_> =
        awaited.unassigned.into_iter().map(|id| (Job::dispatch(tenant_id, id), Duration::ZERO)).collect();
    engine.enqueue(&jobs).await;
    Ok(())
}

/// The result of an admission for one queued session.
pub(crate) enum AdmissionAttempt {
    /// The session is offered to its agent now, and is left to the caller to hand over.
    Admitted,
    Waits,
    /// Another admission is under way on its agent.
    Busy,
}

/// Gives the free places of a queued session's agent to the sessions that are next in its queue. `is_queue_read`: the
/// state holds the queue already.
pub(crate) async fn admit_session(
    engine: &Engine,
    id: SessionId,
    state: DispatchState,
    is_queue_read: bool,
) -> Result<AdmissionAttempt> {
    let Some(agent) = state.agent_id else { return Ok(AdmissionAttempt::Waits) };
    let Some(permit) = engine.admission_gate.try_enter(agent) else { return Ok(AdmissionAttempt::Busy) };
    let queue = if is_queue_read {
        state.next_in_queue
    } else {
        store::next_in_queue(&engine.db, agent, engine.clock.now(), QUEUE_BATCH).await?
    };
    let admitted = admit_in_order(engine, &permit, agent, queue, Some(id)).await?;
    Ok(if admitted { AdmissionAttempt::Admitted } else { AdmissionAttempt::Waits })
}

/// Gives the free places of an agent to the sessions of its queue, and enqueues the handover of each except `own`.
/// Returns whether `own` was admitted and is left to the caller to hand over. If there is more to admit first, the
/// handover of `own` is enqueued too.
pub(crate) async fn admit_in_order(
    engine: &Engine,
    permit: &AdmissionPermit<'_>,
    agent: AgentId,
    mut queue: Vec<SessionKey>,
    own: Option<SessionId>,
) -> Result<bool> {
    let mut left_to_caller = None;
    loop {
        let batch = admit_batch(engine, agent, &queue, own).await?;
        left_to_caller = left_to_caller.or(batch.own);
        if !batch.has_more && permit.try_release() {
            return Ok(left_to_caller.is_some());
        }
        if let Some(key) = left_to_caller.take() {
            enqueue_handover(engine, key).await;
        }
        queue = store::next_in_queue(&engine.db, agent, engine.clock.now(), QUEUE_BATCH).await?;
    }
}

/// The result of one batch of a queue.
struct AdmittedBatch {
    /// The session whose handover is not enqueued, if it was admitted.
    own: Option<SessionKey>,
    /// Whether further sessions may be admitted.
    has_more: bool,
}

async fn admit_batch(
    engine: &Engine,
    agent: AgentId,
    queue: &[SessionKey],
    own: Option<SessionId>,
) -> Result<AdmittedBatch> {
    let mut batch = AdmittedBatch { own: None, has_more: false };
    let (mut admitted, mut passed_over) = (0, 0);
    for &key in queue {
        match try_admit(engine, agent, key).await? {
            AdmissionDecision::Admitted => {
                admitted += 1;
                if Some(key.id) == own {
                    batch.own = Some(key);
                } else {
                    enqueue_handover(engine, key).await;
                }
            }
            AdmissionDecision::AgentFull => return Ok(batch),
            AdmissionDecision::NotAdmissible => passed_over += 1,
        }
    }
    // Behind a full batch the queue may go on. A session that was passed over (its workspace was taken by one admitted
    // before it) held a position that the next in the queue may have.
    let is_full = queue.len() >= usize::try_from(QUEUE_BATCH).unwrap_or(usize::MAX);
    batch.has_more = admitted > 0 && (is_full || passed_over > 0);
    Ok(batch)
}

async fn enqueue_handover(engine: &Engine, key: SessionKey) {
    engine.enqueue(&[(Job::dispatch(key.tenant_id, key.id), Duration::ZERO)]).await;
}

enum AdmissionDecision {
    Admitted,
    NotAdmissible,
    AgentFull,
}

/// Offers one queued session to its agent, if everything that it needs is free. Decided under the locks of the agent's
/// queue and the tenant's slots, so the limits hold at every instant.
async fn try_admit(engine: &Engine, agent: AgentId, key: SessionKey) -> Result<AdmissionDecision> {
    let mut tx = engine.db.tenant(key.tenant_id).await?;
    tx.take_lock(&lock_names::agent_turns(agent));
    tx.take_lock(&lock_names::tenant_slots(key.tenant_id));
    let now = engine.clock.now();
    let locked = store::lock_with_snapshot(&mut tx, key, AgentSelector::Agent(agent), now).await;
    let (session, snapshot) = match locked {
        Err(error) if error.code() == Code::SessionNotFound => return Ok(AdmissionDecision::NotAdmissible),
        locked => locked?,
    };
    if !is_in_queue_of(&session, &snapshot, agent) {
        return Ok(AdmissionDecision::NotAdmissible);
    }
    if snapshot.agent_full {
        return Ok(AdmissionDecision::AgentFull);
    }
    if !snapshot.can_admit() {
        return Ok(AdmissionDecision::NotAdmissible);
    }
    offer_to(engine, tx, session, agent, now).await?;
    Ok(AdmissionDecision::Admitted)
}

/// The session may have left the queue since, or been assigned to another agent whose lock we do not have; and the
/// agent may no longer be offered to the tenant.
fn is_in_queue_of(session: &Session, snapshot: &AdmissionSnapshot, agent: AgentId) -> bool {
    session.status == Status::Queued
        && !session.is_offered()
        && (session.run.agent_id == Some(agent) || session.is_routed())
        && snapshot.agent_id == Some(agent)
}

/// Writes the offer. The handover is enqueued by the caller, not by what follows a change.
async fn offer_to(engine: &Engine, tx: Tx, mut session: Session, agent: AgentId, now: Time) -> Result<()> {
    let key = session.key();
    if session.run.agent_id.replace(agent) != Some(agent) {
        // The state that another agent's runtime stored means nothing to this one.
        session.run.state = None;
    }
    let mut change = SessionChange::new(session, Actor::system_part("dispatcher"), now);
    offer::offer_session(&mut change, engine.session_settings.handover_deadline(now));
    change.session.clock.updated_at = now;
    store::save_change(tx, &change).await?;
    engine.notify_session(key.tenant_id, key.id).await;
    engine.notify_tenant(key.tenant_id).await;
    Ok(())
}
