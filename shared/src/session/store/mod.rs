//! SQL of sessions and what belongs to them. Decides nothing.

mod extras;
mod hold;
mod left;
mod list;
mod results;
mod room;
mod row;
pub mod statement;

use std::sync::OnceLock;

use serde_json::Value;
use tokio_postgres::{
    Row,
    types::{Json, ToSql},
};

use crate::{
    agent::{self, Contact},
    clock::Time,
    db::{Db, Owned, Params, Statement, Tx, refused_with},
    error::{Code, Error, Result},
    event::NewEvent,
    id::{EventId, MessageId, SessionId, TenantId},
    runtime::Said,
};

pub use self::{
    extras::{
        Artifact, Checkpoint, Origin, TreeNode, artifact, artifacts, checkpoint, checkpoints, events, files,
        keep_artifacts, tree,
    },
    hold::{suspended, to_suspend, with_tokens_again},
    left::{Left, forget_workspace, leave_workspaces, put_off_workspace, take_workspace},
    list::{Filter, Page, Stats, list, named, stats},
    room::{Room, Standing, Towards, lock_with_room, standing, turns, waited_for},
};
use self::{
    row::COLUMNS,
    statement::{FIND, INSERT, LOCK, SAVE, room_of_new},
};
use super::{Session, WaitingFor, change::Change};

/// The error of Postgres with which a session is refused, by `refuse_session`.
const SESSION_REFUSED: &str = "SR001";

/// Stands for whichever agent suits, where one could be named.
pub const ANY_AGENT: &str = "";

/// The error for an id that is unknown, or another tenant's: nobody can tell which.
#[track_caller]
pub fn not_found(id: SessionId) -> Error {
    Error::new(Code::SessionNotFound, format!("There is no session {id}."))
}

/// A session with what is computed beside its row.
#[derive(Clone, Debug)]
pub struct Found {
    pub session: Session,
    pub agent: Option<(String, String)>,
    pub place: Option<(i64, WaitingFor)>,
}

/// What stands beside a session when it is shown: its agent's name and kind, and while it is queued its place and what
/// it waits for. The place counts those of its tenant that will be taken earlier on the same agent.
const BESIDE: &str = "
    (select a.name from agents a where a.id = s.agent_id) as agent_name,
    (select a.kind from agents a where a.id = s.agent_id) as agent_kind,
    case when s.status = 'queued' then (
        select count(*) + 1 from sessions q
        where q.tenant_id = s.tenant_id and q.agent_id is not distinct from s.agent_id and q.status = 'queued'
          and (greatest(q.priority - floor(extract(epoch from $1::timestamptz - q.queued_at) / 600), 0), q.queued_at, q.id)
            < (greatest(s.priority - floor(extract(epoch from $1::timestamptz - s.queued_at) / 600), 0), s.queued_at, s.id)
    ) end as queue_place,
    case when s.status = 'queued' then (
        select case
            when t.max_tokens_per_month > 0 and t.max_tokens_per_month <= coalesce((select u.tokens from tenant_usage u
                where u.tenant_id = t.id and u.month = date_trunc('month', $1::timestamptz at time zone 'UTC')::date), 0) then 'tokens'
            when t.max_concurrent_sessions <= (select count(*) from sessions r
                where r.tenant_id = t.id and r.status in ('running', 'degraded')) then 'slot'
            when s.workspace_key is not null and exists (select 1 from sessions w where w.tenant_id = s.tenant_id
                and w.workspace_key = s.workspace_key and w.status in ('running', 'degraded')) then 'workspace'
            else 'agent' end
        from tenants t where t.id = s.tenant_id
    ) end as queue_waiting_for";

/// One session as it is shown.
pub async fn find(db: &Db, tenant_id: TenantId, id: SessionId, now: Time) -> Result<Found> {
    let rows = db.read(tenant_id, &FIND, &[&now, &tenant_id, &id]).await?;
    rows.first().map(row::found).transpose()?.ok_or_else(|| not_found(id))
}

/// Reads a session and keeps it from changing until the end of the transaction.
pub async fn lock(tx: &mut Tx, tenant_id: TenantId, id: SessionId) -> Result<Session> {
    let row = tx.query_opt(&LOCK, &[&tenant_id, &id]).await?;
    row.map(|row| row::session(&row)).transpose()?.ok_or_else(|| not_found(id))
}

/// What a step needs to know of a session that it has claimed.
#[derive(Debug)]
pub struct Claimed {
    pub session: Session,
    /// Messages that the agent has not been told, oldest first.
    pub messages: Vec<(MessageId, Said)>,
    pub out_of_tokens: bool,
    /// How to reach its agent.
    pub agent: Option<Contact>,
    /// An earlier step was broken off: nothing of it is written, but the agent may have heard of it.
    pub unfinished: bool,
}

