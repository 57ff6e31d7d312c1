-- Tenants, keys, agents, sessions and what belongs to them.
--
-- Two roles, neither of which can log in until somebody gives it a password:
--   ioc_app        what the functions connect as: owns nothing, is subject to row-level security everywhere
--   ioc_directory  owns the few functions that must see more than one tenant; it can read the columns they need, no more

do $$ begin
    create role ioc_app nologin nosuperuser nobypassrls nocreatedb nocreaterole;
exception when duplicate_object or unique_violation then null; end $$;

do $$ begin
    create role ioc_directory nologin nosuperuser nobypassrls nocreatedb nocreaterole;
exception when duplicate_object or unique_violation then null; end $$;

do $$ begin
    if not pg_has_role(current_user, 'ioc_directory', 'member') then
        execute format('grant ioc_directory to %I', current_user);
    end if;
end $$;

revoke create on schema public from public;
grant usage on schema public to ioc_app, ioc_directory;

-- The tenant of this transaction; null when none was set, and then no row is visible.
create function app_tenant_id() returns uuid
    language sql stable parallel safe
    return nullif(current_setting('app.tenant_id', true), '')::uuid;

create table tenants (
    id                      uuid primary key,
    name                    text not null check (char_length(name) between 2 and 100),
    slug                    text not null unique check (slug ~ '^[a-z0-9-]{2,50}$'),
    max_concurrent_sessions integer not null default 10 check (max_concurrent_sessions between 0 and 100000),
    max_queued_sessions     integer not null default 1000 check (max_queued_sessions between 0 and 1000000),
    max_tokens_per_month    bigint not null default 1000000 check (max_tokens_per_month >= 0),
    admission               text not null default 'queue' check (admission in ('queue', 'reject')),
    is_active               boolean not null default true,
    metadata                jsonb not null default '{}' check (jsonb_typeof(metadata) = 'object'),
    version                 bigint not null default 1,
    created_at              timestamptz not null,
    updated_at              timestamptz not null
);

create table tenant_usage (
    tenant_id   uuid not null references tenants (id) on delete cascade,
    month       date not null check (extract(day from month) = 1),
    tokens      bigint not null default 0 check (tokens >= 0),
    cost_micros bigint not null default 0 check (cost_micros >= 0),
    primary key (tenant_id, month)
);

create table api_keys (
    tenant_id   uuid not null references tenants (id) on delete cascade,
    id          uuid not null unique,
    name        text not null check (char_length(name) between 1 and 100),
    environment text not null check (environment ~ '^[a-z0-9]{1,16}$'),
    role        text not null check (role in ('viewer', 'member', 'lead', 'admin')),
    secret_hash bytea not null check (octet_length(secret_hash) = 32),
    expires_at  timestamptz,
    revoked_at  timestamptz,
    created_at  timestamptz not null,
    primary key (tenant_id, id)
);

-- An agent without a tenant is the platform's own and serves every tenant. Without a capacity it takes any number.
create table agents (
    id           uuid primary key,
    tenant_id    uuid references tenants (id) on delete cascade,
    name         text not null check (name ~ '^[A-Za-z0-9_-]{1,100}$'),
    kind         text not null check (kind in ('opencode', 'scripted', 'manual')),
    capacity     integer check (capacity between 1 and 50),
    created_at   timestamptz not null,
    updated_at   timestamptz not null,
    unique nulls not distinct (tenant_id, name),
    check (capacity is not null or kind in ('scripted', 'manual'))
);

