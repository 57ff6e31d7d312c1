//! SQL of the live stream: the events after a cursor, in the order in which all subscribers receive them.

use tokio_postgres::{Row, types::Json};
use uuid::Uuid;

use crate::{
    events::log::tenant::TenantTopic,
    kernel::{
        clock::Time,
        error::{Error, Result},
        id::{SessionId, TenantId},
    },
    platform::postgres::Db,
};

use super::{Cursor, Topic, frame::StreamEvent};

/// Consecutive events of a topic.
#[derive(Clone, Debug)]
pub struct EventPage {
    pub after: Cursor,
    /// The page holds all events after `after` up to and including this position.
    pub end: Cursor,
    pub events: Vec<StreamEvent>,
    /// Whether there were more events than requested.
    pub has_more: bool,
    /// Whether committed events exist that cannot be delivered yet, because older transactions are still open.
    pub has_pending: bool,
}

/// The result of a read.
#[derive(Clone, Debug)]
pub enum TopicRead {
    Page(EventPage),
    /// There is no such session.
    SessionDeleted,
    /// The cursor belongs to another database, or to one that was restored from a backup.
    UnknownCursor,
}

/// The current head of a topic. A subscriber that starts here receives only new events. `None` if there is no such
/// session.
pub async fn find_head(db: &Db, tenant_id: TenantId, topic: Topic, now: Time) -> Result<Option<Cursor>> {
    if let Topic::Session(id) = topic {
        let sql = "select last_event_seq from sessions where tenant_id = $1 and id = $2";
        let rows = db.read(tenant_id, sql, &[&tenant_id, &id]).await?;
        return Ok(rows.first().map(|row| row.try_get(0)).transpose()?.map(Cursor::Seq));
    }
    let rows = db.read(tenant_id, "select event_horizon()::text as horizon", &[]).await?;
    let row = rows.first().ok_or_else(|| Error::internal("no horizon"))?;
    Ok(Some(Cursor::just_below(topic, parse_position(row, "horizon")?, now)))
}

/// A read of the events of a topic after a cursor.
#[derive(Clone, Copy, Debug)]
pub struct TopicQuery {
    pub topic: Topic,
    pub after: Cursor,
    /// The highest number of events to return.
    pub limit: i64,
    pub now: Time,
}

/// The events after a cursor.
pub async fn read_topic(db: &Db, tenant_id: TenantId, query: TopicQuery) -> Result<TopicRead> {
    match (query.topic, query.after) {
        (Topic::Session(id), Cursor::Seq(seq)) => {
            let mut read = read_session_logs(db, tenant_id, &[(id, seq)], query.limit).await?;
            Ok(read.pop().map_or(TopicRead::SessionDeleted, |(_, read)| read))
        }
        (Topic::Sessions, _) => read_all_sessions(db, tenant_id, query).await,
        (topic, _) => match topic.tenant_topic() {
            Some(tenant_topic) => read_tenant_events(db, tenant_id, tenant_topic, query).await,
            None => Ok(TopicRead::UnknownCursor),
        },
    }
}

/// The logs of several sessions, each after its own `seq`, at most `limit` events of each.
pub async fn read_session_logs(
    db: &Db,
    tenant_id: TenantId,
    positions: &[(SessionId, i64)],
    limit: i64,
) -> Result<Vec<(SessionId, TopicRead)>> {
    let sql = "
        select w.ord, s.id is not null as there, e.session_id, e.seq, e.id, e.type, e.actor, e.at, e.payload
        from unnest($2::uuid[], $3::bigint[]) with ordinality as w(session_id, after, ord)
        left join sessions s on s.tenant_id = $1 and s.id = w.session_id
        left join lateral (select * from session_events e where e.tenant_id = $1 and e.session_id = w.session_id
                           and e.seq > w.after order by e.seq limit $4) e on true
        order by w.ord, e.seq";
    let (ids, afters): (Vec<_>, Vec<_>) = positions.iter().copied().unzip();
    let requested = limit + 1;
    let rows = db.read(tenant_id, sql, &[&tenant_id, &ids, &afters, &requested]).await?;
    let mut read: Vec<_> =
        positions.iter().map(|(id, after)| (*id, TopicRead::Page(empty_page(Cursor::Seq(*after))))).collect();
    for row in &rows {
        let at = usize::try_from(row.try_get::<_, i64>("ord")? - 1).unwrap_or_default();
        let Some((_, one)) = read.get_mut(at) else { continue };
        if !row.try_get::<_, bool>("there")? {
            *one = TopicRead::SessionDeleted;
        } else if let (TopicRead::Page(page), Some(seq)) = (one, row.try_get::<_, Option<i64>>("seq")?) {
            page.events.push(event_from_row(row, Cursor::Seq(seq), Some(seq))?);
        }
    }
    for (_, one) in &mut read {
        if let TopicRead::Page(page) = one {
            truncate_page(page, limit, page.after);
        }
    }
    Ok(read)
}

const ALL_SESSIONS: &str = "
    with h as materialized (
        select h.horizon, pg_snapshot_xmax(pg_current_snapshot()) as next,
            exists (select 1 from session_events e where e.tenant_id = $1 and e.position >= h.horizon) as unsettled
        from (select event_horizon() as horizon) h)
    select h.horizon::text as horizon, h.next::text as next, h.unsettled, e.position::text as position,
        e.session_id, e.seq, e.id, e.type, e.actor, e.at, e.payload
    from h
    left join lateral (
        select * from session_events e
        where e.tenant_id = $1 and (e.position, e.session_id, e.seq) > ($2::text::xid8, $3, $4) and e.position < h.horizon
        order by e.position, e.session_id, e.seq limit $5) e on true
    order by e.position, e.session_id, e.seq";

