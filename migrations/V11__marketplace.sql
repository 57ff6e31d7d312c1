-- Agents shared among tenants: the offers to a tenant, the publishers, and the results that each may see.

-- Removes the enablements of an agent of the transaction's tenant that no share justifies any more.
create function withdraw_enablements(agent uuid) returns void
    language sql volatile security definer set search_path = public
begin atomic
    delete from agent_enablements e
    using agents a
    where e.agent_id = agent and a.id = agent and a.tenant_id = app_tenant_id()
      and (a.state = 'deregistered'
           or not (a.shared_with_all
                   or exists (select 1 from agent_shares s where s.agent_id = a.id and s.recipient_id = e.tenant_id)));
end;

-- The agents that other tenants offer to the transaction's tenant, or the one given: the public facts about each, with the
-- durations of its newest results.
create function agent_offers(agent uuid)
    returns table (id uuid, tenant_id uuid, publisher text, enabled boolean, name text, kind text, agent_type text,
                   description text, capabilities text[], skills text[], capacity integer, state text, liveness text,
                   reported_status text, reported_load double precision, finished bigint, succeeded double precision,
                   quality_sum double precision, quality_count bigint, duration_ms_sum double precision,
                   cost_micros_sum double precision, breaker_opened_at timestamptz, breaker_failures bigint,
                   server_down_since timestamptz, server_failures integer, server_probe_at timestamptz,
                   tenant_breaker_opened_at timestamptz, tenant_breaker_failures bigint, tenant_running bigint, trusted boolean,
                   restricted boolean, conformance_passed_at timestamptz, lacks_conformance boolean, unnamed_running bigint,
                   serves boolean, software_version text, running bigint, p50_ms double precision, p95_ms double precision)
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

-- The publishers of the agents that the transaction's tenant has enabled.
create function agent_publishers() returns table (agent_id uuid, publisher text)
    language sql stable security definer set search_path = public
begin atomic
    select e.agent_id, t.name
    from agent_enablements e join agents a on a.id = e.agent_id join tenants t on t.id = a.tenant_id
    where e.tenant_id = app_tenant_id();
end;

-- The endpoint of an agent that the transaction's tenant may use, or that has worked for it: when an offer is withdrawn,
-- what still runs there must be observed, stopped and cleaned up.
create function agent_contact(agent uuid)
    returns table (tenant_id uuid, name text, kind text, endpoint_url text, endpoint_secret bytea)
    language sql stable security definer set search_path = public
begin atomic
    select a.tenant_id, a.name, a.kind, a.endpoint_url, a.endpoint_secret
    from agents a
    where a.id = agent
      and (a.tenant_id is null or a.tenant_id = app_tenant_id()
           or exists (select 1 from agent_enablements e where e.tenant_id = app_tenant_id() and e.agent_id = agent)
           or exists (select 1 from sessions s where s.tenant_id = app_tenant_id() and s.agent_id = agent
                      and s.run_started_at is not null)
           or exists (select 1 from workspace_releases w where w.tenant_id = app_tenant_id() and w.agent_id = agent));
end;

-- The results of an agent that the transaction's tenant may see: all results of its own agent, else those of its own
-- sessions. The session is named only where it is the tenant's own.
create function visible_agent_results(agent uuid, since timestamptz, before_at timestamptz, before_id uuid, max_rows bigint)
    returns table (id uuid, session_id uuid, run integer, success real, quality real, duration_ms bigint, cost_micros bigint,
                   tokens bigint, error_code text, capabilities text[], at timestamptz)
    language sql stable security definer set search_path = public
begin atomic
    select r.id, case when r.tenant_id = app_tenant_id() then r.session_id end,
           case when r.tenant_id = app_tenant_id() then r.run end, r.success, r.quality, r.duration_ms, r.cost_micros,
           r.tokens, r.error_code, r.capabilities, r.at
    from agent_results r join agents a on a.id = r.agent_id
    where r.agent_id = agent and (a.tenant_id = app_tenant_id() or r.tenant_id = app_tenant_id())
      and (since is null or r.at >= since)
      and (before_at is null or r.at < before_at or (r.at = before_at and r.id < before_id))
    order by r.at desc, r.id desc
    limit max_rows;
end;

-- Statistics over the same results: the first row over all of them, each other row over one capability.
create function agent_result_statistics(agent uuid, since timestamptz)
    returns table (capability text, finished bigint, succeeded double precision, quality double precision,
                   mean_ms double precision, p50_ms double precision, p95_ms double precision, cost_micros double precision)
    language sql stable security definer set search_path = public
begin atomic
    with visible as (
        select r.* from agent_results r join agents a on a.id = r.agent_id
        where r.agent_id = agent and (a.tenant_id = app_tenant_id() or r.tenant_id = app_tenant_id())
          and (since is null or r.at >= since)
    ), grouped as (
        select null::text as capability, v.success, v.quality, v.duration_ms, v.cost_micros from visible v
        union all
        select c.capability, v.success, v.quality, v.duration_ms, v.cost_micros
        from visible v cross join lateral unnest(v.capabilities) as c(capability)
    )
    select g.capability, count(*), sum(g.success)::double precision, avg(g.quality)::double precision,
           avg(g.duration_ms)::double precision, percentile_cont(0.5) within group (order by g.duration_ms),
           percentile_cont(0.95) within group (order by g.duration_ms), sum(g.cost_micros)::double precision
    from grouped g group by g.capability order by g.capability nulls first;
end;

grant create on schema public to ioc_directory;
do $$
declare
    signature regprocedure;
begin
    foreach signature in array array[
        'withdraw_enablements(uuid)', 'agent_offers(uuid)', 'agent_publishers()', 'agent_contact(uuid)',
        'visible_agent_results(uuid, timestamptz, timestamptz, uuid, bigint)',
        'agent_result_statistics(uuid, timestamptz)']::regprocedure[] loop
        execute format('alter function %s owner to ioc_directory', signature);
        execute format('revoke all on function %s from public', signature);
        execute format('grant execute on function %s to ioc_app', signature);
    end loop;
end $$;
revoke create on schema public from ioc_directory;