create table sessions (
    tenant_id            uuid not null references tenants (id) on delete cascade,
    id                   uuid not null,
    title                text not null check (char_length(title) between 1 and 200),
    description          text check (char_length(description) <= 1000),
    session_type         text not null check (session_type in ('planning', 'execution', 'review', 'debug', 'integration')),
    priority             smallint not null check (priority between 0 and 4),
    initial_prompt       text not null check (char_length(initial_prompt) between 1 and 10000),
    model_identifier     text,
    agent_config         jsonb not null check (jsonb_typeof(agent_config) = 'object'),
    workspace            jsonb,
    workspace_key        text,
    max_duration_seconds integer not null check (max_duration_seconds between 60 and 86400),
    cpu_limit            double precision check (cpu_limit between 0.1 and 8),
    memory_limit_mb      integer check (memory_limit_mb between 100 and 8192),
    tags                 text[] not null check (cardinality(tags) <= 20),
    metadata             jsonb not null check (jsonb_typeof(metadata) = 'object'),

    parent_id            uuid,
    root_id              uuid not null,
    depth                smallint not null check (depth between 1 and 10),
    tree_size            integer not null default 1 check (tree_size between 1 and 500),
    child_count          integer not null default 0 check (child_count >= 0),
    forked_from          jsonb,

    status               text not null check (status in ('pending', 'queued', 'running', 'paused', 'degraded', 'completed',
                             'partially_completed', 'failed', 'timeout', 'stopped', 'cancelled', 'orphaned')),
    status_changed_at    timestamptz not null,
    pause_reason         text check (pause_reason in ('manual', 'approval', 'input', 'auth', 'budget', 'quota', 'rate_limit',
                             'dependency', 'maintenance')),
    pause_question       jsonb,
    resume_at            timestamptz,
    outcome              jsonb,
    retry_count          integer not null default 0 check (retry_count between 0 and 3),

    -- What a person asked for and the next step carries out: {verb, reason, actor, ..}.
    intent               jsonb,

    -- The run: one handover to the agent and what it remembers.
    agent_id             uuid references agents (id),
    handover             jsonb,
    run                  integer not null default 0,
    run_started_at       timestamptz,
    run_state            jsonb,
    turns_with_changes   integer not null default 0,
    usage_by_scope       jsonb not null default '{}',

    -- The step: who works on the row, and when it is due again.
    fence                bigint not null default 0,
    lease_until          timestamptz,
    next_step_at         timestamptz,
    step_pause_ms        integer not null default 1000,
    attempts             integer not null default 0,
    auto_retries         integer not null default 0,
    unreachable_since    timestamptz,

    tokens_input         bigint not null default 0,
    tokens_output        bigint not null default 0,
    tokens_reasoning     bigint not null default 0,
    tokens_cached        bigint not null default 0,
    cost_micros          bigint not null default 0,

    queued_at            timestamptz,
    started_at           timestamptz,
    ended_at             timestamptz,
    active_since         timestamptz,
    active_ms            bigint not null default 0 check (active_ms >= 0),

    last_event_seq       bigint not null default 0,
    last_checkpoint      integer not null default 0,
    version              bigint not null default 1,
    created_by           jsonb not null,
    created_at           timestamptz not null,
    updated_at           timestamptz not null,

    primary key (tenant_id, id),
    foreign key (tenant_id, parent_id) references sessions (tenant_id, id) on delete set null (parent_id),

    constraint pause_reason_while_paused check ((status = 'paused') = (pause_reason is not null)),
    constraint question_while_paused check (pause_question is null or status = 'paused'),
    constraint resume_while_paused check (resume_at is null or status = 'paused'),
    constraint ended_when_over check ((ended_at is not null) = (status in
        ('completed', 'partially_completed', 'failed', 'timeout', 'stopped', 'cancelled', 'orphaned'))),
    constraint outcome_when_over check (outcome is null or ended_at is not null),
    constraint clock_while_active check ((active_since is not null) = (status in ('running', 'degraded'))),
    constraint queued_since check ((queued_at is not null) = (status = 'queued')),
    constraint running_has_agent check (status not in ('queued', 'running', 'degraded') or agent_id is not null)
);

-- Two sessions never run at once in one workspace: refused here whatever the code does.
create unique index sessions_workspace_in_use on sessions (tenant_id, workspace_key)
    where status in ('running', 'degraded') and workspace_key is not null;
create index sessions_by_status on sessions (tenant_id, status, id);
create index sessions_active on sessions (agent_id, tenant_id, root_id) where status in ('running', 'degraded');
create index sessions_slots on sessions (tenant_id) where status in ('running', 'degraded');
create index sessions_waiting on sessions (agent_id, tenant_id, queued_at) where status = 'queued';
create index sessions_due on sessions (next_step_at) where next_step_at is not null;
create index sessions_by_parent on sessions (tenant_id, parent_id) where parent_id is not null;
create index sessions_by_root on sessions (tenant_id, root_id);
create index sessions_by_tag on sessions using gin (tags);
create index sessions_paused_by_quota on sessions (tenant_id) where pause_reason = 'quota';

