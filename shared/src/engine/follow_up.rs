//! Writing a change of a session, and what follows from it: the next step, the sessions that may start now, and the
//! sessions that waited for this one.

use serde_json::json;

use crate::{
    agents::eap::server::service::observe_soon,
    engine::{admission::admit_for_tenant, services::Engine},
    kernel::{
        actor::{Actor, By},
        error::{Code, Result},
        id::{AgentId, SessionId, TenantId},
    },
    platform::postgres::{Tx, unit_of_work::after_commit},
    sessions::{
        SessionKey,
        change::SessionChange,
        next_step::next_step_job,
        store::{self, FoundSession, StartCondition},
        transitions::commands,
    },
};

/// Changes one session: locks and reads it, decides, writes.
pub(crate) async fn change_session<T>(
    engine: &Engine,
    key: SessionKey,
    by: By,
    decide: impl FnOnce(&mut SessionChange) -> Result<T>,
) -> Result<(SessionChange, T)> {
    let mut tx = engine.db.tenant(key.tenant_id).await?;
    let session = store::lock_session(&mut tx, key).await?;
    let mut change = SessionChange::new(session, by, engine.clock.now());
    let answer = decide(&mut change)?;
    save_and_follow_up(engine, tx, &mut change).await?;
    Ok((change, answer))
}

/// Writes a decided change, then does what follows from it.
pub(crate) async fn save_and_follow_up(engine: &Engine, mut tx: Tx, change: &mut SessionChange) -> Result<()> {
    complete_change(&mut tx, change).await?;
    store::save_change(tx, change).await?;
    follow_up(engine, change).await;
    Ok(())
}

/// As [`save_and_follow_up`], and returns the session with its computed fields, in the same round trip.
pub(crate) async fn save_and_find(engine: &Engine, mut tx: Tx, change: &mut SessionChange) -> Result<FoundSession> {
    complete_change(&mut tx, change).await?;
    let found = store::save_and_find(tx, change).await?;
    follow_up(engine, change).await;
    Ok(found)
}

/// Writes a start as [`store::start_and_find`] does, then does what follows from it.
pub(crate) async fn start_and_find(
    engine: &Engine,
    tx: Tx,
    change: &mut SessionChange,
    condition: &StartCondition<'_>,
) -> Result<FoundSession> {
    change.session.clock.updated_at = change.now;
    let found = store::start_and_find(tx, change, condition).await?;
    follow_up(engine, change).await;
    Ok(found)
}

/// Completes a change before it is written. A session that ends without success stays due until its waiting children
/// are orphaned, so that a crash right after the write leaves none behind.
async fn complete_change(tx: &mut Tx, change: &mut SessionChange) -> Result<()> {
    if change.ends_session() {
        warn_of_undelivered(tx, change).await?;
    }
    if !change.events.is_empty() {
        change.session.clock.updated_at = change.now;
    }
    if change.orphans_children && change.session.lineage.child_count > 0 {
        change.session.schedule.next_step_at = Some(change.now);
    }
    Ok(())
}

/// Says in the log of a session that ends which messages its agent did not receive.
async fn warn_of_undelivered(tx: &mut Tx, change: &mut SessionChange) -> Result<()> {
    let undelivered = store::count_undelivered(tx, change).await?;
    if undelivered > 0 {
        let message =
            format!("The session ended before its agent had received all messages: {undelivered} not delivered.");
        change.add_log(json!({"level": "warning", "code": "MESSAGE_UNDELIVERED", "message": message}));
    }
    Ok(())
}

/// Does what follows from a written change. A failure is logged: the rows say what is left to do.
async fn follow_up(engine: &Engine, change: &SessionChange) {
    let (key, agent_id) = (change.session.key(), change.session.run.agent_id);
    if !change.events.is_empty() {
        engine.notify_session(key.tenant_id, key.id).await;
    }
    if change.agent_event().is_some() {
        engine.notify_tenant(key.tenant_id).await;
    }
    if let Some(job) = next_step_job(&change.session, change.now) {
        engine.enqueue(&[job]).await;
    }
    if change.frees_slot {
        admit_after_commit(engine, key, agent_id.or(change.previous_agent)).await;
    }
    if let Some(parent) = change.session.lineage.parent_id.filter(|_| change.ends_session()) {
        wake_parent(engine, key.tenant_id, parent).await;
    }
    if change.orphans_children && change.session.lineage.child_count > 0 {
        let engine = engine.clone();
        after_commit(Box::pin(async move {
            if let Err(error) = orphan_below(&engine, key).await {
                tracing::warn!(?error, session.id = %key.id, "waiting children were not orphaned; the next step will do so");
            }
        }))
        .await;
    }
}

/// Has a session observed at once, once the end of its child is committed: it may wait for it. Otherwise it notices the
/// end with its next step.
async fn wake_parent(engine: &Engine, tenant_id: TenantId, parent: SessionId) {
    let engine = engine.clone();
    after_commit(Box::pin(async move {
        if let Err(error) = observe_soon(&engine, tenant_id, parent).await {
            tracing::warn!(?error, session.id = %parent, "the parent of a session that ended is observed later");
        }
    }))
    .await;
}

/// Gives what a session freed to those that wait for it, once the change is committed.
pub(crate) async fn admit_after_commit(engine: &Engine, key: SessionKey, agent: Option<AgentId>) {
    let engine = engine.clone();
    after_commit(Box::pin(async move {
        if let Err(error) = admit_for_tenant(&engine, key.tenant_id, agent).await {
            tracing::warn!(?error, session.id = %key.id, "a free slot was not given on; the reconciler will do so");
        }
    }))
    .await;
}

/// Orphans, level by level, the sessions that still wait for a session which ended without success.
pub(crate) async fn orphan_below(engine: &Engine, key: SessionKey) -> Result<()> {
    let mut parents = vec![key.id];
    while let Some(parent) = parents.pop() {
        for child in store::waiting_children(&engine.db, key.tenant_id, parent).await? {
            let child = SessionKey::new(key.tenant_id, child);
            if orphan_session(engine, child).await? {
                parents.push(child.id);
            }
        }
    }
    Ok(())
}

/// Orphans one session. False: it does not wait any more.
async fn orphan_session(engine: &Engine, key: SessionKey) -> Result<bool> {
    let mut tx = engine.db.tenant(key.tenant_id).await?;
    let session = match store::lock_session(&mut tx, key).await {
        Err(error) if error.code() == Code::SessionNotFound => return Ok(false),
        locked => locked?,
    };
    let is_taken = session.status.holds_slot() || session.is_offered() && session.may_have_begun();
    if session.status.is_over() || is_taken {
        return Ok(false);
    }
    let mut change = SessionChange::new(session, Actor::system_part("family"), engine.clock.now());
    commands::orphan(&mut change, "its parent ended")?;
    complete_change(&mut tx, &mut change).await?;
    store::save_change(tx, &change).await?;
    engine.notify_session(key.tenant_id, key.id).await;
    engine.enqueue(&next_step_job(&change.session, change.now).into_iter().collect::<Vec<_>>()).await;
    Ok(true)
}
