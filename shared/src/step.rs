//! One step of a session: claim, do one thing, write, say when the next is due.
//!
//! The fair lock keeps two workers from doing the same step at once; the row's fence makes it harmless when they do.

use std::{future::Future, time::Duration};

use chrono::TimeDelta;

use crate::{
    agent::Contact,
    app::App,
    auth::Actor,
    clock::Time,
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
    let granted = grant.as_ref().map(|grant| grant.fence);
    let (mut fence, mut done) = (None, None);
    let step = async {
        let now = app.clock.now();
        done = Some(match store::claim(&app.db, tenant_id, id, now, lease_end(app, now), granted).await {
            Ok(Some(claimed)) => {
                fence = Some(claimed.session.fence);
                tokio::select! {
                    result = work(claimed) => result,
                    lost = keep_claim(app, tenant_id, id, fence.unwrap_or_default()) => Err(lost),
                }
            }
            Ok(None) => Ok(()),
            Err(error) => Err(error),
        });
    };
    let lost = if let Some(grant) = grant {
        app.locks.hold(grant, step).await.err()
    } else {
        step.await;
        None
    };
    // A lock that was lost after the work was done is no matter: what was written had the fence.
    let done = done.unwrap_or_else(|| lost.map_or(Ok(()), |lost| Err(lost.into())));
    if done.is_err()
        && let Some(fence) = fence
    {
        // Nothing was written: let the next try begin before the lease is over.
        let _ = store::renew(&app.db, tenant_id, id, fence, app.clock.now()).await;
    }
    done.map(|()| Verdict::Done)
}

fn lease_end(app: &App, now: Time) -> Time {
    now + TimeDelta::from_std(app.settings.step_lease).unwrap_or_default()
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
    // Nobody waits in line for a step: it is done by whoever has the lock, or comes again. The ticket of one who died
    // while asking would only keep the others out.
    let ask = Ask { lease: app.settings.step_lease, ticket: Duration::from_millis(1), ..Ask::new(owner) };
    match app.locks.acquire(&resource, &ask).await {
        Ok(Acquired::Granted(grant)) => Lock::Granted(grant),
        Ok(Acquired::Queued { .. }) => Lock::Taken,
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
        match store::renew(&app.db, tenant_id, id, fence, lease_end(app, app.clock.now())).await {
            Ok(true) => {}
            Ok(false) => return Error::new(Code::DependencyUnavailable, "The step was taken over by another worker."),
            Err(error) => tracing::warn!(?error, "a step's lease could not be renewed"),
        }
    }
}

/// Writes what a step found, on the row as it stands now, unless a newer claim exists. Frees the claim.
pub(crate) async fn write(
    app: &App,
    claimed: &Session,
    actor: &str,
    decide: impl FnOnce(&mut Change) -> Result<()>,
) -> Result<()> {
    write_with(app, claimed, actor, &[], decide).await
}

/// As [`write`], with artifacts whose bytes are stored already.
pub(crate) async fn write_with(
    app: &App,
    claimed: &Session,
    actor: &str,
    artifacts: &[store::Artifact],
    decide: impl FnOnce(&mut Change) -> Result<()>,
) -> Result<()> {
    let decide = |change: &mut Change, moved| if moved { Ok(()) } else { decide(change) };
    write_as_it_stands(app, claimed, actor, artifacts, decide).await
}

/// As [`write_with`], also when somebody has `moved` the session to another state or run since the claim: what the step
/// saw tells nothing of that, and the next step looks anew.
pub(crate) async fn write_as_it_stands(
    app: &App,
    claimed: &Session,
    actor: &str,
    artifacts: &[store::Artifact],
    decide: impl FnOnce(&mut Change, bool) -> Result<()>,
) -> Result<()> {
    let mut tx = app.db.tenant(claimed.tenant_id).await?;
    let session = store::lock(&mut tx, claimed.tenant_id, claimed.id).await?;
    let moved = (session.status, session.run) != (claimed.status, claimed.run);
    let was_over = session.status.is_over();
    let asked_meanwhile = session.next_step_at.filter(|due| Some(*due) != claimed.next_step_at);
    let mut change = Change::new(session, Actor::system(actor), app.clock.now());
    give_back(&mut change, claimed.fence)?;
    decide(&mut change, moved)?;
    plan_next(app, was_over, asked_meanwhile, &mut change);
    if !moved {
        store::keep_artifacts(&mut tx, (claimed.tenant_id, claimed.id), artifacts).await?;
    }
    service::save(app, tx, &mut change).await
}

