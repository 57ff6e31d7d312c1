//! Creating sessions: new ones, and forks from a checkpoint.

use std::sync::Arc;

use crate::{
    agents::{
        eap::server::calls::lease_lost,
        environments::{reference::EnvironmentChoice, service::resolve_choice},
    },
    events::log::EventType,
    identity::{audit, auth::Caller, tenants},
    kernel::{
        actor::{Actor, By},
        error::{Code, Error, Result},
        id::{SessionId, TenantId},
    },
    models::{experiments, registry},
    platform::postgres::{
        OwnedStatement, Tx, lock_names,
        unit_of_work::{DeferredWrite, repeat_outdated},
    },
    sessions::{
        ForkedFrom, Handover, MAX_DEPTH, MAX_TREE, NewLineage, Session, SessionKey,
        change::SessionChange,
        draft::SessionDraft,
        next_step::next_step_job,
        services::SessionServices,
        store::{self, FoundSession, InsertOptions, InsertRefusal, SpawnKey, SpawnRecord},
        transitions::commands,
    },
};

/// For whom a session is created, and by which call.
pub(super) struct Creator {
    pub(super) tenant_id: TenantId,
    /// Whose session it is.
    pub(super) actor: Actor,
    pub(super) by: By,
}

impl From<&Caller> for Creator {
    fn from(caller: &Caller) -> Self {
        Self { tenant_id: caller.tenant_id, actor: caller.actor(), by: caller.by() }
    }
}

/// Creates a session, and starts it if the draft asks for it. Creates nothing if the tenant's limits refuse it.
pub async fn create(sessions: &SessionServices, caller: &Caller, draft: SessionDraft) -> Result<FoundSession> {
    create_from(sessions, &caller.into(), draft, None).await
}

/// As [`create`], with the files and the summary of an earlier session at its last checkpoint, which does not change.
/// Its workspace and environment, and where the draft names none its agent and model, are those of the earlier session.
pub async fn create_continuation(
    sessions: &SessionServices,
    caller: &Caller,
    earlier: Session,
    mut draft: SessionDraft,
) -> Result<FoundSession> {
    let spec = &mut draft.spec;
    spec.workspace.clone_from(&earlier.spec.workspace);
    draft.environment = match &earlier.spec.environment {
        Some(named) => EnvironmentChoice::Pinned(named.clone()),
        None => EnvironmentChoice::None,
    };
    spec.model_identifier = spec.model_identifier.take().or_else(|| earlier.spec.model_identifier.clone());
    if let (false, Some(agent)) = (spec.agent_config.contains_key("agent"), earlier.spec.agent_config.get("agent")) {
        spec.agent_config.insert("agent".to_owned(), agent.clone());
    }
    create_from(sessions, &caller.into(), draft, Some(&earlier)).await
}

/// As [`create`], once for each request of an agent at work. Returns the session, and whether this request created it.
pub(super) async fn create_spawned(
    sessions: &SessionServices,
    creator: &Creator,
    draft: SessionDraft,
    key: &SpawnKey,
) -> Result<(SessionId, bool)> {
    check_place(sessions, &draft)?;
    tenants::service::check_new_session(sessions, creator.tenant_id).await?;
    repeat_outdated(|| insert_spawned(sessions, creator, draft.clone(), key)).await
}

async fn insert_spawned(
    sessions: &SessionServices,
    creator: &Creator,
    draft: SessionDraft,
    key: &SpawnKey,
) -> Result<(SessionId, bool)> {
    let mut tx = sessions.db.tenant(creator.tenant_id).await?;
    // Two repetitions at once take turns.
    lock_queue(&mut tx, creator.tenant_id, true);
    match store::find_spawned(&mut tx, creator.tenant_id, key).await? {
        SpawnRecord::LeaseLost => return Err(lease_lost()),
        SpawnRecord::Created(id) => {
            tx.commit().await?;
            return Ok((id, false));
        }
        SpawnRecord::New => {}
    }
    let new = build(sessions, &mut tx, creator, draft, None).await?;
    let (id, now) = (new.change.session.id, new.change.now);
    store::insert_spawned(&mut tx, creator.tenant_id, key, id, now).await?;
    insert(sessions, tx, new).await?;
    Ok((id, true))
}

