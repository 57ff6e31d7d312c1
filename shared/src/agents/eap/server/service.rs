//! The use cases of external agents: register, send heartbeats, claim tasks, report on them, and rotate tokens.

use std::time::Duration;

use chrono::TimeDelta;
use serde_json::json;
use tokio::time::Instant;

use crate::{
    agents::registry::{
        self, Agent, Kind, Liveness, Status,
        secret::seal_secret,
        service::{ProbeReport, add_agent, probe_new_agent},
    },
    agents::services::AgentServices,
    identity::{
        audit::{self, AuditEntry},
        auth::{AgentCaller, AgentCredential, Caller, agent_tokens},
        tenants,
    },
    kernel::{
        clock::Time,
        error::{Code, Error, Result},
        id::{AgentId, ExternalTaskId, SessionId, TenantId},
    },
    platform::queue::job::Job,
};

use super::{
    MAX_GRANTS, MAX_POOL_CLAIMS, artifacts,
    calls::{lease_lost, record_call, unknown_task},
    claims::{self, Claim},
    lease_duration,
    registration::{AgentRegistration, Heartbeat},
    report::Progress,
    result::TaskOutcome,
    runner_heartbeat_interval,
    sign::new_secret,
    store::{self, AgentTask, NewStoredResult, ReportOutcome, TaskOwner},
    task::{LeasedTask, TaskMessage},
};

/// A new registration. The secrets are returned only here.
pub struct RegisteredAgent {
    pub agent_id: AgentId,
    pub auth_token: String,
    /// The secret that signs pushes; `None` for a pulling agent.
    pub signing_secret: Option<String>,
    /// It takes only the caller's own sessions, until a lead trusts it.
    pub restricted: bool,
    /// What the first probe of its endpoint showed; `None` for a pulling agent.
    pub probe: Option<ProbeReport>,
}

/// Registers an agent of the caller's tenant, with a token of its own.
pub async fn register(services: &AgentServices, caller: &Caller, new: AgentRegistration) -> Result<RegisteredAgent> {
    if let Some(url) = &new.endpoint_url {
        services.outbound()?.resolve_and_check(url).await.map_err(|why| Error::invalid_field("endpoint_url", why))?;
    }
    let mut agent = agent_of(new, registry::service::new_agent(caller, Kind::Eap, services.clock.now()));
    let signing_secret = agent.endpoint_url.is_some().then(new_secret);
    let sealed = signing_secret.as_ref().map(|secret| seal_secret(&services.pepper, agent.id, secret.as_bytes()));
    let sealed = sealed.transpose()?;
    let probe = probe_new_agent(services, &mut agent, sealed.as_deref()).await;
    let entry = AuditEntry::new(caller, agent.created_at, "agent.register", agent.id).with_after(audit_fields(&agent));
    let token = add_agent(services, caller, &agent, sealed.as_deref(), entry).await?;
    Ok(RegisteredAgent {
        agent_id: agent.id,
        auth_token: token.ok_or_else(|| Error::internal("a registered agent has no token"))?,
        signing_secret,
        restricted: agent.trust.restricted,
        probe,
    })
}

fn audit_fields(agent: &Agent) -> serde_json::Value {
    json!({
        "name": agent.name,
        "kind": agent.kind,
        "agent_type": agent.agent_type,
        "version": agent.software_version,
        "capabilities": agent.capabilities,
        "skills": agent.skills,
        "capacity": agent.capacity,
        "endpoint_url": agent.endpoint_url,
        "metadata": agent.metadata,
    })
}

/// The agent as it registered itself.
fn agent_of(new: AgentRegistration, blank: Agent) -> Agent {
    Agent {
        name: new.name,
        agent_type: new.agent_type,
        capabilities: new.capabilities,
        skills: new.skills,
        capacity: Some(new.capacity),
        endpoint_url: new.endpoint_url,
        software_version: Some(new.version),
        metadata: new.metadata,
        // Registration counts as a heartbeat.
        liveness: Liveness::Alive,
        last_heartbeat_at: Some(blank.created_at),
        ..blank
    }
}

/// Records a heartbeat. An agent that reports that it goes offline hands its work back at once.
pub async fn record_heartbeat(services: &AgentServices, agent: &AgentCaller, heartbeat: &Heartbeat) -> Result<()> {
    agent_tokens::record_use(services, agent).await?;
    let was = store::record_heartbeat(&services.db, agent.agent_id, heartbeat, services.clock.now()).await?;
    services.notify_tenant(agent.tenant_id).await;
    if was.is_some() && heartbeat.status == Status::Offline {
        return registry::liveness::revoke_work(services, agent.agent_id).await;
    }
    match was {
        None => Err(registry::store::not_found(agent.agent_id)),
        Some(Liveness::Alive) => Ok(()),
        Some(was) => {
            tracing::info!(agent.id = %agent.agent_id, was = was.name(), "an agent is back");
            services.enqueue(&[(Job::admit(agent.tenant_id, agent.agent_id), Duration::ZERO)]).await;
            Ok(())
        }
    }
}

