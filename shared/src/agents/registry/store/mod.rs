//! SQL of agents. Decides nothing. Row-level security decides which agents a tenant sees: its own, the platform's, and
//! those that it enabled.

mod probes;
mod registry;
mod results;

use tokio_postgres::{
    Row,
    types::{Json, ToSql},
};

use crate::{
    kernel::{
        actor::Actor,
        error::{Code, Error, Result},
        id::{AgentId, TenantId},
    },
    platform::postgres::{Db, OnConstraint, Tx},
};

pub use self::probes::{claim_server_probe, overdue_server_probes, record_server_probe};
pub use self::registry::{
    AgentFilter, SecretChange, find_drained, find_page, is_owned_by_another_tenant, list_publishers, revoke_access,
    save_agent, sessions_waiting_for_removed, update_platform_agent,
};
pub use self::results::{OutcomeCursor, RunOutcome, StatsByCapability, list_outcomes, stats_by_capability};
use super::{
    Agent, AgentEndpoint, AgentType, Kind, Liveness, PoolProgram, State, Status, breaker::BreakerRecord,
    performance::PerformanceStats, trust::TrustRecord,
};

/// The columns of an agent, except `running`.
const COLUMNS: &str = "a.id, a.tenant_id, a.name, a.kind, a.agent_type, a.description, a.capabilities, a.skills, a.capacity,
    a.endpoint_url, a.software_version, a.metadata, a.routable, a.state, a.deregistered_at, a.liveness, a.last_heartbeat_at,
    a.reported_status, a.reported_load, a.reported_tasks, a.metrics, f.finished, f.succeeded, f.quality_sum, f.quality_count,
    f.duration_ms_sum, f.cost_micros_sum, a.last_result_at, a.breaker_opened_at, a.breaker_failures, a.server_down_since,
    a.server_failures, a.server_probe_at, f.tenant_breaker_opened_at, f.tenant_breaker_failures, f.tenant_running,
    a.trusted, a.restricted, a.registered_by, a.conformance_passed_at, x.lacks_conformance, x.unnamed_running, x.serves,
    a.offers_ignored_since, a.pool, a.program, a.shared_with_all, a.version, a.created_by, a.created_at, a.updated_at";

/// The rows that [`COLUMNS`] are read from: agents, with what the transaction's tenant judges them by and grants them.
/// `creator` is an SQL expression for the actor whose sessions they may take.
fn rows_for(creator: &str) -> String {
    format!(
        "agents a cross join lateral agent_figures(a, app_tenant_id()) f
         cross join lateral agent_access(a, app_tenant_id(), {creator}) x"
    )
}

/// The error for an agent that is unknown or invisible to the tenant: the error does not reveal which.
#[track_caller]
pub fn not_found(id: AgentId) -> Error {
    Error::new(Code::AgentNotFound, format!("There is no agent {id}."))
}

/// Selects the agents that fulfil a condition on `agents a`, with the numbers of their running sessions.
fn select_agents(condition: &str, rest: &str) -> String {
    select_agents_for("null", condition, rest)
}

/// As [`select_agents`], for the sessions of an actor.
fn select_agents_for(creator: &str, condition: &str, rest: &str) -> String {
    let rows = rows_for(creator);
    format!(
        "with a as materialized (select {COLUMNS} from {rows} where {condition} {rest})
         select a.*, coalesce(r.running, 0) as running
         from a left join running_sessions_by_agent(array(select id from a)) r on r.agent_id = a.id {rest}"
    )
}

/// One agent that the tenant sees.
pub async fn find_agent(db: &Db, tenant_id: TenantId, id: AgentId) -> Result<Agent> {
    let rows = db.read(tenant_id, &select_agents("a.id = $1", ""), &[&id]).await?;
    rows.first().map(read).transpose()?.ok_or_else(|| not_found(id))
}

/// One agent that the transaction's tenant sees.
pub async fn find_agent_in(tx: &mut Tx, id: AgentId) -> Result<Agent> {
    let row = tx.query_opt(&select_agents("a.id = $1", ""), &[&id]).await?;
    row.as_ref().map(read).transpose()?.ok_or_else(|| not_found(id))
}

