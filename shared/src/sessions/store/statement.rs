//! The statements of the busiest paths, each built once. They are public so that a bench can send exactly the same.

use std::sync::{LazyLock, OnceLock};

use super::row::COLUMNS;

/// The computed columns of a single session: its agent's name and kind, and while it is queued its place and what it
/// waits for. The place counts the sessions of its tenant that precede it on the same agent.
const COMPUTED: &str = "
    (select a.name from agents a where a.id = s.agent_id) as agent_name,
    (select a.kind from agents a where a.id = s.agent_id) as agent_kind,
    case when s.status = 'queued' then (
        select count(*) + 1 from sessions q
        where q.tenant_id = s.tenant_id and q.agent_id is not distinct from s.agent_id and q.status = 'queued'
          and (q.offered_until is null) = (s.offered_until is null)
          and (greatest(q.priority - floor(extract(epoch from $1::timestamptz - q.queued_at) / 600), 0), q.queued_at, q.id)
            < (greatest(s.priority - floor(extract(epoch from $1::timestamptz - s.queued_at) / 600), 0), s.queued_at, s.id)
    ) end as queue_place,
    case when s.status = 'queued' then (
        select case
            when token_quota_reached(t.max_tokens_per_month, (select u.tokens from tenant_usage u
                where u.tenant_id = t.id and u.month = utc_month($1::timestamptz))) then 'tokens'
            when t.max_concurrent_sessions <= (select count(*) from sessions r
                where r.tenant_id = t.id and occupies_slot(r.status, r.offered_until)) then 'slot'
            when s.workspace_key is not null and exists (select 1 from sessions w where w.tenant_id = s.tenant_id
                and w.workspace_key = s.workspace_key and occupies_slot(w.status, w.offered_until)) then 'workspace'
            else 'agent' end
        from tenants t where t.id = s.tenant_id
    ) end as queue_waiting_for,
    $1::timestamptz as queue_now";

/// Reads one session with its computed columns: `$1` the time, `$2` the tenant, `$3` the session.
pub static FIND: LazyLock<String> =
    LazyLock::new(|| format!("select {COLUMNS}, {COMPUTED} from sessions s where s.tenant_id = $2 and s.id = $3"));

/// Reads and locks one session: `$1` the tenant, `$2` the session.
pub static LOCK: LazyLock<String> = LazyLock::new(|| {
    format!("select {COLUMNS} from sessions s where s.tenant_id = $1 and s.id = $2 for no key update")
});

/// Inserts a session with its first events if the tenant's limits allow it, else fails with the counts that decided.
/// Set by its first use.
pub static INSERT: OnceLock<String> = OnceLock::new();

/// Updates a session and appends its new events. Set by its first use.
pub static SAVE: OnceLock<String> = OnceLock::new();

/// A page of sessions, newest first: `$1` the time, `$2` the tenant, `$3` the limit; `narrowed` are further conditions.
///
/// The places in the queues follow from one pass over the tenant's queue for the whole page, and from none if no
/// session of the page is queued.
pub fn list(narrowed: &str) -> String {
    format!(
        "with page as materialized (
            select {COLUMNS}, s.workspace_key from sessions s where s.tenant_id = $2{narrowed} order by s.id desc limit $3
        ), places as materialized (
            select q.id, row_number() over (partition by q.agent_id, q.offered_until is null order by
                greatest(q.priority - floor(extract(epoch from $1::timestamptz - q.queued_at) / 600), 0), q.queued_at, q.id) as place
            from sessions q
            where q.tenant_id = $2 and q.status = 'queued' and exists (select 1 from page p where p.status = 'queued')
        ), tenant as materialized (
            select token_quota_reached(t.max_tokens_per_month, (select u.tokens from tenant_usage u
                    where u.tenant_id = t.id and u.month = utc_month($1::timestamptz))) as out_of_tokens,
                t.max_concurrent_sessions <= (select count(*) from sessions r
                    where r.tenant_id = t.id and occupies_slot(r.status, r.offered_until)) as out_of_slots
            from tenants t where t.id = $2
        )
        select {COLUMNS},
            (select a.name from agents a where a.id = s.agent_id) as agent_name,
            (select a.kind from agents a where a.id = s.agent_id) as agent_kind,
            q.place as queue_place,
            case when q.place is not null then (
                select case when t.out_of_tokens then 'tokens' when t.out_of_slots then 'slot'
                    when s.workspace_key is not null and exists (select 1 from sessions w where w.tenant_id = $2
                        and w.workspace_key = s.workspace_key and occupies_slot(w.status, w.offered_until)) then 'workspace'
                    else 'agent' end from tenant t
            ) end as queue_waiting_for,
            $1::timestamptz as queue_now
        from page s left join places q on q.id = s.id order by s.id desc"
    )
}

