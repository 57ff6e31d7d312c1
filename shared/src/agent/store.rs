//! SQL of agents. Decides nothing. What a tenant may see (its own, the platform's, and those that it enabled) is decided by
//! row-level security.

mod market;
mod registry;
mod results;

use tokio_postgres::{
    Row,
    types::{Json, ToSql},
};

use crate::{
    db::{Db, OnConstraint, Tx},
    error::{Code, Error, Result},
    id::{AgentId, TenantId},
};

pub use self::market::{
    Listing, Share, disable, enable, named_tenant, offer, offer_in, offers, put_share, remove_shares, share_with_all,
    shares, withdraw,
};
pub use self::registry::{Filter, Secret, cut_off, drained, is_anothers, page, publishers, save, stranded, taken};
pub use self::results::{After, InFigures, Outcome, in_figures, outcomes};
use super::{Agent, AgentType, Contact, Kind, Liveness, State, Status, standing::Figures};

/// The columns of an agent but for `running`.
const COLUMNS: &str = "a.id, a.tenant_id, a.name, a.kind, a.agent_type, a.description, a.capabilities, a.skills, a.capacity,
    a.endpoint_url, a.software_version, a.metadata, a.routable, a.state, a.deregistered_at, a.liveness, a.last_heartbeat_at,
    a.reported_status, a.reported_load, a.reported_tasks, a.metrics, a.finished, a.succeeded, a.quality_sum, a.quality_count,
    a.duration_ms_sum, a.cost_micros_sum, a.last_result_at, a.breaker_opened_at, a.shared_with_all, a.version, a.created_by,
    a.created_at, a.updated_at";

/// The error for an agent that is unknown, or that the caller's tenant does not see: nobody can tell which.
#[track_caller]
pub fn not_found(id: AgentId) -> Error {
    Error::new(Code::AgentNotFound, format!("There is no agent {id}."))
}

/// The agents that fulfil a condition on `agents a`, and on how many sessions each works.
fn select(condition: &str, rest: &str) -> String {
    format!(
        "with a as materialized (select {COLUMNS} from agents a where {condition} {rest})
         select a.*, coalesce(r.running, 0) as running
         from a left join agents_running(array(select id from a)) r on r.agent_id = a.id {rest}"
    )
}

/// One agent that the tenant sees.
pub async fn find(db: &Db, tenant_id: TenantId, id: AgentId) -> Result<Agent> {
    let rows = db.read(tenant_id, &select("a.id = $1", ""), &[&id]).await?;
    rows.first().map(read).transpose()?.ok_or_else(|| not_found(id))
}

/// All agents that the tenant sees and that are not deregistered, oldest first.
pub async fn visible(db: &Db, tenant_id: TenantId) -> Result<Vec<Agent>> {
    let rows = db.read(tenant_id, &select("a.state <> 'deregistered'", "order by a.id"), &[]).await?;
    rows.iter().map(read).collect()
}

/// An agent of the tenant itself, kept from changing until the end of the transaction.
pub async fn lock_own(tx: &mut Tx, tenant_id: TenantId, id: AgentId) -> Result<Agent> {
    let sql = format!(
        "select {COLUMNS}, agent_running(a.id) as running from agents a
         where a.tenant_id = $1 and a.id = $2 and a.state <> 'deregistered' for no key update"
    );
    let row = tx.query_opt(&sql, &[&tenant_id, &id]).await?;
    row.as_ref().map(read).transpose()?.ok_or_else(|| not_found(id))
}

fn word<T>(row: &Row, column: &str, parse: impl FnOnce(&str) -> Option<T>) -> Result<T> {
    let text: &str = row.try_get(column)?;
    parse(text).ok_or_else(|| Error::internal(format!("the column {column} holds {text:?}")))
}

pub(super) fn read(row: &Row) -> Result<Agent> {
    let Json(metadata) = row.try_get("metadata")?;
    let Json(created_by) = row.try_get("created_by")?;
    Ok(Agent {
        id: row.try_get("id")?,
        tenant_id: row.try_get("tenant_id")?,
        name: row.try_get("name")?,
        kind: word(row, "kind", Kind::parse)?,
        agent_type: word(row, "agent_type", AgentType::parse)?,
        description: row.try_get("description")?,
        capabilities: row.try_get("capabilities")?,
        skills: row.try_get("skills")?,
        capacity: row.try_get("capacity")?,
        endpoint_url: row.try_get("endpoint_url")?,
        software_version: row.try_get("software_version")?,
        metadata,
        routable: row.try_get("routable")?,
        state: word(row, "state", State::parse)?,
        deregistered_at: row.try_get("deregistered_at")?,
        liveness: word(row, "liveness", Liveness::parse)?,
        last_heartbeat_at: row.try_get("last_heartbeat_at")?,
        reported_status: row.try_get::<_, Option<&str>>("reported_status")?.and_then(Status::parse),
        reported_load: row.try_get("reported_load")?,
        reported_tasks: row.try_get("reported_tasks")?,
        metrics: row.try_get("metrics")?,
        figures: Figures {
            finished: row.try_get("finished")?,
            succeeded: row.try_get("succeeded")?,
            quality_sum: row.try_get("quality_sum")?,
            quality_count: row.try_get("quality_count")?,
            duration_ms_sum: row.try_get("duration_ms_sum")?,
            cost_micros_sum: row.try_get("cost_micros_sum")?,
        },
        last_result_at: row.try_get("last_result_at")?,
        breaker_opened_at: row.try_get("breaker_opened_at")?,
        shared_with_all: row.try_get("shared_with_all")?,
        version: row.try_get("version")?,
        created_by,
        created_at: row.try_get("created_at")?,
        updated_at: row.try_get("updated_at")?,
        running: row.try_get("running")?,
    })
}

/// An agent to be written, with what proves us at its endpoint.
#[derive(Clone, Debug)]
pub struct NewAgent<'a> {
    pub agent: &'a Agent,
    pub endpoint_secret: Option<&'a [u8]>,
}

/// Writes a new agent of a tenant. A name that one of its agents has is `ALREADY_EXISTS`.
pub async fn insert(tx: &mut Tx, new: &NewAgent<'_>) -> Result<()> {
    let agent = new.agent;
    let sql = "insert into agents (id, tenant_id, name, kind, agent_type, description, capabilities, skills, capacity, endpoint_url,
                   endpoint_secret, software_version, metadata, routable, state, liveness, last_heartbeat_at, shared_with_all,
                   created_by, created_at, updated_at)
               values ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13, $14, $15, $16, $17, $18, $19, $20, $20)";
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
    ];
    tx.query(sql, params).await.on_constraint("agents_name", || taken(agent))?;
    Ok(())
}

/// How to reach an agent that the tenant sees, or that has worked for it.
pub async fn contact(db: &Db, tenant_id: TenantId, id: AgentId) -> Result<Contact> {
    let sql = "select $1::uuid as agent_id, tenant_id as agent_tenant_id, name as agent_name, kind as agent_kind, endpoint_url,
                   endpoint_secret from agent_contact($1)";
    let rows = db.read(tenant_id, sql, &[&id]).await?;
    rows.first().map(read_contact).transpose()?.ok_or_else(|| not_found(id))
}

pub(crate) fn read_contact(row: &Row) -> Result<Contact> {
    Ok(Contact {
        id: row.try_get("agent_id")?,
        tenant_id: row.try_get("agent_tenant_id")?,
        name: row.try_get("agent_name")?,
        kind: word(row, "agent_kind", Kind::parse)?,
        endpoint_url: row.try_get("endpoint_url")?,
        endpoint_secret: row.try_get("endpoint_secret")?,
    })
}
