//! The commands that people and agents give a session that exists. They stand in the engine and not with the sessions,
//! because each may free what other sessions wait for: the admission follows the commit in the same call, so that a
//! free slot starts the next session at once, without another message.

use std::time::Duration;

use serde_json::Value;

use crate::{
    agents::contract::{UserMessage, redaction::value_bytes},
    engine::{
        follow_up::{self, change_session, orphan_below, save_and_find},
        resume::change_by_capacity,
        services::Engine,
    },
    identity::{audit, auth::Caller},
    kernel::{
        clock::Time,
        error::{Code, Error, Result},
        id::{MessageId, SessionId},
    },
    platform::{
        cpu,
        postgres::{in_unit_of_work, lock_names, unit_of_work::repeat_outdated},
        queue::job::Job,
    },
    sessions::{
        Session, SessionKey,
        change::{SessionChange, invalid_transition},
        draft::SessionPatch,
        outcome::Outcome,
        reports::{CheckpointInput, ReportedFailure},
        service,
        status::Status,
        store::{self, Checkpoint, FoundSession, StartCondition},
        transitions::commands::{self, CommandOutcome},
    },
};

/// Queues a pending session.
pub async fn start(engine: &Engine, caller: &Caller, id: SessionId) -> Result<(FoundSession, CommandOutcome)> {
    queue_session(engine, caller, id, commands::start).await
}

/// Queues a session, with the decision repeated if somebody changes the session meanwhile. The tenant's queue never
/// exceeds its limit: near it, additions to the queue take turns.
async fn queue_session(
    engine: &Engine,
    caller: &Caller,
    id: SessionId,
    decide: fn(&mut SessionChange, Time) -> Result<CommandOutcome>,
) -> Result<(FoundSession, CommandOutcome)> {
    repeat_outdated(|| try_to_queue(engine, caller, id, decide)).await
}

async fn try_to_queue(
    engine: &Engine,
    caller: &Caller,
    id: SessionId,
    decide: fn(&mut SessionChange, Time) -> Result<CommandOutcome>,
) -> Result<(FoundSession, CommandOutcome)> {
    let (tenant_id, now) = (caller.tenant_id, engine.clock.now());
    let candidate = store::find_start_candidate(&engine.db, SessionKey::new(tenant_id, id)).await?;
    let mut change = SessionChange::new(candidate.session, caller, now);
    let outcome = decide(&mut change, engine.session_settings.queue_deadline(now))?;
    if candidate.agent_id.is_none() && !change.session.is_routed() {
        return Err(Error::new(Code::AgentUnavailable, "The session's agent was removed."));
    }
    // For a session that any agent may run this is a first guess. A session that has worked somewhere keeps that agent.
    change.session.run.agent_id = candidate.agent_id.or(change.session.run.agent_id);
    let counts_exactly = engine.tenants_near_limit.contains(tenant_id);
    let mut tx = engine.db.tenant(tenant_id).await?;
    service::lock_queue(&mut tx, tenant_id, counts_exactly);
    let condition = StartCondition { revision: &candidate.revision, counts_exactly };
    let found = follow_up::start_and_find(engine, tx, &mut change, &condition).await;
    Ok((found.map_err(|error| refusal_error(engine, change.session.key(), error))?, outcome))
}

/// Why a start was refused: by a limit, or because what it assumed is not so.
fn refusal_error(engine: &Engine, key: SessionKey, error: Error) -> Error {
    let refusal = match store::parse_start_refusal(&error) {
        None => return error,
        Some(Err(unreadable)) => return unreadable,
        Some(Ok(None)) => return Error::session_not_found(key.id),
        Some(Ok(Some(refusal))) => refusal,
    };
    if refusal.is_outdated {
        return service::outdated_error();
    }
    refusal.counts.check_limits(true).err().unwrap_or_else(|| {
        engine.tenants_near_limit.record(key.tenant_id, true);
        service::outdated_error()
    })
}

pub async fn unqueue(engine: &Engine, caller: &Caller, id: SessionId) -> Result<(FoundSession, CommandOutcome)> {
    apply_command(engine, caller, id, commands::unqueue).await
}

pub async fn pause(
    engine: &Engine,
    caller: &Caller,
    id: SessionId,
    reason: Option<String>,
) -> Result<(FoundSession, CommandOutcome)> {
    apply_command(engine, caller, id, |change| commands::pause(change, reason)).await
}

