//! What people and runners do after the registration: reading, draining and removing runners; heartbeats and rotations.

use chrono::TimeDelta;
use serde_json::json;

use crate::{
    agents::services::AgentServices,
    events::log::{
        self,
        tenant::{TenantEvent, TenantEventType},
    },
    identity::{
        audit::{self, AuditEntry},
        auth::{Caller, RunnerCaller, runner_credentials::rotate_runner_credential},
    },
    kernel::{
        error::Result,
        id::{RunnerId, TenantId},
    },
    platform::{
        notification::RunnerSignal,
        postgres::{Tx, lock_names, unit_of_work::after_commit},
    },
};

pub use super::store::RunnerFilter;
use super::{
    HeldTask, RunnerDetails, RunnerState,
    heartbeat::{RunnerCommand, RunnerHeartbeat},
    leases, not_found,
    register::offer_work,
    store,
};

/// The shortest time between two recorded signs of life of an agent.
const CALL_INTERVAL: TimeDelta = TimeDelta::seconds(5);

/// A page of the runners of the caller's tenant, newest first.
pub async fn list(
    services: &AgentServices,
    caller: &Caller,
    filter: &RunnerFilter,
    before: Option<RunnerId>,
    limit: i64,
) -> Result<Vec<RunnerDetails>> {
    store::find_page(&services.db, caller.tenant_id, filter, before, limit).await
}

/// A runner of the caller's tenant, with the tasks of the tenant that it works on.
pub async fn get(services: &AgentServices, caller: &Caller, id: RunnerId) -> Result<(RunnerDetails, Vec<HeldTask>)> {
    let found = store::find(&services.db, caller.tenant_id, id).await?.ok_or_else(|| not_found(id))?;
    let tasks = store::held_tasks(&services.db, caller.tenant_id, id).await?;
    Ok((found, tasks))
}

/// Drains a runner: it finishes its tasks and gets no new ones, from now on. Can be repeated.
pub async fn drain(services: &AgentServices, caller: &Caller, id: RunnerId) -> Result<RunnerDetails> {
    set_drain(services, caller, id, true).await
}

/// Ends that a lead drains a runner. It takes work as soon as it reports that it is active. Can be repeated.
pub async fn resume(services: &AgentServices, caller: &Caller, id: RunnerId) -> Result<RunnerDetails> {
    set_drain(services, caller, id, false).await
}

async fn set_drain(services: &AgentServices, caller: &Caller, id: RunnerId, drain: bool) -> Result<RunnerDetails> {
    let now = services.clock.now();
    let mut tx = lock_pool_of(services, caller.tenant_id, id).await?;
    let before = store::find_in(&mut tx, id).await?.ok_or_else(|| not_found(id))?;
    if before.runner.drain_requested == drain {
        tx.commit().await?;
        return Ok(before);
    }
    store::set_drain(&mut tx, id, drain, now).await?;
    let after = store::find_in(&mut tx, id).await?.ok_or_else(|| not_found(id))?;
    let action = if drain { "runner.drain" } else { "runner.resume" };
    let changes = (before.runner.audit_fields(), after.runner.audit_fields());
    audit::record(&mut tx, AuditEntry::new(caller, now, action, id).with_changes(&changes.0, &changes.1));
    if after.runner.state != before.runner.state {
        let payload = after.runner.event_payload();
        log::publish(&mut tx, TenantEvent::new(TenantEventType::RunnerStatusChanged, caller.actor(), now, payload));
    }
    store::refresh_pool(&mut tx, caller.tenant_id, &after.runner.pool, now).await?;
    tx.commit().await?;
    let opened = after.agents.values().copied().filter(|_| after.runner.state == RunnerState::Active);
    offer_work(services, caller.tenant_id, opened.collect::<Vec<_>>()).await;
    Ok(after)
}

/// Removes a runner. Its credentials are refused at once, and its tasks go to the other runners of its pool.
pub async fn remove(services: &AgentServices, caller: &Caller, id: RunnerId) -> Result<()> {
    let now = services.clock.now();
    let mut tx = lock_pool_of(services, caller.tenant_id, id).await?;
    let found = store::find_in(&mut tx, id).await?.ok_or_else(|| not_found(id))?.runner;
    store::remove(&mut tx, id, now).await?;
    let revoked = leases::revoke_in(&mut tx, id, now).await?;
    audit::record(
        &mut tx,
        AuditEntry::new(caller, now, "runner.delete", id).with_before(found.audit_fields()).with_after(json!({})),
    );
    log::publish(&mut tx, TenantEvent::new(TenantEventType::RunnerRemoved, caller.actor(), now, found.event_payload()));
    store::refresh_pool(&mut tx, caller.tenant_id, &found.pool, now).await?;
    tx.commit().await?;
    services.notify_tenant(caller.tenant_id).await;
    let services = services.clone();
    // A request with an idempotency key commits later, and its tasks may be those of other tenants.
    after_commit(Box::pin(async move {
        revoked.reassign(&services).await;
        services.task_notifier.send_signal(RunnerSignal::RunnerRemoved { runner_id: id }).await;
    }))
    .await;
    Ok(())
}

/// A transaction with the lock of the pool of a runner.
async fn lock_pool_of(services: &AgentServices, tenant_id: TenantId, id: RunnerId) -> Result<Tx> {
    // A runner never changes its pool.
    let found = store::find(&services.db, tenant_id, id).await?.ok_or_else(|| not_found(id))?;
    let mut tx = services.db.tenant(tenant_id).await?;
    tx.take_lock(&lock_names::runner_pool(tenant_id, &found.runner.pool));
    Ok(tx)
}

/// Records a heartbeat, which is a sign of life of the runner and of its agents. Returns what the runner is to do. A
/// runner that goes offline loses its leases at once.
pub async fn record_heartbeat(
    services: &AgentServices,
    runner: &RunnerCaller,
    heartbeat: &RunnerHeartbeat,
) -> Result<Vec<RunnerCommand>> {
    let (now, id) = (services.clock.now(), runner.runner_id);
    let jobs = serde_json::to_value(&heartbeat.jobs)?;
    let times = (now, now - CALL_INTERVAL);
    let outcome = store::record_heartbeat(&services.db, id, times, heartbeat.state, &jobs).await?;
    let outcome = outcome.ok_or_else(|| not_found(id))?;
    if outcome.state != outcome.previous_state {
        tracing::info!(runner.id = %id, state = outcome.state.name(), "the state of a runner changed");
        let opened = outcome.agents.iter().copied().filter(|_| outcome.state == RunnerState::Active);
        offer_work(services, runner.tenant_id, opened.collect::<Vec<_>>()).await;
    }
    if heartbeat.state == RunnerState::Offline {
        leases::revoke(&services.db, id, now).await?.reassign(services).await;
    }
    let commands = [(outcome.drain, RunnerCommand::Drain), (outcome.resume, RunnerCommand::Resume)];
    Ok(commands.into_iter().filter_map(|(is_asked, command)| is_asked.then_some(command)).collect())
}

/// Creates a new credential for the runner. The credential of this call stays valid for a while.
pub async fn rotate_credential(services: &AgentServices, runner: &RunnerCaller) -> Result<String> {
    rotate_runner_credential(services, runner).await
}
