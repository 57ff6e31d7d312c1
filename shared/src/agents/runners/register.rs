//! A runner registers: for the first time with an enrolment token, later with its credential to say what has changed.

use std::{collections::BTreeMap, time::Duration};

use crate::{
    agents::{
        eap::server::{MAX_WAIT, runner_heartbeat_interval},
        services::AgentServices,
    },
    events::{
        log::{
            self,
            tenant::{TenantEvent, TenantEventType},
        },
        stream::ConnectionBackend,
    },
    identity::{
        audit::{self, AuditEntry},
        auth::{
            EnrolmentCaller, RunnerCaller,
            runner_credentials::{issue_runner_credential, used_enrolment},
        },
    },
    kernel::{
        actor::{Actor, ActorKind, By},
        clock::Time,
        error::{Code, Error, Result},
        id::{AgentId, RunnerId, TenantId},
    },
    platform::{
        postgres::{Tx, lock_names},
        queue::job::Job,
    },
};

use super::{
    MAX_RUNNERS, Runner,
    enrolment_store::use_enrolment,
    leases::{self, RevokedLeases},
    not_found,
    pool_agents::ensure_pool_agents,
    registration::RunnerRegistration,
    store,
};

/// A registered runner.
#[derive(Clone, Debug)]
pub struct RegisteredRunner {
    pub runner_id: RunnerId,
    /// Its credential, which exists only here; `None` for a runner that has one.
    pub credential: Option<String>,
    /// The agents that it works as, by program.
    pub agents: BTreeMap<String, AgentId>,
    /// How often it sends a heartbeat.
    pub heartbeat_interval: Duration,
    /// How long a claim of it may wait.
    pub poll: Duration,
    /// Where it opens the connection for its signals; `None` where the API is.
    pub signals_url: Option<String>,
}

/// Registers a new runner in the pool of its enrolment. A runner of the same name that is offline is replaced: its
/// machine began anew.
pub async fn register(
    services: &AgentServices,
    caller: &EnrolmentCaller,
    new: &RunnerRegistration,
) -> Result<RegisteredRunner> {
    let (now, id) = (services.clock.now(), RunnerId::new());
    let by = By {
        actor: Actor { kind: ActorKind::Runner, id: id.to_string(), name: new.name.clone() },
        request_id: Some(caller.request_id.clone()),
        address: caller.address.clone(),
    };
    let (tenant_id, pool) = (caller.tenant_id, caller.pool.as_str());
    let mut tx = begin(services, tenant_id, pool).await?;
    if !use_enrolment(&mut tx, caller.enrolment_id, now).await? {
        return Err(used_enrolment());
    }
    let revoked = replace_offline(&mut tx, (tenant_id, pool), &new.name, &by, now).await?;
    if store::count_runners(&mut tx).await? >= MAX_RUNNERS {
        return Err(Error::new(Code::QuotaExceeded, format!("The tenant has {MAX_RUNNERS} runners; remove some.")));
    }
    let agents = ensure_pool_agents(services, &mut tx, (tenant_id, pool), &new.programs, &by).await?;
    store::insert(&mut tx, (id, pool), new, &caller.created_by, now).await?;
    let credential = issue_runner_credential(services, &mut tx, id).await?;
    let runner = find_registered(&mut tx, id).await?;
    let entry = AuditEntry::new(by.clone(), now, "runner.register", id);
    let mut fields = runner.audit_fields();
    fields["enrolment_id"] = caller.enrolment_id.to_string().into();
    audit::record(&mut tx, entry.with_after(fields));
    let event = TenantEvent::new(TenantEventType::RunnerRegistered, by.actor, now, runner.event_payload());
    log::publish(&mut tx, event);
    store::refresh_pool(&mut tx, tenant_id, pool, now).await?;
    tx.commit().await?;
    revoked.reassign(services).await;
    offer_work(services, tenant_id, agents.values().copied()).await;
    Ok(registered(services, id, Some(credential), agents))
}

