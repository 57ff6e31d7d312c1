//! The use cases of agents: create, read, update and deregister.

mod add;
mod deregister;
mod patch;
mod platform;
mod probe;
mod statistics;
mod tokens;
mod update;

use serde_json::{Value, json};

use crate::{
    agents::services::AgentServices,
    events::log::tenant::{TenantEvent, TenantEventType},
    identity::{audit::AuditEntry, auth::Caller},
    kernel::{
        actor::Actor,
        clock::Time,
        error::{Code, Error, Result},
        id::AgentId,
    },
    platform::postgres::Tx,
};

pub(in crate::agents) use self::add::{add_agent, new_agent};
pub use self::deregister::{RemovalOutcome, deregister_drained, remove_agent, remove_itself};
pub use self::patch::patch_agent;
pub use self::probe::ProbeReport;
pub(in crate::agents) use self::probe::probe_new_agent;
pub use self::statistics::{AgentCounts, AgentPerformance, agent_performance, count_agents};
pub use self::tokens::{issue_token, list_tokens, revoke_token};
pub use super::store::not_found;
use super::{
    Agent, Kind, State, Status,
    draft::{AgentInput, AgentPatch},
    performance::Tier,
    route::Owner,
    secret, store,
};

/// How many agents one query reads while a list is filtered by computed fields.
const PAGE_SIZE: i64 = 200;

/// An agent as a tenant sees it.
#[derive(Clone, Debug)]
pub struct AgentDetails {
    pub agent: Agent,
    pub owner: Owner,
    /// The name of the tenant that shares it.
    pub publisher: Option<String>,
    pub now: Time,
}

impl AgentDetails {
    fn for_owner(agent: Agent, now: Time) -> Self {
        Self { agent, owner: Owner::Own, publisher: None, now }
    }
}

/// A filter of agents. All given conditions must hold; an empty list means no condition.
#[derive(Clone, Debug, Default)]
pub struct AgentListFilter {
    pub rows: store::AgentFilter,
    pub status: Vec<Status>,
    pub tier: Vec<Tier>,
}

impl AgentListFilter {
    fn matches(&self, agent: &Agent) -> bool {
        (self.status.is_empty() || self.status.contains(&agent.status()))
            && (self.tier.is_empty() || self.tier.contains(&agent.tier()))
    }
}

/// Parses the input for a new agent.
pub fn parse_new_agent(services: &AgentServices, kind: Kind, input: AgentInput) -> Result<AgentPatch> {
    let outbound = services.outbound()?;
    AgentPatch::parse_new(kind, input, |url| outbound.check_url(url).map(|_| ()))
}

/// Parses a change to an agent.
pub fn parse_agent_patch(services: &AgentServices, input: AgentInput) -> Result<AgentPatch> {
    let outbound = services.outbound()?;
    AgentPatch::parse(input, |url| outbound.check_url(url).map(|_| ()))
}

/// An agent that was just created.
pub struct CreatedAgent {
    pub details: AgentDetails,
    /// The token of an EAP agent, which is returned only here.
    pub token: Option<String>,
    /// What the first probe of its server showed; `None` for an agent without one.
    pub probe: Option<ProbeReport>,
}

/// Creates an agent of the caller's tenant.
pub async fn create(
    services: &AgentServices,
    caller: &Caller,
    kind: Kind,
    mut fields: AgentPatch,
) -> Result<CreatedAgent> {
    let now = services.clock.now();
    let mut agent = new_agent(caller, kind, now);
    let plain = fields.endpoint_secret.take().flatten();
    fields.apply(&mut agent)?;
    let sealed = plain.map(|plain| secret::seal_secret(&services.pepper, agent.id, plain.as_bytes())).transpose()?;
    let probe = probe_new_agent(services, &mut agent, sealed.as_deref()).await;
    let mut after = audit_fields(&agent);
    record_secret_change(&mut after, sealed.is_some());
    let entry = AuditEntry::new(caller, now, "agent.create", agent.id).with_after(after);
    let token = add_agent(services, caller, &agent, sealed.as_deref(), entry).await?;
    Ok(CreatedAgent { details: AgentDetails::for_owner(agent, now), token, probe })
}

