-- The registry of agents: what they declare, what their owners decided, who may use them, and their own tokens.

create table agents (
    id                uuid primary key,
    -- An agent without a tenant belongs to the platform and serves every tenant.
    tenant_id         uuid references tenants (id) on delete cascade,
    name              text not null check (name ~ '^[A-Za-z0-9_-]{1,100}$'),
    kind              text not null constraint agents_kind check (kind in ('scripted', 'manual', 'eap', 'a2a')),
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
    -- A lead trusts it: it gets work without having proven itself, and of everybody in the tenant.
    trusted           boolean not null default false,
    -- It takes only the sessions of whoever registered it, until a lead trusts it.
    restricted        boolean not null default false,
    -- The person who registered it.
    registered_by     uuid,
    -- When it passed the conformance suite, as a lead recorded.
    conformance_passed_at timestamptz,
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
    -- Since when it has let offers pass: it gets no further ones until its next claim.
    offers_ignored_since timestamptz,
    -- Totals over its finished runs, at most twenty of each tenant, in proportion; means count only the results that had the
    -- value.
    finished          bigint not null default 0,
    succeeded         double precision not null default 0,
    quality_sum       double precision not null default 0,
    quality_count     bigint not null default 0,
    duration_ms_sum   double precision not null default 0,
    cost_micros_sum   double precision not null default 0,
    last_result_at    timestamptz,
    -- How many tenants have results of it.
    result_tenants    integer not null default 0,
    -- The circuit breaker for all tenants: since when it is open, and the failures behind it.
    breaker_opened_at timestamptz,
    breaker_failures  bigint not null default 0,
    -- The breaker of its server: since when it does not answer, how often a probe failed, and when the next is due.
    server_down_since timestamptz,
    server_failures   integer not null default 0,
    server_probe_at   timestamptz,
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
create index agents_server_down on agents (server_probe_at) where server_down_since is not null;
create index agents_of_person on agents (tenant_id, registered_by) where registered_by is not null;
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
    -- When it was first used. Its successor can be replaced until then.
    used_at     timestamptz,
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

do $$
declare
    name text;
begin
    foreach name in array array['agent_tokens', 'agent_shares', 'agent_enablements'] loop
        execute format('alter table %I enable row level security', name);
        execute format('alter table %I force row level security', name);
        execute format('create policy tenant on %I to ioc_app using (tenant_id = app_tenant_id()) '
                       'with check (tenant_id = app_tenant_id())', name);
        execute format('create policy directory on %I to ioc_directory using (true) with check (true)', name);
    end loop;
end $$;
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
grant select, insert, update on agents to ioc_directory;
grant select, update (used_at, expires_at) on agent_tokens to ioc_directory;
grant select, delete on agent_shares, agent_enablements to ioc_directory;

-- How many sessions an agent may work on at once at this time, for all tenants together; null = any number.
create function agent_capacity_now(agent agents, at timestamptz) returns integer
    language sql immutable parallel safe
    return case
        when agent.state <> 'active' or agent.liveness <> 'alive' or agent.offers_ignored_since is not null
            or agent.server_down_since is not null
            or coalesce(agent.reported_status in ('degraded', 'offline'), false)
            or coalesce(at < agent.breaker_opened_at + interval '10 minutes', false) then 0
        else agent.capacity
    end;

-- The token of an agent, and whether it was used and its agent was removed: a rotation whose answer was lost can be
-- repeated, and a removed agent learns that it was removed.
create function find_agent_credential(token_id uuid)
    returns table (tenant_id uuid, tenant_slug text, tenant_active boolean, agent_id uuid, agent_name text, environment text,
                   secret_hash bytea, expires_at timestamptz, used boolean, deregistered boolean)
    language sql stable security definer set search_path = public
begin atomic
    select k.tenant_id, t.slug, t.is_active, a.id, a.name, k.environment, k.secret_hash, k.expires_at, k.used_at is not null,
           a.state = 'deregistered'
    from agent_tokens k
    join tenants t on t.id = k.tenant_id
    join agents a on a.id = k.agent_id and a.tenant_id = k.tenant_id
    where k.id = token_id;
end;

create function record_agent_token_use(token_id uuid, at timestamptz) returns void
    language sql volatile security definer set search_path = public
begin atomic
    update agent_tokens k set used_at = at where k.id = token_id and k.used_at is null;
end;

-- The operator configures the agents of the platform, so they are trusted.
create function register_platform_agent(agent_id uuid, agent_name text, agent_kind text, agent_capacity integer,
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

grant create on schema public to ioc_directory;
do $$
declare
    signature regprocedure;
begin
    foreach signature in array array[
        'find_agent_credential(uuid)',
        'record_agent_token_use(uuid, timestamptz)',
        'register_platform_agent(uuid, text, text, integer, text[], boolean, timestamptz)',
        'update_platform_agent(uuid, text, boolean, timestamptz)',
        'suspend_agents_of(uuid, boolean, timestamptz)']::regprocedure[] loop
        execute format('alter function %s owner to ioc_directory', signature);
        execute format('revoke all on function %s from public', signature);
        execute format('grant execute on function %s to ioc_app', signature);
    end loop;
end $$;
revoke create on schema public from ioc_directory;
