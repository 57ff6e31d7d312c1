//! The use cases of sessions: each opens a transaction, lets the rules decide, writes once, and rings.

mod create;
mod drive;
mod hold;
mod read;

use std::time::Duration;

use chrono::TimeDelta;

use crate::{
    app::App,
    audit::By,
    auth::{Actor, Caller},
    clock::Time,
    error::{Code, Error, Result},
    id::{SessionId, TenantId},
    job::Job,
    session::{
        Session,
        change::Change,
        status::Status,
        store::{self, Found},
        verbs::{self, Progress},
    },
    unit::after_commit,
};

pub use self::{
    create::{Fork, fork, open},
    drive::{
        cancel, complete, fail, patch, pause, remove, restore, resume, retry, say, start, stop, take_checkpoint,
        unqueue,
    },
    read::{
        Log, artifact, artifact_content, artifact_place, artifacts, checkpoints, diff, events, get, list, stats, tree,
    },
};
pub(crate) use self::{
    drive::go_on,
    hold::{release_all, resume_one_spent, resume_spent, suspend_all},
};

/// The name under which the decisions about a tenant's slots take turns.
pub(crate) fn slots(tenant_id: TenantId) -> String {
    format!("slots:{tenant_id}")
}

pub(crate) fn queue_until(app: &App, now: Time) -> Time {
    now + TimeDelta::from_std(app.settings.queue_limit).unwrap_or(TimeDelta::MAX)
}

/// One change to one session: read and locked, decided, written.
pub(crate) async fn change<T>(
    app: &App,
    tenant_id: TenantId,
    id: SessionId,
    by: By,
    decide: impl FnOnce(&mut Change) -> Result<T>,
) -> Result<(Change, T)> {
    let mut tx = app.db.tenant(tenant_id).await?;
    let session = store::lock(&mut tx, tenant_id, id).await?;
    let mut change = Change::new(session, by, app.clock.now());
    let answer = decide(&mut change)?;
    save(app, tx, &mut change).await?;
    Ok((change, answer))
}

/// Writes a decided change, then rings for what follows from it.
pub(crate) async fn save(app: &App, tx: crate::db::Tx, change: &mut Change) -> Result<()> {
    prepare(change);
    store::save(tx, change).await?;
    follow_up(app, change).await;
    Ok(())
}

/// As [`save`], and answers the session as it is shown.
async fn save_and_show(app: &App, tx: crate::db::Tx, change: &mut Change) -> Result<Found> {
    prepare(change);
    let found = store::save_and_show(tx, change).await?;
    follow_up(app, change).await;
    Ok(found)
}

/// What is written with every change. A session that ends without success stays due until those who wait on it are
/// called off, so that a crash right after this write leaves none behind.
fn prepare(change: &mut Change) {
    if !change.events.is_empty() {
        change.session.updated_at = change.now;
    }
    if change.orphans && change.session.child_count > 0 {
        change.session.next_step_at = Some(change.now);
    }
}

/// What follows from a written change: the next step, those who may start now, those who waited on it.
pub(crate) async fn follow_up(app: &App, change: &Change) {
    let session = &change.session;
    let (tenant_id, id, agent_id) = (session.tenant_id, session.id, session.agent_id);
    if !change.events.is_empty() {
        app.tell(tenant_id, id).await;
    }
    if change.of_agent().is_some() {
        app.tell_tenant(tenant_id).await;
    }
    if let Some(bell) = next_bell(session, change.now) {
        app.ring(&[bell]).await;
    }
    if change.freed {
        let app = app.clone();
        after_commit(Box::pin(async move {
            if let Err(error) = crate::dispatch::admit_for_tenant(&app, tenant_id, agent_id).await {
                tracing::warn!(?error, session.id = %id, "a free slot was not given on; the sweep will");
            }
        }))
        .await;
    }
    if change.orphans && session.child_count > 0 {
        let app = app.clone();
        after_commit(Box::pin(async move {
            if let Err(error) = orphan_below(&app, tenant_id, id).await {
                tracing::warn!(?error, session.id = %id, "waiting children were not called off; the next step will");
            }
        }))
        .await;
    }
}

/// The doorbell of a session's next step.
pub(crate) fn next_bell(session: &Session, now: Time) -> Option<(Job, Duration)> {
    let (tenant_id, id) = (session.tenant_id, session.id);
    if session.status == Status::Queued {
        return Some((Job::dispatch(tenant_id, id), Duration::ZERO));
    }
    let due = session.next_step_at?;
    let after = (due - now).to_std().unwrap_or(Duration::ZERO);
    // What lies far ahead is left to the sweep: no message lives that long.
    if after > crate::queue::MAX_DELAY {
        return None;
    }
    let job = if session.handover.is_some() && session.status.holds_slot() {
        Job::dispatch(tenant_id, id)
    } else {
        Job::observe(tenant_id, id)
    };
    Some((job, after))
}

/// Calls off, level by level, those who still waited on a session that ended without success.
pub(crate) async fn orphan_below(app: &App, tenant_id: TenantId, parent: SessionId) -> Result<()> {
    let mut parents = vec![parent];
    while let Some(parent) = parents.pop() {
        for child in store::waiting_children(&app.db, tenant_id, parent).await? {
            let mut tx = app.db.tenant(tenant_id).await?;
            let session = match store::lock(&mut tx, tenant_id, child).await {
                Err(error) if error.code() == Code::SessionNotFound => continue,
                locked => locked?,
            };
            if session.status.is_over() || session.status.holds_slot() {
                continue;
            }
            let mut change = Change::new(session, Actor::system("family"), app.clock.now());
            verbs::orphan(&mut change, "its parent ended")?;
            prepare(&mut change);
            store::save(tx, &change).await?;
            app.tell(tenant_id, child).await;
            app.ring(&next_bell(&change.session, change.now).into_iter().collect::<Vec<_>>()).await;
            parents.push(child);
        }
    }
    Ok(())
}

/// The session as it is shown after a change to it.
pub(crate) async fn shown(app: &App, caller: &Caller, id: SessionId) -> Result<Found> {
    store::find(&app.db, caller.tenant_id, id, app.clock.now()).await
}

/// Runs a change and answers the session as it stands after it.
async fn changed(
    app: &App,
    caller: &Caller,
    id: SessionId,
    decide: impl FnOnce(&mut Change) -> Result<Progress>,
) -> Result<(Found, Progress)> {
    let mut tx = app.db.tenant(caller.tenant_id).await?;
    let session = store::lock(&mut tx, caller.tenant_id, id).await?;
    let mut change = Change::new(session, caller, app.clock.now());
    let progress = decide(&mut change)?;
    Ok((save_and_show(app, tx, &mut change).await?, progress))
}

/// The error of a named agent that does not exist.
pub(crate) fn no_agent(name: &str) -> Error {
    Error::field("agent_config.agent", format!("there is no agent {name:?}; GET /api/v1/agents lists them"))
}
