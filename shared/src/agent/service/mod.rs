//! The use cases of a tenant's agents: made, read, changed, and taken away.

mod figures;
mod leave;

use serde_json::{Value, json};

use crate::{
    app::App,
    audit::Entry,
    auth::{Actor, Caller, agent_tokens},
    clock::Time,
    db::Tx,
    dispatch,
    error::{Code, Error, Result},
    event::tenant::{Kind as EventKind, TenantEvent},
    id::{AgentId, TenantId},
    unit::as_one,
};

pub use self::figures::{Counts, Performance, counts, performance};
pub use self::leave::{Left, let_go_of, remove, settle_draining};
pub(crate) use self::leave::{settle, settle_stranded};
use super::{
    Agent, AgentType, DEFAULT_CAPACITY, Kind, Liveness, State, Status,
    draft::{Patch, Raw},
    route::Owner,
    secret,
    standing::{Figures, Tier},
    store::{self, NewAgent, Secret, not_found},
};

/// How many agents are read at once while a list is narrowed by what follows from their rows.
const PAGE: i64 = 200;

/// An agent as a tenant sees it.
#[derive(Clone, Debug)]
pub struct Shown {
    pub agent: Agent,
    pub owner: Owner,
    /// The name of the tenant that shares it.
    pub publisher: Option<String>,
    pub now: Time,
}

impl Shown {
    fn own(agent: Agent, now: Time) -> Self {
        Self { agent, owner: Owner::Own, publisher: None, now }
    }
}

/// Which agents are wanted; all that is given must hold, and none of a list means all.
#[derive(Clone, Debug, Default)]
pub struct Filter {
    pub rows: store::Filter,
    pub status: Vec<Status>,
    pub tier: Vec<Tier>,
}

impl Filter {
    fn holds(&self, agent: &Agent) -> bool {
        (self.status.is_empty() || self.status.contains(&agent.status()))
            && (self.tier.is_empty() || self.tier.contains(&agent.tier()))
    }
}

/// Reads what was sent of a new agent.
pub fn read_new(app: &App, kind: Kind, raw: Raw) -> Result<Patch> {
    let outbound = app.outbound()?;
    Patch::parse_new(kind, raw, |url| outbound.check(url).map(|_| ()))
}

/// Reads what was sent of an agent to be changed.
pub fn read_change(app: &App, raw: Raw) -> Result<Patch> {
    let outbound = app.outbound()?;
    Patch::parse(raw, |url| outbound.check(url).map(|_| ()))
}

/// Makes an agent of the caller's tenant. One that calls us gets its token, which is answered here and never again.
pub async fn create(app: &App, caller: &Caller, kind: Kind, mut sent: Patch) -> Result<(Shown, Option<String>)> {
    let now = app.clock.now();
    let mut agent = blank(caller.tenant_id, caller.actor(), kind, now);
    let plain = sent.endpoint_secret.take().flatten();
    sent.apply(&mut agent)?;
    let sealed = plain.map(|plain| secret::seal(&app.keys.pepper, agent.id, plain.as_bytes())).transpose()?;
    let mut after = audited(&agent);
    note_secret(&mut after, sealed.is_some());
    let entry = Entry::new(caller, now, "agent.create", agent.id).after(after);
    let write = async {
        let mut tx = app.db.tenant(caller.tenant_id).await?;
        tx.audit(entry);
        tx.tell(registered(&agent, caller.actor()));
        store::insert(&mut tx, &NewAgent { agent: &agent, endpoint_secret: sealed.as_deref() }).await?;
        tx.commit().await?;
        if kind != Kind::Eap {
            return Ok(None);
        }
        let issued = agent_tokens::issue(app, caller.tenant_id, caller, agent.id, None).await?;
        Ok(Some(issued.text))
    };
    let token = Box::pin(as_one(&app.db, write)).await?;
    app.tell_tenant(caller.tenant_id).await;
    dispatch::admit_soon(app, agent.id).await;
    Ok((Shown::own(agent, now), token))
}

fn blank(tenant_id: TenantId, created_by: Actor, kind: Kind, now: Time) -> Agent {
    Agent {
        id: AgentId::new(),
        tenant_id: Some(tenant_id),
        name: String::new(),
        kind,
        agent_type: AgentType::Implementer,
        description: None,
        capabilities: Vec::new(),
        skills: Vec::new(),
        capacity: Some(DEFAULT_CAPACITY),
        endpoint_url: None,
        software_version: None,
        metadata: serde_json::Map::new(),
        routable: true,
        state: State::Active,
        deregistered_at: None,
        // Of one that sends heartbeats nothing is known before the first.
        liveness: if kind == Kind::Eap { Liveness::Offline } else { Liveness::Alive },
        last_heartbeat_at: None,
        reported_status: None,
        reported_load: None,
        reported_tasks: None,
        metrics: json!({}),
        figures: Figures::default(),
        last_result_at: None,
        breaker_opened_at: None,
        shared_with_all: false,
        version: 1,
        created_by,
        created_at: now,
        updated_at: now,
        running: 0,
    }
}

/// One agent that the caller's tenant sees.
pub async fn get(app: &App, caller: &Caller, id: AgentId) -> Result<Shown> {
    let agent = store::find(&app.db, caller.tenant_id, id).await?;
    if agent.state == State::Deregistered {
        return Err(not_found(id));
    }
    Ok(show_all(app, caller, vec![agent]).await?.remove(0))
}

