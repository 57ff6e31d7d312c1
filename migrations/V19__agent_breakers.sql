-- Results of agents by tenant, the circuit breakers that follow from them, and the breaker of an agent's own server.
--
-- One tenant's results never decide alone for another tenant: its own breaker keeps only its own sessions away, and the
-- breaker for all tenants opens when the breakers of three tenants are open.

create table agent_tenant_stats (
    tenant_id         uuid not null references tenants (id) on delete cascade,
    agent_id          uuid not null references agents (id) on delete cascade,
    -- Totals over the finished runs of this tenant; means count only the results that had the value.
    finished          bigint not null default 0,
    succeeded         double precision not null default 0,
    quality_sum       double precision not null default 0,
    quality_count     bigint not null default 0,
    duration_ms_sum   double precision not null default 0,
    cost_micros_sum   double precision not null default 0,
    -- The circuit breaker of this tenant: results since it was last closed, and since when it is open.
    breaker_finished  bigint not null default 0,
    breaker_succeeded double precision not null default 0,
    breaker_opened_at timestamptz,
    primary key (tenant_id, agent_id)
);
create index agent_tenant_stats_open on agent_tenant_stats (agent_id) where breaker_opened_at is not null;
alter table agent_tenant_stats enable row level security;
alter table agent_tenant_stats force row level security;
create policy tenant on agent_tenant_stats to ioc_app using (tenant_id = app_tenant_id())
    with check (tenant_id = app_tenant_id());
create policy directory on agent_tenant_stats to ioc_directory using (true) with check (true);
grant select, delete on agent_tenant_stats to ioc_app;
grant select, insert, update on agent_tenant_stats to ioc_directory;

-- The totals of an agent count at most twenty results of each tenant, in proportion; breaker_finished and
-- breaker_succeeded of agents are no longer used, and breaker_opened_at is the breaker for all tenants.
alter table agents
    -- How many tenants have results of it.
    add column result_tenants    integer not null default 0,
    -- The failures behind the breaker for all tenants.
    add column breaker_failures  bigint not null default 0,
    -- The breaker of its server: since when it does not answer, how often a probe failed, and when the next is due.
    add column server_down_since timestamptz,
    add column server_failures   integer not null default 0,
    add column server_probe_at   timestamptz;
create index agents_server_down on agents (server_probe_at) where server_down_since is not null;

-- A total over results, scaled down to twenty of them.
create function capped_sum(total double precision, results bigint) returns double precision
    language sql immutable parallel safe
    return case when results <= 0 then 0 else total * least(results, 20) / results end;

set local role ioc_directory;
insert into agent_tenant_stats (tenant_id, agent_id, finished, succeeded, quality_sum, quality_count, duration_ms_sum,
                                cost_micros_sum)
select r.tenant_id, r.agent_id, count(*), sum(r.success), coalesce(sum(r.quality), 0), count(r.quality), sum(r.duration_ms),
       sum(r.cost_micros)
from agent_results r group by r.tenant_id, r.agent_id;
update agents a
set finished = s.finished, succeeded = s.succeeded, quality_sum = s.quality_sum, quality_count = s.quality_count,
    duration_ms_sum = s.duration_ms_sum, cost_micros_sum = s.cost_micros_sum, result_tenants = s.tenants,
    breaker_opened_at = null
from (select agent_id, count(*) as tenants, sum(least(finished, 20)) as finished, sum(capped_sum(succeeded, finished)) as succeeded,
             sum(capped_sum(quality_sum, quality_count)) as quality_sum, sum(least(quality_count, 20)) as quality_count,
             sum(capped_sum(duration_ms_sum, finished)) as duration_ms_sum,
             sum(capped_sum(cost_micros_sum, finished)) as cost_micros_sum
      from agent_tenant_stats group by agent_id) s
where s.agent_id = a.id;
reset role;

-- How many sessions an agent may work on at once at this time, for all tenants together; null = any number.
create or replace function agent_capacity_now(agent agents, at timestamptz) returns integer
    language sql immutable parallel safe
    return case
        when agent.state <> 'active' or agent.liveness <> 'alive' or agent.offers_ignored_since is not null
            or agent.server_down_since is not null
            or coalesce(agent.reported_status in ('degraded', 'offline'), false)
            or coalesce(at < agent.breaker_opened_at + interval '10 minutes', false) then 0
        else agent.capacity
    end;

