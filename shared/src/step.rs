//! One step of a session: claim, do one thing, write, say when the next is due.
//!
//! The fair lock keeps two workers from doing the same step at once; the row's fence makes it harmless when they do.

use std::{future::Future, time::Duration};

use chrono::TimeDelta;

use crate::{
    app::App,
    auth::Actor,
    error::{Code, Error, Result},
    id::{RequestId, SessionId, TenantId},
    job::Verdict,
    lock::{Acquired, Ask, Grant, Resource},
    runtime::{AgentRuntime, Assignment, Continuation},
    session::{
        Handover, Session,
        change::Change,
        service,
        store::{self, Claimed},
    },
};

/// How long a step waits for another that has written but not let go of the lock yet.
const TAKEN_PAUSE: Duration = Duration::from_millis(50);

/// Runs `work` on a session that is due, if nobody else does.
pub(crate) async fn run<F>(
    app: &App,
    tenant_id: TenantId,
    id: SessionId,
    work: impl FnOnce(Claimed) -> F,
) -> Result<Verdict>
where
    F: Future<Output = Result<()>>,
{
    let grant = match take_lock(app, tenant_id, id).await {
        Lock::Granted(grant) => Some(grant),
        // Who works on the row will see what is due when it writes, and ring. Who has written already, and is about to
        // let go of the lock, will not.
        Lock::Taken if store::is_due(&app.db, tenant_id, id, app.clock.now()).await? => {
            return Ok(Verdict::Later(TAKEN_PAUSE));
        }
        Lock::Taken => return Ok(Verdict::Done),
        Lock::Unknown => None,
    };
    let fence = grant.as_ref().map(|grant| grant.fence);
    let step = async {
        let now = app.clock.now();
        let until = now + TimeDelta::from_std(app.settings.step_lease).unwrap_or_default();
        let Some(claimed) = store::claim(&app.db, tenant_id, id, now, until, fence).await? else { return Ok(()) };
        let fence = claimed.session.fence;
        let done = tokio::select! {
            result = work(claimed) => result,
            lost = keep_claim(app, tenant_id, id, fence) => Err(lost),
        };
        if done.is_err() {
            // Nothing was written: let the next try begin before the lease is over.
            let _ = store::renew(&app.db, tenant_id, id, fence, None).await;
        }
        done
    };
    match grant {
        Some(grant) => app.locks.hold(grant, step).await.map_err(Error::from)?.value?,
        None => step.await?,
    }
    Ok(Verdict::Done)
}

enum Lock {
    Granted(Grant),
    Taken,
    /// Redis does not answer: the row's lease and fence alone guard the step.
    Unknown,
}

async fn take_lock(app: &App, tenant_id: TenantId, id: SessionId) -> Lock {
    let resource = Resource::session(tenant_id, id);
    let owner = RequestId::new().to_string();
    let ask = Ask { lease: app.settings.step_lease, ..Ask::new(owner.as_str()) };
    match app.locks.acquire(&resource, &ask).await {
        Ok(Acquired::Granted(grant)) => Lock::Granted(grant),
        Ok(Acquired::Queued { .. }) => {
            // Nobody waits in line for a step: it is done by whoever has the lock, or comes again.
            if let Err(error) = app.locks.cancel(&resource, &owner).await {
                tracing::debug!(?error, "a ticket was not given back and runs out by itself");
            }
            Lock::Taken
        }
        Err(error) => {
            tracing::warn!(?error, "no lock to be had; going on under the row's own lease");
            Lock::Unknown
        }
    }
}

/// Renews the row's lease at a third of it; ends when a newer claim exists.
async fn keep_claim(app: &App, tenant_id: TenantId, id: SessionId, fence: i64) -> Error {
    let lease = app.settings.step_lease;
    loop {
        tokio::time::sleep((lease / 3).max(Duration::from_millis(10))).await;
        let until = app.clock.now() + TimeDelta::from_std(lease).unwrap_or_default();
        match store::renew(&app.db, tenant_id, id, fence, Some(until)).await {
            Ok(true) => {}
            Ok(false) => return Error::new(Code::DependencyUnavailable, "The step was taken over by another worker."),
            Err(error) => tracing::warn!(?error, "a step's lease could not be renewed"),
        }
    }
}

