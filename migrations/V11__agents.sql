-- The registry of agents: what they say of themselves, what their owners decided, how they do, and who may use them.

alter table agents
    drop constraint agents_kind_check,
    drop constraint agents_check,
    add constraint agents_kind check (kind in ('opencode', 'scripted', 'manual', 'eap', 'a2a')),
    add constraint agents_capacity check (capacity is not null or kind in ('scripted', 'manual')),
    add column agent_type        text not null default 'implementer' check (agent_type in ('architect', 'implementer',
                                     'reviewer', 'debugger', 'integrator', 'orchestrator', 'analyst', 'optimizer')),
    add column description       text check (char_length(description) <= 1000),
    -- Of the list in shared/src/agent/capability.rs, which the code alone checks.
    add column capabilities      text[] not null default '{}' check (cardinality(capabilities) <= 33),
    add column skills            text[] not null default '{}' check (cardinality(skills) <= 100),
    add column endpoint_url      text check (char_length(endpoint_url) <= 2000),
    -- What we prove ourselves with at the endpoint, sealed under the pepper.
    add column endpoint_secret   bytea,
    add column software_version  text check (char_length(software_version) <= 100),
    add column metadata          jsonb not null default '{}' check (jsonb_typeof(metadata) = 'object'),
    -- Whether sessions that name no agent may come to it.
    add column routable          boolean not null default true,
    -- What its owner decided.
    add column state             text not null default 'active' check (state in ('active', 'draining', 'maintenance', 'deregistered')),
    add column deregistered_at   timestamptz,
    -- What its heartbeats tell; agents that send none are always alive as far as this goes.
    add column liveness          text not null default 'alive' check (liveness in ('alive', 'suspect', 'offline')),
    add column liveness_since    timestamptz,
    add column last_heartbeat_at timestamptz,
    add column reported_status   text check (reported_status in ('healthy', 'degraded', 'busy', 'offline')),
    add column reported_load     double precision check (reported_load between 0 and 1),
    add column reported_tasks    integer check (reported_tasks >= 0),
    add column metrics           jsonb not null default '{}',
    -- What came of its work; means count only the results that had the value.
    add column finished          bigint not null default 0,
    add column succeeded         double precision not null default 0,
    add column quality_sum       double precision not null default 0,
    add column quality_count     bigint not null default 0,
    add column duration_ms_sum   double precision not null default 0,
    add column cost_micros_sum   double precision not null default 0,
    add column last_result_at    timestamptz,
    -- The breaker: what came since it was last closed, and since when it is open.
    add column breaker_finished  bigint not null default 0,
    add column breaker_succeeded double precision not null default 0,
    add column breaker_opened_at timestamptz,
    add column shared_with_all   boolean not null default false,
    add column version           bigint not null default 1,
    add column created_by        jsonb not null default '{"kind": "system", "id": "setup", "name": "setup"}',
    add constraint deregistered_since check ((deregistered_at is not null) = (state = 'deregistered')),
    -- A name that was deregistered may be used again.
    drop constraint agents_tenant_id_name_key;
create unique index agents_name on agents (tenant_id, name) nulls not distinct where state <> 'deregistered';
create index agents_silent on agents (last_heartbeat_at) where kind = 'eap' and state <> 'deregistered' and liveness <> 'offline';

create or replace function register_platform_agent(agent_id uuid, agent_name text, agent_kind text, agent_capacity integer, at timestamptz)
    returns uuid
    language sql volatile security definer set search_path = public
begin atomic
    insert into agents (id, tenant_id, name, kind, capacity, routable, created_at, updated_at)
    values (agent_id, null, agent_name, agent_kind, agent_capacity, agent_kind <> 'manual', at, at)
    on conflict (tenant_id, name) where state <> 'deregistered' do update
        set kind = excluded.kind, capacity = excluded.capacity, routable = excluded.routable, updated_at = excluded.updated_at
    returning id;
end;

-- With whom an agent is shared beside all (agents.shared_with_all): the publisher's rows.
create table agent_shares (
    tenant_id  uuid not null references tenants (id) on delete cascade,
    agent_id   uuid not null references agents (id) on delete cascade,
    with_id    uuid not null,
    created_by jsonb not null,
    created_at timestamptz not null,
    primary key (tenant_id, agent_id, with_id)
);

-- Which shared agents a tenant uses: the user's rows. Revoking a share removes them.
create table agent_enablements (
    tenant_id  uuid not null references tenants (id) on delete cascade,
    agent_id   uuid not null references agents (id) on delete cascade,
    created_by jsonb not null,
    created_at timestamptz not null,
    primary key (tenant_id, agent_id)
);
create index agent_enablements_of_agent on agent_enablements (agent_id);

-- What came of each run, written with its end: the rows of the tenant whose session it was.
create table agent_results (
    tenant_id    uuid not null references tenants (id) on delete cascade,
    session_id   uuid not null,
    run          integer not null,
    agent_id     uuid not null references agents (id) on delete cascade,
    -- 1, 0.5 when part of the work stands, 0.
    success      real not null check (success between 0 and 1),
    quality      real check (quality between 0 and 1),
    duration_ms  bigint not null check (duration_ms >= 0),
    cost_micros  bigint not null check (cost_micros >= 0),
    tokens       bigint not null check (tokens >= 0),
    error_code   text,
    capabilities text[] not null,
    at           timestamptz not null,
    primary key (tenant_id, session_id, run)
);
create index agent_results_of_agent on agent_results (agent_id, at desc);

do $$
declare
    name text;
begin
    foreach name in array array['agent_shares', 'agent_enablements', 'agent_results'] loop
        execute format('alter table %I enable row level security', name);
        execute format('alter table %I force row level security', name);
        execute format('create policy tenant on %I to ioc_app using (tenant_id = app_tenant_id()) '
                       'with check (tenant_id = app_tenant_id())', name);
        execute format('create policy directory on %I to ioc_directory using (true) with check (true)', name);
    end loop;
end $$;
grant select, insert, delete on agent_shares, agent_enablements to ioc_app;
grant select, delete on agent_results to ioc_app;
grant select, delete on agent_shares, agent_enablements to ioc_directory;
grant select, insert on agent_results to ioc_directory;

-- An enabled agent is seen by the tenant that enabled it.
drop policy visible on agents;
create policy visible on agents for select to ioc_app using (
    tenant_id is null or tenant_id = app_tenant_id()
    or exists (select 1 from agent_enablements e where e.tenant_id = app_tenant_id() and e.agent_id = agents.id));
-- The directory notes results, liveness and what heartbeats tell, of agents of tenants too.
drop policy directory on agents;
create policy directory on agents to ioc_directory using (true) with check (true);

-- On how many sessions of all tenants each of these agents works.
create function agents_running(named uuid[]) returns table (agent_id uuid, running bigint)
    language sql stable security definer set search_path = public
begin atomic
    select s.agent_id, count(*) from sessions s
    where s.agent_id = any(named) and s.status in ('running', 'degraded')
    group by s.agent_id;
end;

grant create on schema public to ioc_directory;
do $$
declare
    signature regprocedure;
begin
    foreach signature in array array['agents_running(uuid[])']::regprocedure[] loop
        execute format('alter function %s owner to ioc_directory', signature);
        execute format('revoke all on function %s from public', signature);
        execute format('grant execute on function %s to ioc_app', signature);
    end loop;
end $$;
revoke create on schema public from ioc_directory;
