//! SQL of what the scheduler decides by: the room that a tenant and an agent have, and whose turn it is.

use serde::Deserialize;
use tokio_postgres::Row;

use crate::{
    clock::Time,
    db::{Db, Tx},
    error::{Code, Error, Result},
    id::{AgentId, SessionId, TenantId},
};

use super::{
    super::{Session, change::month_of, status::Status},
    not_found, row,
    statement::{LOCK, ROOM, TURNS},
};

/// What decides whether a session may be asked to run, or run at once.
#[derive(Clone, Copy, Debug, Deserialize)]
pub struct Room {
    /// Whether the tenant is: nothing of one that was deactivated starts.
    pub active: bool,
    pub max_concurrent: i64,
    pub running: i64,
    /// Paused by the deactivation of the tenant: once it is active again they get slots before anything that waits.
    pub held: i64,
    pub max_queued: i64,
    pub queued: i64,
    pub rejects: bool,
    pub out_of_tokens: bool,
    pub workspace_taken: bool,
    pub agent_id: Option<AgentId>,
    pub agent_full: bool,
    pub queued_on_agent: i64,
}

impl Room {
    /// Whether a slot, the workspace, the agent and tokens are there, and nobody waits for the same.
    pub fn free(&self) -> bool {
        self.free_to_return() && !self.slots_taken() && self.queued_on_agent == 0
    }

    /// Whether no slot is left for one that waits.
    pub fn slots_taken(&self) -> bool {
        self.running + self.held >= self.max_concurrent
    }

    /// Whether they are there, for one who was sent away from them: it goes before those who wait.
    pub fn free_to_return(&self) -> bool {
        self.active
            && self.running < self.max_concurrent
            && !self.out_of_tokens
            && !self.workspace_taken
            && !self.agent_full
    }
}

/// Which agent [`lock_with_room`] counts for.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum Towards {
    /// The one that the session's configuration names; of one that names none the only one that it could go to.
    Configured,
    /// The one that it has.
    Given,
    /// This one.
    Agent(AgentId),
}

/// Reads a session, keeps it from changing until the end of the transaction, and counts, from rows, what a start or a
/// resume is decided by. Run under the tenant's slot lock.
pub async fn lock_with_room(
    tx: &mut Tx,
    (tenant_id, id): (TenantId, SessionId),
    towards: Towards,
    now: Time,
) -> Result<(Session, Room)> {
    let configured = towards == Towards::Configured;
    let agent = match towards {
        Towards::Agent(agent) => Some(agent.to_string()),
        Towards::Configured | Towards::Given => None,
    };
    let answers =
        tx.query_all(&[(&LOCK, &[&tenant_id, &id]), (&ROOM, &[&tenant_id, &id, &now, &agent, &configured])]).await?;
    let session = answers[0].first().map(row::session).transpose()?.ok_or_else(|| not_found(id))?;
    let room = answers[1].first().ok_or_else(no_tenant)?;
    Ok((session, read(room)?))
}

pub(super) fn no_tenant() -> Error {
    Error::new(Code::TenantNotFound, "There is no such tenant.")
}

fn read(row: &Row) -> Result<Room> {
    Ok(Room {
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
        queued_on_agent: row.try_get("queued_on_agent")?,
    })
}

/// How a session stands in its queue.
#[derive(Debug)]
pub struct Standing {
    pub queued: bool,
    /// It runs, and waits to be handed to its agent.
    pub to_hand_over: bool,
    pub agent_id: Option<AgentId>,
    /// Any agent that suits may take it.
    pub routed: bool,
    /// The tenant has a slot and tokens left.
    pub tenant_has_room: bool,
    /// While it is queued: whose turn it is on its agent.
    pub turns: Vec<(TenantId, SessionId)>,
}

/// How a session stands, and whose turn it is; `None` when there is no such session.
pub async fn standing(db: &Db, tenant_id: TenantId, id: SessionId, now: Time, most: i32) -> Result<Option<Standing>> {
    let rows = db.read(tenant_id, TURNS, &[&tenant_id, &id, &now, &month_of(now), &most]).await?;
    let Some(first) = rows.first() else { return Ok(None) };
    let status = Status::parse(first.try_get("status")?);
    let mut turns = Vec::new();
    for row in &rows {
        let next: (Option<TenantId>, Option<SessionId>) = (row.try_get("next_tenant")?, row.try_get("next_session")?);
        turns.extend(next.0.zip(next.1));
    }
    Ok(Some(Standing {
        queued: status == Some(Status::Queued),
        to_hand_over: status.is_some_and(Status::holds_slot) && first.try_get("handover")?,
        agent_id: first.try_get("agent_id")?,
        routed: first.try_get("routed")?,
        tenant_has_room: first.try_get("tenant_has_room")?,
        turns,
    }))
}

/// Whose turn it is on an agent.
pub async fn turns(db: &Db, agent: AgentId, now: Time, most: i32) -> Result<Vec<(TenantId, SessionId)>> {
    let sql = "select tenant_id, session_id from next_turns($1, $2, $3, $4)";
    let rows = db.directory(sql, &[&agent, &now, &month_of(now), &most]).await?;
    rows.iter().map(|row| Ok((row.try_get("tenant_id")?, row.try_get("session_id")?))).collect()
}

/// What a tenant's queued sessions wait for: the agents that they have, and the first of those that have none yet.
pub async fn waited_for(db: &Db, tenant_id: TenantId, most: i64) -> Result<(Vec<AgentId>, Vec<SessionId>)> {
    let sql = "select distinct agent_id, null::uuid as id, 0 as priority, null::timestamptz as queued_at
               from sessions where tenant_id = $1 and status = 'queued' and agent_id is not null
               union all
               (select null, id, priority, queued_at
                from sessions where tenant_id = $1 and status = 'queued' and agent_id is null
                order by priority, queued_at, id limit $2)";
    let (mut agents, mut sessions) = (Vec::new(), Vec::new());
    for row in db.read(tenant_id, sql, &[&tenant_id, &most]).await? {
        agents.extend(row.try_get::<_, Option<AgentId>>("agent_id")?);
        sessions.extend(row.try_get::<_, Option<SessionId>>("id")?);
    }
    Ok((agents, sessions))
}