pub async fn cancel(
    engine: &Engine,
    caller: &Caller,
    id: SessionId,
    reason: Option<String>,
) -> Result<(FoundSession, CommandOutcome)> {
    apply_command(engine, caller, id, |change| commands::cancel(change, reason.as_deref())).await
}

pub async fn stop(
    engine: &Engine,
    caller: &Caller,
    id: SessionId,
    reason: Option<String>,
) -> Result<(FoundSession, CommandOutcome)> {
    apply_command(engine, caller, id, |change| commands::stop(change, reason)).await
}

/// Brings a session back that failed, timed out or was stopped, and queues it unless `start` is false.
pub async fn retry(
    engine: &Engine,
    caller: &Caller,
    id: SessionId,
    start: bool,
) -> Result<(FoundSession, CommandOutcome)> {
    if start {
        queue_session(engine, caller, id, commands::retry_and_start).await
    } else {
        apply_command(engine, caller, id, commands::retry).await
    }
}

pub async fn complete(
    engine: &Engine,
    caller: &Caller,
    id: SessionId,
    outcome: Outcome,
) -> Result<(FoundSession, CommandOutcome)> {
    let bytes = outcome.result.as_ref().map_or(0, value_bytes);
    let outcome = cpu::compute(bytes, || outcome.without_secrets()).await;
    apply_command(engine, caller, id, |change| commands::complete(change, outcome)).await
}

pub async fn fail(
    engine: &Engine,
    caller: &Caller,
    id: SessionId,
    reported: ReportedFailure,
) -> Result<(FoundSession, CommandOutcome)> {
    let ReportedFailure { failure, context } = reported;
    apply_command(engine, caller, id, |change| commands::fail(change, failure, context)).await
}

/// Applies a command, and returns the session as it stands after it.
async fn apply_command(
    engine: &Engine,
    caller: &Caller,
    id: SessionId,
    decide: impl FnOnce(&mut SessionChange) -> Result<CommandOutcome>,
) -> Result<(FoundSession, CommandOutcome)> {
    let mut tx = engine.db.tenant(caller.tenant_id).await?;
    let session = store::lock_session(&mut tx, SessionKey::new(caller.tenant_id, id)).await?;
    let mut change = SessionChange::new(session, caller, engine.clock.now());
    let outcome = decide(&mut change)?;
    Ok((save_and_find(engine, tx, &mut change).await?, outcome))
}

/// Resumes a paused session: at once if a slot, its workspace and its agent are free, else through the queue.
pub async fn resume(engine: &Engine, caller: &Caller, id: SessionId) -> Result<(FoundSession, CommandOutcome)> {
    let queue_until = engine.session_settings.queue_deadline(engine.clock.now());
    let decide = |change: &mut SessionChange, can_start| commands::resume(change, can_start, queue_until);
    let outcome = resume_on_request(engine, caller, id, decide).await?;
    Ok((find_session(engine, caller, id).await?, outcome))
}

/// Sends a message to a session: a further prompt, or the answer that it waits for.
pub async fn send_message(
    engine: &Engine,
    caller: &Caller,
    id: SessionId,
    message: UserMessage,
) -> Result<FoundSession> {
    let message_id = MessageId::new();
    let queue_until = engine.session_settings.queue_deadline(engine.clock.now());
    let decide = |change: &mut SessionChange, can_start| {
        commands::send_message(change, message_id, message, can_start, queue_until)
    };
    resume_on_request(engine, caller, id, decide).await?;
    find_session(engine, caller, id).await
}

/// A change that may resume a session on request. Refused if it would make the queue longer than its limit; a session
/// that resumes by itself is never refused.
async fn resume_on_request(
    engine: &Engine,
    caller: &Caller,
    id: SessionId,
    decide: impl FnOnce(&mut SessionChange, bool) -> Result<CommandOutcome>,
) -> Result<CommandOutcome> {
    let key = SessionKey::new(caller.tenant_id, id);
    change_by_capacity(engine, key, caller.by(), |change, snapshot| {
        let was_queued = change.session.status == Status::Queued;
        let outcome = decide(change, snapshot.can_start_now())?;
        if change.session.status == Status::Queued && !was_queued {
            snapshot.check_queue_limit()?;
        }
        Ok(outcome)
    })
    .await
}