/// One agent that the caller's tenant sees.
pub async fn get(services: &AgentServices, caller: &Caller, id: AgentId) -> Result<AgentDetails> {
    let agent = store::find_agent(&services.db, caller.tenant_id, id).await?;
    if agent.state == State::Deregistered {
        return Err(not_found(id));
    }
    Ok(with_details(services, caller, vec![agent]).await?.remove(0))
}

/// All agents that the caller's tenant sees, as routing sees them.
pub async fn list_visible(services: &AgentServices, caller: &Caller) -> Result<Vec<Agent>> {
    store::list_visible(&services.db, caller.tenant_id, Some(&caller.actor())).await
}

/// A page of the agents that the caller's tenant sees, newest first.
pub async fn list(
    services: &AgentServices,
    caller: &Caller,
    filter: &AgentListFilter,
    before: Option<AgentId>,
    limit: i64,
) -> Result<Vec<AgentDetails>> {
    let wanted = usize::try_from(limit).unwrap_or(usize::MAX);
    let (mut found, mut before) = (Vec::new(), before);
    while found.len() < wanted {
        let page = store::find_page(&services.db, caller.tenant_id, &filter.rows, before, PAGE_SIZE).await?;
        let Some(last) = page.last() else { break };
        before = Some(last.id);
        found.extend(page.into_iter().filter(|agent| filter.matches(agent)));
    }
    found.truncate(wanted);
    with_details(services, caller, found).await
}

async fn with_details(services: &AgentServices, caller: &Caller, agents: Vec<Agent>) -> Result<Vec<AgentDetails>> {
    let now = services.clock.now();
    let mut publishers = std::collections::HashMap::new();
    if agents.iter().any(|agent| agent.owner(caller.tenant_id) == Owner::Shared) {
        publishers = store::list_publishers(&services.db, caller.tenant_id).await?;
    }
    let shown = agents.into_iter().map(|agent| {
        let (owner, publisher) = (agent.owner(caller.tenant_id), publishers.remove(&agent.id));
        AgentDetails { agent, owner, publisher, now }
    });
    Ok(shown.collect())
}

/// Locks an agent of the caller's tenant. A tenant that sees the agent without owning it gets `FORBIDDEN`.
pub(in crate::agents) async fn lock_own_agent(tx: &mut Tx, caller: &Caller, id: AgentId) -> Result<Agent> {
    match store::lock_own(tx, caller.tenant_id, id).await {
        Err(error) if error.code() == Code::AgentNotFound && store::is_owned_by_another_tenant(tx, id).await? => {
            Err(not_own(&store::find_agent_in(tx, id).await?))
        }
        found => found,
    }
}

/// The error for an agent that the caller sees and may not change.
#[track_caller]
fn not_own(agent: &Agent) -> Error {
    let whose = if agent.is_of_platform() { "the platform's: only an admin changes it" } else { "another tenant's" };
    Error::new(Code::AgentNotOwned, format!("The agent {} is {whose}.", agent.name))
}

/// The event for a changed state or liveness.
fn status_changed_event(agent: &Agent, by: Actor) -> TenantEvent {
    let payload = json!({"agent_id": agent.id, "name": agent.name, "state": agent.state, "liveness": agent.liveness});
    TenantEvent::new(TenantEventType::AgentStatusChanged, by, agent.updated_at, payload)
}

/// The fields of an agent in the audit log.
fn audit_fields(agent: &Agent) -> Value {
    json!({
        "name": agent.name, "kind": agent.kind, "agent_type": agent.agent_type, "description": agent.description,
        "capabilities": agent.capabilities, "skills": agent.skills, "capacity": agent.capacity,
        "endpoint_url": agent.endpoint_url, "version": agent.software_version, "metadata": agent.metadata,
        "state": agent.state, "trusted": agent.trust.trusted, "restricted": agent.trust.restricted,
        "conformance_passed_at": agent.trust.conformance_passed_at,
    })
}

/// Records that a secret was sent. The log masks the field by its name.
fn record_secret_change(after: &mut Value, sent: bool) {
    if sent {
        after["endpoint_secret"] = json!("sent");
    }
}
