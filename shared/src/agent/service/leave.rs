//! How an agent leaves: it finishes what it has and is deregistered then, or at once. What waits for it by name is told.

use serde_json::json;

use crate::{
    app::App,
    audit::{By, Entry},
    auth::{Actor, Caller, service::forget},
    clock::Time,
    db::Tx,
    dispatch,
    error::{Code, Error, Result},
    event::tenant::{Kind, TenantEvent},
    id::{AgentId, SessionId, TenantId},
    session,
    unit::after_commit,
};

use super::{
    super::{
        Agent, State, market,
        store::{self, Secret},
    },
    Shown, audited, own, standing,
};

/// How many sessions one look finds that wait for an agent that is gone; the sweep goes on.
const MOST: i32 = 1000;

/// What became of an agent that was to go.
#[derive(Clone, Debug)]
pub enum Left {
    Gone,
    /// It finishes what it has.
    Draining(Box<Shown>),
}

/// Takes an agent of the caller's tenant away: once it has finished what it has, or with `force` at once.
pub async fn remove(app: &App, caller: &Caller, id: AgentId, version: Option<i64>, force: bool) -> Result<Left> {
    let now = app.clock.now();
    let mut tx = app.db.tenant(caller.tenant_id).await?;
    tx.lock(&dispatch::turns(id));
    tx.lock(&market::offers(id));
    let before = own(&mut tx, caller, id).await?;
    if version.is_some_and(|wanted| wanted != before.version) {
        return Err(Error::stale("agent", before.version));
    }
    if before.running == 0 || force {
        deregister(&mut tx, &before, caller.into(), now, force).await?;
        tx.commit().await?;
        app.tell_tenant(caller.tenant_id).await;
        follow_up(app, id, force).await;
        return Ok(Left::Gone);
    }
    let mut agent = before.clone();
    if agent.state != State::Draining {
        agent.state = State::Draining;
        agent.version += 1;
        agent.updated_at = now;
        tx.audit(Entry::new(caller, now, "agent.drain", id).changes(&audited(&before), &audited(&agent)));
        tx.tell(standing(&agent, caller.actor()));
        store::save(&mut tx, &agent, Secret::Stays).await?;
    }
    tx.commit().await?;
    app.tell_tenant(caller.tenant_id).await;
    Ok(Left::Draining(Box::new(Shown::own(agent, now))))
}

/// Deregisters an agent that was locked in this transaction: its name is free, its tokens end, nobody is offered it.
async fn deregister(tx: &mut Tx, before: &Agent, by: By, now: Time, force: bool) -> Result<()> {
    let mut agent = before.clone();
    agent.state = State::Deregistered;
    agent.deregistered_at = Some(now);
    agent.shared_with_all = false;
    agent.version += 1;
    agent.updated_at = now;
    let gone = json!({"agent_id": agent.id, "name": agent.name});
    tx.tell(TenantEvent::new(Kind::AgentDeregistered, by.actor.clone(), now, gone));
    let entry = Entry::new(by, now, "agent.delete", agent.id);
    tx.audit(entry.before(audited(before)).after(json!({"state": agent.state, "force": force})));
    store::save(tx, &agent, Secret::Stays).await?;
    store::cut_off(tx, agent.id, now).await
}

/// What follows from a deregistration once it is committed.
async fn follow_up(app: &App, id: AgentId, force: bool) {
    let app = app.clone();
    after_commit(Box::pin(async move {
        forget(&app);
        let followed = async {
            if force {
                let_go_of(&app, id).await?;
            }
            settle_stranded(&app).await
        };
        if let Err(error) = followed.await {
            tracing::warn!(?error, agent.id = %id, "not everything of a deregistered agent was settled; the sweep will");
        }
    }))
    .await;
}

/// Takes the work of an agent that was forced to go from it.
pub async fn let_go_of(app: &App, id: AgentId) -> Result<()> {
    Box::pin(dispatch::failover(app, id)).await
}

/// Deregisters the agents that were draining and have nothing left. Costs one look when there is none.
pub async fn settle_draining(app: &App) -> Result<()> {
    for (tenant_id, id) in store::drained(&app.db).await? {
        let now = app.clock.now();
        let mut tx = app.db.tenant(tenant_id).await?;
        tx.lock(&dispatch::turns(id));
        tx.lock(&market::offers(id));
        let agent = match store::lock_own(&mut tx, tenant_id, id).await {
            Err(error) if error.code() == Code::AgentNotFound => continue,
            found => found?,
        };
        // Its owner may have called it off since.
        if agent.state != State::Draining || agent.running > 0 {
            continue;
        }
        deregister(&mut tx, &agent, Actor::system("drain").into(), now, false).await?;
        tx.commit().await?;
        app.tell_tenant(tenant_id).await;
        follow_up(app, id, false).await;
    }
    Ok(())
}

/// Fails what waits for an agent by name that its tenant may not use any more. What named none is left to be routed.
pub(crate) async fn settle_stranded(app: &App) -> Result<()> {
    for (tenant_id, id, agent) in store::stranded(&app.db, MOST).await? {
        if let Err(error) = strand(app, tenant_id, id, agent).await {
            tracing::warn!(?error, session.id = %id, "a session waits for an agent that is gone; the next sweep tells it");
        }
    }
    Ok(())
}

async fn strand(app: &App, tenant_id: TenantId, id: SessionId, agent: AgentId) -> Result<()> {
    let by = Actor::system("agents").into();
    let stranded = session::service::change(app, tenant_id, id, by, |change| session::stranded::strand(change, agent));
    match stranded.await {
        Err(error) if error.code() == Code::SessionNotFound => Ok(()),
        other => other.map(|_| ()),
    }
}

/// What the sweep does for agents: carries out what was decided and broken off.
pub(crate) async fn settle(app: &App) -> Result<()> {
    settle_draining(app).await?;
    settle_stranded(app).await
}