/// Changes the fields that a person may change. With `version`, only that version of the session.
pub async fn update(
    engine: &Engine,
    caller: &Caller,
    id: SessionId,
    patch: SessionPatch,
    version: Option<i64>,
) -> Result<FoundSession> {
    change_session(engine, SessionKey::new(caller.tenant_id, id), caller.by(), |change| {
        let current = change.session.version;
        if version.is_some_and(|wanted| wanted != current) {
            return Err(Error::stale_version("session", current));
        }
        commands::patch(change, patch)
    })
    .await?;
    find_session(engine, caller, id).await
}

/// Takes a checkpoint on request, and returns it.
pub async fn take_checkpoint(
    engine: &Engine,
    caller: &Caller,
    id: SessionId,
    input: CheckpointInput,
) -> Result<Checkpoint> {
    let key = SessionKey::new(caller.tenant_id, id);
    let data = input.data.map(Value::Object);
    let decide = |change: &mut SessionChange| commands::take_checkpoint(change, data, input.note);
    let (change, ()) = change_session(engine, key, caller.by(), decide).await?;
    let sequence = change.session.last_checkpoint;
    let checkpoints = store::list_checkpoints(&engine.db, caller.tenant_id, id).await?;
    let taken = checkpoints.into_iter().find(|checkpoint| checkpoint.sequence == sequence);
    taken.ok_or_else(|| Error::new(Code::CheckpointNotFound, "A hundred newer checkpoints were taken meanwhile."))
}

/// Returns a session to a checkpoint: it is pending, and continues from there once started.
pub async fn restore(
    engine: &Engine,
    caller: &Caller,
    id: SessionId,
    sequence: i32,
) -> Result<(FoundSession, CommandOutcome)> {
    // An unknown session before an unknown checkpoint: another tenant's session gets the same error as no session.
    find_session(engine, caller, id).await?;
    store::find_checkpoint(&engine.db, caller.tenant_id, id, sequence).await?;
    apply_command(engine, caller, id, |change| commands::restore(change, sequence)).await
}

/// Deletes a session that is not active, withdraws its offer, and orphans the sessions that still wait for it.
pub async fn delete(engine: &Engine, caller: &Caller, id: SessionId) -> Result<()> {
    let root = find_session(engine, caller, id).await?.session.lineage.root_id;
    let key = SessionKey::new(caller.tenant_id, id);
    let releases = in_unit_of_work(&engine.db, async {
        let mut tx = engine.db.tenant(caller.tenant_id).await?;
        // A deletion changes rows above and below. Those of one tree take turns, or they would deadlock.
        tx.take_lock(&lock_names::session_tree(root));
        let session = store::lock_session(&mut tx, key).await?;
        check_deletable(&session)?;
        tx.commit().await?;
        // The children lose their parent with the row, so they come first.
        orphan_below(engine, key).await?;
        let frees_slot = session.is_offered();
        let agent_id = session.run.agent_id;
        let mut change = SessionChange::new(session, caller, engine.clock.now());
        change.verb = Some("delete");
        let mut tx = engine.db.tenant(caller.tenant_id).await?;
        audit::record(&mut tx, change.deletion_entry());
        let releases = store::schedule_workspace_releases(&mut tx, caller.tenant_id, &[id], change.now).await?;
        store::schedule_file_removal(&mut tx, caller.tenant_id, id, change.now).await?;
        store::delete(tx, &change.session).await?;
        if frees_slot {
            follow_up::admit_after_commit(engine, key, agent_id).await;
        }
        Ok(releases)
    })
    .await?;
    let jobs = releases.into_iter().map(|id| (Job::release_workspace(caller.tenant_id, id), Duration::ZERO));
    engine.enqueue(&jobs.collect::<Vec<_>>()).await;
    Ok(())
}

fn check_deletable(session: &Session) -> Result<()> {
    if session.status.is_active() {
        let detail = format!("A {} session cannot be deleted; stop or cancel it first.", session.status.name());
        return Err(invalid_transition(session, &detail));
    }
    commands::refuse_in_handover(session)
}

async fn find_session(engine: &Engine, caller: &Caller, id: SessionId) -> Result<FoundSession> {
    store::find_session(&engine.db, SessionKey::new(caller.tenant_id, id), engine.clock.now()).await
}