-- The transition table once more, so that no write can take a session where it may not go.
-- A test holds this, shared/src/session/status.rs and docs/architecture.md equal.
create function session_may_go(was text, goes text) returns boolean
    language sql immutable parallel safe
    return case was
        when 'pending'  then goes in ('queued', 'running', 'cancelled', 'failed', 'orphaned')
        when 'queued'   then goes in ('running', 'pending', 'cancelled', 'failed', 'timeout', 'orphaned')
        when 'running'  then goes in ('completed', 'partially_completed', 'failed', 'timeout', 'paused', 'stopped', 'degraded', 'orphaned')
        when 'paused'   then goes in ('running', 'queued', 'stopped', 'cancelled', 'timeout', 'orphaned')
        when 'degraded' then goes in ('running', 'completed', 'partially_completed', 'failed', 'timeout', 'paused', 'stopped', 'orphaned')
        when 'failed'   then goes in ('pending')
        when 'timeout'  then goes in ('pending')
        when 'stopped'  then goes in ('pending')
        else false
    end;

create function refuse_impossible_transition() returns trigger language plpgsql as $$
begin
    if not session_may_go(old.status, new.status) then
        raise exception 'a session cannot go from % to %', old.status, new.status
            using errcode = 'check_violation', constraint = 'session_transition';
    end if;
    return new;
end $$;

create trigger session_transition before update of status on sessions
    for each row when (old.status is distinct from new.status) execute function refuse_impossible_transition();

create table session_events (
    tenant_id  uuid not null,
    session_id uuid not null,
    seq        bigint not null check (seq > 0),
    id         uuid not null,
    type       text not null,
    actor      jsonb not null,
    at         timestamptz not null,
    payload    jsonb not null,
    primary key (tenant_id, session_id, seq),
    foreign key (tenant_id, session_id) references sessions (tenant_id, id) on delete cascade
);

create table session_checkpoints (
    tenant_id  uuid not null,
    session_id uuid not null,
    sequence   integer not null check (sequence > 0),
    cause      text not null check (cause in ('dispatch', 'turn', 'pause', 'stop', 'manual')),
    event_seq  bigint not null,
    run_state  jsonb,
    patch      text not null,
    summary    text not null,
    usage      jsonb not null,
    data       jsonb,
    note       text check (char_length(note) <= 1000),
    actor      jsonb not null,
    at         timestamptz not null,
    primary key (tenant_id, session_id, sequence),
    foreign key (tenant_id, session_id) references sessions (tenant_id, id) on delete cascade
);

create table session_files (
    tenant_id  uuid not null,
    session_id uuid not null,
    path       text not null,
    status     text not null check (status in ('added', 'modified', 'deleted', 'renamed')),
    additions  integer not null,
    deletions  integer not null,
    patch      text not null,
    primary key (tenant_id, session_id, path),
    foreign key (tenant_id, session_id) references sessions (tenant_id, id) on delete cascade
);

-- The bytes lie in the file store under tenant/session/sha256.
create table session_artifacts (
    tenant_id  uuid not null,
    session_id uuid not null,
    id         uuid not null,
    path       text not null check (char_length(path) between 1 and 1024),
    mime_type  text not null,
    size       bigint not null check (size between 0 and 10485760),
    sha256     text not null check (sha256 ~ '^[0-9a-f]{64}$'),
    at         timestamptz not null,
    primary key (tenant_id, session_id, id),
    unique (tenant_id, session_id, path),
    foreign key (tenant_id, session_id) references sessions (tenant_id, id) on delete cascade
);

-- What people said to a session; delivered to its agent by the next step.
create table session_messages (
    tenant_id    uuid not null,
    session_id   uuid not null,
    id           uuid not null,
    said         jsonb not null,
    actor        jsonb not null,
    at           timestamptz not null,
    delivered_at timestamptz,
    primary key (tenant_id, session_id, id),
    foreign key (tenant_id, session_id) references sessions (tenant_id, id) on delete cascade
);
create index session_messages_waiting on session_messages (tenant_id, session_id, id) where delivered_at is null;

