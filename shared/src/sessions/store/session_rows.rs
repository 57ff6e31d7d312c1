//! SQL of the rows of sessions: reads, claims, inserts, updates and deletions.

use std::sync::OnceLock;

use serde::Deserialize;
use tokio_postgres::{Row, types::Json};

use crate::{
    agents::{
        contract::UserMessage,
        registry::{self, AgentEndpoint},
    },
    kernel::{
        clock::Time,
        error::{Error, Result},
        id::{MessageId, SessionId, TenantId},
    },
    platform::postgres::{Db, OwnedStatement, Params, Tx, refused_with},
};

use super::{
    super::{
        admission::AdmissionSnapshot,
        change::SessionChange,
        session::{Session, SessionKey},
    },
    admission,
    found::FoundSession,
    row::{self, COLUMNS},
    save::{Events, append_sql},
    statement::{FIND, INSERT, LOCK, snapshot_of_new},
};

/// The error of Postgres with which a session is refused, by `reject_session`.
pub(super) const SESSION_REFUSED: &str = "SR001";

/// Stands for any suitable agent, where an agent could be named.
pub const ANY_AGENT: &str = "";

/// One session with its computed fields.
pub async fn find_session(db: &Db, key: SessionKey, now: Time) -> Result<FoundSession> {
    let rows = db.find(key.tenant_id, &FIND, &[&now, &key.tenant_id, &key.id]).await?;
    rows.first().map(row::found_of_row).transpose()?.ok_or_else(|| Error::session_not_found(key.id))
}

/// Reads and locks a session until the end of the transaction.
pub async fn lock_session(tx: &mut Tx, key: SessionKey) -> Result<Session> {
    let row = tx.query_opt(&LOCK, &[&key.tenant_id, &key.id]).await?;
    row.map(|row| row::session_of_row(&row)).transpose()?.ok_or_else(|| Error::session_not_found(key.id))
}

/// A claimed session, with what its step needs.
#[derive(Debug)]
pub struct ClaimedSession {
    pub session: Session,
    /// Messages that the agent has not got yet, oldest first.
    pub messages: Vec<(MessageId, UserMessage)>,
    pub out_of_tokens: bool,
    /// How to reach its agent.
    pub agent: Option<AgentEndpoint>,
    /// An earlier step was interrupted: nothing of it is written, but it may have called the agent.
    pub unfinished: bool,
}

/// Whether the step of a session is due at $3 and no worker has it. A time that is too far ahead was written before the
/// clock was set back.
const IS_DUE: &str = "
    (s.next_step_at <= $3 or holds_slot(s.status) and s.next_step_at > $3 + longest_step_pause())
    and (s.lease_until is null or s.lease_until <= $3 or s.lease_until > $3 + longest_step_pause())";

/// Claims a session whose step is due, unless another worker has it. `fence` must exceed the row's; without one (no
/// Redis) the row's own is counted up.
pub async fn claim_session(
    db: &Db,
    key: SessionKey,
    now: Time,
    until: Time,
    fence: Option<i64>,
) -> Result<Option<ClaimedSession>> {
    static SQL: OnceLock<String> = OnceLock::new();
    let sql = SQL.get_or_init(|| {
        format!(
            "with s as (
                 update sessions s set fence = greatest(s.fence + 1, coalesce($5::bigint, 0)), lease_until = $4,
                     interrupted_steps = s.interrupted_steps + (s.lease_until is not null)::integer
                 where s.tenant_id = $1 and s.id = $2 and {IS_DUE}
                 returning s.*,
                     (select was.lease_until is not null from sessions was
                      where was.tenant_id = s.tenant_id and was.id = s.id) as unfinished)
             select {COLUMNS}, s.unfinished,
                 (select coalesce(jsonb_agg(jsonb_build_array(m.id, m.message) order by m.id), '[]') from session_messages m
                  where m.tenant_id = s.tenant_id and m.session_id = s.id and m.delivered_at is null) as messages,
                 (select token_quota_reached(t.max_tokens_per_month, (select u.tokens from tenant_usage u
                     where u.tenant_id = t.id and u.month = utc_month($3::timestamptz)))
                  from tenants t where t.id = s.tenant_id) as out_of_tokens,
                 a.tenant_id as agent_tenant_id, a.name as agent_name, a.kind as agent_kind, a.endpoint_url, a.endpoint_secret
             from s left join lateral agent_contact(s.agent_id) a on true"
        )
    });
    let rows =
        db.tenant(key.tenant_id).await?.query_and_commit(sql, &[&key.tenant_id, &key.id, &now, &until, &fence]).await?;
    rows.first().map(claimed_of_row).transpose()
}

fn claimed_of_row(row: &Row) -> Result<ClaimedSession> {
    let Json(messages): Json<Vec<(MessageId, UserMessage)>> = row.try_get("messages")?;
    let known = row.try_get::<_, Option<&str>>("agent_name")?.is_some();
    Ok(ClaimedSession {
        session: row::session_of_row(row)?,
        messages,
        out_of_tokens: row.try_get("out_of_tokens")?,
        agent: known.then(|| registry::store::read_endpoint(row)).transpose()?,
        unfinished: row.try_get("unfinished")?,
    })
}