-- What a tenant judges an agent by: its own results in full, and those of the others, at most twenty of each, once there
-- are two others at least. With the tenant's own breaker and the number of its sessions on the agent.
create function agent_figures(agent agents, tenant uuid)
    returns table (finished bigint, succeeded double precision, quality_sum double precision, quality_count bigint,
                   duration_ms_sum double precision, cost_micros_sum double precision, tenant_breaker_opened_at timestamptz,
                   tenant_breaker_failures bigint, tenant_running bigint)
    language sql stable security definer set search_path = public
begin atomic
    with own as (
        select coalesce(s.finished, 0) as finished, coalesce(s.succeeded, 0) as succeeded,
               coalesce(s.quality_sum, 0) as quality_sum, coalesce(s.quality_count, 0) as quality_count,
               coalesce(s.duration_ms_sum, 0) as duration_ms_sum, coalesce(s.cost_micros_sum, 0) as cost_micros_sum,
               s.breaker_opened_at, ceil(s.breaker_finished - s.breaker_succeeded)::bigint as failures,
               case when agent.result_tenants - (s.agent_id is not null)::integer >= 2 then 1 else 0 end as others
        from (select 1) one
        left join agent_tenant_stats s on s.tenant_id = tenant and s.agent_id = agent.id
    )
    select o.finished + o.others * (agent.finished - least(o.finished, 20)),
           o.succeeded + o.others * greatest(agent.succeeded - capped_sum(o.succeeded, o.finished), 0),
           o.quality_sum + o.others * greatest(agent.quality_sum - capped_sum(o.quality_sum, o.quality_count), 0),
           o.quality_count + o.others * (agent.quality_count - least(o.quality_count, 20)),
           o.duration_ms_sum + o.others * greatest(agent.duration_ms_sum - capped_sum(o.duration_ms_sum, o.finished), 0),
           o.cost_micros_sum + o.others * greatest(agent.cost_micros_sum - capped_sum(o.cost_micros_sum, o.finished), 0),
           o.breaker_opened_at, case when o.breaker_opened_at is null then 0 else o.failures end,
           (select count(*) from sessions r where r.tenant_id = tenant and r.agent_id = agent.id and occupies_slot(r.status, r.offered_until))
    from own o;
end;

-- How many more sessions of a tenant an agent may take by the tenant's own breaker; null = as many as it has places for.
create function tenant_agent_room(agent uuid, tenant uuid, at timestamptz) returns bigint
    language sql stable security definer set search_path = public
begin atomic
    select case when at < s.breaker_opened_at + interval '10 minutes' then 0
                else greatest(1 - (select count(*) from sessions r
                    where r.tenant_id = tenant and r.agent_id = agent and occupies_slot(r.status, r.offered_until)), 0) end
    from agent_tenant_stats s
    where s.tenant_id = tenant and s.agent_id = agent and s.breaker_opened_at is not null;
end;

-- Records the result of a run, once, and counts it for the agent and its tenant. The breaker of the tenant judges by the
-- tenant's latest results: after every twenty, the older ones count half. It opens below 3 of 10 successes once there are
-- five results; a success closes it. The breaker for all tenants opens for ten minutes when those of three tenants opened
-- within the last ten.
create or replace function record_agent_result(tenant uuid, session uuid, of_run integer, agent uuid, of_success real,
                                               of_quality real, of_duration_ms bigint, of_cost_micros bigint, of_tokens bigint,
                                               of_error_code text, of_capabilities text[], of_at timestamptz) returns void
    language sql volatile security definer set search_path = public
