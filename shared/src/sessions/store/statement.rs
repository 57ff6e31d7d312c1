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
/// the agent to count for, `$5` whether to count for the agent of the configuration instead of the assigned one.
pub static ADMISSION_SNAPSHOT: LazyLock<String> = LazyLock::new(|| {
    let agent = "coalesce($4::text, case when $5 then coalesce(s.agent_config->>'agent',
        case when s.routed then '' else s.agent_id::text end) else s.agent_id::text end)";
    let session = "join sessions s on s.tenant_id = t.id and s.id = $2";
    let withheld = "coalesce(is_withheld(a, t.id, s.created_by, s.routed, $3::timestamptz), false)";
    snapshot_sql(["$1", "$3"], session, agent, "s.workspace_key", ["true", "true"], withheld)
});

/// The counts that decide about a creation. The parameters are the placeholders of the tenant, the time, the agent, and
/// whether the session is to start. Its workspace is not checked, and counts that decide nothing are left out.
pub(super) fn snapshot_of_new(tenant: &str, now: &str, agent: &str, start: &str) -> String {
    let rejects = "t.admission = 'reject'";
    // Nothing starts with its creation, so what withholds the agent is checked later.
    snapshot_sql([tenant, now], "", agent, "null", [rejects, &format!("({start} or {rejects})")], "false")
}

/// The agent of sessions that name none, if there is only one routable agent.
const SOLE: &str = "(select case when count(*) = 1 then (array_agg(r.id))[1] end
    from (select id from agents where routable and not restricted and state <> 'deregistered' limit 2) r)";

/// `counted` says when the running and when the queued sessions matter.
fn snapshot_sql(
    [tenant, now]: [&str; 2],
    session: &str,
    agent: &str,
    workspace_key: &str,
    counted: [&str; 2],
    withheld: &str,
) -> String {
    let [if_running, if_queued] = counted;
    format!(
        "select t.is_active as active, t.max_concurrent_sessions::bigint as max_concurrent, t.max_queued_sessions::bigint as max_queued,
            t.admission = 'reject' as rejects,
            case when {if_running} then (select count(*) from sessions r
                where r.tenant_id = t.id and occupies_slot(r.status, r.offered_until)) else 0 end as running,
            case when {if_running} then (select count(*) from sessions h
                where h.tenant_id = t.id and h.suspended and h.status = 'paused') else 0 end as held,
            case when {if_queued} then (select count(*) from sessions q
                where q.tenant_id = t.id and q.status = 'queued' and q.offered_until is null) else 0 end as queued,
            case when {if_queued} then (select count(*) from sessions q
                where q.tenant_id = t.id and q.status = 'queued' and q.offered_until is null and q.agent_id = a.id) else 0 end as queued_on_agent,
            token_quota_reached(t.max_tokens_per_month, (select u.tokens from tenant_usage u
                where u.tenant_id = t.id and u.month = utc_month({now}::timestamptz))) as out_of_tokens,
            exists (select 1 from sessions w where w.tenant_id = t.id and w.workspace_key = {workspace_key}
                and occupies_slot(w.status, w.offered_until)) as workspace_taken,
            a.id as agent_id,
            -- An agent that the tenant may not use any more has no capacity for it.
            case when a.id is null and {agent} <> '' then true
                when agent_capacity_now(a, {now}::timestamptz) = 0 then true
                else coalesce(agent_running_sessions(a.id) >= agent_capacity_now(a, {now}::timestamptz), false) end as agent_full,
            {withheld} as agent_withheld
        from tenants t {session}
        left join agents a on case {agent} when '' then a.id = {SOLE}
            else a.name = {agent} and a.state <> 'deregistered' or a.id::text = {agent} end
        where t.id = {tenant}
        order by a.tenant_id = t.id desc nulls last, a.tenant_id nulls first limit 1"
    )
}

/// The state of a session for its dispatch, and while it is queued the next sessions in the queue of its agent. `$1`
/// the tenant, `$2` the session, `$3` the time, `$4` its month, `$5` the limit.
pub const DISPATCH_STATE: &str = "
    select s.status, s.offered_until is not null as offered, s.agent_id, s.handover is not null as handover, s.routed,
        n.tenant_id as next_tenant, n.session_id as next_session,
        s.status = 'queued' and s.offered_until is null and exists (select 1 from tenants t
            left join tenant_usage u on u.tenant_id = t.id and u.month = $4
            where t.id = s.tenant_id and t.is_active
              and not token_quota_reached(t.max_tokens_per_month, u.tokens)
              and t.max_concurrent_sessions > (select count(*) from sessions r where r.tenant_id = t.id
                  and (occupies_slot(r.status, r.offered_until) or r.suspended and r.status = 'paused'))) as tenant_has_room
    from sessions s
    left join lateral next_in_queue(case when s.status = 'queued' and s.offered_until is null then s.agent_id end, $3, $4, $5)
        with ordinality as n(tenant_id, session_id, turn) on true
    where s.tenant_id = $1 and s.id = $2
    order by n.turn";