/// Whether a session's step is due and no worker has claimed it.
pub async fn is_due(db: &Db, key: SessionKey, now: Time) -> Result<bool> {
    static SQL: OnceLock<String> = OnceLock::new();
    let sql =
        SQL.get_or_init(|| format!("select s.id from sessions s where s.tenant_id = $1 and s.id = $2 and {IS_DUE}"));
    Ok(!db.read(key.tenant_id, sql, &[&key.tenant_id, &key.id, &now]).await?.is_empty())
}

/// Frees the claim of a step that wrote nothing, and counts it as one that failed by itself (`failed`), as one that was
/// interrupted, or as none (`was_outage`). The next claim adds the interruption.
pub async fn release_failed_step(
    db: &Db,
    key: SessionKey,
    fence: i64,
    now: Time,
    failed: bool,
    was_outage: bool,
) -> Result<()> {
    let sql = "update sessions
               set lease_until = $4, failed_steps = failed_steps + $5::boolean::integer,
                   interrupted_steps = interrupted_steps - ($5 or $6)::integer
               where tenant_id = $1 and id = $2 and fence = $3 and lease_until is not null";
    let params: Params<'_> = &[&key.tenant_id, &key.id, &fence, &now, &failed, &was_outage];
    db.tenant(key.tenant_id).await?.query_and_commit(sql, params).await?;
    Ok(())
}

/// Extends a claim until then. A claim whose step was written meanwhile stays free. False: a newer claim exists.
pub async fn renew_lease(db: &Db, key: SessionKey, fence: i64, until: Time) -> Result<bool> {
    let sql = "with renewed as (
                   update sessions set lease_until = $4
                   where tenant_id = $1 and id = $2 and fence = $3 and lease_until is not null)
               select id from sessions where tenant_id = $1 and id = $2 and fence = $3";
    Ok(!db
        .tenant(key.tenant_id)
        .await?
        .query_and_commit(sql, &[&key.tenant_id, &key.id, &fence, &until])
        .await?
        .is_empty())
}

