//! What external agents do: register, beat, take work, report it, and change their token.

use std::time::Duration;

use chrono::TimeDelta;
use serde_json::json;
use tokio::time::Instant;

use crate::{
    agent::{self, Agent, Kind, Liveness, State, secret::seal, standing::Figures, store::NewAgent},
    app::App,
    audit::Entry,
    auth::{Caller, agent_tokens, service::AgentCaller},
    clock::Time,
    db::OnConstraint,
    dispatch,
    error::{Code, Error, Result},
    id::{AgentId, ExternalTaskId, SessionId, TenantId},
    job::Job,
    unit::as_one,
};

use super::{
    MAX_GRANTS,
    bell::Waiting,
    lease,
    registration::{Beat, Registration},
    report::Progress,
    result::Outcome,
    sign::new_secret,
    store::{self, Claim, Held, NewKept, Taken},
    task::{Leased, Message},
};

/// An agent that has just registered. The secrets are answered here and never again.
pub struct Registered {
    pub agent_id: AgentId,
    pub auth_token: String,
    /// What pushes are signed with; `None` for one that pulls.
    pub signing_secret: Option<String>,
}

/// Makes an agent of the caller's tenant, with a token of its own.
pub async fn register(app: &App, caller: &Caller, new: Registration) -> Result<Registered> {
    if let Some(url) = &new.endpoint_url {
        app.outbound()?.verify(url).await.map_err(|why| Error::field("endpoint_url", why))?;
    }
    let agent = described(app, caller, new);
    let signing_secret = agent.endpoint_url.is_some().then(new_secret);
    let sealed = signing_secret.as_ref().map(|secret| seal(&app.keys.pepper, agent.id, secret.as_bytes()));
    let sealed = sealed.transpose()?;
    let token = as_one(&app.db, async {
        let mut tx = app.db.tenant(caller.tenant_id).await?;
        agent::store::insert(&mut tx, &NewAgent { agent: &agent, endpoint_secret: sealed.as_deref() })
            .await
            .on_constraint("agents_name", || {
                Error::new(Code::AlreadyExists, "An agent of your tenant has this name already.")
            })?;
        tx.tell(agent::service::registered(&agent, caller.actor()));
        tx.audit(Entry::new(caller, agent.created_at, "agent.register", agent.id).after(audited(&agent)));
        tx.commit().await?;
        agent_tokens::issue(app, caller.tenant_id, caller, agent.id, None).await
    })
    .await?;
    app.tell_tenant(caller.tenant_id).await;
    dispatch::admit_soon(app, agent.id).await;
    Ok(Registered { agent_id: agent.id, auth_token: token.text, signing_secret })
}