/// The counts that decide about a start of an existing session: `$1` the tenant, `$2` the session, `$3` the time, `$4`
/// the agent to count for, else the assigned one.
pub const ADMISSION_SNAPSHOT: &str = "
        select t.is_active as active, t.max_concurrent_sessions::bigint as max_concurrent, t.max_queued_sessions::bigint as max_queued,
            t.admission = 'reject' as rejects,
            (select count(*) from sessions r
                where r.tenant_id = t.id and occupies_slot(r.status, r.offered_until)) as running,
            (select count(*) from sessions h
                where h.tenant_id = t.id and h.suspended and h.status = 'paused') as held,
            (select count(*) from sessions q
                where q.tenant_id = t.id and q.status = 'queued' and q.offered_until is null) as queued,
            (select count(*) from sessions q
                where q.tenant_id = t.id and q.status = 'queued' and q.offered_until is null and q.agent_id = a.id) as queued_on_agent,
            token_quota_reached(t.max_tokens_per_month, (select u.tokens from tenant_usage u
                where u.tenant_id = t.id and u.month = utc_month($3::timestamptz))) as out_of_tokens,
            exists (select 1 from sessions w where w.tenant_id = t.id and w.workspace_key = s.workspace_key
                and occupies_slot(w.status, w.offered_until)) as workspace_taken,
            a.id as agent_id,
            -- An agent that the tenant may not use any more has no capacity for it.
            case when a.id is null and coalesce($4, s.agent_id) is not null then true
                when agent_capacity_now(a, $3::timestamptz) = 0 then true
                else coalesce(agent_running_sessions(a.id) >= agent_capacity_now(a, $3::timestamptz), false) end as agent_full,
            coalesce(is_withheld(a, t.id, s.created_by, s.routed, $3::timestamptz), false) as agent_withheld
        from tenants t join sessions s on s.tenant_id = t.id and s.id = $2
        left join agents a on a.id = coalesce($4::uuid, s.agent_id)
        where t.id = $1";

/// The counts and the agent that decide about a creation. The parameters are the placeholders of the tenant, the time,
/// the agent, whether the session is to start, and whether the counts must be exact. Nothing starts with its creation,
/// so its workspace and what its agent can take are checked later.
pub(super) fn snapshot_of_new([tenant, now, agent, start, exactly]: [&str; 5]) -> String {
    let limits = queue_limits_sql(tenant, now, exactly, &format!("({start} or t.admission = 'reject')"));
    format!("select l.*, {} as agent_id from ({limits}) l", agent_sql(tenant, agent, start))
}

/// The agent for a session `s`: the one of its configuration, or none in particular, or the one that it is assigned to.
const CONFIGURED_AGENT: &str = "coalesce(s.agent_config->>'agent',
    case when s.routed then '' else s.agent_id::text end)";

