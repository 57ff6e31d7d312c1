//! SQL that counts what a tenant stores. It reads only the events since the last count, so that its cost follows from
//! what was written, and no write pays for it.

use crate::{
    kernel::{clock::Time, error::Result, id::TenantId},
    platform::postgres::{Db, Params},
};

/// How many events of a tenant are counted at once. The next count continues.
const MAX_EVENTS: i64 = 50_000;

/// What an event takes besides its payload, in bytes: its other columns and its entries in two indexes.
const EVENT_OVERHEAD: i64 = 300;

/// Adds the new events of a tenant to the bytes of their sessions: `$1` the tenant, `$2` how many events, `$3` the
/// time, `$4` the bytes of an event besides its payload. Artifacts are counted with the session whose events are new.
const COUNT_NEW_EVENTS: &str = "
    with was as materialized (
        select least(coalesce((select position from tenant_storage where tenant_id = $1), '0'), event_horizon()) as position
    ), upto as materialized (
        select least(coalesce((
            select e.position from session_events e
            where e.tenant_id = $1 and e.position >= (select position from was)
            order by e.position offset $2 limit 1), event_horizon()), event_horizon()) as position
    ), fresh as (
        select e.session_id, sum(pg_column_size(e.payload) + $4::bigint)::bigint as bytes
        from session_events e
        where e.tenant_id = $1 and e.position >= (select position from was) and e.position < (select position from upto)
        group by e.session_id
    ), counted as (
        insert into session_storage as s (tenant_id, session_id, event_bytes, artifact_bytes)
        select $1, f.session_id, f.bytes, coalesce((select sum(a.size) from session_artifacts a
            where a.tenant_id = $1 and a.session_id = f.session_id), 0)
        from fresh f
        on conflict (tenant_id, session_id) do update
        set event_bytes = s.event_bytes + excluded.event_bytes, artifact_bytes = excluded.artifact_bytes
    )
    insert into tenant_storage (tenant_id, position, counted_at) select $1, upto.position, $3 from upto
    on conflict (tenant_id) do update set position = excluded.position, counted_at = excluded.counted_at";

/// Sums up what a tenant stores.
const SUM_UP: &str = "
    update tenant_storage t
    set stored_bytes = coalesce((select sum(s.event_bytes + s.artifact_bytes) from session_storage s where s.tenant_id = $1), 0)
            -- What agents uploaded for tasks that have no result yet; afterwards its artifacts count.
            + coalesce((select sum(a.uploaded_bytes) from agent_tasks a
                        where a.tenant_id = $1 and a.uploaded_bytes > 0 and a.result is null), 0),
        open_sessions = (select count(*) from sessions o where o.tenant_id = $1 and o.ended_at is null)
    where t.tenant_id = $1";

/// Counts what a tenant stores.
pub async fn count_stored(db: &Db, tenant_id: TenantId, now: Time) -> Result<()> {
    let tx = db.tenant(tenant_id).await?;
    let params: Params<'_> = &[&tenant_id, &MAX_EVENTS, &now, &EVENT_OVERHEAD];
    tx.finish_all(&[(COUNT_NEW_EVENTS, params), (SUM_UP, &[&tenant_id])]).await?;
    Ok(())
}