async fn read_all_sessions(db: &Db, tenant_id: TenantId, query: TopicQuery) -> Result<TopicRead> {
    let Cursor::Sessions { position, session, seq } = query.after else { return Ok(TopicRead::UnknownCursor) };
    let (from, requested) = (position.to_string(), query.limit + 1);
    let rows = db.read(tenant_id, ALL_SESSIONS, &[&tenant_id, &from, &session, &seq, &requested]).await?;
    page_from_rows(&rows, query, |row| {
        let (session, seq): (SessionId, i64) = (row.try_get("session_id")?, row.try_get("seq")?);
        Ok((Cursor::Sessions { position: parse_position(row, "position")?, session: session.0, seq }, Some(seq)))
    })
}

const TENANT_EVENTS: &str = "
    with h as materialized (
        select h.horizon, pg_snapshot_xmax(pg_current_snapshot()) as next,
            exists (select 1 from tenant_events e where e.tenant_id = $1 and e.topic = $2 and e.position >= h.horizon) as unsettled
        from (select event_horizon() as horizon) h)
    select h.horizon::text as horizon, h.next::text as next, h.unsettled, e.position::text as position,
        null::uuid as session_id, null::bigint as seq, e.id, e.type, e.actor, e.at, e.payload
    from h
    left join lateral (
        select * from tenant_events e
        where e.tenant_id = $1 and e.topic = $2 and (e.position, e.id) > ($3::text::xid8, $4) and e.position < h.horizon
        order by e.position, e.id limit $5) e on true
    order by e.position, e.id";

async fn read_tenant_events(
    db: &Db,
    tenant_id: TenantId,
    tenant_topic: TenantTopic,
    query: TopicQuery,
) -> Result<TopicRead> {
    let Cursor::TenantEvents { position, id, .. } = query.after else { return Ok(TopicRead::UnknownCursor) };
    let (from, requested) = (position.to_string(), query.limit + 1);
    let rows = db.read(tenant_id, TENANT_EVENTS, &[&tenant_id, &tenant_topic.name(), &from, &id, &requested]).await?;
    page_from_rows(&rows, query, |row| {
        let (id, at): (Uuid, Time) = (row.try_get("id")?, row.try_get("at")?);
        Ok((Cursor::TenantEvents { position: parse_position(row, "position")?, id, at: at.timestamp() }, None))
    })
}

/// Builds a page from rows read by position. Every row carries the horizon; without events there is one row that holds
/// only the horizon.
fn page_from_rows(
    rows: &[Row],
    query: TopicQuery,
    read_cursor: impl Fn(&Row) -> Result<(Cursor, Option<i64>)>,
) -> Result<TopicRead> {
    let first = rows.first().ok_or_else(|| Error::internal("no horizon"))?;
    let TopicQuery { topic, after, limit, now } = query;
    if after.position().is_some_and(|position| parse_position(first, "next").is_ok_and(|next| position >= next)) {
        return Ok(TopicRead::UnknownCursor);
    }
    let mut page = EventPage { has_pending: first.try_get("unsettled")?, ..empty_page(after) };
    for row in rows {
        if row.try_get::<_, Option<&str>>("position")?.is_some() {
            let (cursor, seq) = read_cursor(row)?;
            page.events.push(event_from_row(row, cursor, seq)?);
        }
    }
    truncate_page(&mut page, limit, Cursor::just_below(topic, parse_position(first, "horizon")?, now));
    Ok(TopicRead::Page(page))
}

fn empty_page(after: Cursor) -> EventPage {
    EventPage { after, end: after, events: Vec::new(), has_more: false, has_pending: false }
}

/// Cuts a page to `limit` events. One more was queried to learn whether there are more; if not, the page ends at
/// `head`.
fn truncate_page(page: &mut EventPage, limit: i64, head: Cursor) {
    let limit = usize::try_from(limit).unwrap_or(usize::MAX);
    page.has_more = page.events.len() > limit;
    page.events.truncate(limit);
    let last = page.events.last().map_or(page.after, |event| event.cursor);
    page.end = if page.has_more { last } else { last.max(head) };
}

fn event_from_row(row: &Row, cursor: Cursor, seq: Option<i64>) -> Result<StreamEvent> {
    Ok(StreamEvent {
        cursor,
        id: row.try_get("id")?,
        kind: row.try_get("type")?,
        session_id: row.try_get("session_id")?,
        seq,
        actor: row.try_get::<_, Json<_>>("actor")?.0,
        at: row.try_get("at")?,
        payload: row.try_get("payload")?,
    })
}

fn parse_position(row: &Row, name: &str) -> Result<u64> {
    row.try_get::<_, &str>(name)?.parse().map_err(Error::internal)
}

/// Whether a user and its tenant are active, and the user's role; `None` if there is no such user.
pub async fn find_user_role(
    db: &Db,
    tenant_id: TenantId,
    id: crate::kernel::id::UserId,
) -> Result<Option<(bool, String)>> {
    let sql = "select u.is_active and t.is_active, u.role from users u join tenants t on t.id = u.tenant_id
               where u.tenant_id = $1 and u.id = $2";
    let rows = db.read(tenant_id, sql, &[&tenant_id, &id]).await?;
    rows.first().map(|row| Ok((row.try_get(0)?, row.try_get(1)?))).transpose()
}

/// Whether a tenant exists and is active.
pub async fn is_tenant_active(db: &Db, tenant_id: TenantId) -> Result<bool> {
    let rows = db.read(tenant_id, "select is_active from tenants where id = $1", &[&tenant_id]).await?;
    Ok(rows.first().is_some_and(|row| row.get(0)))
}