/// Reads one session that is to be started, without a lock: `$1` the tenant, `$2` the session.
pub(super) static START_CANDIDATE: LazyLock<String> = LazyLock::new(|| {
    let agent = agent_sql("s.tenant_id", CONFIGURED_AGENT, &format!("{CONFIGURED_AGENT} = ''"));
    format!(
        "select {COLUMNS}, s.xmin::text as revision, {agent} as start_agent_id
         from sessions s where s.tenant_id = $1 and s.id = $2"
    )
});

/// Updates a session that is to be started, and appends its new events. Set by its first use.
pub static START: OnceLock<String> = OnceLock::new();

/// The counts that decide whether one more session of a tenant may be queued, of which the queued ones are counted only
/// under a condition.
pub(super) fn queue_limits_sql(tenant: &str, now: &str, exactly: &str, if_queued: &str) -> String {
    let margin = margin_sql(exactly);
    format!(
        "select t.max_concurrent_sessions::bigint as max_concurrent, t.max_queued_sessions::bigint as max_queued,
            t.admission = 'reject' as rejects,
            case when t.admission = 'reject' then (select count(*) from sessions r
                where r.tenant_id = t.id and occupies_slot(r.status, r.offered_until)) else 0 end as running,
            case when {if_queued} then (select count(*) from sessions q
                where q.tenant_id = t.id and q.status = 'queued' and q.offered_until is null) else 0 end as queued,
            t.admission = 'reject' and token_quota_reached(t.max_tokens_per_month, (select u.tokens from tenant_usage u
                where u.tenant_id = t.id and u.month = utc_month({now}::timestamptz))) as out_of_tokens,
            {margin} as margin
         from tenants t where t.id = {tenant}"
    )
}

/// How far from a limit the counts must be where transactions add at once: no more of them can be under way than the
/// server has connections.
fn margin_sql(exactly: &str) -> String {
    format!("case when {exactly} then 0 else current_setting('max_connections')::bigint end")
}

/// The agent of sessions that name none, if there is only one routable agent.
const SOLE: &str = "(select case when count(*) = 1 then (array_agg(r.id))[1] end
    from (select id from agents where routable and not restricted and state <> 'deregistered' limit 2) r)";

/// The id of the agent that a text names, the tenant's own before those of others; for no text, under a condition, the
/// only routable agent.
fn agent_sql(tenant: &str, agent: &str, if_sole: &str) -> String {
    format!(
        "case when {agent} <> '' then (
             select a.id from agents a where a.name = {agent} and a.state <> 'deregistered' or a.id::text = {agent}
             order by a.tenant_id = {tenant} desc nulls last, a.tenant_id nulls first limit 1)
         when {if_sole} then {SOLE} end"
    )
}

/// The state of a session for its dispatch, and while it may be admitted the next sessions in the queue of its agent.
/// `$1` the tenant, `$2` the session, `$3` the time, `$4` its month, `$5` the limit.
pub const DISPATCH_STATE: &str = "
    select s.status, s.offered_until is not null as offered, s.agent_id, s.handover is not null as handover, s.routed,
        n.tenant_id as next_tenant, n.session_id as next_session, w.tenant_has_room
    from sessions s
    cross join lateral (select s.status = 'queued' and s.offered_until is null and exists (select 1 from tenants t
            left join tenant_usage u on u.tenant_id = t.id and u.month = $4
            where t.id = s.tenant_id and t.is_active
              and not token_quota_reached(t.max_tokens_per_month, u.tokens)
              and t.max_concurrent_sessions > (select count(*) from sessions r where r.tenant_id = t.id
                  and (occupies_slot(r.status, r.offered_until) or r.suspended and r.status = 'paused')))
        as tenant_has_room offset 0) w
    -- A session whose tenant has no room changes nothing for others, so their queue is not read.
    left join lateral (select q.* from next_in_queue(s.agent_id, $3, $4, $5) with ordinality as q(tenant_id, session_id, turn)
        where w.tenant_has_room and s.agent_id is not null and $5 > 0) n on true
    where s.tenant_id = $1 and s.id = $2
    order by n.turn";