-- Row-level security: forced, so that not even the owner passes it by accident.
do $$
declare
    name text;
begin
    foreach name in array array['tenant_usage', 'api_keys', 'sessions', 'session_events', 'session_checkpoints',
                                'session_files', 'session_artifacts', 'session_messages'] loop
        execute format('alter table %I enable row level security', name);
        execute format('alter table %I force row level security', name);
        execute format('create policy tenant on %I to ioc_app using (tenant_id = app_tenant_id()) '
                       'with check (tenant_id = app_tenant_id())', name);
    end loop;
end $$;
alter table tenants enable row level security;
alter table tenants force row level security;
create policy tenant on tenants to ioc_app using (id = app_tenant_id()) with check (id = app_tenant_id());
alter table agents enable row level security;
alter table agents force row level security;
create policy visible on agents for select to ioc_app using (tenant_id is null or tenant_id = app_tenant_id());
create policy own on agents to ioc_app using (tenant_id = app_tenant_id()) with check (tenant_id = app_tenant_id());

grant select, insert, update, delete on tenants, tenant_usage, api_keys, agents, sessions, session_checkpoints,
    session_files, session_artifacts, session_messages to ioc_app;
grant select, insert on session_events to ioc_app;     -- append-only

-- The directory: what must see more than one tenant, as functions that answer with ids and limits only.
grant select (id, slug, is_active, max_concurrent_sessions, max_tokens_per_month) on tenants to ioc_directory;
grant select on tenant_usage to ioc_directory;
grant select on api_keys to ioc_directory;
grant select, insert, update on agents to ioc_directory;
grant select (tenant_id, id, status, priority, queued_at, root_id, agent_id, workspace_key, next_step_at, lease_until,
              handover, pause_reason) on sessions to ioc_directory;
create policy directory on tenants for select to ioc_directory using (true);
create policy directory on tenant_usage for select to ioc_directory using (true);
create policy directory on api_keys for select to ioc_directory using (true);
create policy directory on sessions for select to ioc_directory using (true);
create policy directory on agents to ioc_directory using (true) with check (tenant_id is null);

create function find_api_key(key_id uuid)
    returns table (tenant_id uuid, tenant_slug text, tenant_active boolean, name text, environment text, role text,
                   secret_hash bytea, expires_at timestamptz, revoked_at timestamptz)
    language sql stable security definer set search_path = public
begin atomic
    select k.tenant_id, t.slug, t.is_active, k.name, k.environment, k.role, k.secret_hash, k.expires_at, k.revoked_at
    from api_keys k join tenants t on t.id = k.tenant_id
    where k.id = key_id;
end;

create function find_tenant(named text)
    returns table (id uuid, slug text, is_active boolean)
    language sql stable security definer set search_path = public
begin atomic
    select t.id, t.slug, t.is_active from tenants t where t.slug = named or t.id::text = named;
end;

create function register_platform_agent(agent_id uuid, agent_name text, agent_kind text, agent_capacity integer, at timestamptz)
    returns uuid
    language sql volatile security definer set search_path = public
begin atomic
    insert into agents (id, tenant_id, name, kind, capacity, created_at, updated_at)
    values (agent_id, null, agent_name, agent_kind, agent_capacity, at, at)
    on conflict (tenant_id, name) do update
        set kind = excluded.kind, capacity = excluded.capacity, updated_at = excluded.updated_at
    returning id;
end;

-- How many sessions of all tenants an agent works on.
create function agent_running(named uuid) returns bigint
    language sql stable security definer set search_path = public
begin atomic
    select count(*) from sessions s where s.agent_id = named and s.status in ('running', 'degraded');
end;

-- Rows whose step is due and that nobody works on, oldest first.
create function due_sessions(at timestamptz, most integer)
    returns table (tenant_id uuid, session_id uuid, status text, handover boolean)
    language sql stable security definer set search_path = public