/// A request of an agent for tasks.
#[derive(Clone, Debug, Default)]
pub struct TaskRequest {
    /// The most tasks that it takes besides those that it holds.
    pub max_tasks: i32,
    /// The longest wait for the first task.
    pub wait: Duration,
    /// The tasks that it holds, whose leases it asks for anew.
    pub held: Vec<ExternalTaskId>,
    /// It asks for the leases of all tasks that it holds: it has lost its memory.
    pub reclaims: bool,
}

/// Leases tasks to an agent, and waits for the first: anew those that it holds and asks for, then those that wait. At
/// most as many claims of an agent wait as it has capacity.
pub async fn claim_tasks(
    services: &AgentServices,
    agent: &AgentCaller,
    request: &TaskRequest,
) -> Result<Vec<LeasedTask>> {
    let end = Instant::now() + request.wait;
    record_call(services, agent, true).await?;
    let leased = claim_now(services, agent, request).await?;
    if !leased.is_empty() || request.wait.is_zero() {
        return Ok(leased);
    }
    let most = most_waiting_claims(services, agent).await?;
    let mut waiting = services.task_waiters.begin(agent.agent_id, most).ok_or_else(|| too_many_claims(most))?;
    loop {
        // A task that came before the claim waited sent it no notification.
        let leased = claim_now(services, agent, request).await?;
        if !leased.is_empty() || Instant::now() >= end {
            return Ok(leased);
        }
        waiting.wait_for_task(&services.cache, end).await;
    }
}

/// How many claims of an agent may wait in this process: as many as it has capacity, or for the agent of a pool more
/// than a tenant has runners.
async fn most_waiting_claims(services: &AgentServices, agent: &AgentCaller) -> Result<usize> {
    if agent.runner_id().is_some() {
        return Ok(MAX_POOL_CLAIMS);
    }
    let capacity = registry::store::find_capacity(&services.db, agent.tenant_id, agent.agent_id).await?;
    Ok(usize::try_from(capacity).unwrap_or(0).max(1))
}

fn too_many_claims(most: usize) -> Error {
    Error::new(Code::QuotaExceeded, format!("{most} claims of this agent wait already, as many as it may have."))
}

/// Leases the tasks that there are, and has their sessions observed: those that were only offered run from now on. If
/// that fails, they are observed when their offers end.
async fn claim_now(services: &AgentServices, agent: &AgentCaller, request: &TaskRequest) -> Result<Vec<LeasedTask>> {
    let now = services.clock.now();
    let claim = Claim {
        agent: agent.agent_id,
        runner: agent.runner_id(),
        now,
        until: lease_end(services, agent, now),
        max_tasks: request.max_tasks,
        max_grants: MAX_GRANTS,
        held: &request.held,
        reclaims: request.reclaims,
    };
    let leased = claims::claim_tasks(&services.db, &claim).await?;
    for (tenant_id, one) in &leased {
        if let Err(error) = observe_soon(services, *tenant_id, one.task.session_id).await {
            tracing::warn!(?error, session.id = %one.task.session_id, "a claimed session is observed later");
        }
    }
    Ok(leased.into_iter().map(|(_, one)| one).collect())
}

/// When a lease that begins now ends. It lasts as long as its holder may be silent.
fn lease_end(services: &AgentServices, agent: &AgentCaller, now: Time) -> Time {
    let interval = services.heartbeat_interval;
    let interval = if agent.runner_id().is_some() { runner_heartbeat_interval(interval) } else { interval };
    now + TimeDelta::from_std(lease_duration(interval)).unwrap_or_default()
}

/// The task with the agent, and the runner, that a call is about.
fn task_key(agent: &AgentCaller, task_id: ExternalTaskId) -> AgentTask {
    AgentTask { agent_id: agent.agent_id, runner_id: agent.runner_id(), task_id }
}

/// The answer to a report.
pub struct ReportResponse {
    pub cancel: bool,
    pub messages: Vec<TaskMessage>,
}