async fn create_from(
    sessions: &SessionServices,
    creator: &Creator,
    draft: SessionDraft,
    earlier: Option<&Session>,
) -> Result<FoundSession> {
    check_place(sessions, &draft)?;
    tenants::service::check_new_session(sessions, creator.tenant_id).await?;
    repeat_outdated(|| insert_new(sessions, creator, draft.clone(), earlier)).await
}

async fn insert_new(
    sessions: &SessionServices,
    creator: &Creator,
    draft: SessionDraft,
    earlier: Option<&Session>,
) -> Result<FoundSession> {
    let mut tx = sessions.db.tenant(creator.tenant_id).await?;
    let counts_exactly = !draft.start || sessions.tenants_near_limit.contains(creator.tenant_id);
    if draft.start {
        lock_queue(&mut tx, creator.tenant_id, counts_exactly);
    }
    let mut new = build(sessions, &mut tx, creator, draft, earlier).await?;
    new.options.counts_exactly = counts_exactly;
    insert(sessions, tx, new).await
}

/// Takes the lock under which sessions are added to the queue of a tenant. Near its limits, each addition is counted
/// exactly, alone and beside no change of its slots.
pub(crate) fn lock_queue(tx: &mut Tx, tenant_id: TenantId, counts_exactly: bool) {
    let queue = lock_names::tenant_queue(tenant_id);
    if counts_exactly {
        tx.take_lock(&lock_names::tenant_slots(tenant_id));
        tx.take_lock(&queue);
    } else {
        tx.share_lock(&queue);
    }
}

/// The error of work that assumed what is no longer so. It is carried out again.
pub(crate) fn outdated_error() -> Error {
    Error::new(Code::DependencyUnavailable, "Somebody else changed the same session or its tenant at once.")
        .repeatable()
}

fn check_place(sessions: &SessionServices, draft: &SessionDraft) -> Result<()> {
    draft.spec.workspace.as_ref().map_or(Ok(()), |workspace| workspace.check_place(&sessions.outbound_allowed))
}

/// Builds a session that is about to be inserted. Where it starts, the transaction holds the tenant's slots.
async fn build(
    sessions: &SessionServices,
    tx: &mut Tx,
    creator: &Creator,
    mut draft: SessionDraft,
    earlier: Option<&Session>,
) -> Result<SessionInsert> {
    let (start, tenant_id, now) = (draft.start, creator.tenant_id, sessions.clock.now());
    let agent = draft.agent_name().unwrap_or(store::ANY_AGENT).to_owned();
    check_model(tx, tenant_id, &draft).await?;
    let without_default_environment = !choose_environment(sessions, tx, tenant_id, &mut draft).await?;
    let lineage = add_to_tree(tx, tenant_id, draft.parent_id).await?;
    let mut session = Session::new(tenant_id, draft.spec, lineage, creator.actor.clone(), now);
    if let Some(earlier) = earlier {
        let checkpoint = (earlier.last_checkpoint > 0).then_some(earlier.last_checkpoint);
        session.lineage.forked_from = Some(ForkedFrom { session_id: earlier.id, checkpoint });
        session.run.handover = checkpoint.map(|sequence| Handover::Checkpoint { session_id: earlier.id, sequence });
    }
    let mut change = SessionChange::new(session, creator.by.clone(), now);
    add_creation_event(&mut change);
    if start {
        commands::start(&mut change, sessions.session_settings.queue_deadline(now))?;
        change.session.version = 1;
    }
    change.verb = Some("create");
    let options = InsertOptions { start, without_default_environment, counts_exactly: true };
    Ok(SessionInsert { change, agent, options, sessions: sessions.clone() })
}

