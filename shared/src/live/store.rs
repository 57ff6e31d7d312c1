//! SQL of the live stream: what comes after a cursor, in the order in which all are told. Decides nothing.

use tokio_postgres::{Row, types::Json};
use uuid::Uuid;

use crate::{
    clock::Time,
    db::Db,
    error::{Error, Result},
    event::tenant::Subject,
    id::{SessionId, TenantId},
};

use super::{Cursor, Topic, frame::Item};

/// A stretch of a topic.
#[derive(Clone, Debug)]
pub struct Page {
    pub after: Cursor,
    /// All up to here is in it.
    pub end: Cursor,
    pub items: Vec<Item>,
    /// Whether there was more than was asked for.
    pub more: bool,
    /// Whether something is written that is not to be told yet, because of transactions that began before and go on.
    pub unsettled: bool,
}

/// What a reading found.
#[derive(Clone, Debug)]
pub enum Read {
    Page(Page),
    /// There is no such session.
    Gone,
    /// The cursor is of another database, or of one that was set back.
    Unknown,
}

/// Up to where a topic has been told to everybody: who begins there gets what comes from now on. `None` when there is no
/// such session.
pub async fn head(db: &Db, tenant_id: TenantId, topic: Topic, now: Time) -> Result<Option<Cursor>> {
    if let Topic::Session(id) = topic {
        let sql = "select last_event_seq from sessions where tenant_id = $1 and id = $2";
        let rows = db.read(tenant_id, sql, &[&tenant_id, &id]).await?;
        return Ok(rows.first().map(|row| row.try_get(0)).transpose()?.map(Cursor::Seq));
    }
    let rows = db.read(tenant_id, "select event_horizon()::text as horizon", &[]).await?;
    let row = rows.first().ok_or_else(|| Error::internal("no horizon"))?;
    Ok(Some(Cursor::below(topic, number(row, "horizon")?, now)))
}

/// What comes after a cursor, `most` events at most.
pub async fn read(db: &Db, tenant_id: TenantId, topic: Topic, after: Cursor, most: i64, now: Time) -> Result<Read> {
    match (topic, after) {
        (Topic::Session(id), Cursor::Seq(seq)) => {
            let mut read = logs(db, tenant_id, &[(id, seq)], most).await?;
            Ok(read.pop().map_or(Read::Gone, |(_, read)| read))
        }
        (Topic::Sessions, Cursor::Sessions { position, session, seq }) => {
            of_sessions(db, tenant_id, (position, session, seq), most, now).await
        }
        (_, Cursor::Told { position, id, at }) => match topic.subject() {
            Some(subject) => told(db, tenant_id, (topic, subject), (position, id, at), most, now).await,
            None => Ok(Read::Unknown),
        },
        _ => Ok(Read::Unknown),
    }
}

/// The logs of several sessions, each after its own `seq`.
pub async fn logs(
    db: &Db,
    tenant_id: TenantId,
    wanted: &[(SessionId, i64)],
    most: i64,
) -> Result<Vec<(SessionId, Read)>> {
    let sql = "
        select w.ord, s.id is not null as there, e.session_id, e.seq, e.id, e.type, e.actor, e.at, e.payload
        from unnest($2::uuid[], $3::bigint[]) with ordinality as w(session_id, after, ord)
        left join sessions s on s.tenant_id = $1 and s.id = w.session_id
        left join lateral (select * from session_events e where e.tenant_id = $1 and e.session_id = w.session_id
                           and e.seq > w.after order by e.seq limit $4) e on true
        order by w.ord, e.seq";
    let (ids, afters): (Vec<_>, Vec<_>) = wanted.iter().copied().unzip();
    let asked = most + 1;
    let rows = db.read(tenant_id, sql, &[&tenant_id, &ids, &afters, &asked]).await?;
    let mut read: Vec<_> = wanted.iter().map(|(id, after)| (*id, Read::Page(empty(Cursor::Seq(*after))))).collect();
    for row in &rows {
        let at = usize::try_from(row.try_get::<_, i64>("ord")? - 1).unwrap_or_default();
        let Some((_, one)) = read.get_mut(at) else { continue };
        if !row.try_get::<_, bool>("there")? {
            *one = Read::Gone;
        } else if let (Read::Page(page), Some(seq)) = (one, row.try_get::<_, Option<i64>>("seq")?) {
            page.items.push(item(row, Cursor::Seq(seq), Some(seq))?);
        }
    }
    for (_, one) in &mut read {
        if let Read::Page(page) = one {
            cut(page, most, page.after);
        }
    }
    Ok(read)
}