/// Frees the claim with what is written, unless a newer one exists: then nothing may be written.
pub(crate) fn give_back(change: &mut Change, fence: i64) -> Result<()> {
    if change.session.fence != fence {
        return Err(Error::new(Code::DependencyUnavailable, "The step was taken over by another worker."));
    }
    change.session.lease_until = None;
    Ok(())
}

/// When the next step is due, beyond what the rules decided.
fn plan_next(app: &App, was_over: bool, asked_meanwhile: Option<Time>, change: &mut Change) {
    let session = &mut change.session;
    // Somebody asked for a step while this one was under way, and its bell found the row taken.
    if let Some(asked) = asked_meanwhile.filter(|_| !session.status.is_over()) {
        session.next_step_at = Some(session.next_step_at.map_or(asked, |due| due.min(asked)));
    }
    // It has just ended and its agent rests: the workspace is kept for a while, then given back.
    if session.status.is_over() && !was_over && session.next_step_at.is_none() && session.run_state.is_some() {
        let kept = TimeDelta::from_std(app.settings.workspace_retention).unwrap_or(TimeDelta::MAX);
        session.next_step_at = change.now.checked_add_signed(kept);
    }
}

/// The runtime of a session's agent.
pub(crate) fn runtime(app: &App, claimed: &Claimed) -> Result<std::sync::Arc<dyn AgentRuntime>> {
    app.agents.runtime(contact(claimed)?)
}

fn contact(claimed: &Claimed) -> Result<&Contact> {
    claimed.agent.as_ref().ok_or_else(|| Error::new(Code::AgentUnavailable, "The session's agent is gone."))
}

/// What the agent of a claimed session is told of it.
pub(crate) async fn assignment(app: &App, claimed: &Claimed, session: &Session) -> Result<Assignment> {
    assignment_for(app, contact(claimed)?.clone(), session).await
}

/// What an agent is told of a session.
pub(crate) async fn assignment_for(app: &App, agent: Contact, session: &Session) -> Result<Assignment> {
    let continuation = match &session.handover {
        None | Some(Handover::Start) => Continuation::Start,
        Some(Handover::Resume { ask }) => match &session.run_state {
            Some(state) => Continuation::Resume { state: state.clone(), ask: *ask },
            None => Continuation::Start,
        },
        Some(Handover::Checkpoint { session_id, sequence }) => {
            let origin = store::checkpoint(&app.db, session.tenant_id, *session_id, *sequence).await?;
            let store::Origin { patch, summary, .. } = origin;
            // Another agent can make nothing of what this one remembered.
            let state = origin.state.filter(|_| origin.agent_id == Some(agent.id));
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
        agent,
        run: session.run,
        run_started_at: session.run_started_at.unwrap_or(session.created_at),
        title: session.title.clone(),
        session_type: session.session_type.name().to_owned(),
        prompt: session.initial_prompt.clone(),
        model: model(session),
        agent_config: session.agent_config.clone(),
        workspace: session.workspace.clone(),
        cpu_limit: session.cpu_limit,
        memory_limit_mb: session.memory_limit_mb,
        timeout_seconds: (i64::from(session.max_duration_seconds) - session.active_for(app.clock.now()).num_seconds())
            .max(1),
        continuation,
    })
}

/// What an agent is told of the model: what a reference was found to lead to, else what the session names.
fn model(session: &Session) -> Option<String> {
    let resolved = session.resolved_model.as_ref().map(|resolved| resolved.model_identifier.clone());
    resolved.or_else(|| session.model_identifier.clone())
}