/// Writes a new session, and enqueues its first step; or says why it is refused.
async fn insert(sessions: &SessionServices, mut tx: Tx, insert: SessionInsert) -> Result<FoundSession> {
    audit::record(&mut tx, insert.change.creation_entry());
    let insert = Arc::new(insert);
    // The queue's place of a started session has to be read. Everything about any other session is known beforehand.
    let found = if insert.options.start {
        let found = Box::pin(store::insert_and_find(tx, &insert.change, insert.insert_statement())).await;
        Some(found.map_err(|error| insert.map_refusal(error))?)
    } else {
        Box::pin(tx.finish_with(insert.clone())).await?;
        None
    };
    let session = &insert.change.session;
    sessions.notify_session(session.tenant_id, session.id).await;
    if let Some(job) = next_step_job(session, insert.change.now) {
        sessions.enqueue(&[job]).await;
    }
    Ok(found.unwrap_or_else(|| FoundSession { session: session.clone(), agent: None, queue: None }))
}

/// A session that is about to be inserted.
struct SessionInsert {
    change: SessionChange,
    agent: String,
    options: InsertOptions,
    sessions: SessionServices,
}

impl SessionInsert {
    fn insert_statement(&self) -> OwnedStatement<'_> {
        store::insert_statement(&self.change, &self.agent, self.options)
    }

    fn refusal_error(&self, refusal: &InsertRefusal) -> Error {
        let (snapshot, tenant_id) = (&refusal.snapshot, self.change.session.tenant_id);
        if refusal.has_default_environment {
            self.sessions.tenants_with_default.record(tenant_id, true);
            return outdated_error();
        }
        if snapshot.agent_id.is_none() && self.agent != store::ANY_AGENT {
            return unknown_agent(&self.agent);
        }
        snapshot.check_limits(self.options.start).err().unwrap_or_else(|| {
            self.sessions.tenants_near_limit.record(tenant_id, true);
            outdated_error()
        })
    }
}

impl DeferredWrite for Arc<SessionInsert> {
    fn statements(&self) -> Vec<OwnedStatement<'_>> {
        vec![self.insert_statement()]
    }

    fn map_refusal(&self, error: Error) -> Error {
        match store::parse_refusal(&error) {
            Some(refusal) => refusal.map_or_else(|error| error, |refusal| self.refusal_error(&refusal)),
            None => error,
        }
    }
}

fn unknown_agent(name: &str) -> Error {
    Error::invalid_field("agent_config.agent", format!("there is no agent {name:?}; GET /api/v1/agents lists them"))
}

/// Sets the environment that the draft asks for. Returns false where that is the tenant's default and the tenant is
/// taken to have none, without asking: most have none, and the statement that inserts the session checks it.
async fn choose_environment(
    sessions: &SessionServices,
    tx: &mut Tx,
    tenant_id: TenantId,
    draft: &mut SessionDraft,
) -> Result<bool> {
    let known = &sessions.tenants_with_default;
    let by_default = draft.environment == EnvironmentChoice::TenantDefault;
    if by_default && !known.contains(tenant_id) {
        return Ok(false);
    }
    let environment = resolve_choice(tx, tenant_id, &draft.environment).await?;
    if by_default {
        known.record(tenant_id, environment.is_some());
    }
    draft.spec.set_environment(environment);
    Ok(true)
}