/// Takes the step of a session, if it is due and nobody else has it. `fence` must be above the row's; without one (no
/// Redis) the row's own is counted up.
pub async fn claim(
    db: &Db,
    tenant_id: TenantId,
    id: SessionId,
    now: Time,
    until: Time,
    fence: Option<i64>,
) -> Result<Option<Claimed>> {
    static SQL: OnceLock<String> = OnceLock::new();
    let sql = SQL.get_or_init(|| {
        format!(
            "with s as (
                 update sessions s set fence = greatest(s.fence + 1, coalesce($5::bigint, 0)), lease_until = $4
                 where s.tenant_id = $1 and s.id = $2 and s.next_step_at <= $3
                   and (s.lease_until is null or s.lease_until <= $3)
                 returning s.*,
                     (select was.lease_until is not null from sessions was
                      where was.tenant_id = s.tenant_id and was.id = s.id) as unfinished)
             select {COLUMNS}, s.unfinished,
                 (select coalesce(jsonb_agg(jsonb_build_array(m.id, m.said) order by m.id), '[]') from session_messages m
                  where m.tenant_id = s.tenant_id and m.session_id = s.id and m.delivered_at is null) as messages,
                 (select t.max_tokens_per_month > 0 and t.max_tokens_per_month <= coalesce((select u.tokens from tenant_usage u
                     where u.tenant_id = t.id and u.month = date_trunc('month', $3::timestamptz at time zone 'UTC')::date), 0)
                  from tenants t where t.id = s.tenant_id) as out_of_tokens,
                 a.tenant_id as agent_tenant_id, a.name as agent_name, a.kind as agent_kind, a.endpoint_url, a.endpoint_secret
             from s left join lateral agent_contact(s.agent_id) a on true"
        )
    });
    let rows = db.tenant(tenant_id).await?.finish(sql, &[&tenant_id, &id, &now, &until, &fence]).await?;
    let Some(row) = rows.first() else { return Ok(None) };
    let Json(messages): Json<Vec<(MessageId, Said)>> = row.try_get("messages")?;
    let known = row.try_get::<_, Option<&str>>("agent_name")?.is_some();
    Ok(Some(Claimed {
        session: row::session(row)?,
        messages,
        out_of_tokens: row.try_get("out_of_tokens")?,
        agent: known.then(|| agent::store::read_contact(row)).transpose()?,
        unfinished: row.try_get("unfinished")?,
    }))
}

/// Whether a session's step is due and nobody works on its row.
pub async fn is_due(db: &Db, tenant_id: TenantId, id: SessionId, now: Time) -> Result<bool> {
    let sql = "select id from sessions where tenant_id = $1 and id = $2 and next_step_at <= $3
               and (lease_until is null or lease_until <= $3)";
    Ok(!db.read(tenant_id, sql, &[&tenant_id, &id, &now]).await?.is_empty())
}

/// Keeps a claim alive until then; an end that is over gives it up, unfinished. A claim whose step was written meanwhile
/// stays free. False when a newer claim exists.
pub async fn renew(db: &Db, tenant_id: TenantId, id: SessionId, fence: i64, until: Time) -> Result<bool> {
    let sql = "with kept as (
                   update sessions set lease_until = $4
                   where tenant_id = $1 and id = $2 and fence = $3 and lease_until is not null)
               select id from sessions where tenant_id = $1 and id = $2 and fence = $3";
    Ok(!db.tenant(tenant_id).await?.finish(sql, &[&tenant_id, &id, &fence, &until]).await?.is_empty())
}

