//! SQL of a session's log.

use tokio_postgres::types::Json;

use crate::{
    events::log::Event,
    kernel::{
        actor::Actor,
        error::Result,
        id::{SessionId, TenantId},
    },
    platform::postgres::Db,
    sessions::status::Status,
};

/// A part of a session's log.
pub struct SessionLogPage {
    pub events: Vec<Event>,
    /// The number of the log's last event.
    pub last_seq: i64,
    /// Whether the session is over, so that nothing follows the last event unless it is retried.
    pub is_over: bool,
}

/// The log after `after`, at most `limit` events. `None`: there is no such session.
pub async fn list_events(
    db: &Db,
    tenant_id: TenantId,
    id: SessionId,
    after: i64,
    limit: i64,
) -> Result<Option<SessionLogPage>> {
    let sql = "
        select s.last_event_seq, s.status, e.id, e.seq, e.type, e.actor, e.at, e.payload
        from sessions s
        left join lateral (select * from session_events e where e.tenant_id = s.tenant_id and e.session_id = s.id and e.seq > $3
                           order by e.seq limit $4) e on true
        where s.tenant_id = $1 and s.id = $2
        order by e.seq";
    let rows = db.read(tenant_id, sql, &[&tenant_id, &id, &after, &limit]).await?;
    let Some(first) = rows.first() else { return Ok(None) };
    let (last_seq, status): (i64, &str) = (first.try_get("last_event_seq")?, first.try_get("status")?);
    let is_over = Status::parse(status).is_some_and(Status::is_over);
    let mut events = Vec::with_capacity(rows.len());
    for row in &rows {
        if let Some(seq) = row.try_get("seq")? {
            events.push(Event {
                id: row.try_get("id")?,
                seq,
                kind: row.try_get("type")?,
                tenant_id,
                session_id: id,
                actor: row.try_get::<_, Json<Actor>>("actor")?.0,
                at: row.try_get("at")?,
                payload: row.try_get("payload")?,
            });
        }
    }
    Ok(Some(SessionLogPage { events, last_seq, is_over }))
}