/// Refuses a reference to an unknown model, alias or version, and an experiment that is not running. The reference is
/// resolved at the dispatch, because an alias moves.
async fn check_model(tx: &mut Tx, tenant_id: TenantId, draft: &SessionDraft) -> Result<()> {
    let Some(named) = draft.spec.model_identifier.as_deref() else { return Ok(()) };
    if let Some(name) = named.strip_prefix(registry::name::EXPERIMENT) {
        let target = (Some(name), None);
        let running = experiments::store::find_running(tx, tenant_id, target, draft.spec.session_type).await?;
        let refusal = || Error::invalid_field("model_identifier", format!("no experiment {name} runs"));
        return running.map(|_| ()).ok_or_else(refusal);
    }
    if !named.starts_with(registry::name::REGISTRY) {
        return Ok(());
    }
    let reference: registry::Reference =
        named.parse().map_err(|why: String| Error::invalid_field("model_identifier", why))?;
    let resolution = registry::store::resolve_reference(tx, tenant_id, &reference).await?;
    match resolution.into_resolved(&reference) {
        Ok(_) => Ok(()),
        Err(failure) => {
            Err(Error::invalid_field("model_identifier", format!("{} {}", failure.message, failure.remedy)))
        }
    }
}

/// Counts the new session as a child of its parent, within the limits of the tree.
async fn add_to_tree(tx: &mut Tx, tenant_id: TenantId, parent: Option<SessionId>) -> Result<NewLineage> {
    let Some(id) = parent else { return Ok(NewLineage::root_lineage(None)) };
    let (parent, has_room) = store::add_child(tx, tenant_id, id, MAX_TREE)
        .await?
        .ok_or_else(|| Error::invalid_field("parent_id", format!("there is no session {id}")))?;
    if parent.depth >= MAX_DEPTH {
        return Err(Error::invalid_field("parent_id", format!("a tree of sessions is at most {MAX_DEPTH} deep")));
    }
    if !has_room {
        return Err(Error::invalid_field("parent_id", format!("a tree has at most {MAX_TREE} sessions")));
    }
    Ok(NewLineage { parent_id: Some(id), root_id: Some(parent.root_id), depth: parent.depth + 1, forked_from: None })
}

fn add_creation_event(change: &mut SessionChange) {
    let session = &change.session;
    let payload = serde_json::json!({
        "title": session.spec.title,
        "session_type": session.spec.session_type,
        "priority": session.spec.priority.word(),
        "parent_id": session.lineage.parent_id,
        "forked_from": session.lineage.forked_from,
    });
    change.add_event(EventType::Created, payload);
}

/// The session and checkpoint to fork from.
pub struct Fork {
    pub source: SessionId,
    /// The newest checkpoint when absent, or the beginning when there is none.
    pub checkpoint: Option<i32>,
}

/// Creates a session that continues from a checkpoint of another. The source does not change.
pub async fn fork_session(sessions: &SessionServices, caller: &Caller, fork: &Fork) -> Result<FoundSession> {
    tenants::service::check_new_session(sessions, caller.tenant_id).await?;
    let now = sessions.clock.now();
    let source = store::find_session(&sessions.db, SessionKey::new(caller.tenant_id, fork.source), now).await?.session;
    let newest = (source.last_checkpoint > 0).then_some(source.last_checkpoint);
    let sequence = fork.checkpoint.or(newest);
    if let Some(sequence) = sequence {
        store::find_checkpoint(&sessions.db, caller.tenant_id, source.id, sequence).await?;
    }
    let tx = sessions.db.tenant(caller.tenant_id).await?;
    let now = sessions.clock.now();
    let lineage = NewLineage::root_lineage(Some(ForkedFrom { session_id: source.id, checkpoint: sequence }));
    let mut session = Session::new(caller.tenant_id, source.spec, lineage, caller.actor(), now);
    // A source that has not run since it was forked, retried or restored continues from a checkpoint itself.
    let inherited = source.run.handover.filter(|handover| matches!(handover, Handover::Checkpoint { .. }));
    let own = sequence.map(|sequence| Handover::Checkpoint { session_id: source.id, sequence });
    session.run.handover = own.or(inherited);
    let mut change = SessionChange::new(session, caller, now);
    change.verb = Some("fork");
    add_creation_event(&mut change);
    let options = InsertOptions { start: false, without_default_environment: false, counts_exactly: true };
    let (agent, sessions) = (store::ANY_AGENT.to_owned(), sessions.clone());
    insert(&sessions.clone(), tx, SessionInsert { change, agent, options, sessions }).await
}