/// What writes a new session with its first events, if there is such an agent and the tenant's limits allow it: decided
/// and written in one statement, which fails with what [`refusal`] understands if they do not. With `start` its first move
/// is to the queue of that agent. For [`ANY_AGENT`] it needs none yet.
pub(super) fn insertion<'a>(change: &'a Change, agent: &'a str, start: bool) -> Owned<'a> {
    let session = &change.session;
    let mut fields = row::fixed(session);
    fields.extend(row::changing(session));
    fields.retain(|(name, _)| *name != "agent_id");
    let sql = INSERT.get_or_init(|| insert_sql(&fields.iter().map(|(name, _)| *name).collect::<Vec<_>>()));
    let Events { ids, types, actors, payloads } = Events::of(&change.events);
    let mut values: Vec<row::Value<'a>> = fields.into_iter().map(|(_, value)| value).collect();
    values.extend([Box::new(ids) as row::Value<'a>, Box::new(types), Box::new(actors), Box::new(payloads)]);
    values.extend([Box::new(change.now) as row::Value<'a>, Box::new(agent), Box::new(start)]);
    Owned { sql, values }
}

/// What an [`insertion`] was refused by, if this error says so.
pub(super) fn refusal(error: &Error) -> Option<Result<Room>> {
    let detail = refused_with(error, SESSION_REFUSED)?;
    let room = serde_json::from_str::<Option<Room>>(detail).map_err(Error::internal);
    Some(room.and_then(|room| room.ok_or_else(room::no_tenant)))
}

/// Writes a new session, and answers it as it is shown.
pub(super) async fn insert_and_show(tx: Tx, change: &Change, insertion: Owned<'_>) -> Result<Found> {
    let session = &change.session;
    let shown: Params<'_> = &[&change.now, &session.tenant_id, &session.id];
    let answers = tx.finish_all(&[(insertion.sql, &insertion.params()), (&FIND, shown)]).await?;
    answers[1].first().map(row::found).transpose()?.ok_or_else(|| not_found(session.id))
}

/// `names` are the columns, each with a parameter; after them come those of the events, the agent and the start.
fn insert_sql(names: &[&str]) -> String {
    let count = names.len();
    let (now, agent, start) =
        (format!("${}", count + 5), format!("${}::text", count + 6), format!("${}::boolean", count + 7));
    let places: Vec<_> = (1..=count).map(|n| format!("${n}")).collect();
    format!(
        "with room as materialized ({room}),
         changed as (
             insert into sessions ({names}, agent_id)
             select {places}, case when {start} then r.agent_id end from room r
             where (r.agent_id is not null or {agent} = '')
               and not (r.rejects and (r.running + r.queued >= r.max_concurrent or r.out_of_tokens))
               and not ({start} and r.queued >= r.max_queued)
             returning tenant_id, id, last_event_seq, last_event_position),
         appended as ({appended})
         select refuse_session((select to_jsonb(r) from room r)) where not exists (select 1 from changed)",
        room = room_of_new("$1", &now, &agent, &start),
        names = names.join(", "),
        places = places.join(", "),
        appended = append(count),
    )
}

/// Writes a changed session with its new events. The row must have been locked in this transaction.
pub async fn save(tx: Tx, change: &Change) -> Result<()> {
    Box::pin(write(tx, change, None)).await.map(|_| ())
}

/// As [`save`], and answers the session as it is shown.
pub async fn save_and_show(tx: Tx, change: &Change) -> Result<Found> {
    let session = &change.session;
    let shown: Params<'_> = &[&change.now, &session.tenant_id, &session.id];
    let rows = Box::pin(write(tx, change, Some((&FIND, shown)))).await?;
    rows.first().map(row::found).transpose()?.ok_or_else(|| not_found(session.id))
}

/// Everything that a change writes, and what `then` asks for, in one round trip.
async fn write(mut tx: Tx, change: &Change, then: Option<Statement<'_>>) -> Result<Vec<Row>> {
    if let Some(entry) = change.entry() {
        tx.audit(entry);
    }
    let session = &change.session;
    let mut values: Vec<row::Field<'_>> =
        vec![("tenant_id", Box::new(session.tenant_id)), ("id", Box::new(session.id))];
    values.extend(row::changing(session));
    let sql = SAVE.get_or_init(|| {
        let sets = values.iter().enumerate().skip(2).map(|(at, (name, _))| format!("{name} = ${}", at + 1));
        let sets: Vec<_> = sets.collect();
        let last = 1 + values.iter().position(|(name, _)| *name == "last_event_seq").unwrap_or_default();
        // Who waited for the row may have begun before the one whose events come first.
        format!(
            "with changed as (
                 update sessions set {}, last_event_position = case last_event_seq when ${last} then last_event_position
                                         else greatest(last_event_position, pg_current_xact_id()) end
                 where tenant_id = $1 and id = $2 returning tenant_id, id, last_event_seq, last_event_position)
             {}",
            sets.join(", "),
            append(values.len())
        )
    });
    let events = Events::of(&change.events);
    let row = parameters(&values, &events, change);
    let beside = extras::statements(change)?;
    let params: Vec<_> = beside.iter().map(Owned::params).collect();
    let mut statements: Vec<Statement<'_>> =
        beside.iter().zip(&params).map(|(one, params)| (one.sql, params.as_slice())).collect();
    statements.push((sql, &row));
    statements.extend(then);
    Ok(tx.finish_all(&statements).await?.pop().unwrap_or_default())
}

/// Appends events with numbers up to the `last_event_seq` of the row in `changed`.
fn append(parameters: usize) -> String {
    let p = |n: usize| format!("${}", parameters + n);
    format!(
        "insert into session_events (tenant_id, session_id, seq, id, type, actor, at, payload, position)
         select c.tenant_id, c.id, c.last_event_seq - cardinality({ids}::uuid[]) + e.ord, e.id, e.type, e.actor, {at}, e.payload,
             c.last_event_position
         from changed c, unnest({ids}::uuid[], {types}::text[], {actors}::jsonb[], {payloads}::jsonb[])
             with ordinality as e(id, type, actor, payload, ord)",
        ids = p(1),
        types = p(2),
        actors = p(3),
        payloads = p(4),
        at = p(5),
    )
}

fn parameters<'a>(
    values: &'a [row::Field<'_>],
    events: &'a Events<'_>,
    change: &'a Change,
) -> Vec<&'a (dyn ToSql + Sync)> {
    let row = values.iter().map(|(_, value)| value.as_ref() as &(dyn ToSql + Sync));
    row.chain([&events.ids as &(dyn ToSql + Sync), &events.types, &events.actors, &events.payloads, &change.now])
        .collect()
}

