//! Driving sessions: the verbs, by people and by agents.

use serde_json::{Map, Value};

use crate::{
    app::App,
    audit::By,
    auth::Caller,
    error::{Code, Error, Result},
    id::{MessageId, SessionId},
    runtime::Said,
    session::{
        Session,
        change::{Change, refuse},
        draft::Patch,
        outcome::{Failure, Outcome},
        status::Status,
        store::{self, Checkpoint, Found, Room, Towards},
        verbs::{self, Progress},
    },
    tidy,
    unit::as_one,
};

use super::{change, changed};

/// Asks a session to run. Under the tenant's slot lock, so that its queue never holds more than it may.
pub async fn start(app: &App, caller: &Caller, id: SessionId) -> Result<(Found, Progress)> {
    let mut tx = app.db.tenant(caller.tenant_id).await?;
    tx.lock(&super::slots(caller.tenant_id));
    let now = app.clock.now();
    let named = (caller.tenant_id, id);
    let (session, room) = store::lock_with_room(&mut tx, named, Towards::Configured, now).await?;
    let mut change = Change::new(session, caller, now);
    let progress = verbs::start(&mut change, super::queue_until(app, now))?;
    super::create::check_room(&room, true)?;
    if room.agent_id.is_none() && !change.session.is_routed() {
        return Err(Error::new(Code::AgentUnavailable, "The session's agent is not there any more."));
    }
    // Of one that any agent may take this is a first guess; where it worked before its traces are.
    change.session.agent_id = room.agent_id.or(change.session.agent_id);
    Ok((super::save_and_show(app, tx, &mut change).await?, progress))
}

pub async fn unqueue(app: &App, caller: &Caller, id: SessionId) -> Result<(Found, Progress)> {
    changed(app, caller, id, verbs::unqueue).await
}

pub async fn pause(app: &App, caller: &Caller, id: SessionId, reason: Option<String>) -> Result<(Found, Progress)> {
    changed(app, caller, id, |change| verbs::pause(change, reason)).await
}

pub async fn cancel(app: &App, caller: &Caller, id: SessionId, reason: Option<String>) -> Result<(Found, Progress)> {
    changed(app, caller, id, |change| verbs::cancel(change, reason.as_deref())).await
}

pub async fn stop(app: &App, caller: &Caller, id: SessionId, reason: Option<String>) -> Result<(Found, Progress)> {
    changed(app, caller, id, |change| verbs::stop(change, reason)).await
}

pub async fn retry(app: &App, caller: &Caller, id: SessionId) -> Result<(Found, Progress)> {
    changed(app, caller, id, verbs::retry).await
}

pub async fn complete(app: &App, caller: &Caller, id: SessionId, outcome: Outcome) -> Result<(Found, Progress)> {
    changed(app, caller, id, |change| verbs::complete(change, outcome)).await
}

/// `context` is kept with the log: the outcome stays short.
pub async fn fail(
    app: &App,
    caller: &Caller,
    id: SessionId,
    failure: Failure,
    context: Option<Map<String, Value>>,
) -> Result<(Found, Progress)> {
    changed(app, caller, id, |change| verbs::fail(change, failure, context)).await
}

/// Lets a paused session go on: at once when a slot, its workspace and its agent are free, else through the queue.
pub async fn resume(app: &App, caller: &Caller, id: SessionId) -> Result<(Found, Progress)> {
    let until = super::queue_until(app, app.clock.now());
    let progress = by_hand(app, caller, id, |change, free| verbs::resume(change, free, until)).await?;
    Ok((super::shown(app, caller, id).await?, progress))
}

/// Says something to a session: a further prompt, or the answer that it waits for.
pub async fn say(app: &App, caller: &Caller, id: SessionId, said: Said) -> Result<Found> {
    let message = MessageId::new();
    let until = super::queue_until(app, app.clock.now());
    by_hand(app, caller, id, |change, free| verbs::say(change, message, said, free, until)).await?;
    super::shown(app, caller, id).await
}

/// As [`go_on`], because somebody asks for it: refused where it would make the queue longer than it may be. What goes on by
/// itself is never turned away.
async fn by_hand(
    app: &App,
    caller: &Caller,
    id: SessionId,
    decide: impl FnOnce(&mut Change, bool) -> Result<Progress>,
) -> Result<Progress> {
    go_on_in(app, caller.tenant_id, id, caller.by(), |change, room| {
        let waited = change.session.status == Status::Queued;
        let progress = decide(change, room.free())?;
        if change.session.status == Status::Queued && !waited {
            super::create::check_queue(room)?;
        }
        Ok(progress)
    })
    .await
}

