-- What a tenant judges an agent by, and which sessions it therefore gets: the figures of its results, the tenant's circuit
-- breaker, probation, and whose sessions it takes.

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
           (select count(*) from sessions r
            where r.tenant_id = tenant and r.agent_id = agent.id and occupies_slot(r.status, r.offered_until))
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

-- Whether a tenant requires conformance runs.
create function tenant_requires_conformance(tenant uuid) returns boolean
    language sql stable security definer set search_path = public
begin atomic
    select t.require_conformance from tenants t where t.id = tenant;
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

grant create on schema public to ioc_directory;
do $$
declare
    signature regprocedure;
begin
    foreach signature in array array[
        'agent_figures(agents, uuid)',
        'tenant_agent_room(uuid, uuid, timestamptz)',
        'tenant_requires_conformance(uuid)',
        'agent_serves(agents, jsonb)',
        'agent_access(agents, uuid, jsonb)',
        'unnamed_agent_room(agents, uuid)',
        'is_withheld(agents, uuid, jsonb, boolean, timestamptz)']::regprocedure[] loop
        execute format('alter function %s owner to ioc_directory', signature);
        execute format('revoke all on function %s from public', signature);
        execute format('grant execute on function %s to ioc_app', signature);
    end loop;
end $$;
revoke create on schema public from ioc_directory;
