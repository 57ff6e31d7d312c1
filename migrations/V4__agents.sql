-- The registry of agents: what they declare, what their owners decided, how they perform, and who may use them.

create table agents (
    id                uuid primary key,
    -- An agent without a tenant belongs to the platform and serves every tenant.
    tenant_id         uuid references tenants (id) on delete cascade,
    name              text not null check (name ~ '^[A-Za-z0-9_-]{1,100}$'),
    kind              text not null constraint agents_kind check (kind in ('opencode', 'scripted', 'manual', 'eap', 'a2a')),
    agent_type        text not null default 'implementer' check (agent_type in ('architect', 'implementer', 'reviewer',
                          'debugger', 'integrator', 'orchestrator', 'analyst', 'optimizer')),
    description       text check (char_length(description) <= 1000),
    -- Without a capacity it takes any number of sessions.
    capacity          integer check (capacity between 1 and 50),
    -- From the list of capabilities in the code, which alone checks them.
    capabilities      text[] not null default '{}' check (cardinality(capabilities) <= 33),
    skills            text[] not null default '{}' check (cardinality(skills) <= 100),
    endpoint_url      text check (char_length(endpoint_url) <= 2000),
    -- Our credential at the endpoint, encrypted under the pepper.
    endpoint_secret   bytea,
    software_version  text check (char_length(software_version) <= 100),
    metadata          jsonb not null default '{}' check (jsonb_typeof(metadata) = 'object'),
    -- Whether sessions that name no agent may be dispatched to it.
    routable          boolean not null default true,
    shared_with_all   boolean not null default false,
    -- The owner's decision.
    state             text not null default 'active' check (state in ('active', 'draining', 'maintenance', 'deregistered')),
    deregistered_at   timestamptz,
    -- The state of its heartbeats; an agent that sends none is always alive in this respect.
    liveness          text not null default 'alive' check (liveness in ('alive', 'suspect', 'offline')),
    liveness_since    timestamptz,
    last_heartbeat_at timestamptz,
    reported_status   text check (reported_status in ('healthy', 'degraded', 'busy', 'offline')),
    reported_load     double precision check (reported_load between 0 and 1),
    reported_tasks    integer check (reported_tasks >= 0),
    metrics           jsonb not null default '{}',
    -- Totals over its finished runs; means count only the results that had the value.
    finished          bigint not null default 0,
    succeeded         double precision not null default 0,
    quality_sum       double precision not null default 0,
    quality_count     bigint not null default 0,
    duration_ms_sum   double precision not null default 0,
    cost_micros_sum   double precision not null default 0,
    last_result_at    timestamptz,
    -- The circuit breaker: results since it was last closed, and since when it is open.
    breaker_finished  bigint not null default 0,
    breaker_succeeded double precision not null default 0,
    breaker_opened_at timestamptz,
    version           bigint not null default 1,
    created_by        jsonb not null default '{"kind": "system", "id": "setup", "name": "setup"}',
    created_at        timestamptz not null,
    updated_at        timestamptz not null,
    constraint agents_capacity check (capacity is not null or kind in ('scripted', 'manual')),
    constraint deregistered_since check ((deregistered_at is not null) = (state = 'deregistered'))
);
-- The name of a deregistered agent may be used again.
create unique index agents_name on agents (tenant_id, name) nulls not distinct where state <> 'deregistered';
create index agents_external on agents (id) where kind = 'eap' and state <> 'deregistered';
create index agents_draining on agents (id) where state = 'draining';
-- A heartbeat changes no indexed column and finds room on its page, so it writes one row and no index entry.
alter table agents set (fillfactor = 70);