/// All agents that the caller's tenant sees, as routing sees them.
pub async fn visible(app: &App, caller: &Caller) -> Result<Vec<Agent>> {
    store::visible(&app.db, caller.tenant_id).await
}

/// A page of the agents that the caller's tenant sees, newest first.
pub async fn list(
    app: &App,
    caller: &Caller,
    filter: &Filter,
    before: Option<AgentId>,
    most: i64,
) -> Result<Vec<Shown>> {
    let wanted = usize::try_from(most).unwrap_or(usize::MAX);
    let (mut found, mut before) = (Vec::new(), before);
    while found.len() < wanted {
        let page = store::page(&app.db, caller.tenant_id, &filter.rows, before, PAGE).await?;
        let Some(last) = page.last() else { break };
        before = Some(last.id);
        found.extend(page.into_iter().filter(|agent| filter.holds(agent)));
    }
    found.truncate(wanted);
    show_all(app, caller, found).await
}

async fn show_all(app: &App, caller: &Caller, agents: Vec<Agent>) -> Result<Vec<Shown>> {
    let now = app.clock.now();
    let mut publishers = std::collections::HashMap::new();
    if agents.iter().any(|agent| agent.owner(caller.tenant_id) == Owner::Shared) {
        publishers = store::publishers(&app.db, caller.tenant_id).await?;
    }
    let shown = agents.into_iter().map(|agent| {
        let (owner, publisher) = (agent.owner(caller.tenant_id), publishers.remove(&agent.id));
        Shown { agent, owner, publisher, now }
    });
    Ok(shown.collect())
}

/// Changes an agent of the caller's tenant. With `version`, only that version of it. What waits for it starts at once where
/// the change made room.
pub async fn patch(app: &App, caller: &Caller, id: AgentId, mut sent: Patch, version: Option<i64>) -> Result<Shown> {
    let mut tx = app.db.tenant(caller.tenant_id).await?;
    // What starts after it starts by its state and capacity.
    tx.lock(&dispatch::turns(id));
    let before = own(&mut tx, caller, id).await?;
    if version.is_some_and(|wanted| wanted != before.version) {
        return Err(Error::stale("agent", before.version));
    }
    let (mut agent, now) = (before.clone(), app.clock.now());
    let plain = sent.endpoint_secret.take();
    sent.apply(&mut agent)?;
    if agent == before && plain.is_none() {
        tx.commit().await?;
        return Ok(Shown::own(agent, now));
    }
    agent.version += 1;
    agent.updated_at = now;
    let sealed = plain.iter().flatten().map(|plain| secret::seal(&app.keys.pepper, id, plain.as_bytes())).next();
    let sealed = sealed.transpose()?;
    let becomes = match (&plain, &sealed) {
        (None, _) => Secret::Stays,
        (Some(_), None) => Secret::Goes,
        (Some(_), Some(sealed)) => Secret::Becomes(sealed),
    };
    let mut after = audited(&agent);
    note_secret(&mut after, plain.is_some());
    tx.audit(Entry::new(caller, now, "agent.update", id).changes(&audited(&before), &after));
    store::save(&mut tx, &agent, becomes).await?;
    if agent.state != before.state {
        tx.tell(standing(&agent, caller.actor()));
    }
    tx.commit().await?;
    app.tell_tenant(caller.tenant_id).await;
    if agent.state == State::Active && (before.state != State::Active || before.capacity < agent.capacity) {
        dispatch::admit_soon(app, id).await;
    }
    Ok(Shown::own(agent, now))
}

/// An agent of the caller's own tenant, kept from changing. Whoever sees it and does not own it is told so.
pub(in crate::agent) async fn own(tx: &mut Tx, caller: &Caller, id: AgentId) -> Result<Agent> {
    match store::lock_own(tx, caller.tenant_id, id).await {
        Err(error) if error.code() == Code::AgentNotFound && store::is_anothers(tx, id).await? => {
            Err(Error::new(Code::Forbidden, "The agent is not your tenant's own: only its owner changes it."))
        }
        found => found,
    }
}

/// What those who watch are told of a new agent.
pub(crate) fn registered(agent: &Agent, by: Actor) -> TenantEvent {
    let payload = json!({"agent_id": agent.id, "name": agent.name, "kind": agent.kind, "agent_type": agent.agent_type});
    TenantEvent::new(EventKind::AgentRegistered, by, agent.created_at, payload)
}

/// What they are told of an agent that stands otherwise than before.
fn standing(agent: &Agent, by: Actor) -> TenantEvent {
    let payload = json!({"agent_id": agent.id, "name": agent.name, "state": agent.state, "liveness": agent.liveness});
    TenantEvent::new(EventKind::AgentStatusChanged, by, agent.updated_at, payload)
}

/// What the audit log tells of an agent.
fn audited(agent: &Agent) -> Value {
    json!({
        "name": agent.name, "kind": agent.kind, "agent_type": agent.agent_type, "description": agent.description,
        "capabilities": agent.capabilities, "skills": agent.skills, "capacity": agent.capacity,
        "endpoint_url": agent.endpoint_url, "version": agent.software_version, "metadata": agent.metadata,
        "state": agent.state,
    })
}

/// That a secret was sent is on record; what it is, the log masks by the name of the field.
fn note_secret(after: &mut Value, sent: bool) {
    if sent {
        after["endpoint_secret"] = json!("sent");
    }
}
