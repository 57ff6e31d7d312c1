-- Proof and trust of agents: probation, whose sessions an agent takes, and what ends with the person who registered it.

alter table agents
    -- A lead trusts it: it gets work without having proven itself, and of everybody in the tenant.
    add column trusted               boolean not null default false,
    -- It takes only the sessions of whoever registered it, until a lead trusts it.
    add column restricted            boolean not null default false,
    -- The person who registered it.
    add column registered_by         uuid,
    -- When it passed the conformance suite, as a lead recorded.
    add column conformance_passed_at timestamptz;
create index agents_of_person on agents (tenant_id, registered_by) where registered_by is not null;
-- Whether agents without a recorded conformance run get only the sessions that name them.
alter table tenants add column require_conformance boolean not null default false;
grant select (require_conformance) on tenants to ioc_directory;
grant select (created_by) on sessions to ioc_directory;

-- Whether a tenant requires conformance runs.
create function tenant_requires_conformance(tenant uuid) returns boolean
    language sql stable security definer set search_path = public
begin atomic
    select t.require_conformance from tenants t where t.id = tenant;
end;

set local role ioc_directory;
-- The operator configured them.
update agents set trusted = true where tenant_id is null;
reset role;

create or replace function register_platform_agent(agent_id uuid, agent_name text, agent_kind text, agent_capacity integer,
                                                   agent_capabilities text[], agent_routable boolean, at timestamptz)
    returns uuid
    language sql volatile security definer set search_path = public
begin atomic
    insert into agents (id, tenant_id, name, kind, capacity, capabilities, routable, trusted, created_at, updated_at)
    values (agent_id, null, agent_name, agent_kind, agent_capacity, agent_capabilities, agent_routable, true, at, at)
    on conflict (tenant_id, name) where state <> 'deregistered' do update
        set kind = excluded.kind, capacity = excluded.capacity, capabilities = excluded.capabilities,
            routable = excluded.routable, updated_at = excluded.updated_at
    returning id;
end;

-- Changes what an admin may change of an agent of the platform.
create function update_platform_agent(agent uuid, new_state text, new_trusted boolean, at timestamptz) returns boolean
    language sql volatile security definer set search_path = public
begin atomic
    with changed as (
        update agents a set state = new_state, trusted = new_trusted, version = a.version + 1, updated_at = at
        where a.id = agent and a.tenant_id is null and a.state <> 'deregistered'
        returning a.id
    )
    select exists (select 1 from changed);
end;

-- Whether an agent takes sessions that this actor created: of whoever registered it only, while it is restricted.
create function agent_serves(agent agents, creator jsonb) returns boolean
    language sql stable security definer set search_path = public
begin atomic
    select coalesce(not agent.restricted or agent.trusted
        or (creator->>'kind' = agent.created_by->>'kind' and creator->>'id' = agent.created_by->>'id')
        or (agent.registered_by is not null
            and (creator->>'kind' = 'user' and creator->>'id' = agent.registered_by::text
                 or creator->>'kind' = 'key' and exists (
                     select 1 from api_keys k where k.tenant_id = agent.tenant_id and k.user_id = agent.registered_by
                       and k.id::text = creator->>'id'))), false);
end;

-- What a tenant grants an agent: whether it lacks the conformance run that the tenant requires, how many sessions of the
-- tenant that name no agent run on it, and whether it takes the sessions of this actor.
create function agent_access(agent agents, tenant uuid, creator jsonb)
    returns table (lacks_conformance boolean, unnamed_running bigint, serves boolean)
    language sql stable security definer set search_path = public
begin atomic
    select agent.tenant_id is not null and agent.conformance_passed_at is null
               and coalesce(tenant_requires_conformance(tenant), false),
           (select count(*) from sessions r
            where r.tenant_id = tenant and r.agent_id = agent.id and r.routed and occupies_slot(r.status, r.offered_until)),
           agent_serves(agent, creator);
end;

-- How many more sessions of a tenant that name no agent an agent may take: one at a time while it is on probation, none
-- while it lacks a required conformance run; null = as many as it has places for. It is on probation until three of its
-- runs succeeded, as the tenant judges it, unless a lead trusts it.
create function unnamed_agent_room(agent agents, tenant uuid) returns bigint
    language sql stable security definer set search_path = public
begin atomic
    select case when x.lacks_conformance then 0
                when agent.trusted or f.succeeded >= 3 then null
                else greatest(1 - x.unnamed_running, 0) end
    from agent_access(agent, tenant, null) x, agent_figures(agent, tenant) f;
end;

-- Whether a tenant's breaker, an agent's probation or its restriction keep a session from the agent.
create function is_withheld(agent agents, tenant uuid, creator jsonb, unnamed boolean, at timestamptz) returns boolean
    language sql stable security definer set search_path = public
begin atomic
    select coalesce(tenant_agent_room(agent.id, tenant, at) <= 0, false) or not agent_serves(agent, creator)
        or (unnamed and coalesce(unnamed_agent_room(agent, tenant) <= 0, false));
end;

