//! Changing an agent of the caller's tenant.

use std::time::Duration;

use crate::{
    agents::{
        registry::{
            Agent, State,
            draft::AgentPatch,
            secret,
            store::{self, SecretChange},
        },
        services::AgentServices,
    },
    events::log,
    identity::{
        audit::{self, AuditEntry},
        auth::Caller,
    },
    kernel::{error::Result, id::TenantId},
    platform::{postgres::Tx, queue::job::Job},
};

use super::{AgentDetails, audit_fields, record_secret_change, status_changed_event};

/// Changes an agent of the caller's tenant that the transaction has locked. If the change frees capacity, waiting
/// sessions are admitted.
pub(super) async fn patch_own_agent(
    services: &AgentServices,
    caller: &Caller,
    tx: Tx,
    before: Agent,
    mut patch: AgentPatch,
) -> Result<AgentDetails> {
    let (mut agent, now, plain) = (before.clone(), services.clock.now(), patch.endpoint_secret.take());
    if let Some(passed) = patch.conformance_passed.take() {
        agent.trust.conformance_passed_at = passed.then_some(now);
    }
    patch.apply(&mut agent)?;
    if agent == before && plain.is_none() {
        tx.commit().await?;
        return Ok(AgentDetails::for_owner(agent, now));
    }
    agent.version += 1;
    agent.updated_at = now;
    save_change(services, caller, tx, &before, &agent, plain.as_ref()).await?;
    services.notify_tenant(caller.tenant_id).await;
    services.enqueue(&jobs_after_change(caller.tenant_id, &before, &agent)).await;
    Ok(AgentDetails::for_owner(agent, now))
}

/// Saves a changed agent with its audit entry and its event, and commits. `plain` is the new secret, if one was sent.
async fn save_change(
    services: &AgentServices,
    caller: &Caller,
    mut tx: Tx,
    before: &Agent,
    agent: &Agent,
    plain: Option<&Option<String>>,
) -> Result<()> {
    let seal = |plain: &String| secret::seal_secret(&services.pepper, agent.id, plain.as_bytes());
    let sealed = plain.into_iter().flatten().map(seal).next().transpose()?;
    let mut after = audit_fields(agent);
    record_secret_change(&mut after, plain.is_some());
    let entry = AuditEntry::new(caller, agent.updated_at, "agent.update", agent.id);
    audit::record(&mut tx, entry.with_changes(&audit_fields(before), &after));
    store::save_agent(&mut tx, agent, SecretChange::from_input(plain, sealed.as_deref())).await?;
    if agent.state != before.state {
        log::publish(&mut tx, status_changed_event(agent, caller.actor()));
    }
    tx.commit().await
}

/// What follows a change of an agent: waiting sessions may start on it, and a new address is tried.
fn jobs_after_change(tenant_id: TenantId, before: &Agent, agent: &Agent) -> Vec<(Job, Duration)> {
    let is_opened = before.state != State::Active
        || before.capacity < agent.capacity
        || before.trust.trusted != agent.trust.trusted
        || before.trust.conformance_passed_at != agent.trust.conformance_passed_at;
    let admit = (agent.state == State::Active && is_opened).then(|| Job::admit(tenant_id, agent.id));
    let probe = (before.endpoint_url != agent.endpoint_url).then(|| Job::probe_agent(agent.id));
    admit.into_iter().chain(probe).map(|job| (job, Duration::ZERO)).collect()
}
