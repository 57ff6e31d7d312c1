//! SQL that admission decides by: the free capacity of a tenant and an agent, and the order of the queue.

use tokio_postgres::Row;

use crate::{
    kernel::{
        calendar::month_of,
        clock::Time,
        error::{Code, Error, Result},
        id::{AgentId, SessionId, TenantId},
    },
    platform::postgres::{Db, Tx},
};

use super::{
    super::{
        admission::AdmissionSnapshot,
        session::{Session, SessionKey},
        status::Status,
    },
    row,
    statement::{ADMISSION_SNAPSHOT, DISPATCH_STATE, LOCK},
};

/// Which agent [`lock_with_snapshot`] counts for.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum AgentSelector {
    /// The agent that the session is assigned to.
    Assigned,
    /// This agent.
    Agent(AgentId),
}

/// Reads and locks a session until the end of the transaction, and counts, from rows, what a start or a resume is
/// decided by. The caller holds the tenant's slot lock.
pub async fn lock_with_snapshot(
    tx: &mut Tx,
    key: SessionKey,
    selector: AgentSelector,
    now: Time,
) -> Result<(Session, AdmissionSnapshot)> {
    let agent = match selector {
        AgentSelector::Agent(agent) => Some(agent),
        AgentSelector::Assigned => None,
    };
    let answers = tx
        .query_all(&[
            (&LOCK, &[&key.tenant_id, &key.id]),
            (ADMISSION_SNAPSHOT, &[&key.tenant_id, &key.id, &now, &agent]),
        ])
        .await?;
    let session =
        answers[0].first().map(row::session_of_row).transpose()?.ok_or_else(|| Error::session_not_found(key.id))?;
    let snapshot = answers[1].first().ok_or_else(no_tenant)?;
    Ok((session, read_snapshot(snapshot)?))
}

pub(super) fn no_tenant() -> Error {
    Error::new(Code::TenantNotFound, "There is no such tenant.")
}

fn read_snapshot(row: &Row) -> Result<AdmissionSnapshot> {
    Ok(AdmissionSnapshot {
        active: row.try_get("active")?,
        max_concurrent: row.try_get("max_concurrent")?,
        running: row.try_get("running")?,
        held: row.try_get("held")?,
        max_queued: row.try_get("max_queued")?,
        queued: row.try_get("queued")?,
        rejects: row.try_get("rejects")?,
        out_of_tokens: row.try_get("out_of_tokens")?,
        workspace_taken: row.try_get("workspace_taken")?,
        agent_id: row.try_get("agent_id")?,
        agent_full: row.try_get("agent_full")?,
        agent_withheld: row.try_get("agent_withheld")?,
        queued_on_agent: row.try_get("queued_on_agent")?,
    })
}

/// What a dispatch job finds of a session.
#[derive(Debug)]
pub struct DispatchState {
    /// The session waits in the queue, and is not offered to an agent.
    pub queued: bool,
    /// The session is offered or at work, and not handed to its agent yet.
    pub awaits_handover: bool,
    pub agent_id: Option<AgentId>,
    /// Any suitable agent may run the session.
    pub routed: bool,
    /// The tenant has a slot and tokens left.
    pub tenant_has_capacity: bool,
    /// While it may be admitted: the next sessions in the queue of its agent.
    pub next_in_queue: Vec<SessionKey>,
}

/// The state of a session that a dispatch job is about, and at most `limit` sessions that are next on its agent.
/// `None`: there is no such session.
pub async fn dispatch_state(db: &Db, key: SessionKey, now: Time, limit: i32) -> Result<Option<DispatchState>> {
    let rows = db.read(key.tenant_id, DISPATCH_STATE, &[&key.tenant_id, &key.id, &now, &month_of(now), &limit]).await?;
    let Some(first) = rows.first() else { return Ok(None) };
    let status = Status::parse(first.try_get("status")?);
    let is_offered: bool = first.try_get("offered")?;
    let mut next_in_queue = Vec::new();
    for row in &rows {
        let next: (Option<TenantId>, Option<SessionId>) = (row.try_get("next_tenant")?, row.try_get("next_session")?);
        next_in_queue.extend(next.0.zip(next.1).map(|(tenant_id, id)| SessionKey::new(tenant_id, id)));
    }
    Ok(Some(DispatchState {
        queued: status == Some(Status::Queued) && !is_offered,
        awaits_handover: (is_offered || status.is_some_and(Status::holds_slot)) && first.try_get("handover")?,
        agent_id: first.try_get("agent_id")?,
        routed: first.try_get("routed")?,
        tenant_has_capacity: first.try_get("tenant_has_room")?,
        next_in_queue,
    }))
}

/// The next sessions in the queue of an agent, at most `limit`.
pub async fn next_in_queue(db: &Db, agent: AgentId, now: Time, limit: i32) -> Result<Vec<SessionKey>> {
    let sql = "select tenant_id, session_id from next_in_queue($1, $2, $3, $4)";
    let rows = db.query_directory(sql, &[&agent, &now, &month_of(now), &limit]).await?;
    rows.iter().map(|row| Ok(SessionKey::new(row.try_get("tenant_id")?, row.try_get("session_id")?))).collect()
}

/// What the queued sessions of a tenant wait for.
#[derive(Debug, Default)]
pub struct AwaitedAgents {
    pub agents: Vec<AgentId>,
    /// The first queued sessions that are not assigned to an agent yet.
    pub unassigned: Vec<SessionId>,
}

/// The agents that the queued sessions of a tenant wait for, and at most `limit` sessions without an agent.
pub async fn awaited_agents(db: &Db, tenant_id: TenantId, limit: i64) -> Result<AwaitedAgents> {
    let sql = "select distinct agent_id, null::uuid as id, 0 as priority, null::timestamptz as queued_at
               from sessions where tenant_id = $1 and status = 'queued' and offered_until is null and agent_id is not null
               union all
               (select null, id, priority, queued_at
                from sessions where tenant_id = $1 and status = 'queued' and offered_until is null and agent_id is null
                order by priority, queued_at, id limit $2)";
    let mut awaited = AwaitedAgents::default();
    for row in db.read(tenant_id, sql, &[&tenant_id, &limit]).await? {
        awaited.agents.extend(row.try_get::<_, Option<AgentId>>("agent_id")?);
        awaited.unassigned.extend(row.try_get::<_, Option<SessionId>>("id")?);
    }
    Ok(awaited)
}