-- Suspends the agents that a person registered and that no lead trusts: in maintenance, and their tokens end. With
-- `restrict_only` they only lose the sessions of others. Returns those that change.
create function suspend_agents_of(person uuid, restrict_only boolean, at timestamptz)
    returns table (agent_id uuid, agent_name text)
    language sql volatile security definer set search_path = public
begin atomic
    with changed as (
        update agents a
        set restricted = true, state = case when restrict_only then a.state else 'maintenance' end,
            version = a.version + 1, updated_at = at
        where a.tenant_id = app_tenant_id() and a.registered_by = person and not a.trusted and a.state <> 'deregistered'
          and (not restrict_only or not a.restricted)
        returning a.id, a.name
    ), ended as (
        update agent_tokens k set expires_at = at
        from changed c
        where not restrict_only and k.agent_id = c.id and (k.expires_at is null or k.expires_at > at)
        returning k.id
    )
    select c.id, c.name from changed c;
end;
grant update (expires_at) on agent_tokens to ioc_directory;
drop policy directory on agent_tokens;
create policy directory on agent_tokens to ioc_directory using (true) with check (true);

-- The agents that other tenants offer to the transaction's tenant, or the one given: the public facts about each, with the
-- durations of its newest results.
drop function agent_offers(uuid);
create function agent_offers(agent uuid)
    returns table (id uuid, tenant_id uuid, publisher text, enabled boolean, name text, kind text, agent_type text,
                   description text, capabilities text[], skills text[], capacity integer, state text, liveness text,
                   reported_status text, reported_load double precision, finished bigint, succeeded double precision,
                   quality_sum double precision, quality_count bigint, duration_ms_sum double precision,
                   cost_micros_sum double precision, breaker_opened_at timestamptz, breaker_failures bigint,
                   server_down_since timestamptz, server_failures integer, server_probe_at timestamptz,
                   tenant_breaker_opened_at timestamptz, tenant_breaker_failures bigint, tenant_running bigint, trusted boolean, restricted boolean, conformance_passed_at timestamptz,
                   lacks_conformance boolean, unnamed_running bigint, serves boolean,
                   software_version text, running bigint,
                   p50_ms double precision, p95_ms double precision)
    language sql stable security definer set search_path = public
begin atomic
    select a.id, a.tenant_id, t.name, e.agent_id is not null, a.name, a.kind, a.agent_type, a.description, a.capabilities,
           a.skills, a.capacity, a.state, a.liveness, a.reported_status, a.reported_load, f.finished, f.succeeded,
           f.quality_sum, f.quality_count, f.duration_ms_sum, f.cost_micros_sum, a.breaker_opened_at, a.breaker_failures,
           a.server_down_since, a.server_failures, a.server_probe_at, f.tenant_breaker_opened_at, f.tenant_breaker_failures,
           f.tenant_running, a.trusted, a.restricted, a.conformance_passed_at, x.lacks_conformance, x.unnamed_running,
           x.serves, a.software_version,
           (select count(*) from sessions s where s.agent_id = a.id and occupies_slot(s.status, s.offered_until)),
           times.p50, times.p95
    from agents a
    join tenants t on t.id = a.tenant_id and t.is_active
    cross join lateral agent_figures(a, app_tenant_id()) f
    cross join lateral agent_access(a, app_tenant_id(), null) x
    left join agent_enablements e on e.agent_id = a.id and e.tenant_id = app_tenant_id()
    cross join lateral (
        select percentile_cont(0.5) within group (order by newest.duration_ms) as p50,
               percentile_cont(0.95) within group (order by newest.duration_ms) as p95
        from (select r.duration_ms from agent_results r where r.agent_id = a.id order by r.at desc limit 200) newest
    ) times
    where (agent is null or a.id = agent) and a.state <> 'deregistered' and a.tenant_id <> app_tenant_id()
      and (a.shared_with_all
           or exists (select 1 from agent_shares s where s.agent_id = a.id and s.recipient_id = app_tenant_id()));
end;

-- The sessions that an agent should start next, in order: of those queued for it, and of those that any agent may take and
-- that it suits. Within a tenant: by priority (one step better per 10 minutes of waiting), then by fewest running or
-- earlier sessions of the same tree, then by which tree has waited longest since its last run, then by age. Between
-- tenants: by fewest running or earlier sessions, then by which has waited longest since its last run. Sessions that the
-- deactivation of a tenant suspended get their slots back before any queued session, so these slots are not free. A tenant whose
-- circuit breaker for the agent is open has no place there. On probation, an agent takes one session at a time that names
-- none.
create or replace function next_in_queue(agent uuid, at timestamptz, this_month date, max_rows integer)
    returns table (tenant_id uuid, session_id uuid)
    language sql stable security definer set search_path = public