-- Credentials with which external agents call the platform. They reach the endpoints of agents and nothing else.
create table agent_tokens (
    tenant_id   uuid not null references tenants (id) on delete cascade,
    id          uuid not null,
    agent_id    uuid not null references agents (id) on delete cascade,
    environment text not null check (environment ~ '^[a-z0-9]{1,16}$'),
    secret_hash bytea not null check (octet_length(secret_hash) = 32),
    expires_at  timestamptz,
    created_at  timestamptz not null,
    -- The token that replaced it at its rotation; set once, so that an old token creates no further ones.
    rotated_to  uuid,
    created_by  jsonb not null default '{"kind": "system", "id": "setup", "name": "setup"}',
    primary key (tenant_id, id)
);
create index agent_tokens_by_id on agent_tokens (id);
create index agent_tokens_of_agent on agent_tokens (agent_id);

-- The tenants that an agent is shared with, beside agents.shared_with_all: rows of the publisher.
create table agent_shares (
    tenant_id      uuid not null references tenants (id) on delete cascade,
    agent_id       uuid not null references agents (id) on delete cascade,
    -- The tenant that `recipient` names, if there is one. The API shows a share in the same way whether or not there is, so
    -- that nobody learns which tenants exist.
    recipient_id   uuid,
    created_by     jsonb not null,
    created_at     timestamptz not null,
    -- A slug or an id, as the publisher wrote it.
    recipient      text not null check (char_length(recipient) between 2 and 50),
    primary key (tenant_id, agent_id, recipient)
);
create index agent_shares_of_recipient on agent_shares (recipient_id, agent_id) where recipient_id is not null;

-- The shared agents that a tenant uses: rows of the user. Revoking a share removes them.
create table agent_enablements (
    tenant_id  uuid not null references tenants (id) on delete cascade,
    agent_id   uuid not null references agents (id) on delete cascade,
    created_by jsonb not null,
    created_at timestamptz not null,
    primary key (tenant_id, agent_id)
);
create index agent_enablements_of_agent on agent_enablements (agent_id);

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

do $$
declare
    name text;
begin
    foreach name in array array['agent_tokens', 'agent_shares', 'agent_enablements', 'agent_results'] loop
        execute format('alter table %I enable row level security', name);
        execute format('alter table %I force row level security', name);
        execute format('create policy tenant on %I to ioc_app using (tenant_id = app_tenant_id()) '
                       'with check (tenant_id = app_tenant_id())', name);
    end loop;
    foreach name in array array['agent_shares', 'agent_enablements', 'agent_results'] loop
        execute format('create policy directory on %I to ioc_directory using (true) with check (true)', name);
    end loop;
end $$;
create policy directory on agent_tokens for select to ioc_directory using (true);
alter table agents enable row level security;
alter table agents force row level security;
-- A tenant sees the platform's agents, its own, and those that it has enabled.
create policy visible on agents for select to ioc_app using (
    tenant_id is null or tenant_id = app_tenant_id()
    or exists (select 1 from agent_enablements e where e.tenant_id = app_tenant_id() and e.agent_id = agents.id));
create policy own on agents to ioc_app using (tenant_id = app_tenant_id()) with check (tenant_id = app_tenant_id());
create policy directory on agents to ioc_directory using (true) with check (true);

grant select, insert, update, delete on agents, agent_tokens to ioc_app;
grant select, insert, delete on agent_shares, agent_enablements to ioc_app;
grant update (recipient_id) on agent_shares to ioc_app;
grant select, delete on agent_results to ioc_app;
grant select, insert, update on agents to ioc_directory;
grant select on agent_tokens to ioc_directory;
grant select, delete on agent_shares, agent_enablements to ioc_directory;
grant select, insert on agent_results to ioc_directory;

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

-- How many sessions an agent may work on at once at this time; null = any number.
create function agent_capacity_now(agent agents, at timestamptz) returns integer
    language sql immutable parallel safe
    return case
        when agent.state <> 'active' or agent.liveness <> 'alive'
            or coalesce(agent.reported_status in ('degraded', 'offline'), false) then 0
        when agent.breaker_opened_at is null then agent.capacity
        when at < agent.breaker_opened_at + interval '10 minutes' then 0
        else 1
    end;