/// A change that may take a session from paused to running, decided under the locks of its slots.
pub(crate) async fn go_on(
    app: &App,
    tenant_id: crate::id::TenantId,
    id: SessionId,
    by: impl Into<By>,
    decide: impl FnOnce(&mut Change, bool) -> Result<Progress>,
) -> Result<Progress> {
    go_on_in(app, tenant_id, id, by, |change, room| decide(change, room.free())).await
}

/// As [`go_on`], decided by all that is known of the room.
pub(crate) async fn go_on_in(
    app: &App,
    tenant_id: crate::id::TenantId,
    id: SessionId,
    by: impl Into<By>,
    decide: impl FnOnce(&mut Change, &Room) -> Result<Progress>,
) -> Result<Progress> {
    let now = app.clock.now();
    let before = store::find(&app.db, tenant_id, id, now).await?.session;
    let mut tx = app.db.tenant(tenant_id).await?;
    if let Some(agent) = before.agent_id {
        tx.lock(&crate::dispatch::turns(agent));
    }
    tx.lock(&super::slots(tenant_id));
    let (session, room) = store::lock_with_room(&mut tx, (tenant_id, id), Towards::Given, now).await?;
    let mut change = Change::new(session, by, now);
    let progress = decide(&mut change, &room)?;
    super::save(app, tx, &mut change).await?;
    Ok(progress)
}

/// Changes the fields that a person may change. With `version`, only that version of the session.
pub async fn patch(app: &App, caller: &Caller, id: SessionId, patch: Patch, version: Option<i64>) -> Result<Found> {
    change(app, caller.tenant_id, id, caller.by(), |change| {
        let current = change.session.version;
        if version.is_some_and(|wanted| wanted != current) {
            return Err(Error::stale("session", current));
        }
        verbs::patch(change, patch)
    })
    .await?;
    super::shown(app, caller, id).await
}

/// Takes a checkpoint on request and answers it.
pub async fn take_checkpoint(
    app: &App,
    caller: &Caller,
    id: SessionId,
    data: Option<Value>,
    note: Option<String>,
) -> Result<Checkpoint> {
    let (change, ()) =
        change(app, caller.tenant_id, id, caller.by(), |change| verbs::take_checkpoint(change, data, note)).await?;
    let taken = store::checkpoints(&app.db, caller.tenant_id, id).await?;
    let wanted = change.session.last_checkpoint;
    taken
        .into_iter()
        .find(|checkpoint| checkpoint.sequence == wanted)
        .ok_or_else(|| Error::new(Code::CheckpointNotFound, "A hundred newer checkpoints came between."))
}

/// Back to a checkpoint: pending, to go on from there once started.
pub async fn restore(app: &App, caller: &Caller, id: SessionId, sequence: i32) -> Result<(Found, Progress)> {
    // Unknown session before unknown checkpoint: the same answer for another tenant's session as for none.
    super::shown(app, caller, id).await?;
    store::checkpoint(&app.db, caller.tenant_id, id, sequence).await?;
    changed(app, caller, id, |change| verbs::restore(change, sequence)).await
}

/// Removes a session that is not active, and calls off those that still waited on it.
pub async fn remove(app: &App, caller: &Caller, id: SessionId) -> Result<()> {
    let root = super::shown(app, caller, id).await?.session.root_id;
    let left = as_one(&app.db, async {
        let mut tx = app.db.tenant(caller.tenant_id).await?;
        // A deletion touches the rows above and below: those of one tree take turns, or they would wait for each other.
        tx.lock(&format!("tree:{root}"));
        let session = store::lock(&mut tx, caller.tenant_id, id).await?;
        check_removable(&session)?;
        tx.commit().await?;
        // Those below lose their parent when it is gone, so they come first.
        super::orphan_below(app, caller.tenant_id, id).await?;
        let mut change = Change::new(session, caller, app.clock.now());
        change.verb = Some("delete");
        let mut tx = app.db.tenant(caller.tenant_id).await?;
        tx.audit(change.removal());
        let left = store::leave_workspaces(&mut tx, caller.tenant_id, &[id], change.now).await?;
        store::delete(tx, &change.session).await?;
        Ok(left)
    })
    .await?;
    tidy::ring(app, caller.tenant_id, left).await;
    Ok(())
}

fn check_removable(session: &Session) -> Result<()> {
    if session.status.is_active() {
        let detail = format!("A {} session cannot be deleted; stop or cancel it first.", session.status.name());
        return Err(refuse(session, &detail));
    }
    Ok(())
}