/// Records a report, renews the lease, and makes the next observation of the session due.
pub async fn record_progress(
    services: &AgentServices,
    agent: &AgentCaller,
    task: ExternalTaskId,
    report: &Progress,
) -> Result<ReportResponse> {
    record_call(services, agent, false).await?;
    let now = services.clock.now();
    let key = task_key(agent, task);
    // A full tenant keeps its leases: a report without content stores nothing.
    if report.report.is_some() {
        let owner = store::find_owner(&services.db, agent.agent_id, task).await?.ok_or_else(|| unknown_task(task))?;
        tenants::service::check_stored_bytes(services, owner.tenant_id).await?;
    }
    match store::record_progress(&services.db, key, report, now, lease_end(services, agent, now)).await? {
        ReportOutcome::Accepted(tenant_id, session_id, receipt) => {
            if receipt.has_news {
                observe_soon(services, tenant_id, session_id).await?;
            }
            Ok(ReportResponse { cancel: receipt.cancel, messages: receipt.messages })
        }
        ReportOutcome::UnknownTask => Err(unknown_task(task)),
        ReportOutcome::Duplicate | ReportOutcome::Conflict | ReportOutcome::LeaseLost => Err(lease_lost()),
    }
}

/// Stores a result. Returns false when the same result was stored before. The next observation of the session, which is
/// due at once, reads it.
pub async fn record_result(
    services: &AgentServices,
    agent: &AgentCaller,
    task: ExternalTaskId,
    mut outcome: TaskOutcome,
) -> Result<bool> {
    record_call(services, agent, false).await?;
    let owner = store::find_owner(&services.db, agent.agent_id, task).await?.ok_or_else(|| unknown_task(task))?;
    artifacts::resolve_uploads(&services.files, (owner.tenant_id, owner.session_id), &mut outcome).await?;
    let hash = outcome.hash()?;
    if let Some(known) = &owner.result_hash {
        return if *known == hash { Ok(false) } else { Err(result_differs()) };
    }
    if !owner.is_leased_by(agent) || outcome.lease_token.is_some_and(|token| token != owner.lease_token) {
        return Err(lease_lost());
    }
    if agent.runner_id().is_some() {
        // Another runner may get the lease before the result is stored.
        outcome.lease_token = Some(owner.lease_token);
    }
    let (tenant_id, session_id) = (owner.tenant_id, owner.session_id);
    match Box::pin(store_result(services, agent, task, &owner, outcome, &hash)).await? {
        ReportOutcome::Accepted(..) => {
            observe_soon(services, tenant_id, session_id).await?;
            Ok(true)
        }
        ReportOutcome::Duplicate => Ok(false),
        ReportOutcome::Conflict => Err(result_differs()),
        ReportOutcome::LeaseLost => Err(lease_lost()),
        ReportOutcome::UnknownTask => Err(unknown_task(task)),
    }
}

async fn store_result(
    services: &AgentServices,
    agent: &AgentCaller,
    task: ExternalTaskId,
    owner: &TaskOwner,
    mut outcome: TaskOutcome,
    hash: &[u8],
) -> Result<ReportOutcome<()>> {
    artifacts::store_contents(&services.files, (owner.tenant_id, owner.session_id), &mut outcome).await?;
    let now = services.clock.now();
    let (lease_token, tokens, cost_micros) = (outcome.lease_token, outcome.tokens, outcome.cost_micros);
    let new = NewStoredResult { lease_token, hash, kept: &outcome.kept, tokens, cost_micros };
    let mut tx = services.db.tenant(owner.tenant_id).await?;
    let taken = store::record_result(&mut tx, task_key(agent, task), &new, now).await?;
    if matches!(taken, ReportOutcome::Accepted(..)) {
        let details = json!({"task_id": task, "runner_id": agent.runner_id(), "status": outcome.kept.status, "artifacts": outcome.kept.artifacts.len()});
        audit::record(&mut tx, AuditEntry::new(agent, now, "session.result", owner.session_id).with_after(details));
    }
    tx.commit().await?;
    Ok(taken)
}

/// Makes the next observation of a session due now.
pub(crate) async fn observe_soon(services: &AgentServices, tenant_id: TenantId, session_id: SessionId) -> Result<()> {
    store::make_sessions_due(&services.db, tenant_id, &[session_id], services.clock.now()).await?;
    services.enqueue(&[(Job::observe(tenant_id, session_id), Duration::ZERO)]).await;
    Ok(())
}

/// Creates a new token for the agent. The token of this call stays valid for a while.
pub async fn rotate_token(services: &AgentServices, agent: &AgentCaller) -> Result<String> {
    record_call(services, agent, false).await?;
    let AgentCredential::Token { id, .. } = agent.credential else {
        return Err(Error::new(Code::Forbidden, "A runner rotates its own credential."));
    };
    Ok(agent_tokens::rotate(services, agent.tenant_id, agent, id, None).await?.text)
}

#[track_caller]
fn result_differs() -> Error {
    Error::new(Code::ResultDiffers, "A different result of this task was accepted before.")
}