create function find_agent_token(token_id uuid)
    returns table (tenant_id uuid, tenant_slug text, tenant_active boolean, agent_id uuid, agent_name text, environment text,
                   secret_hash bytea, expires_at timestamptz)
    language sql stable security definer set search_path = public
begin atomic
    select k.tenant_id, t.slug, t.is_active, a.id, a.name, k.environment, k.secret_hash, k.expires_at
    from agent_tokens k
    join tenants t on t.id = k.tenant_id
    join agents a on a.id = k.agent_id and a.tenant_id = k.tenant_id
    where k.id = token_id;
end;

create function register_platform_agent(agent_id uuid, agent_name text, agent_kind text, agent_capacity integer,
                                        agent_capabilities text[], agent_routable boolean, at timestamptz)
    returns uuid
    language sql volatile security definer set search_path = public
begin atomic
    insert into agents (id, tenant_id, name, kind, capacity, capabilities, routable, created_at, updated_at)
    values (agent_id, null, agent_name, agent_kind, agent_capacity, agent_capabilities, agent_routable, at, at)
    on conflict (tenant_id, name) where state <> 'deregistered' do update
        set kind = excluded.kind, capacity = excluded.capacity, capabilities = excluded.capabilities,
            routable = excluded.routable, updated_at = excluded.updated_at
    returning id;
end;

-- Records the result of a run, once, and counts it for the agent. The breaker judges by the latest results: after every
-- twenty, the older ones count half. It opens below 3 of 10 successes once there are five results; a success closes it.
create function record_agent_result(tenant uuid, session uuid, of_run integer, agent uuid, of_success real, of_quality real,
                                    of_duration_ms bigint, of_cost_micros bigint, of_tokens bigint, of_error_code text,
                                    of_capabilities text[], of_at timestamptz) returns void
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
    ), latest as (
        select a.id,
               case when a.breaker_finished >= 20 then a.breaker_finished / 2 else a.breaker_finished end + 1 as finished,
               case when a.breaker_finished >= 20 then a.breaker_succeeded / 2 else a.breaker_succeeded end + of_success as succeeded
        from agents a join inserted i on i.agent_id = a.id
    )
    update agents a
    set finished = a.finished + 1,
        succeeded = a.succeeded + of_success,
        quality_sum = a.quality_sum + coalesce(of_quality, 0),
        quality_count = a.quality_count + (of_quality is not null)::integer,
        duration_ms_sum = a.duration_ms_sum + of_duration_ms,
        cost_micros_sum = a.cost_micros_sum + of_cost_micros,
        last_result_at = of_at,
        breaker_finished = case when a.breaker_opened_at is not null and of_success = 1 then 1 else l.finished end,
        breaker_succeeded = case when a.breaker_opened_at is not null and of_success = 1 then 1 else l.succeeded end,
        breaker_opened_at = case
            when a.breaker_opened_at is not null and of_success = 1 then null
            when a.breaker_opened_at is not null and of_at < a.breaker_opened_at + interval '10 minutes' then a.breaker_opened_at
            when a.breaker_opened_at is not null then of_at
            when l.finished >= 5 and l.succeeded / l.finished < 0.3 then of_at
        end
    from latest l
    where a.id = l.id;
end;

grant create on schema public to ioc_directory;
do $$
declare
    signature regprocedure;
begin
    foreach signature in array array[
        'find_agent_token(uuid)', 'register_platform_agent(uuid, text, text, integer, text[], boolean, timestamptz)',
        'record_agent_result(uuid, uuid, integer, uuid, real, real, bigint, bigint, bigint, text, text[], timestamptz)']::regprocedure[] loop
        execute format('alter function %s owner to ioc_directory', signature);
        execute format('revoke all on function %s from public', signature);
        execute format('grant execute on function %s to ioc_app', signature);
    end loop;
end $$;
revoke create on schema public from ioc_directory;