struct Events<'a> {
    ids: Vec<EventId>,
    types: Vec<&'static str>,
    actors: Vec<Json<&'a crate::auth::Actor>>,
    payloads: Vec<&'a Value>,
}

impl<'a> Events<'a> {
    fn of(events: &'a [NewEvent]) -> Self {
        Self {
            ids: events.iter().map(|_| EventId::new()).collect(),
            types: events.iter().map(|event| event.kind.name()).collect(),
            actors: events.iter().map(|event| Json(&event.actor)).collect(),
            payloads: events.iter().map(|event| &event.payload).collect(),
        }
    }
}

/// Removes a session and all that belongs to it.
pub async fn delete(mut tx: Tx, session: &Session) -> Result<()> {
    if let Some(parent) = session.parent_id {
        let sql =
            "update sessions set child_count = child_count - 1 where tenant_id = $1 and id = $2 and child_count > 0";
        tx.query(sql, &[&session.tenant_id, &parent]).await?;
    }
    if session.root_id != session.id {
        let sql = "update sessions set tree_size = tree_size - 1 where tenant_id = $1 and id = $2 and tree_size > 1";
        tx.query(sql, &[&session.tenant_id, &session.root_id]).await?;
    }
    let sql = "delete from agent_results where tenant_id = $1 and session_id = $2";
    tx.query(sql, &[&session.tenant_id, &session.id]).await?;
    tx.finish("delete from sessions where tenant_id = $1 and id = $2", &[&session.tenant_id, &session.id]).await?;
    Ok(())
}

/// Where a child is hung: its parent's root and depth.
pub struct Parent {
    pub root_id: SessionId,
    pub depth: i16,
}

/// Takes a place below a parent: `None` when there is no such session, or its tree has all the sessions that it may.
pub async fn take_place_below(
    tx: &mut Tx,
    tenant_id: TenantId,
    parent: SessionId,
    most: i32,
) -> Result<Option<(Parent, bool)>> {
    let sql = "with parent as (
                   update sessions set child_count = child_count + 1 where tenant_id = $1 and id = $2 returning root_id, depth)
               select p.root_id, p.depth, (select r.tree_size from sessions r where r.tenant_id = $1 and r.id = p.root_id) as size
               from parent p";
    let Some(row) = tx.query_opt(sql, &[&tenant_id, &parent]).await? else { return Ok(None) };
    let parent = Parent { root_id: row.try_get("root_id")?, depth: row.try_get("depth")? };
    let grown = "update sessions set tree_size = tree_size + 1 where tenant_id = $1 and id = $2 and tree_size < $3 returning tree_size";
    let room = tx.query_opt(grown, &[&tenant_id, &parent.root_id, &most]).await?.is_some();
    // A root that was deleted counts no more; its tree is bounded by its depth and the tenant's limits alone.
    let root_gone = row.try_get::<_, Option<i32>>("size")?.is_none();
    Ok(Some((parent, room || root_gone)))
}

/// Those who wait below a session since before its end: pending, queued, or held.
pub async fn waiting_children(db: &Db, tenant_id: TenantId, parent: SessionId) -> Result<Vec<SessionId>> {
    let sql = "select id from sessions where tenant_id = $1 and parent_id = $2
               and (status in ('pending', 'queued') or pause_reason = 'dependency')
               and created_at <= coalesce((select p.ended_at from sessions p where p.tenant_id = $1 and p.id = $2), created_at)";
    let rows = db.read(tenant_id, sql, &[&tenant_id, &parent]).await?;
    rows.iter().map(|row| row.try_get("id").map_err(Error::from)).collect()
}
