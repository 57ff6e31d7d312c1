//! Making sessions: new ones, and forks from a checkpoint.

use std::sync::Arc;

use crate::{
    app::App,
    auth::Caller,
    db::{Owned, Tx},
    error::{Code, Error, Result},
    event::EventType,
    experiment,
    id::SessionId,
    model,
    session::{
        ForkedFrom, Handover, MAX_DEPTH, MAX_TREE, Session,
        change::Change,
        draft::Draft,
        status::Status,
        store::{self, Found, Room},
        usage::Usage,
        verbs,
    },
    unit::Later,
};

/// Makes a session, and starts it when asked. Refuses what the tenant's limits do not allow, and then makes nothing.
pub async fn open(app: &App, caller: &Caller, draft: Draft, start: bool) -> Result<Found> {
    if let Some(workspace) = &draft.workspace {
        workspace.check_place(&app.settings.outbound)?;
    }
    let mut tx = app.db.tenant(caller.tenant_id).await?;
    if start {
        tx.lock(&super::slots(caller.tenant_id));
    }
    let now = app.clock.now();
    let agent = draft.agent().unwrap_or(store::ANY_AGENT).to_owned();
    check_model(&mut tx, caller, &draft).await?;
    let place = place_below(&mut tx, caller, draft.parent_id).await?;
    let session = blank(caller, draft, place, now);
    let mut change = Change::new(session, caller, now);
    change.verb = Some("create");
    created(&mut change);
    if start {
        verbs::start(&mut change, super::queue_until(app, now))?;
        change.session.version = 1;
        change.verb = Some("create");
    }
    Box::pin(insert(app, tx, change, &agent, start)).await
}

/// Writes a new session and rings for what follows, or says why it is refused.
async fn insert(app: &App, mut tx: Tx, change: Change, agent: &str, start: bool) -> Result<Found> {
    tx.audit(change.birth());
    let birth = Arc::new(Birth { change, agent: agent.to_owned(), start });
    // Where it waits, and for what, is to be read; of one that does not everything is known before it is written.
    let shown = if start {
        let shown = Box::pin(store::insert_and_show(tx, &birth.change, birth.insertion())).await;
        Some(shown.map_err(|error| birth.refused(error))?)
    } else {
        Box::pin(tx.finish_with(birth.clone())).await?;
        None
    };
    super::follow_up(app, &birth.change).await;
    Ok(shown.unwrap_or_else(|| alone(birth.change.session.clone())))
}

/// A session that is about to be written.
struct Birth {
    change: Change,
    agent: String,
    start: bool,
}

impl Birth {
    fn insertion(&self) -> Owned<'_> {
        store::insertion(&self.change, &self.agent, self.start)
    }

    fn why(&self, room: &Room) -> Error {
        if room.agent_id.is_none() && self.agent != store::ANY_AGENT {
            return super::no_agent(&self.agent);
        }
        let reason = check_room(room, self.start).err();
        reason.unwrap_or_else(|| Error::internal("a session was refused without a reason"))
    }
}

impl Later for Arc<Birth> {
    fn statements(&self) -> Vec<Owned<'_>> {
        vec![self.insertion()]
    }

    fn refused(&self, error: Error) -> Error {
        match store::refusal(&error) {
            Some(room) => room.map_or_else(|error| error, |room| self.why(&room)),
            None => error,
        }
    }
}

/// Refuses a reference to a model, alias or version that there is not, and an experiment that does not run. What it leads
/// to is looked up when the session is dispatched, because an alias moves.
async fn check_model(tx: &mut Tx, caller: &Caller, draft: &Draft) -> Result<()> {
    let Some(named) = draft.model_identifier.as_deref() else { return Ok(()) };
    if let Some(name) = named.strip_prefix(model::name::EXPERIMENT) {
        let running = experiment::store::running(tx, caller.tenant_id, (Some(name), None), draft.session_type).await?;
        let refusal = || Error::field("model_identifier", format!("no experiment {name} runs"));
        return running.map(|_| ()).ok_or_else(refusal);
    }
    if !named.starts_with(model::name::REGISTRY) {
        return Ok(());
    }
    let reference: model::Reference = named.parse().map_err(|why: String| Error::field("model_identifier", why))?;
    let resolution = model::store::resolve(tx, caller.tenant_id, &reference).await?;
    match resolution.found(&reference) {
        Ok(_) => Ok(()),
        Err(failure) => Err(Error::field("model_identifier", format!("{} {}", failure.message, failure.remedy))),
    }
}

/// What a start or a create is refused by. The statement that inserts decides by the same.
pub(super) fn check_room(room: &Room, start: bool) -> Result<()> {
    if room.rejects && room.running + room.queued >= room.max_concurrent {
        let detail = format!("All {} of the tenant's slots are taken.", room.max_concurrent);
        return Err(Error::new(Code::QuotaExceeded, detail));
    }
    if room.rejects && room.out_of_tokens {
        return Err(Error::new(Code::TokenQuotaExceeded, "The tenant's tokens of this month are spent."));
    }
    if start { check_queue(room) } else { Ok(()) }
}