begin atomic
    with taker as materialized (
        select a.id, a.tenant_id, a.capabilities, a.skills, a as whole
        from agents a
        where a.id = agent and a.routable and agent_capacity_now(a, at) is distinct from 0
    ), queue as materialized (
        select s.tenant_id, s.id, s.root_id, s.queued_at, s.priority, s.depth, s.child_count, s.workspace_key, false as unnamed
        from agents a, sessions s
        where a.id = agent and s.status = 'queued' and s.offered_until is null and s.agent_id = agent and not s.routed
          and (not a.restricted or agent_serves(a, s.created_by))
        union all
        select s.tenant_id, s.id, s.root_id, s.queued_at, s.priority, s.depth, s.child_count, s.workspace_key, true
        from taker a, sessions s
        where s.status = 'queued' and s.offered_until is null and s.routed and s.lost_agent_id is distinct from a.id
          and (not (a.whole).restricted or agent_serves(a.whole, s.created_by))
          and s.required_capabilities <@ a.capabilities and s.required_skills <@ a.skills
          and (s.minimum_tier is null or tier_rank(s.minimum_tier) <= (
                  select tier_rank(agent_tier(f.finished, f.succeeded, f.quality_sum, f.quality_count))
                  from agent_figures(a.whole, s.tenant_id) f))
          and (a.tenant_id is null or a.tenant_id = s.tenant_id or exists (
                  select 1 from agent_enablements e where e.tenant_id = s.tenant_id and e.agent_id = a.id))
    ), tenant as materialized (
        select t.id,
               least(t.max_concurrent_sessions
                   - (select count(*) from sessions r where r.tenant_id = t.id and occupies_slot(r.status, r.offered_until))
                   - (select count(*) from sessions h where h.tenant_id = t.id and h.suspended and h.status = 'paused'),
                   tenant_agent_room(agent, t.id, at)) as free,
               (select unnamed_agent_room(a.whole, t.id) from taker a) as unnamed_room,
               (select count(*) from sessions r where r.agent_id = agent and r.tenant_id = t.id
                   and occupies_slot(r.status, r.offered_until)) as running,
               (select max(l.run_started_at) from sessions l
                   where l.agent_id = agent and l.tenant_id = t.id and l.run_started_at is not null) as last_run
        from tenants t
        left join tenant_usage u on u.tenant_id = t.id and u.month = this_month
        where t.is_active and not token_quota_reached(t.max_tokens_per_month, u.tokens)
          and t.id in (select q.tenant_id from queue q)
    ), waiting as (
        select s.tenant_id, s.id, s.root_id, s.queued_at, t.running, t.free, t.last_run, s.unnamed, t.unnamed_room,
               greatest(s.priority - floor(extract(epoch from at - s.queued_at) / 600), 0) as priority,
               case when s.depth > 1 or s.child_count > 0 then (select max(l.run_started_at) from sessions l
                   where l.tenant_id = s.tenant_id and l.root_id = s.root_id) end as tree_last_run
        from queue s join tenant t on t.id = s.tenant_id
        where t.free > 0 and not (s.unnamed and coalesce(t.unnamed_room <= 0, false))
          and not exists (select 1 from sessions w where w.tenant_id = s.tenant_id
                          and w.workspace_key = s.workspace_key and occupies_slot(w.status, w.offered_until))
    ), by_tree as (
        select w.*, greatest(w.tree_last_run, w.queued_at) as tree_since,
               (select count(*) from sessions r where r.agent_id = agent and r.tenant_id = w.tenant_id
                   and r.root_id = w.root_id and occupies_slot(r.status, r.offered_until))
               + row_number() over (partition by w.tenant_id, w.root_id order by w.priority, w.queued_at, w.id) as tree_place
        from waiting w
    ), by_tenant as (
        select b.*, greatest(b.last_run, min(b.queued_at) over (partition by b.tenant_id)) as since,
               row_number() over (partition by b.tenant_id
                                  order by b.priority, b.tree_place, b.tree_since, b.queued_at, b.id) as place,
               row_number() over (partition by b.tenant_id, b.unnamed
                                  order by b.priority, b.tree_place, b.tree_since, b.queued_at, b.id) as unnamed_place
        from by_tree b
    )
    select b.tenant_id, b.id
    from by_tenant b
    where b.place <= b.free and (not b.unnamed or b.unnamed_place <= coalesce(b.unnamed_room, b.unnamed_place))
    order by b.running + b.place, b.since, b.priority, b.queued_at, b.id
    limit max_rows;
end;

grant create on schema public to ioc_directory;
do $$
declare
    signature regprocedure;
begin
    foreach signature in array array[
        'tenant_requires_conformance(uuid)', 'update_platform_agent(uuid, text, boolean, timestamptz)', 'agent_serves(agents, jsonb)',
        'agent_access(agents, uuid, jsonb)', 'unnamed_agent_room(agents, uuid)',
        'is_withheld(agents, uuid, jsonb, boolean, timestamptz)', 'suspend_agents_of(uuid, boolean, timestamptz)',
        'agent_offers(uuid)']::regprocedure[] loop
        execute format('alter function %s owner to ioc_directory', signature);
        execute format('revoke all on function %s from public', signature);
        execute format('grant execute on function %s to ioc_app', signature);
    end loop;
end $$;
revoke create on schema public from ioc_directory;