begin atomic
    with inserted as (
        insert into agent_results (tenant_id, session_id, run, agent_id, success, quality, duration_ms, cost_micros, tokens,
                                   error_code, capabilities, at)
        select tenant, session, of_run, a.id, of_success, of_quality, of_duration_ms, of_cost_micros, of_tokens,
               of_error_code, of_capabilities, of_at
        from agents a where a.id = agent and a.kind <> 'manual'
        on conflict do nothing
        returning agent_id
    ), own as (
        insert into agent_tenant_stats as s (tenant_id, agent_id, finished, succeeded, quality_sum, quality_count,
            duration_ms_sum, cost_micros_sum, breaker_finished, breaker_succeeded)
        select tenant, i.agent_id, 1, of_success, coalesce(of_quality, 0), (of_quality is not null)::integer, of_duration_ms,
               of_cost_micros, 1, of_success
        from inserted i
        on conflict (tenant_id, agent_id) do update
        set finished = s.finished + 1,
            succeeded = s.succeeded + excluded.succeeded,
            quality_sum = s.quality_sum + excluded.quality_sum,
            quality_count = s.quality_count + excluded.quality_count,
            duration_ms_sum = s.duration_ms_sum + excluded.duration_ms_sum,
            cost_micros_sum = s.cost_micros_sum + excluded.cost_micros_sum,
            (breaker_finished, breaker_succeeded, breaker_opened_at) = (
                select case when closes then 1 else l.finished end, case when closes then 1 else l.succeeded end,
                       case when closes then null
                            when of_at < s.breaker_opened_at + interval '10 minutes' then s.breaker_opened_at
                            when s.breaker_opened_at is not null then of_at
                            when l.finished >= 5 and l.succeeded / l.finished < 0.3 then of_at end
                from (select case when s.breaker_finished >= 20 then s.breaker_finished / 2 else s.breaker_finished end + 1
                                 as finished,
                             case when s.breaker_finished >= 20 then s.breaker_succeeded / 2 else s.breaker_succeeded end
                                 + of_success as succeeded,
                             s.breaker_opened_at is not null and of_success = 1 as closes) l)
        returning s.*
    ), open as (
        select count(*) + 1 as tenants, sum(ceil(t.breaker_finished - t.breaker_succeeded)) as failures
        from agent_tenant_stats t
        where t.agent_id = agent and t.tenant_id <> tenant and t.breaker_opened_at > of_at - interval '10 minutes'
    )
    update agents a
    set finished = a.finished + (o.finished <= 20)::integer,
        succeeded = greatest(a.succeeded + capped_sum(o.succeeded, o.finished)
            - capped_sum(o.succeeded - of_success, o.finished - 1), 0),
        quality_sum = case when of_quality is null then a.quality_sum else greatest(a.quality_sum
            + capped_sum(o.quality_sum, o.quality_count) - capped_sum(o.quality_sum - of_quality, o.quality_count - 1), 0) end,
        quality_count = a.quality_count + (of_quality is not null and o.quality_count <= 20)::integer,
        duration_ms_sum = greatest(a.duration_ms_sum + capped_sum(o.duration_ms_sum, o.finished)
            - capped_sum(o.duration_ms_sum - of_duration_ms, o.finished - 1), 0),
        cost_micros_sum = greatest(a.cost_micros_sum + capped_sum(o.cost_micros_sum, o.finished)
            - capped_sum(o.cost_micros_sum - of_cost_micros, o.finished - 1), 0),
        result_tenants = a.result_tenants + (o.finished = 1)::integer,
        last_result_at = of_at,
        breaker_opened_at = case when of_success = 1 then null
            when o.breaker_opened_at = of_at and p.tenants >= 3 then of_at else a.breaker_opened_at end,
        breaker_failures = case when of_success < 1 and o.breaker_opened_at = of_at and p.tenants >= 3
            then p.failures + ceil(o.breaker_finished - o.breaker_succeeded) else a.breaker_failures end
    from own o, open p
    where a.id = o.agent_id;
end;

-- Claims the next probe of an agent's server, unless another process made one a moment ago.
create function claim_server_probe(agent uuid, at timestamptz, next_at timestamptz)
    returns table (agent_id uuid, agent_tenant_id uuid, agent_name text, agent_kind text, endpoint_url text, endpoint_secret bytea)
    language sql volatile security definer set search_path = public
begin atomic
    update agents a set server_probe_at = next_at
    where a.id = agent and a.state <> 'deregistered' and (a.server_probe_at is null or a.server_probe_at <= at)
    returning a.id, a.tenant_id, a.name, a.kind, a.endpoint_url, a.endpoint_secret;
end;

-- Records the result of a probe. Returns whether the server was down before, and whether it is now.
create function record_server_probe(agent uuid, answers boolean, at timestamptz)
    returns table (was_down boolean, is_down boolean)
    language sql volatile security definer set search_path = public
begin atomic
    with before as (
        select a.id, a.server_down_since from agents a where a.id = agent for no key update
    )
    update agents a
    set server_down_since = case when answers then null else coalesce(a.server_down_since, at) end,
        server_failures = case when answers then 0 else a.server_failures + 1 end
    from before b
    where a.id = b.id
    returning b.server_down_since is not null, a.server_down_since is not null;
end;

-- Agents whose server is down and whose next probe is overdue.
create function overdue_server_probes(at timestamptz, max_rows integer) returns table (agent_id uuid)
    language sql stable security definer set search_path = public
