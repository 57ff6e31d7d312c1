//! The statements that the busiest paths send, each put together once.
//!
//! They are public, as the lock's scripts are, so that a bench can send the very same without this client.

use std::sync::{LazyLock, OnceLock};

use super::{BESIDE, row::COLUMNS};

/// Reads one session as it is shown: `$1` the time, `$2` the tenant, `$3` the session.
pub static FIND: LazyLock<String> =
    LazyLock::new(|| format!("select {COLUMNS}, {BESIDE} from sessions s where s.tenant_id = $2 and s.id = $3"));

/// Reads one session and keeps it from changing: `$1` the tenant, `$2` the session.
pub static LOCK: LazyLock<String> = LazyLock::new(|| {
    format!("select {COLUMNS} from sessions s where s.tenant_id = $1 and s.id = $2 for no key update")
});

/// Writes a new session with its first events if the tenant's limits allow it, and says what decided it; known once it
/// was used.
pub static INSERT: OnceLock<String> = OnceLock::new();

/// Writes a changed session with its new events; known once it was used.
pub static SAVE: OnceLock<String> = OnceLock::new();

/// A page of sessions, newest first: `$1` the time, `$2` the tenant, `$3` how many; `narrowed` are further conditions.
pub fn list(narrowed: &str) -> String {
    format!("select {COLUMNS}, {BESIDE} from sessions s where s.tenant_id = $2{narrowed} order by s.id desc limit $3")
}

/// What a start is decided by, of a session that is there: `$1` the tenant, `$2` the session, `$3` the time, `$4` the
/// agent that it is to go to, `$5` whether it is to go where its configuration says, else to the agent that it has.
pub static ROOM: LazyLock<String> = LazyLock::new(|| {
    let agent = "coalesce($4::text, case when $5 then coalesce(s.agent_config->>'agent',
        case when s.routed then '' else s.agent_id::text end) else s.agent_id::text end)";
    let session = "join sessions s on s.tenant_id = t.id and s.id = $2";
    room("$1", "$3", session, agent, "s.workspace_key", ["true", "true"])
});

/// What a create is decided by: the tenant, the time, the agent and whether it is to start are given. Its workspace is not
/// looked at, and what decides nothing is not counted.
pub(super) fn room_of_new(tenant: &str, now: &str, agent: &str, start: &str) -> String {
    let rejects = "t.admission = 'reject'";
    room(tenant, now, "", agent, "null", [rejects, &format!("({start} or {rejects})")])
}

/// The one agent that sessions may come to which name none, if there is just one: no choice is to be made.
const SOLE: &str = "(select case when count(*) = 1 then (array_agg(r.id))[1] end
    from (select id from agents where routable and state <> 'deregistered' limit 2) r)";

/// `counted` says when the running and when the queued sessions matter.
fn room(tenant: &str, now: &str, session: &str, agent: &str, workspace_key: &str, counted: [&str; 2]) -> String {
    let [if_running, if_queued] = counted;
    format!(
        "select t.is_active as active, t.max_concurrent_sessions::bigint as max_concurrent, t.max_queued_sessions::bigint as max_queued,
            t.admission = 'reject' as rejects,
            case when {if_running} then (select count(*) from sessions r
                where r.tenant_id = t.id and r.status in ('running', 'degraded')) else 0 end as running,
            case when {if_running} then (select count(*) from sessions h
                where h.tenant_id = t.id and h.suspended and h.status = 'paused') else 0 end as held,
            case when {if_queued} then (select count(*) from sessions q
                where q.tenant_id = t.id and q.status = 'queued') else 0 end as queued,
            case when {if_queued} then (select count(*) from sessions q
                where q.tenant_id = t.id and q.status = 'queued' and q.agent_id = a.id) else 0 end as queued_on_agent,
            t.max_tokens_per_month > 0 and t.max_tokens_per_month <= coalesce((select u.tokens from tenant_usage u
                where u.tenant_id = t.id and u.month = date_trunc('month', {now}::timestamptz at time zone 'UTC')::date), 0) as out_of_tokens,
            exists (select 1 from sessions w where w.tenant_id = t.id and w.workspace_key = {workspace_key}
                and w.status in ('running', 'degraded')) as workspace_taken,
            a.id as agent_id,
            -- One that the tenant may not use any more has no room for it.
            case when a.id is null and {agent} <> '' then true
                when agent_room(a, {now}::timestamptz) = 0 then true
                else coalesce(agent_running(a.id) >= agent_room(a, {now}::timestamptz), false) end as agent_full
        from tenants t {session}
        left join agents a on case {agent} when '' then a.id = {SOLE}
            else a.name = {agent} and a.state <> 'deregistered' or a.id::text = {agent} end
        where t.id = {tenant}
        order by a.tenant_id = t.id desc nulls last, a.tenant_id nulls first limit 1"
    )
}

/// Whose turn it is when a session waits: its state, and the turns of its agent while it is queued. `$1` the tenant,
/// `$2` the session, `$3` the time, `$4` its month, `$5` how many turns at most.
pub const TURNS: &str = "
    select s.status, s.agent_id, s.handover is not null as handover, s.routed, n.tenant_id as next_tenant, n.session_id as next_session,
        s.status = 'queued' and exists (select 1 from tenants t
            left join tenant_usage u on u.tenant_id = t.id and u.month = $4
            where t.id = s.tenant_id and t.is_active
              and (t.max_tokens_per_month = 0 or coalesce(u.tokens, 0) < t.max_tokens_per_month)
              and t.max_concurrent_sessions > (select count(*) from sessions r where r.tenant_id = t.id
                  and (r.status in ('running', 'degraded') or r.suspended and r.status = 'paused'))) as tenant_has_room
    from sessions s
    left join lateral next_turns(case when s.status = 'queued' then s.agent_id end, $3, $4, $5)
        with ordinality as n(tenant_id, session_id, turn) on true
    where s.tenant_id = $1 and s.id = $2
    order by n.turn";