const BY_POSITION: &str = "
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

async fn of_sessions(
    db: &Db,
    tenant_id: TenantId,
    (position, session, seq): (u64, Uuid, i64),
    most: i64,
    now: Time,
) -> Result<Read> {
    let after = Cursor::Sessions { position, session, seq };
    let (from, asked) = (position.to_string(), most + 1);
    let rows = db.read(tenant_id, BY_POSITION, &[&tenant_id, &from, &session, &seq, &asked]).await?;
    let cursor = |row: &Row| {
        let (session, seq): (SessionId, i64) = (row.try_get("session_id")?, row.try_get("seq")?);
        Ok((Cursor::Sessions { position: number(row, "position")?, session: session.0, seq }, Some(seq)))
    };
    page(&rows, (Topic::Sessions, after), most, now, cursor)
}

const TOLD: &str = "
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

async fn told(
    db: &Db,
    tenant_id: TenantId,
    (topic, subject): (Topic, Subject),
    (position, id, at): (u64, Uuid, i64),
    most: i64,
    now: Time,
) -> Result<Read> {
    let after = Cursor::Told { position, id, at };
    let (from, asked) = (position.to_string(), most + 1);
    let rows = db.read(tenant_id, TOLD, &[&tenant_id, &subject.name(), &from, &id, &asked]).await?;
    let cursor = |row: &Row| {
        let (id, at): (Uuid, Time) = (row.try_get("id")?, row.try_get("at")?);
        Ok((Cursor::Told { position: number(row, "position")?, id, at: at.timestamp() }, None))
    };
    page(&rows, (topic, after), most, now, cursor)
}

/// From the rows of a reading by position: each has the horizon, and none but it when there was nothing.
fn page(
    rows: &[Row],
    (topic, after): (Topic, Cursor),
    most: i64,
    now: Time,
    cursor: impl Fn(&Row) -> Result<(Cursor, Option<i64>)>,
) -> Result<Read> {
    let first = rows.first().ok_or_else(|| Error::internal("no horizon"))?;
    if after.position().is_some_and(|position| number(first, "next").is_ok_and(|next| position >= next)) {
        return Ok(Read::Unknown);
    }
    let mut page = Page { unsettled: first.try_get("unsettled")?, ..empty(after) };
    for row in rows {
        if row.try_get::<_, Option<&str>>("position")?.is_some() {
            let (cursor, seq) = cursor(row)?;
            page.items.push(item(row, cursor, seq)?);
        }
    }
    cut(&mut page, most, Cursor::below(topic, number(first, "horizon")?, now));
    Ok(Read::Page(page))
}

fn empty(after: Cursor) -> Page {
    Page { after, end: after, items: Vec::new(), more: false, unsettled: false }
}

/// One more than wanted was asked for: that says whether there is more. Without more all is told up to `head`.
fn cut(page: &mut Page, most: i64, head: Cursor) {
    let most = usize::try_from(most).unwrap_or(usize::MAX);
    page.more = page.items.len() > most;
    page.items.truncate(most);
    let last = page.items.last().map_or(page.after, |item| item.cursor);
    page.end = if page.more { last } else { last.max(head) };
}

fn item(row: &Row, cursor: Cursor, seq: Option<i64>) -> Result<Item> {
    Ok(Item {
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

fn number(row: &Row, name: &str) -> Result<u64> {
    row.try_get::<_, &str>(name)?.parse().map_err(Error::internal)
}

/// Whether a person is active, as which role at most; `None` when there is no such person.
pub async fn person(db: &Db, tenant_id: TenantId, id: crate::id::UserId) -> Result<Option<(bool, String)>> {
    let sql = "select u.is_active and t.is_active, u.role from users u join tenants t on t.id = u.tenant_id
               where u.tenant_id = $1 and u.id = $2";
    let rows = db.read(tenant_id, sql, &[&tenant_id, &id]).await?;
    rows.first().map(|row| Ok((row.try_get(0)?, row.try_get(1)?))).transpose()
}

/// Whether a tenant is there and active.
pub async fn is_active(db: &Db, tenant_id: TenantId) -> Result<bool> {
    let rows = db.read(tenant_id, "select is_active from tenants where id = $1", &[&tenant_id]).await?;
    Ok(rows.first().is_some_and(|row| row.get(0)))
}