/// All agents that the tenant sees and that are not deregistered, oldest first. With `creator`, they show whether they
/// take the sessions of that actor.
pub async fn list_visible(db: &Db, tenant_id: TenantId, creator: Option<&Actor>) -> Result<Vec<Agent>> {
    let sql = select_agents_for("$1::jsonb", "a.state <> 'deregistered'", "order by a.id");
    let rows = db.read(tenant_id, &sql, &[&creator.map(Json)]).await?;
    rows.iter().map(read).collect()
}

/// An agent of the tenant, locked until the end of the transaction.
pub async fn lock_own(tx: &mut Tx, tenant_id: TenantId, id: AgentId) -> Result<Agent> {
    let rows = rows_for("null");
    let sql = format!(
        "select {COLUMNS}, agent_running_sessions(a.id) as running from {rows}
         where a.tenant_id = $1 and a.id = $2 and a.state <> 'deregistered' for no key update of a"
    );
    let row = tx.query_opt(&sql, &[&tenant_id, &id]).await?;
    row.as_ref().map(read).transpose()?.ok_or_else(|| not_found(id))
}

/// The error for a name that another agent of the tenant has.
#[track_caller]
pub fn name_taken(agent: &Agent) -> Error {
    Error::new(Code::AlreadyExists, format!("The tenant has an agent {} already.", agent.name))
}

fn parse_word<T>(row: &Row, column: &str, parse: impl FnOnce(&str) -> Option<T>) -> Result<T> {
    let text: &str = row.try_get(column)?;
    parse(text).ok_or_else(|| Error::internal(format!("the column {column} holds {text:?}")))
}

fn read_stats(row: &Row) -> Result<PerformanceStats> {
    Ok(PerformanceStats {
        finished: row.try_get("finished")?,
        succeeded: row.try_get("succeeded")?,
        quality_sum: row.try_get("quality_sum")?,
        quality_count: row.try_get("quality_count")?,
        duration_ms_sum: row.try_get("duration_ms_sum")?,
        cost_micros_sum: row.try_get("cost_micros_sum")?,
    })
}

fn read_breakers(row: &Row) -> Result<BreakerRecord> {
    Ok(BreakerRecord {
        server_down_since: row.try_get("server_down_since")?,
        server_failures: row.try_get("server_failures")?,
        server_probe_at: row.try_get("server_probe_at")?,
        common_opened_at: row.try_get("breaker_opened_at")?,
        common_failures: row.try_get("breaker_failures")?,
        tenant_opened_at: row.try_get("tenant_breaker_opened_at")?,
        tenant_failures: row.try_get("tenant_breaker_failures")?,
    })
}

fn read_trust(row: &Row) -> Result<TrustRecord> {
    Ok(TrustRecord {
        trusted: row.try_get("trusted")?,
        restricted: row.try_get("restricted")?,
        registered_by: row.try_get("registered_by")?,
        conformance_passed_at: row.try_get("conformance_passed_at")?,
        lacks_conformance: row.try_get("lacks_conformance")?,
        unnamed_running: row.try_get("unnamed_running")?,
        serves: row.try_get("serves")?,
    })
}

fn read_pool(row: &Row) -> Result<Option<PoolProgram>> {
    let pool: Option<String> = row.try_get("pool")?;
    pool.map(|pool| Ok(PoolProgram { pool, program: row.try_get("program")? })).transpose()
}