fn audited(agent: &Agent) -> serde_json::Value {
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

fn described(app: &App, caller: &Caller, new: Registration) -> Agent {
    let now = app.clock.now();
    Agent {
        id: AgentId::new(),
        tenant_id: Some(caller.tenant_id),
        name: new.name,
        kind: Kind::Eap,
        agent_type: new.agent_type,
        description: None,
        capabilities: new.capabilities,
        skills: new.skills,
        capacity: Some(new.capacity),
        endpoint_url: new.endpoint_url,
        software_version: Some(new.version),
        metadata: new.metadata,
        routable: true,
        state: State::Active,
        deregistered_at: None,
        liveness: Liveness::Alive,
        // To register is a sign of life.
        last_heartbeat_at: Some(now),
        reported_status: None,
        reported_load: None,
        reported_tasks: None,
        metrics: json!({}),
        figures: Figures::default(),
        last_result_at: None,
        breaker_opened_at: None,
        shared_with_all: false,
        version: 1,
        created_by: caller.actor(),
        created_at: now,
        updated_at: now,
        running: 0,
    }
}

/// Takes a heartbeat in: one row in one round trip.
pub async fn beat(app: &App, agent: &AgentCaller, beat: &Beat) -> Result<()> {
    let was = store::beat(&app.db, agent.agent_id, beat, app.clock.now()).await?;
    app.tell_tenant(agent.tenant_id).await;
    match was {
        None => Err(agent::store::not_found(agent.agent_id)),
        Some(Liveness::Alive) => Ok(()),
        Some(was) => {
            tracing::info!(agent.id = %agent.agent_id, was = was.name(), "an agent is back");
            dispatch::admit_soon(app, agent.agent_id).await;
            Ok(())
        }
    }
}

/// Leases up to so many tasks to an agent; waits for the first of them.
pub async fn claim(app: &App, agent: &AgentCaller, most: i32, wait: Duration) -> Result<Vec<Leased>> {
    let end = Instant::now() + wait;
    let leased = claim_now(app, agent.agent_id, most).await?;
    if !leased.is_empty() || wait.is_zero() {
        return Ok(leased);
    }
    let mut waiting = Waiting::for_work(&app.cache, agent.agent_id).await;
    loop {
        // What came before the bell was listened to rang for nobody.
        let leased = claim_now(app, agent.agent_id, most).await?;
        if !leased.is_empty() || Instant::now() >= end {
            return Ok(leased);
        }
        waiting.wait(end).await;
    }
}

async fn claim_now(app: &App, agent: AgentId, most: i32) -> Result<Vec<Leased>> {
    let now = app.clock.now();
    store::claim(&app.db, &Claim { agent, now, until: lease_end(app, now), most, most_grants: MAX_GRANTS }).await
}

fn lease_end(app: &App, now: Time) -> Time {
    now + TimeDelta::from_std(lease(app.settings.beat)).unwrap_or_default()
}

/// What an agent is answered when it reports.
pub struct Answered {
    pub cancel: bool,
    pub messages: Vec<Message>,
}

/// Takes a report in, renews the lease, and has the session look at it at once.
pub async fn progress(app: &App, agent: &AgentCaller, task: ExternalTaskId, report: &Progress) -> Result<Answered> {
    let now = app.clock.now();
    let named = (agent.agent_id, task);
    match store::progress(&app.db, named, report, now, lease_end(app, now)).await? {
        Taken::Taken(tenant_id, session_id, answered) => {
            if answered.news {
                look_now(app, tenant_id, session_id).await?;
            }
            Ok(Answered { cancel: answered.cancel, messages: answered.messages })
        }
        Taken::Unknown => Err(unknown(task)),
        Taken::Again | Taken::Other | Taken::Lost => Err(lost()),
    }
}

/// Keeps a result; false when the same was kept before. The session takes it in with its next look, which is due at once.
pub async fn result(app: &App, agent: &AgentCaller, task: ExternalTaskId, outcome: Outcome) -> Result<bool> {
    let held = store::held(&app.db, agent.agent_id, task).await?.ok_or_else(|| unknown(task))?;
    let hash = outcome.hash()?;
    if let Some(known) = &held.result_hash {
        return if *known == hash { Ok(false) } else { Err(differs()) };
    }
    if !held.leased || outcome.lease_token.is_some_and(|token| token != held.lease_token) {
        return Err(lost());
    }
    let (tenant_id, session_id) = (held.tenant_id, held.session_id);
    match Box::pin(keep(app, agent, task, &held, outcome, &hash)).await? {
        Taken::Taken(..) => {
            look_now(app, tenant_id, session_id).await?;
            Ok(true)
        }
        Taken::Again => Ok(false),
        Taken::Other => Err(differs()),
        Taken::Lost => Err(lost()),
        Taken::Unknown => Err(unknown(task)),
    }
}

async fn keep(
    app: &App,
    agent: &AgentCaller,
    task: ExternalTaskId,
    held: &Held,
    outcome: Outcome,
    hash: &[u8],
) -> Result<Taken<()>> {
    for artifact in outcome.artifacts {
        app.files.put(held.tenant_id, held.session_id, artifact.content).await?;
    }
    let now = app.clock.now();
    let (lease_token, tokens, cost_micros) = (outcome.lease_token, outcome.tokens, outcome.cost_micros);
    let new = NewKept { lease_token, hash, kept: &outcome.kept, tokens, cost_micros };
    let mut tx = app.db.tenant(held.tenant_id).await?;
    let taken = store::result(&mut tx, (agent.agent_id, task), &new, now).await?;
    if matches!(taken, Taken::Taken(..)) {
        let told = json!({"task_id": task, "status": outcome.kept.status, "artifacts": outcome.kept.artifacts.len()});
        tx.audit(Entry::new(agent, now, "session.result", held.session_id).after(told));
    }
    tx.commit().await?;
    Ok(taken)
}

/// Has a session look at its agent now.
pub(crate) async fn look_now(app: &App, tenant_id: TenantId, session_id: SessionId) -> Result<()> {
    store::make_due(&app.db, tenant_id, &[session_id], app.clock.now()).await?;
    app.ring(&[(Job::observe(tenant_id, session_id), Duration::ZERO)]).await;
    Ok(())
}

/// A new token for the agent; the one that it called with works on for a while.
pub async fn rotate(app: &App, agent: &AgentCaller) -> Result<String> {
    Ok(agent_tokens::rotate(app, agent.tenant_id, agent, agent.token_id, None).await?.text)
}

/// The error for a task that is unknown, or another agent's: nobody can tell which.
#[track_caller]
fn unknown(task: ExternalTaskId) -> Error {
    Error::new(Code::TaskNotFound, format!("There is no task {task}."))
}

#[track_caller]
fn lost() -> Error {
    Error::new(Code::LeaseLost, "The task is not this agent's any more.")
}

#[track_caller]
fn differs() -> Error {
    Error::new(Code::ResultDiffers, "Another result of this task was taken before.")
}
