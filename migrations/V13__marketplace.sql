-- Agents among tenants: whom they are offered to, how they do for all, and what becomes of those who wait for one that is gone.

-- A tenant is named as the publisher wrote it: a slug or an id, which may be nobody's. What is shown of a share is the same
-- either way, so that nobody learns from it which tenants there are.
alter table agent_shares
    drop constraint agent_shares_pkey,
    alter column with_id drop not null,
    add column named text not null check (char_length(named) between 2 and 50),
    add primary key (tenant_id, agent_id, named);
grant update (with_id) on agent_shares to ioc_app;
create index agent_shares_with on agent_shares (with_id, agent_id) where with_id is not null;

-- What pages of results go on from: the session of a result may be another tenant's.
alter table agent_results add column id uuid not null default gen_random_uuid();
create index agents_draining on agents (id) where state = 'draining';

-- Removes the enablements of an agent of the transaction's tenant that no offer stands behind any more.
create function withdraw_enablements(named uuid) returns void
    language sql volatile security definer set search_path = public
begin atomic
    delete from agent_enablements e
    using agents a
    where e.agent_id = named and a.id = named and a.tenant_id = app_tenant_id()
      and (a.state = 'deregistered'
           or not (a.shared_with_all
                   or exists (select 1 from agent_shares s where s.agent_id = a.id and s.with_id = e.tenant_id)));
end;

-- What other tenants offer to the transaction's tenant: what it may know of each agent, or of the one that is named, with the
-- times of its newest results.
create function agent_offers(named uuid)
    returns table (id uuid, tenant_id uuid, publisher text, enabled boolean, name text, kind text, agent_type text,
                   description text, capabilities text[], skills text[], capacity integer, state text, liveness text,
                   reported_status text, reported_load double precision, finished bigint, succeeded double precision,
                   quality_sum double precision, quality_count bigint, duration_ms_sum double precision,
                   cost_micros_sum double precision, breaker_opened_at timestamptz, software_version text, running bigint,
                   p50_ms double precision, p95_ms double precision)
    language sql stable security definer set search_path = public
begin atomic
    select a.id, a.tenant_id, t.name, e.agent_id is not null, a.name, a.kind, a.agent_type, a.description, a.capabilities,
           a.skills, a.capacity, a.state, a.liveness, a.reported_status, a.reported_load, a.finished, a.succeeded,
           a.quality_sum, a.quality_count, a.duration_ms_sum, a.cost_micros_sum, a.breaker_opened_at, a.software_version,
           (select count(*) from sessions s where s.agent_id = a.id and s.status in ('running', 'degraded')),
           times.p50, times.p95
    from agents a
    join tenants t on t.id = a.tenant_id and t.is_active
    left join agent_enablements e on e.agent_id = a.id and e.tenant_id = app_tenant_id()
    cross join lateral (
        select percentile_cont(0.5) within group (order by newest.duration_ms) as p50,
               percentile_cont(0.95) within group (order by newest.duration_ms) as p95
        from (select r.duration_ms from agent_results r where r.agent_id = a.id order by r.at desc limit 200) newest
    ) times
    where (named is null or a.id = named) and a.state <> 'deregistered' and a.tenant_id <> app_tenant_id()
      and (a.shared_with_all
           or exists (select 1 from agent_shares s where s.agent_id = a.id and s.with_id = app_tenant_id()));
end;

-- Whose the agents are that the transaction's tenant has enabled.
create function agent_publishers() returns table (agent_id uuid, publisher text)
    language sql stable security definer set search_path = public
begin atomic
    select e.agent_id, t.name
    from agent_enablements e join agents a on a.id = e.agent_id join tenants t on t.id = a.tenant_id
    where e.tenant_id = app_tenant_id();
end;

grant select (agent_id) on workspaces_left to ioc_directory;

-- How to reach an agent that the transaction's tenant may use, or that has worked for it: what runs there when an offer is
-- withdrawn is still watched, stopped and tidied up.
create function agent_contact(named uuid)
    returns table (tenant_id uuid, name text, kind text, endpoint_url text, endpoint_secret bytea)
    language sql stable security definer set search_path = public
begin atomic
    select a.tenant_id, a.name, a.kind, a.endpoint_url, a.endpoint_secret
    from agents a
    where a.id = named
      and (a.tenant_id is null or a.tenant_id = app_tenant_id()
           or exists (select 1 from agent_enablements e where e.tenant_id = app_tenant_id() and e.agent_id = named)
           or exists (select 1 from sessions s where s.tenant_id = app_tenant_id() and s.agent_id = named
                      and s.run_started_at is not null)
           or exists (select 1 from workspaces_left w where w.tenant_id = app_tenant_id() and w.agent_id = named));