pub(in crate::agents) fn read(row: &Row) -> Result<Agent> {
    let Json(metadata) = row.try_get("metadata")?;
    let Json(created_by) = row.try_get("created_by")?;
    Ok(Agent {
        id: row.try_get("id")?,
        tenant_id: row.try_get("tenant_id")?,
        name: row.try_get("name")?,
        kind: parse_word(row, "kind", Kind::parse)?,
        agent_type: parse_word(row, "agent_type", AgentType::parse)?,
        description: row.try_get("description")?,
        capabilities: row.try_get("capabilities")?,
        skills: row.try_get("skills")?,
        capacity: row.try_get("capacity")?,
        endpoint_url: row.try_get("endpoint_url")?,
        software_version: row.try_get("software_version")?,
        metadata,
        routable: row.try_get("routable")?,
        state: parse_word(row, "state", State::parse)?,
        deregistered_at: row.try_get("deregistered_at")?,
        liveness: parse_word(row, "liveness", Liveness::parse)?,
        last_heartbeat_at: row.try_get("last_heartbeat_at")?,
        reported_status: row.try_get::<_, Option<&str>>("reported_status")?.and_then(Status::parse),
        reported_load: row.try_get("reported_load")?,
        reported_tasks: row.try_get("reported_tasks")?,
        metrics: row.try_get("metrics")?,
        figures: read_stats(row)?,
        last_result_at: row.try_get("last_result_at")?,
        breakers: read_breakers(row)?,
        trust: read_trust(row)?,
        offers_ignored_since: row.try_get("offers_ignored_since")?,
        pool: read_pool(row)?,
        shared_with_all: row.try_get("shared_with_all")?,
        version: row.try_get("version")?,
        created_by,
        created_at: row.try_get("created_at")?,
        updated_at: row.try_get("updated_at")?,
        running: row.try_get("running")?,
        tenant_running: row.try_get("tenant_running")?,
    })
}

/// How many sessions an agent of a tenant may run at once.
pub async fn find_capacity(db: &Db, tenant_id: TenantId, id: AgentId) -> Result<i32> {
    let sql = "select coalesce(capacity, 1) as capacity from agents where tenant_id = $1 and id = $2";
    let rows = db.read(tenant_id, sql, &[&tenant_id, &id]).await?;
    Ok(rows.first().ok_or_else(|| not_found(id))?.try_get("capacity")?)
}

/// An agent to insert, with its encrypted secret.
#[derive(Clone, Debug)]
pub struct NewAgent<'a> {
    pub agent: &'a Agent,
    pub endpoint_secret: Option<&'a [u8]>,
}

/// Inserts an agent of a tenant. Fails with `ALREADY_EXISTS` if one of its agents has the name.
pub async fn insert_agent(tx: &mut Tx, new: &NewAgent<'_>) -> Result<()> {
    let agent = new.agent;
    let sql = "insert into agents (id, tenant_id, name, kind, agent_type, description, capabilities, skills, capacity, endpoint_url,
                   endpoint_secret, software_version, metadata, routable, state, liveness, last_heartbeat_at, shared_with_all,
                   created_by, created_at, updated_at, restricted, registered_by, server_down_since)
               values ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13, $14, $15, $16, $17, $18, $19, $20, $20, $21, $22, $23)";
    let params: &[&(dyn ToSql + Sync)] = &[
        &agent.id,
        &agent.tenant_id,
        &agent.name,
        &agent.kind.name(),
        &agent.agent_type.name(),
        &agent.description,
        &agent.capabilities,
        &agent.skills,
        &agent.capacity,
        &agent.endpoint_url,
        &new.endpoint_secret,
        &agent.software_version,
        &Json(&agent.metadata),
        &agent.routable,
        &agent.state.name(),
        &agent.liveness.name(),
        &agent.last_heartbeat_at,
        &agent.shared_with_all,
        &Json(&agent.created_by),
        &agent.created_at,
        &agent.trust.restricted,
        &agent.trust.registered_by,
        &agent.breakers.server_down_since,
    ];
    tx.query(sql, params).await.on_constraint("agents_name", || name_taken(agent))?;
    Ok(())
}

/// The endpoint of an agent that the tenant sees, or that has worked for it.
pub async fn find_endpoint(db: &Db, tenant_id: TenantId, id: AgentId) -> Result<AgentEndpoint> {
    let sql = "select $1::uuid as agent_id, tenant_id as agent_tenant_id, name as agent_name, kind as agent_kind, endpoint_url,
                   endpoint_secret from agent_contact($1)";
    let rows = db.read(tenant_id, sql, &[&id]).await?;
    rows.first().map(read_endpoint).transpose()?.ok_or_else(|| not_found(id))
}

pub(crate) fn read_endpoint(row: &Row) -> Result<AgentEndpoint> {
    Ok(AgentEndpoint {
        id: row.try_get("agent_id")?,
        tenant_id: row.try_get("agent_tenant_id")?,
        name: row.try_get("agent_name")?,
        kind: parse_word(row, "agent_kind", Kind::parse)?,
        endpoint_url: row.try_get("endpoint_url")?,
        endpoint_secret: row.try_get("endpoint_secret")?,
    })
}
