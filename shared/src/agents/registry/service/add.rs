//! Adds an agent of the caller's tenant, however it is registered.

use std::time::Duration;

use serde_json::json;

use crate::{
    agents::{
        registry::{
            Agent, AgentType, DEFAULT_CAPACITY, Kind, Liveness, State,
            breaker::BreakerRecord,
            performance::PerformanceStats,
            store::{self, NewAgent},
            trust::TrustRecord,
        },
        services::AgentServices,
    },
    events::log::{
        self,
        tenant::{TenantEvent, TenantEventType},
    },
    identity::{
        audit::{self, AuditEntry},
        auth::{Caller, Role, agent_tokens},
        tenants,
    },
    kernel::{actor::Actor, clock::Time, error::Result, id::AgentId},
    platform::{
        postgres::{in_unit_of_work, lock_names},
        queue::job::Job,
    },
};

use super::probe::enqueue_probe;

/// Writes a new agent with its event and its audit entry, and has it considered for the sessions that wait. Returns the
/// token of an agent that calls us, which exists only here.
pub(in crate::agents) async fn add_agent(
    services: &AgentServices,
    caller: &Caller,
    agent: &Agent,
    endpoint_secret: Option<&[u8]>,
    entry: AuditEntry,
) -> Result<Option<String>> {
    let write = async {
        let mut tx = services.db.tenant(caller.tenant_id).await?;
        tx.take_lock(&lock_names::tenant_agents(caller.tenant_id));
        tenants::service::check_new_agent(services, &mut tx, caller.tenant_id).await?;
        audit::record(&mut tx, entry);
        log::publish(&mut tx, registered_event(agent, caller.actor()));
        store::insert_agent(&mut tx, &NewAgent { agent, endpoint_secret }).await?;
        tx.commit().await?;
        if agent.kind != Kind::Eap {
            return Ok(None);
        }
        let issued = agent_tokens::create(services, caller.tenant_id, caller, agent.id, None).await?;
        Ok(Some(issued.text))
    };
    let token = Box::pin(in_unit_of_work(&services.db, write)).await?;
    services.notify_tenant(caller.tenant_id).await;
    services.enqueue(&[(Job::admit(caller.tenant_id, agent.id), Duration::ZERO)]).await;
    enqueue_probe(services, agent).await;
    Ok(token)
}

/// The event for a new agent.
fn registered_event(agent: &Agent, by: Actor) -> TenantEvent {
    let payload = json!({"agent_id": agent.id, "name": agent.name, "kind": agent.kind, "agent_type": agent.agent_type});
    TenantEvent::new(TenantEventType::AgentRegistered, by, agent.created_at, payload)
}

/// An agent that the caller registers now, before anything is known of it.
pub(in crate::agents) fn new_agent(caller: &Caller, kind: Kind, now: Time) -> Agent {
    Agent {
        id: AgentId::new(),
        tenant_id: Some(caller.tenant_id),
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
        // An agent that sends heartbeats is offline until the first one.
        liveness: if kind == Kind::Eap { Liveness::Offline } else { Liveness::Alive },
        last_heartbeat_at: None,
        reported_status: None,
        reported_load: None,
        reported_tasks: None,
        metrics: json!({}),
        figures: PerformanceStats::default(),
        last_result_at: None,
        breakers: BreakerRecord::default(),
        trust: trust_of_new(caller),
        offers_ignored_since: None,
        pool: None,
        shared_with_all: false,
        version: 1,
        created_by: caller.actor(),
        created_at: now,
        updated_at: now,
        running: 0,
        tenant_running: 0,
    }
}

/// The trust in an agent that the caller registers: without the role lead, it takes only the caller's own sessions
/// until a lead trusts it.
fn trust_of_new(caller: &Caller) -> TrustRecord {
    let registered_by = caller.principal.user_id();
    TrustRecord { restricted: caller.role < Role::Lead, registered_by, ..TrustRecord::default() }
}
