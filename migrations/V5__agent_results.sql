-- The results of agents: of each run, their totals by tenant, the tiers and circuit breakers that follow from them, and the
-- breaker of an agent's own server.
--
-- One tenant's results never decide alone for another tenant: its own breaker keeps only its own sessions away, and the
-- breaker for all tenants opens when the breakers of three tenants are open.

-- The result of each run, written with its end: rows of the tenant that owns the session.
create table agent_results (
    tenant_id    uuid not null references tenants (id) on delete cascade,
    session_id   uuid not null,
    run          integer not null,
    agent_id     uuid not null references agents (id) on delete cascade,
    -- 1; 0.5 if part of the work stands; 0.
    success      real not null check (success between 0 and 1),
    quality      real check (quality between 0 and 1),
    duration_ms  bigint not null check (duration_ms >= 0),
    cost_micros  bigint not null check (cost_micros >= 0),
    tokens       bigint not null check (tokens >= 0),
    error_code   text,
    capabilities text[] not null,
    at           timestamptz not null,
    -- The cursor of pages of results: the session of a result may belong to another tenant.
    id           uuid not null default gen_random_uuid(),
    primary key (tenant_id, session_id, run)
);
create index agent_results_of_agent on agent_results (agent_id, at desc);

-- The results of an agent by tenant, and the tenant's circuit breaker for it.
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

do $$
declare
    name text;
begin
    foreach name in array array['agent_results', 'agent_tenant_stats'] loop
        execute format('alter table %I enable row level security', name);
        execute format('alter table %I force row level security', name);
        execute format('create policy tenant on %I to ioc_app using (tenant_id = app_tenant_id()) '
                       'with check (tenant_id = app_tenant_id())', name);
        execute format('create policy directory on %I to ioc_directory using (true) with check (true)', name);
    end loop;
end $$;
grant select, delete on agent_results, agent_tenant_stats to ioc_app;
grant select, insert on agent_results to ioc_directory;
grant select, insert, update on agent_tenant_stats to ioc_directory;

-- The tiers in order, and the tier that follows from an agent's results. A test holds both equal to the Rust code.
create function tier_rank(tier text) returns integer
    language sql immutable parallel safe
    return array_position(array['degraded', 'trainee', 'competent', 'standard', 'advanced', 'premium', 'elite'], tier);
create function agent_tier(finished bigint, succeeded double precision, quality_sum double precision, quality_count bigint)
    returns text
    language sql immutable parallel safe
    return case
        when finished < 5 then 'standard'
        when succeeded / finished >= 0.95 and quality_count > 0 and quality_sum / quality_count >= 0.9 then 'elite'
        when succeeded / finished >= 0.85 then 'advanced'
        when succeeded / finished >= 0.70 then 'competent'
        when succeeded / finished >= 0.50 then 'trainee'
        else 'degraded'
    end;

-- A total over results, scaled down to twenty of them.
create function capped_sum(total double precision, results bigint) returns double precision
    language sql immutable parallel safe
    return case when results <= 0 then 0 else total * least(results, 20) / results end;

-- Records the result of a run, once, and counts it for the agent and its tenant. The breaker of the tenant judges by the
-- tenant's latest results: after every twenty, the older ones count half. It opens below 3 of 10 successes once there are
-- five results; a success closes it. The breaker for all tenants opens for ten minutes when those of three tenants opened
-- within the last ten.
create function record_agent_result(tenant uuid, session uuid, of_run integer, agent uuid, of_success real,
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

grant create on schema public to ioc_directory;
do $$
declare
    signature regprocedure;
begin
    foreach signature in array array[
        'record_agent_result(uuid, uuid, integer, uuid, real, real, bigint, bigint, bigint, text, text[], timestamptz)',
        'claim_server_probe(uuid, timestamptz, timestamptz)',
        'record_server_probe(uuid, boolean, timestamptz)',
        'overdue_server_probes(timestamptz, integer)']::regprocedure[] loop
        execute format('alter function %s owner to ioc_directory', signature);
        execute format('revoke all on function %s from public', signature);
        execute format('grant execute on function %s to ioc_app', signature);
    end loop;
end $$;
revoke create on schema public from ioc_directory;
