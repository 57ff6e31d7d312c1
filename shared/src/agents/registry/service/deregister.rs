//! Removing an agent: at once, or after its running sessions finish. Its sessions are reassigned by a job.

use std::time::Duration;

use serde_json::json;

use crate::{
    agents::services::AgentServices,
    events::log::{
        self,
        tenant::{TenantEvent, TenantEventType},
    },
    identity::{
        audit::{self, AuditEntry},
        auth::{AgentCaller, Caller},
    },
    kernel::{
        actor::{Actor, By},
        clock::Time,
        error::{Code, Error, Result},
        id::{AgentId, TenantId},
    },
    platform::{
        postgres::{Tx, lock_names},
        queue::job::Job,
    },
};

use super::{
    super::{
        Agent, State,
        store::{self, SecretChange},
    },
    AgentDetails, audit_fields, lock_own_agent, status_changed_event,
};

/// The outcome of a removal.
#[derive(Clone, Debug)]
pub enum RemovalOutcome {
    Removed,
    /// It finishes its running sessions first.
    Draining(Box<AgentDetails>),
}

/// Removes an agent of the caller's tenant: after its running sessions, or at once with `force`.
pub async fn remove_agent(
    services: &AgentServices,
    caller: &Caller,
    id: AgentId,
    version: Option<i64>,
    force: bool,
) -> Result<RemovalOutcome> {
    let now = services.clock.now();
    let mut tx = services.db.tenant(caller.tenant_id).await?;
    tx.take_lock(&lock_names::agent_turns(id));
    tx.take_lock(&lock_names::agent_offers(id));
    let before = lock_own_agent(&mut tx, caller, id).await?;
    if version.is_some_and(|wanted| wanted != before.version) {
        return Err(Error::stale_version("agent", before.version));
    }
    if before.running == 0 || force {
        deregister_agent(&mut tx, &before, caller.into(), now, force).await?;
        tx.commit().await?;
        services.notify_tenant(caller.tenant_id).await;
        reassign_sessions(services, caller.tenant_id, id).await;
        return Ok(RemovalOutcome::Removed);
    }
    let mut agent = before.clone();
    if agent.state != State::Draining {
        agent.state = State::Draining;
        agent.version += 1;
        agent.updated_at = now;
        audit::record(
            &mut tx,
            AuditEntry::new(caller, now, "agent.drain", id).with_changes(&audit_fields(&before), &audit_fields(&agent)),
        );
        log::publish(&mut tx, status_changed_event(&agent, caller.actor()));
        store::save_agent(&mut tx, &agent, SecretChange::Keep).await?;
    }
    tx.commit().await?;
    services.notify_tenant(caller.tenant_id).await;
    Ok(RemovalOutcome::Draining(Box::new(AgentDetails::for_owner(agent, now))))
}

/// Removes an agent on its own request, at once.
pub async fn remove_itself(services: &AgentServices, agent: &AgentCaller) -> Result<()> {
    let (tenant_id, id) = (agent.tenant_id, agent.agent_id);
    let mut tx = services.db.tenant(tenant_id).await?;
    tx.take_lock(&lock_names::agent_turns(id));
    tx.take_lock(&lock_names::agent_offers(id));
    let before = store::lock_own(&mut tx, tenant_id, id).await?;
    deregister_agent(&mut tx, &before, agent.into(), services.clock.now(), true).await?;
    tx.commit().await?;
    services.notify_tenant(tenant_id).await;
    reassign_sessions(services, tenant_id, id).await;
    Ok(())
}

/// Deregisters an agent that this transaction locked: frees its name, revokes its tokens, and withdraws its offers.
async fn deregister_agent(tx: &mut Tx, before: &Agent, by: By, now: Time, force: bool) -> Result<()> {
    let mut agent = before.clone();
    agent.state = State::Deregistered;
    agent.deregistered_at = Some(now);
    agent.shared_with_all = false;
    agent.version += 1;
    agent.updated_at = now;
    let payload = json!({"agent_id": agent.id, "name": agent.name});
    log::publish(tx, TenantEvent::new(TenantEventType::AgentDeregistered, by.actor.clone(), now, payload));
    let entry = AuditEntry::new(by, now, "agent.delete", agent.id);
    audit::record(
        tx,
        entry.with_before(audit_fields(before)).with_after(json!({"state": agent.state, "force": force})),
    );
    store::save_agent(tx, &agent, SecretChange::Keep).await?;
    store::revoke_access(tx, agent.id, now).await
}

/// After the commit: clears cached credentials and enqueues the reassignment of its sessions.
async fn reassign_sessions(services: &AgentServices, tenant_id: TenantId, id: AgentId) {
    services.invalidate_caches_after_commit().await;
    services.enqueue(&[(Job::reassign_sessions(tenant_id, id), Duration::ZERO)]).await;
}

/// Deregisters draining agents without running sessions. Costs one query when there are none.
pub async fn deregister_drained(services: &AgentServices) -> Result<()> {
    for (tenant_id, id) in store::find_drained(&services.db).await? {
        let now = services.clock.now();
        let mut tx = services.db.tenant(tenant_id).await?;
        tx.take_lock(&lock_names::agent_turns(id));
        tx.take_lock(&lock_names::agent_offers(id));
        let agent = match store::lock_own(&mut tx, tenant_id, id).await {
            Err(error) if error.code() == Code::AgentNotFound => continue,
            found => found?,
        };
        // Its owner may have reactivated it since.
        if agent.state != State::Draining || agent.running > 0 {
            continue;
        }
        deregister_agent(&mut tx, &agent, Actor::system_part("drain").into(), now, false).await?;
        tx.commit().await?;
        services.notify_tenant(tenant_id).await;
        reassign_sessions(services, tenant_id, id).await;
    }
    Ok(())
}