begin atomic
    select a.id from agents a
    where a.server_down_since is not null and a.server_probe_at <= at and a.state <> 'deregistered'
    order by a.server_probe_at limit max_rows;
end;

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
                   tenant_breaker_opened_at timestamptz, tenant_breaker_failures bigint, tenant_running bigint,
                   software_version text, running bigint,
                   p50_ms double precision, p95_ms double precision)
    language sql stable security definer set search_path = public
begin atomic
    select a.id, a.tenant_id, t.name, e.agent_id is not null, a.name, a.kind, a.agent_type, a.description, a.capabilities,
           a.skills, a.capacity, a.state, a.liveness, a.reported_status, a.reported_load, f.finished, f.succeeded,
           f.quality_sum, f.quality_count, f.duration_ms_sum, f.cost_micros_sum, a.breaker_opened_at, a.breaker_failures,
           a.server_down_since, a.server_failures, a.server_probe_at, f.tenant_breaker_opened_at, f.tenant_breaker_failures,
           f.tenant_running, a.software_version,
           (select count(*) from sessions s where s.agent_id = a.id and occupies_slot(s.status, s.offered_until)),
           times.p50, times.p95
    from agents a
    join tenants t on t.id = a.tenant_id and t.is_active
    cross join lateral agent_figures(a, app_tenant_id()) f
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
-- circuit breaker for the agent is open has no place there.
create or replace function next_in_queue(agent uuid, at timestamptz, this_month date, max_rows integer)
    returns table (tenant_id uuid, session_id uuid)
    language sql stable security definer set search_path = public
begin atomic
    with taker as materialized (
        select a.id, a.tenant_id, a.capabilities, a.skills, a as whole
        from agents a
        where a.id = agent and a.routable and agent_capacity_now(a, at) is distinct from 0
    ), queue as materialized (
        select s.tenant_id, s.id, s.root_id, s.queued_at, s.priority, s.depth, s.child_count, s.workspace_key
        from sessions s
        where s.status = 'queued' and s.offered_until is null and s.agent_id = agent and not s.routed
        union all
        select s.tenant_id, s.id, s.root_id, s.queued_at, s.priority, s.depth, s.child_count, s.workspace_key
        from taker a, sessions s
        where s.status = 'queued' and s.offered_until is null and s.routed and s.lost_agent_id is distinct from a.id
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
               (select count(*) from sessions r where r.agent_id = agent and r.tenant_id = t.id
                   and occupies_slot(r.status, r.offered_until)) as running,
               (select max(l.run_started_at) from sessions l
                   where l.agent_id = agent and l.tenant_id = t.id and l.run_started_at is not null) as last_run
        from tenants t
        left join tenant_usage u on u.tenant_id = t.id and u.month = this_month
        where t.is_active and not token_quota_reached(t.max_tokens_per_month, u.tokens)
          and t.id in (select q.tenant_id from queue q)
    ), waiting as (
        select s.tenant_id, s.id, s.root_id, s.queued_at, t.running, t.free, t.last_run,
               greatest(s.priority - floor(extract(epoch from at - s.queued_at) / 600), 0) as priority,
               case when s.depth > 1 or s.child_count > 0 then (select max(l.run_started_at) from sessions l
                   where l.tenant_id = s.tenant_id and l.root_id = s.root_id) end as tree_last_run
        from queue s join tenant t on t.id = s.tenant_id
        where t.free > 0
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
                                  order by b.priority, b.tree_place, b.tree_since, b.queued_at, b.id) as place
        from by_tree b
    )
    select b.tenant_id, b.id
    from by_tenant b
    where b.place <= b.free
    order by b.running + b.place, b.since, b.priority, b.queued_at, b.id
    limit max_rows;
end;

grant create on schema public to ioc_directory;
do $$
declare
    signature regprocedure;
begin
    foreach signature in array array[
        'agent_figures(agents, uuid)', 'tenant_agent_room(uuid, uuid, timestamptz)',
        'claim_server_probe(uuid, timestamptz, timestamptz)', 'record_server_probe(uuid, boolean, timestamptz)',
        'overdue_server_probes(timestamptz, integer)', 'agent_offers(uuid)']::regprocedure[] loop
        execute format('alter function %s owner to ioc_directory', signature);
        execute format('revoke all on function %s from public', signature);
        execute format('grant execute on function %s to ioc_app', signature);
    end loop;
end $$;
revoke create on schema public from ioc_directory;