end;

-- The results of an agent that the transaction's tenant may see: all of its own agent, else those of its own sessions. Whose
-- session it was is told of its own alone.
create function agent_results_seen(named uuid, since timestamptz, before_at timestamptz, before_id uuid, most bigint)
    returns table (id uuid, session_id uuid, run integer, success real, quality real, duration_ms bigint, cost_micros bigint,
                   tokens bigint, error_code text, capabilities text[], at timestamptz)
    language sql stable security definer set search_path = public
begin atomic
    select r.id, case when r.tenant_id = app_tenant_id() then r.session_id end,
           case when r.tenant_id = app_tenant_id() then r.run end, r.success, r.quality, r.duration_ms, r.cost_micros,
           r.tokens, r.error_code, r.capabilities, r.at
    from agent_results r join agents a on a.id = r.agent_id
    where r.agent_id = named and (a.tenant_id = app_tenant_id() or r.tenant_id = app_tenant_id())
      and (since is null or r.at >= since)
      and (before_at is null or r.at < before_at or (r.at = before_at and r.id < before_id))
    order by r.at desc, r.id desc
    limit most;
end;

-- The same results in figures; the first row is of all, the others of one capability each.
create function agent_results_in_figures(named uuid, since timestamptz)
    returns table (capability text, finished bigint, succeeded double precision, quality double precision,
                   mean_ms double precision, p50_ms double precision, p95_ms double precision, cost_micros double precision)
    language sql stable security definer set search_path = public
begin atomic
    with seen as (
        select r.* from agent_results r join agents a on a.id = r.agent_id
        where r.agent_id = named and (a.tenant_id = app_tenant_id() or r.tenant_id = app_tenant_id())
          and (since is null or r.at >= since)
    ), told as (
        select null::text as capability, s.success, s.quality, s.duration_ms, s.cost_micros from seen s
        union all
        select c.capability, s.success, s.quality, s.duration_ms, s.cost_micros
        from seen s cross join lateral unnest(s.capabilities) as c(capability)
    )
    select t.capability, count(*), sum(t.success)::double precision, avg(t.quality)::double precision,
           avg(t.duration_ms)::double precision, percentile_cont(0.5) within group (order by t.duration_ms),
           percentile_cont(0.95) within group (order by t.duration_ms), sum(t.cost_micros)::double precision
    from told t group by t.capability order by t.capability nulls first;
end;

-- Agents that finish what they have, and have nothing left.
create function drained_agents() returns table (tenant_id uuid, agent_id uuid)
    language sql stable security definer set search_path = public
begin atomic
    select a.tenant_id, a.id from agents a
    where a.state = 'draining' and a.tenant_id is not null
      and not exists (select 1 from sessions s where s.agent_id = a.id and s.status in ('running', 'degraded'));
end;

-- What waits for just one agent, which is deregistered or which its tenant may not use any more.
create function sessions_stranded(most integer) returns table (tenant_id uuid, session_id uuid, agent_id uuid)
    language sql stable security definer set search_path = public
begin atomic
    select s.tenant_id, s.id, s.agent_id
    from sessions s join agents a on a.id = s.agent_id
    where s.status = 'queued' and not s.routed
      and (a.state = 'deregistered'
           or (a.tenant_id <> s.tenant_id and not exists (
                   select 1 from agent_enablements e where e.tenant_id = s.tenant_id and e.agent_id = a.id)))
    limit most;
end;

grant create on schema public to ioc_directory;
do $$
declare
    signature regprocedure;
begin
    foreach signature in array array[
        'withdraw_enablements(uuid)', 'agent_offers(uuid)', 'agent_publishers()', 'agent_contact(uuid)',
        'agent_results_seen(uuid, timestamptz, timestamptz, uuid, bigint)', 'agent_results_in_figures(uuid, timestamptz)',
        'drained_agents()', 'sessions_stranded(integer)']::regprocedure[] loop
        execute format('alter function %s owner to ioc_directory', signature);
        execute format('revoke all on function %s from public', signature);
        execute format('grant execute on function %s to ioc_app', signature);
    end loop;
end $$;
revoke create on schema public from ioc_directory;