/// The statement that inserts a session with its first events, if there is such an agent and the tenant's limits allow
/// it, else fails with an error that [`parse_refusal`] understands. With [`ANY_AGENT`] it needs no agent yet.
pub(in crate::sessions) fn insert_statement<'a>(
    change: &'a SessionChange,
    agent: &'a str,
    options: InsertOptions,
) -> OwnedStatement<'a> {
    let session = &change.session;
    let mut fields = row::fixed_fields(session);
    fields.extend(row::changing_fields(session));
    fields.retain(|(name, _)| *name != "agent_id");
    let sql = INSERT.get_or_init(|| insert_sql(&fields.iter().map(|(name, _)| *name).collect::<Vec<_>>()));
    let Events { ids, types, actors, payloads } = Events::of(&change.events);
    let mut values: Vec<row::Value<'a>> = fields.into_iter().map(|(_, value)| value).collect();
    values.extend([Box::new(ids) as row::Value<'a>, Box::new(types), Box::new(actors), Box::new(payloads)]);
    let InsertOptions { start, without_default_environment, counts_exactly } = options;
    values.extend([Box::new(change.now) as row::Value<'a>, Box::new(agent), Box::new(start)]);
    values.extend([Box::new(without_default_environment) as row::Value<'a>, Box::new(counts_exactly)]);
    OwnedStatement { sql, values }
}

/// How a session is inserted.
#[derive(Clone, Copy)]
pub(in crate::sessions) struct InsertOptions {
    /// The session is queued on its agent.
    pub(in crate::sessions) start: bool,
    /// The tenant is taken to have no default environment, and the insertion is refused if it has one.
    pub(in crate::sessions) without_default_environment: bool,
    /// The transaction has the lock of the tenant's queue alone. Otherwise it shares it, and the insertion is refused
    /// near the tenant's limits.
    pub(in crate::sessions) counts_exactly: bool,
}

/// Why an [`insert_statement`] was refused.
#[derive(Deserialize)]
pub(in crate::sessions) struct InsertRefusal {
    #[serde(flatten)]
    pub(in crate::sessions) snapshot: AdmissionSnapshot,
    /// The tenant has a default environment, although it was taken to have none.
    pub(in crate::sessions) has_default_environment: bool,
}

/// The reason why an [`insert_statement`] was refused, if this error is such a refusal.
pub(in crate::sessions) fn parse_refusal(error: &Error) -> Option<Result<InsertRefusal>> {
    let detail = refused_with(error, SESSION_REFUSED)?;
    let refusal = serde_json::from_str::<Option<InsertRefusal>>(detail).map_err(Error::internal);
    Some(refusal.and_then(|refusal| refusal.ok_or_else(admission::no_tenant)))
}

/// Inserts a session, and reads it with its computed fields in the same round trip.
pub(in crate::sessions) async fn insert_and_find(
    tx: Tx,
    change: &SessionChange,
    insertion: OwnedStatement<'_>,
) -> Result<FoundSession> {
    let session = &change.session;
    let shown: Params<'_> = &[&change.now, &session.tenant_id, &session.id];
    let answers = tx.finish_all(&[(insertion.sql, &insertion.params()), (&FIND, shown)]).await?;
    answers[1].first().map(row::found_of_row).transpose()?.ok_or_else(|| Error::session_not_found(session.id))
}

/// `names` are the columns, each with a parameter; after them come those of the events, the agent and the options.
fn insert_sql(names: &[&str]) -> String {
    let count = names.len();
    let (now, agent, start) =
        (format!("${}", count + 5), format!("${}::text", count + 6), format!("${}::boolean", count + 7));
    let (without_default, exactly) = (format!("${}::boolean", count + 8), format!("${}::boolean", count + 9));
    let places: Vec<_> = (1..=count).map(|n| format!("${n}")).collect();
    format!(
        "with snapshot as materialized (
             select r.*, {without_default} and exists (
                 select 1 from environments e where e.tenant_id = $1 and e.is_default) as has_default_environment
             from ({snapshot}) r),
         changed as (
             insert into sessions ({names}, agent_id)
             select {places}, case when {start} then r.agent_id end from snapshot r
             where (r.agent_id is not null or {agent} = '')
               and not (r.rejects and (r.running + r.queued + r.margin >= r.max_concurrent or r.out_of_tokens))
               and not ({start} and r.queued + r.margin >= r.max_queued)
               and not r.has_default_environment
             returning tenant_id, id, last_event_seq, last_event_position),
         appended as ({appended})
         select reject_session((select to_jsonb(r) from snapshot r)) where not exists (select 1 from changed)",
        snapshot = snapshot_of_new(["$1", &now, &agent, &start, &exactly]),
        names = names.join(", "),
        places = places.join(", "),
        appended = append_sql(count),
    )
}

/// Deletes a session and everything that belongs to it.
pub async fn delete(mut tx: Tx, session: &Session) -> Result<()> {
    if let Some(parent) = session.lineage.parent_id {
        let sql =
            "update sessions set child_count = child_count - 1 where tenant_id = $1 and id = $2 and child_count > 0";
        tx.query(sql, &[&session.tenant_id, &parent]).await?;
    }
    if session.lineage.root_id != session.id {
        let sql = "update sessions set tree_size = tree_size - 1 where tenant_id = $1 and id = $2 and tree_size > 1";
        tx.query(sql, &[&session.tenant_id, &session.lineage.root_id]).await?;
    }
    let sql = "delete from agent_results where tenant_id = $1 and session_id = $2";
    tx.query(sql, &[&session.tenant_id, &session.id]).await?;
    tx.query_and_commit("delete from sessions where tenant_id = $1 and id = $2", &[&session.tenant_id, &session.id])
        .await?;
    Ok(())
}

/// The root and depth of the parent of a new session.
pub struct ParentPosition {
    pub root_id: SessionId,
    pub depth: i16,
}

/// Counts one more child of a parent. `None`: there is no such session. False: its tree has `limit` sessions already.
pub async fn add_child(
    tx: &mut Tx,
    tenant_id: TenantId,
    parent: SessionId,
    limit: i32,
) -> Result<Option<(ParentPosition, bool)>> {
    let sql = "with parent as (
                   update sessions set child_count = child_count + 1 where tenant_id = $1 and id = $2 returning root_id, depth)
               select p.root_id, p.depth, (select r.tree_size from sessions r where r.tenant_id = $1 and r.id = p.root_id) as size
               from parent p";
    let Some(row) = tx.query_opt(sql, &[&tenant_id, &parent]).await? else { return Ok(None) };
    let parent = ParentPosition { root_id: row.try_get("root_id")?, depth: row.try_get("depth")? };
    let grown = "update sessions set tree_size = tree_size + 1 where tenant_id = $1 and id = $2 and tree_size < $3 returning tree_size";
    let has_room = tx.query_opt(grown, &[&tenant_id, &parent.root_id, &limit]).await?.is_some();
    // A deleted root counts nothing; its tree is bounded only by its depth and the tenant's limits.
    let is_root_deleted = row.try_get::<_, Option<i32>>("size")?.is_none();
    Ok(Some((parent, has_room || is_root_deleted)))
}

/// The children of a session that have waited for it since before its end: pending, queued, or paused for it. One that
/// waits for sessions of its own has begun.
pub async fn waiting_children(db: &Db, tenant_id: TenantId, parent: SessionId) -> Result<Vec<SessionId>> {
    let sql = "select id from sessions where tenant_id = $1 and parent_id = $2
               and (status in ('pending', 'queued') or pause_reason = 'dependency' and pause_question is null)
               and created_at <= coalesce((select p.ended_at from sessions p where p.tenant_id = $1 and p.id = $2), created_at)";
    let rows = db.read(tenant_id, sql, &[&tenant_id, &parent]).await?;
    rows.iter().map(|row| row.try_get("id").map_err(Error::from)).collect()
}