/// Writes what a step found, on the row as it stands now, unless a newer claim exists. Frees the claim.
pub(crate) async fn write<T>(
    app: &App,
    claimed: &Session,
    actor: &str,
    decide: impl FnOnce(&mut Change) -> Result<T>,
) -> Result<T> {
    write_with(app, claimed, actor, &[], decide).await
}

/// As [`write`], with artifacts whose bytes are stored already.
pub(crate) async fn write_with<T>(
    app: &App,
    claimed: &Session,
    actor: &str,
    artifacts: &[store::Artifact],
    decide: impl FnOnce(&mut Change) -> Result<T>,
) -> Result<T> {
    let mut tx = app.db.tenant(claimed.tenant_id).await?;
    let session = store::lock(&mut tx, claimed.tenant_id, claimed.id).await?;
    if session.fence != claimed.fence {
        return Err(Error::new(Code::DependencyUnavailable, "The step was taken over by another worker."));
    }
    let asked = session.next_step_at.filter(|_| session.next_step_at != claimed.next_step_at);
    let mut change = Change::new(session, Actor::system(actor), app.clock.now());
    change.session.lease_until = None;
    let answer = decide(&mut change)?;
    if let Some(asked) = asked
        && change.session.status.holds_slot()
    {
        // Something was said while this step was under way: the next one is due as soon as that asked for.
        change.session.next_step_at = Some(change.session.next_step_at.map_or(asked, |due| due.min(asked)));
    }
    if change.session.intent.is_some() && change.session.status.holds_slot() {
        // Asked for while this step was under way, or put off by it.
        let soon = change.session.next_step_at.map_or(change.now, |due| due.min(change.now));
        change.session.next_step_at =
            Some(if change.session.attempts > 0 { change.session.next_step_at.unwrap_or(soon) } else { soon });
    }
    store::keep_artifacts(&mut tx, (claimed.tenant_id, claimed.id), artifacts).await?;
    service::save(app, tx, &mut change).await?;
    Ok(answer)
}

/// The runtime of a session's agent.
pub(crate) async fn runtime(app: &App, session: &Session) -> Result<std::sync::Arc<dyn AgentRuntime>> {
    let name = store::agent_name(&app.db, session.tenant_id, session.id).await?;
    app.agents.runtime(&name)
}

/// What the agent is told of a session.
pub(crate) async fn assignment(app: &App, session: &Session) -> Result<Assignment> {
    let continuation = match &session.handover {
        None | Some(Handover::Start) => Continuation::Start,
        Some(Handover::Resume { ask }) => match &session.run_state {
            Some(state) => Continuation::Resume { state: state.clone(), ask: *ask },
            None => Continuation::Start,
        },
        Some(Handover::Checkpoint { session_id, sequence }) => {
            let (state, patch, summary) = store::checkpoint(&app.db, session.tenant_id, *session_id, *sequence).await?;
            if state.is_none() && patch.is_empty() && summary.is_empty() {
                // It was taken before any agent had the work.
                Continuation::Start
            } else {
                Continuation::Checkpoint { state, patch, summary, fork: *session_id != session.id }
            }
        }
    };
    Ok(Assignment {
        tenant_id: session.tenant_id,
        session_id: session.id,
        run: session.run,
        run_started_at: session.run_started_at.unwrap_or(session.created_at),
        title: session.title.clone(),
        session_type: session.session_type.name().to_owned(),
        prompt: session.initial_prompt.clone(),
        model: session.model_identifier.clone(),
        agent_config: session.agent_config.clone(),
        workspace: session.workspace.clone(),
        cpu_limit: session.cpu_limit,
        memory_limit_mb: session.memory_limit_mb,
        continuation,
    })
}