/// Whether the tenant's queue takes one more.
pub(super) fn check_queue(room: &Room) -> Result<()> {
    if room.queued >= room.max_queued {
        let detail = format!("The tenant's queue holds its {} sessions already.", room.max_queued);
        return Err(Error::new(Code::QuotaExceeded, detail));
    }
    Ok(())
}

/// Where a session stands in its tree: its parent, root and depth.
type Place = (Option<SessionId>, Option<SessionId>, i16);

async fn place_below(tx: &mut Tx, caller: &Caller, parent: Option<SessionId>) -> Result<Place> {
    let Some(id) = parent else { return Ok((None, None, 1)) };
    let (parent, room) = store::take_place_below(tx, caller.tenant_id, id, MAX_TREE)
        .await?
        .ok_or_else(|| Error::field("parent_id", format!("there is no session {id}")))?;
    if parent.depth >= MAX_DEPTH {
        return Err(Error::field("parent_id", format!("a tree of sessions is at most {MAX_DEPTH} deep")));
    }
    if !room {
        return Err(Error::field("parent_id", format!("a tree has at most {MAX_TREE} sessions")));
    }
    Ok((Some(id), Some(parent.root_id), parent.depth + 1))
}

fn blank(caller: &Caller, draft: Draft, (parent_id, root_id, depth): Place, now: crate::clock::Time) -> Session {
    let id = SessionId::new();
    Session {
        tenant_id: caller.tenant_id,
        id,
        title: draft.title,
        description: draft.description,
        session_type: draft.session_type,
        priority: draft.priority,
        initial_prompt: draft.initial_prompt,
        model_identifier: draft.model_identifier,
        resolved_model: None,
        agent_config: draft.agent_config,
        workspace: draft.workspace,
        max_duration_seconds: draft.max_duration_seconds,
        cpu_limit: draft.cpu_limit,
        memory_limit_mb: draft.memory_limit_mb,
        tags: draft.tags,
        metadata: draft.metadata,
        parent_id,
        root_id: root_id.unwrap_or(id),
        depth,
        child_count: 0,
        forked_from: None,
        status: Status::Pending,
        status_changed_at: now,
        pause_reason: None,
        pause_question: None,
        resume_at: None,
        suspended: false,
        outcome: None,
        retry_count: 0,
        intent: None,
        agent_id: None,
        lost_agent_id: None,
        handover: None,
        run: 0,
        run_started_at: None,
        run_state: None,
        turns_with_changes: 0,
        usage_by_scope: std::collections::BTreeMap::new(),
        fence: 0,
        lease_until: None,
        next_step_at: None,
        step_pause_ms: 0,
        attempts: 0,
        auto_retries: 0,
        unreachable_since: None,
        usage: Usage::default(),
        queued_at: None,
        started_at: None,
        ended_at: None,
        active_since: None,
        active_ms: 0,
        last_event_seq: 0,
        last_checkpoint: 0,
        version: 1,
        created_by: caller.actor(),
        created_at: now,
        updated_at: now,
    }
}

fn created(change: &mut Change) {
    let session = &change.session;
    let payload = serde_json::json!({
        "title": session.title,
        "session_type": session.session_type,
        "priority": session.priority.word(),
        "parent_id": session.parent_id,
        "forked_from": session.forked_from,
    });
    change.event(EventType::Created, payload);
}

fn alone(session: Session) -> Found {
    Found { session, agent: None, place: None }
}

/// What to fork, and from where.
pub struct Fork {
    pub source: SessionId,
    /// Absent: the newest, or the beginning when there is none.
    pub checkpoint: Option<i32>,
}

/// A new session that goes on from a checkpoint of another, which stays as it is.
pub async fn fork(app: &App, caller: &Caller, fork: &Fork) -> Result<Found> {
    let source = super::shown(app, caller, fork.source).await?.session;
    let newest = (source.last_checkpoint > 0).then_some(source.last_checkpoint);
    let sequence = fork.checkpoint.or(newest);
    if let Some(sequence) = sequence {
        store::checkpoint(&app.db, caller.tenant_id, source.id, sequence).await?;
    }
    let tx = app.db.tenant(caller.tenant_id).await?;
    let now = app.clock.now();
    let draft = Draft {
        title: source.title,
        description: source.description,
        session_type: source.session_type,
        priority: source.priority,
        initial_prompt: source.initial_prompt,
        model_identifier: source.model_identifier,
        agent_config: source.agent_config,
        workspace: source.workspace,
        max_duration_seconds: source.max_duration_seconds,
        cpu_limit: source.cpu_limit,
        memory_limit_mb: source.memory_limit_mb,
        parent_id: None,
        tags: source.tags,
        metadata: source.metadata,
    };
    let mut session = blank(caller, draft, (None, None, 1), now);
    session.forked_from = Some(ForkedFrom { session_id: source.id, checkpoint: sequence });
    // A source that has not run since it was forked, retried or restored goes on from a checkpoint itself.
    let inherited = source.handover.filter(|handover| matches!(handover, Handover::Checkpoint { .. }));
    session.handover = sequence.map(|sequence| Handover::Checkpoint { session_id: source.id, sequence }).or(inherited);
    let mut change = Change::new(session, caller, now);
    change.verb = Some("fork");
    created(&mut change);
    Box::pin(insert(app, tx, change, store::ANY_AGENT, false)).await
}