begin atomic
    select s.tenant_id, s.id, s.status, s.handover is not null
    from sessions s
    where s.next_step_at <= at and (s.lease_until is null or s.lease_until <= at)
    order by s.next_step_at
    limit most;
end;

-- Agents that somebody waits for.
create function agents_waited_for() returns table (agent_id uuid)
    language sql stable security definer set search_path = public
begin atomic
    select distinct s.agent_id from sessions s where s.status = 'queued';
end;

-- Sessions held by the token quota whose tenant has tokens again.
create function sessions_with_tokens_again(this_month date, most integer)
    returns table (tenant_id uuid, session_id uuid)
    language sql stable security definer set search_path = public
begin atomic
    select s.tenant_id, s.id
    from sessions s
    join tenants t on t.id = s.tenant_id
    left join tenant_usage u on u.tenant_id = s.tenant_id and u.month = this_month
    where s.pause_reason = 'quota'
      and (t.max_tokens_per_month = 0 or coalesce(u.tokens, 0) < t.max_tokens_per_month)
    limit most;
end;

-- Whose turn it is on an agent. Within a tenant: by priority (one step better per 10 minutes of waiting), then by
-- fewest sessions of the same tree running or ahead, then by age. Between tenants: by fewest running or ahead.
create function next_turns(agent uuid, at timestamptz, this_month date, most integer)
    returns table (tenant_id uuid, session_id uuid)
    language sql stable security definer set search_path = public
begin atomic
    with busy as (
        select s.tenant_id, s.root_id, count(*) as running
        from sessions s where s.agent_id = agent and s.status in ('running', 'degraded')
        group by s.tenant_id, s.root_id
    ), tenant as (
        select t.id,
               t.max_concurrent_sessions - (select count(*) from sessions r
                   where r.tenant_id = t.id and r.status in ('running', 'degraded')) as free,
               coalesce((select sum(b.running) from busy b where b.tenant_id = t.id), 0) as running
        from tenants t
        left join tenant_usage u on u.tenant_id = t.id and u.month = this_month
        where t.is_active
          and (t.max_tokens_per_month = 0 or coalesce(u.tokens, 0) < t.max_tokens_per_month)
          and t.id in (select q.tenant_id from sessions q where q.agent_id = agent and q.status = 'queued')
    ), waiting as (
        select s.tenant_id, s.id, s.root_id, s.queued_at, t.running, t.free,
               greatest(s.priority - floor(extract(epoch from at - s.queued_at) / 600), 0) as priority
        from sessions s join tenant t on t.id = s.tenant_id
        where s.agent_id = agent and s.status = 'queued' and t.free > 0
          and not exists (select 1 from sessions w where w.tenant_id = s.tenant_id
                          and w.workspace_key = s.workspace_key and w.status in ('running', 'degraded'))
    ), by_tree as (
        select w.*, coalesce(b.running, 0)
               + row_number() over (partition by w.tenant_id, w.root_id order by w.priority, w.queued_at, w.id) as tree_turn
        from waiting w left join busy b on b.tenant_id = w.tenant_id and b.root_id = w.root_id
    ), by_tenant as (
        select b.*, row_number() over (partition by b.tenant_id order by b.priority, b.tree_turn, b.queued_at, b.id) as place
        from by_tree b
    )
    select b.tenant_id, b.id
    from by_tenant b
    where b.place <= b.free
    order by b.running + b.place, b.priority, b.queued_at, b.id
    limit most;
end;

grant create on schema public to ioc_directory;
do $$
declare
    signature regprocedure;
begin
    foreach signature in array array[
        'find_api_key(uuid)', 'find_tenant(text)', 'register_platform_agent(uuid, text, text, integer, timestamptz)',
        'agent_running(uuid)', 'due_sessions(timestamptz, integer)', 'agents_waited_for()',
        'sessions_with_tokens_again(date, integer)', 'next_turns(uuid, timestamptz, date, integer)']::regprocedure[] loop
        execute format('alter function %s owner to ioc_directory', signature);
        execute format('revoke all on function %s from public', signature);
        execute format('grant execute on function %s to ioc_app', signature);
    end loop;
end $$;
revoke create on schema public from ioc_directory;
