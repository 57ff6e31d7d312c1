//! SQL of A2A tasks: lists, messages, and making a step due. Decides nothing.

use tokio_postgres::types::Json;

use crate::{
    events::log::Event,
    kernel::{
        actor::Actor,
        clock::Time,
        error::Result,
        id::{SessionId, TenantId},
    },
    platform::postgres::Db,
};

/// The filter of a task list.
pub(super) struct TaskFilter<'a> {
    pub context: Option<&'a str>,
    /// The session statuses, and the pause reasons of paused sessions; empty = any.
    pub states: Option<(&'a [&'static str], &'a [&'static str])>,
    pub after: Option<Time>,
    /// The end of the previous page.
    pub below: Option<(Time, SessionId)>,
    pub limit: i64,
}

/// The ids with the times of their last change, the newest first, and the total count.
pub(super) async fn list(
    db: &Db,
    tenant_id: TenantId,
    wanted: &TaskFilter<'_>,
) -> Result<(Vec<(SessionId, Time)>, i64)> {
    let sql = "
        with fitting as (
            select s.id, s.status_changed_at from sessions s
            where s.tenant_id = $1
              and ($2::text is null or s.metadata->'a2a'->>'context_id' = $2
                   or (s.root_id = $10 and s.metadata->'a2a'->>'context_id' is null))
              and (not $3 or s.status = any($4) or (s.status = 'paused' and s.pause_reason = any($5)))
              and ($6::timestamptz is null or s.status_changed_at >= $6))
        select counted.n, page.id, page.status_changed_at
        from (select count(*) as n from fitting) counted
        left join lateral (
            select * from fitting f
            where $7::timestamptz is null or (f.status_changed_at, f.id) < ($7, $8)
            order by f.status_changed_at desc, f.id desc limit $9) page on true
        order by page.status_changed_at desc, page.id desc";
    let (narrowed, states, held) = wanted.states.map_or((false, &[] as &[_], &[] as &[_]), |(s, h)| (true, s, h));
    let (at, id) = wanted.below.unzip();
    let root: Option<SessionId> = wanted.context.and_then(|context| context.parse().ok());
    let rows = db
        .read(
            tenant_id,
            sql,
            &[&tenant_id, &wanted.context, &narrowed, &states, &held, &wanted.after, &at, &id, &wanted.limit, &root],
        )
        .await?;
    let total = rows.first().map_or(Ok(0), |row| row.try_get("n"))?;
    let mut found = Vec::with_capacity(rows.len());
    for row in &rows {
        if let Some(id) = row.try_get("id")? {
            found.push((id, row.try_get("status_changed_at")?));
        }
    }
    Ok((found, total))
}

/// The last messages of a session, oldest first.
pub(super) async fn list_messages(db: &Db, tenant_id: TenantId, id: SessionId, most: i64) -> Result<Vec<Event>> {
    let sql = "
        select id, seq, type, actor, at, payload from session_events
        where tenant_id = $1 and session_id = $2 and type = 'session.message' and payload->>'role' in ('assistant', 'user')
        order by seq desc limit $3";
    let rows = db.read(tenant_id, sql, &[&tenant_id, &id, &most]).await?;
    let read = rows.iter().rev().map(|row| {
        Ok(Event {
            id: row.try_get("id")?,
            seq: row.try_get("seq")?,
            kind: row.try_get("type")?,
            tenant_id,
            session_id: id,
            actor: row.try_get::<_, Json<Actor>>("actor")?.0,
            at: row.try_get("at")?,
            payload: row.try_get("payload")?,
        })
    });
    read.collect()
}

/// Makes the next observation of a session due at `at`, if it is due later. Returns whether it was.
pub(super) async fn observe_now(db: &Db, tenant_id: TenantId, id: SessionId, at: Time) -> Result<bool> {
    let sql = "
        update sessions set next_step_at = $3
        where tenant_id = $1 and id = $2 and holds_slot(status) and handover is null and next_step_at > $3
        returning id";
    let mut tx = db.tenant(tenant_id).await?;
    let hurried = tx.query_opt(sql, &[&tenant_id, &id, &at]).await?.is_some();
    tx.commit().await?;
    Ok(hurried)
}