/// Records what has changed of a runner that was restarted.
pub async fn update(
    services: &AgentServices,
    caller: &RunnerCaller,
    new: &RunnerRegistration,
) -> Result<RegisteredRunner> {
    let (now, id) = (services.clock.now(), caller.runner_id);
    let (tenant_id, pool) = (caller.tenant_id, caller.pool.as_str());
    if new.name != caller.name {
        return Err(Error::invalid_field(
            "name",
            format!("must be {}: enrol the runner anew to rename it", caller.name),
        ));
    }
    let mut tx = begin(services, tenant_id, pool).await?;
    let before = find_registered(&mut tx, id).await?;
    let agents = ensure_pool_agents(services, &mut tx, (tenant_id, pool), &new.programs, &caller.into()).await?;
    store::update(&mut tx, id, new, now).await?;
    let after = find_registered(&mut tx, id).await?;
    let (was, is) = (before.audit_fields(), after.audit_fields());
    if was != is {
        audit::record(&mut tx, AuditEntry::new(caller, now, "runner.update", id).with_changes(&was, &is));
    }
    if before.state != after.state {
        let actor = By::from(caller).actor;
        log::publish(
            &mut tx,
            TenantEvent::new(TenantEventType::RunnerStatusChanged, actor, now, after.event_payload()),
        );
    }
    store::refresh_pool(&mut tx, tenant_id, pool, now).await?;
    tx.commit().await?;
    offer_work(services, tenant_id, agents.values().copied()).await;
    Ok(registered(services, id, None, agents))
}

/// A transaction with the locks of a registration.
async fn begin(services: &AgentServices, tenant_id: TenantId, pool: &str) -> Result<Tx> {
    let mut tx = services.db.tenant(tenant_id).await?;
    tx.take_lock(&lock_names::tenant_agents(tenant_id));
    tx.take_lock(&lock_names::runner_pool(tenant_id, pool));
    Ok(tx)
}

async fn find_registered(tx: &mut Tx, id: RunnerId) -> Result<Runner> {
    Ok(store::find_in(tx, id).await?.ok_or_else(|| not_found(id))?.runner)
}

/// Removes an offline runner that has the name. A runner that is not offline keeps it.
async fn replace_offline(
    tx: &mut Tx,
    (tenant_id, pool): (TenantId, &str),
    name: &str,
    by: &By,
    now: Time,
) -> Result<RevokedLeases> {
    let Some((id, is_offline)) = store::lock_by_name(tx, pool, name).await? else {
        return Ok(RevokedLeases::default());
    };
    if !is_offline {
        let detail = format!("The pool {pool} has a runner {name} already; only an offline one is replaced.");
        return Err(Error::new(Code::AlreadyExists, detail));
    }
    tracing::info!(runner.id = %id, tenant.id = %tenant_id, "an offline runner is replaced");
    let before = find_registered(tx, id).await?;
    store::remove(tx, id, now).await?;
    let entry = AuditEntry::new(by.clone(), now, "runner.replace", id);
    audit::record(tx, entry.with_before(before.audit_fields()));
    log::publish(tx, TenantEvent::new(TenantEventType::RunnerRemoved, by.actor.clone(), now, before.event_payload()));
    leases::revoke_in(tx, id, now).await
}

/// Notifies the tenant, and has its waiting sessions considered for agents that have more capacity.
pub(super) async fn offer_work(
    services: &AgentServices,
    tenant_id: TenantId,
    agents: impl IntoIterator<Item = AgentId>,
) {
    services.notify_tenant(tenant_id).await;
    let jobs: Vec<_> = agents.into_iter().map(|agent| (Job::admit(tenant_id, agent), Duration::ZERO)).collect();
    services.enqueue(&jobs).await;
}

fn registered(
    services: &AgentServices,
    runner_id: RunnerId,
    credential: Option<String>,
    agents: BTreeMap<String, AgentId>,
) -> RegisteredRunner {
    let heartbeat_interval = runner_heartbeat_interval(services.heartbeat_interval);
    let signals_url = match &services.backend {
        ConnectionBackend::ApiGateway(gateway) => Some(format!("{}?runner={runner_id}", gateway.connection_url())),
        ConnectionBackend::InProcess(_) => None,
    };
    RegisteredRunner { runner_id, credential, agents, heartbeat_interval, poll: MAX_WAIT, signals_url }
}
