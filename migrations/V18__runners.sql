-- Runners: the machines on which the agents of a pool work, how they enrol, their credentials, and their leases.

-- An agent of a pool stands for one program on all runners of the pool. Its capacity follows from them, and is 0 while
-- none takes work.
alter table agents
    add column pool    text check (pool ~ '^[a-z0-9][a-z0-9-]{0,39}$'),
    add column program text check (program ~ '^[a-z0-9][a-z0-9_-]{0,39}$'),
    add constraint pool_with_program check ((pool is null) = (program is null)),
    drop constraint agents_capacity_check,
    add constraint agents_capacity_check check (capacity between (case when pool is null then 1 else 0 end) and 50);
create unique index agents_of_pool on agents (tenant_id, pool, program) where pool is not null and state <> 'deregistered';

-- Tokens with which runners enrol in a pool. They open nothing else.
create table runner_enrolments (
    tenant_id   uuid not null references tenants (id) on delete cascade,
    id          uuid not null,
    pool        text not null check (pool ~ '^[a-z0-9][a-z0-9-]{0,39}$'),
    -- Whether more than one runner may enrol with it.
    reusable    boolean not null,
    environment text not null check (environment ~ '^[a-z0-9]{1,16}$'),
    secret_hash bytea not null check (octet_length(secret_hash) = 32),
    expires_at  timestamptz not null,
    -- How many runners have enrolled with it.
    runners     integer not null default 0 check (runners >= 0),
    created_by  jsonb not null,
    created_at  timestamptz not null,
    primary key (tenant_id, id)
);
create index runner_enrolments_by_id on runner_enrolments (id);

create table runners (
    tenant_id        uuid not null references tenants (id) on delete cascade,
    id               uuid not null,
    pool             text not null check (pool ~ '^[a-z0-9][a-z0-9-]{0,39}$'),
    name             text not null check (name ~ '^[A-Za-z0-9][A-Za-z0-9._-]{0,99}$'),
    version          text not null check (char_length(version) <= 100),
    os               text not null check (char_length(os) <= 100),
    arch             text not null check (char_length(arch) <= 100),
    labels           jsonb not null default '{}' check (jsonb_typeof(labels) = 'object'),
    slots            integer not null check (slots between 1 and 50),
    isolation        text not null check (isolation in ('none', 'process', 'container', 'sandbox')),
    isolation_reason text check (char_length(isolation_reason) <= 1000),
    -- What it offers: an array of {program, version}.
    programs         jsonb not null check (jsonb_typeof(programs) = 'array'),
    protocol_version text not null,
    -- A lead drains it.
    drain_requested  boolean not null default false,
    -- A lead ended that, and the runner has not reported yet that it is active again.
    resume_requested boolean not null default false,
    -- What it reports of itself.
    reports_draining boolean not null default false,
    is_offline       boolean not null default false,
    state            text not null generated always as (
                         case when is_offline then 'offline'
                              when drain_requested or reports_draining then 'draining' else 'active' end) stored,
    -- What it reports of its tasks: an array of {task_id, phase, rss_mb, cpu_percent}.
    jobs             jsonb not null default '[]' check (jsonb_typeof(jobs) = 'array'),
    last_seen_at     timestamptz not null,
    removed_at       timestamptz,
    -- The lead who created the enrolment.
    created_by       jsonb not null,
    created_at       timestamptz not null,
    updated_at       timestamptz not null,
    primary key (tenant_id, id)
);
create unique index runners_name on runners (tenant_id, pool, name) where removed_at is null;
create index runners_by_id on runners (id);
create index runners_online on runners (id) where not is_offline and removed_at is null;
-- A sign of life changes no indexed column.
alter table runners set (fillfactor = 70);

create table runner_credentials (
    tenant_id   uuid not null references tenants (id) on delete cascade,
    id          uuid not null,
    runner_id   uuid not null,
    environment text not null check (environment ~ '^[a-z0-9]{1,16}$'),
    secret_hash bytea not null check (octet_length(secret_hash) = 32),
    expires_at  timestamptz not null,
    -- The credential that replaced it at its rotation; set once, unless the successor was never used.
    rotated_to  uuid,
    used_at     timestamptz,
    created_at  timestamptz not null,
    primary key (tenant_id, id),
    foreign key (tenant_id, runner_id) references runners (tenant_id, id) on delete cascade
);
create index runner_credentials_by_id on runner_credentials (id);
create index runner_credentials_of_runner on runner_credentials (tenant_id, runner_id);

-- The runner that holds the lease of a task; null for agents without runners. It may belong to another tenant. `phases`:
-- when each phase of the run began, in milliseconds since 1970.
alter table agent_tasks
    add column runner_id uuid,
    add column phases    jsonb not null default '{}' check (jsonb_typeof(phases) = 'object');
create index agent_tasks_of_runner on agent_tasks (runner_id) where runner_id is not null and status = 'leased';

do $$
declare
    name text;
begin
    foreach name in array array['runner_enrolments', 'runners', 'runner_credentials'] loop
        execute format('alter table %I enable row level security', name);
        execute format('alter table %I force row level security', name);
        execute format('create policy tenant on %I to ioc_app using (tenant_id = app_tenant_id()) '
                       'with check (tenant_id = app_tenant_id())', name);
        execute format('create policy directory on %I to ioc_directory using (true) with check (true)', name);
    end loop;
end $$;
grant select, insert, update, delete on runner_enrolments to ioc_app;
grant select, insert, update on runners, runner_credentials to ioc_app;
grant select, update, delete on runners to ioc_directory;
grant select, update (used_at), delete on runner_credentials to ioc_directory;
grant select, delete on runner_enrolments to ioc_directory;

-- The credential of a runner, with the agents of its pool whose tasks it may lease.
create function find_runner_credential(credential uuid)
    returns table (tenant_id uuid, tenant_slug text, tenant_active boolean, runner_id uuid, runner_name text, pool text,
                   environment text, secret_hash bytea, expires_at timestamptz, used boolean, removed boolean, agents jsonb)
    language sql stable security definer set search_path = public
begin atomic
    select k.tenant_id, t.slug, t.is_active, r.id, r.name, r.pool, k.environment, k.secret_hash, k.expires_at,
           k.used_at is not null, r.removed_at is not null,
           (select coalesce(jsonb_object_agg(a.id::text, a.name), '{}') from agents a
            where a.tenant_id = k.tenant_id and a.pool = r.pool and a.state <> 'deregistered')
    from runner_credentials k
    join tenants t on t.id = k.tenant_id
    join runners r on r.tenant_id = k.tenant_id and r.id = k.runner_id
    where k.id = credential;
end;

create function record_runner_credential_use(credential uuid, at timestamptz) returns void
    language sql volatile security definer set search_path = public
begin atomic
    update runner_credentials k set used_at = at where k.id = credential and k.used_at is null;
end;

create function find_runner_enrolment(enrolment uuid)
    returns table (tenant_id uuid, tenant_slug text, tenant_active boolean, pool text, environment text, secret_hash bytea,
                   expires_at timestamptz, used_up boolean, created_by jsonb)
    language sql stable security definer set search_path = public
begin atomic
    select e.tenant_id, t.slug, t.is_active, e.pool, e.environment, e.secret_hash, e.expires_at,
           not e.reusable and e.runners > 0, e.created_by
    from runner_enrolments e join tenants t on t.id = e.tenant_id
    where e.id = enrolment;
end;

-- The lock under which the runners of a pool change their state, so that the capacity of its agents is never computed
-- from half of a change. `lock_names::runner_pool` has the same name.
create function lock_runner_pool(owner uuid, of_pool text) returns void
    language sql volatile
    return pg_advisory_xact_lock(hashtextextended(format('pool:%s:%s', owner, of_pool), 0));

-- Brings the agents of a pool up to its runners: the capacity is the sum of the slots of the active ones, and an agent is
-- alive while a runner that offers its program is. Publishes each change of an agent's liveness.
create function refresh_runner_pool(owner uuid, of_pool text, at timestamptz) returns void
    language plpgsql volatile security definer set search_path = public as $$
begin
    perform lock_runner_pool(owner, of_pool);
    perform 1 from agents a where a.tenant_id = owner and a.pool = of_pool and a.state <> 'deregistered'
        order by a.id for no key update;
    with live as (
        select p.value ->> 'program' as program, coalesce(sum(r.slots) filter (where r.state = 'active'), 0) as slots
        from runners r cross join lateral jsonb_array_elements(r.programs) p
        where r.tenant_id = owner and r.pool = of_pool and r.removed_at is null and r.state <> 'offline'
        group by 1
    ), before as (
        select a.id, a.liveness, least(coalesce(l.slots, 0), 50)::integer as slots,
               case when l.program is null then 'offline' else 'alive' end as new_liveness
        from agents a left join live l on l.program = a.program
        where a.tenant_id = owner and a.pool = of_pool and a.state <> 'deregistered'
    ), changed as (
        update agents a
        set capacity = b.slots, liveness = b.new_liveness,
            liveness_since = case when b.liveness = b.new_liveness then a.liveness_since else at end,
            last_heartbeat_at = case when b.new_liveness = 'alive' then greatest(a.last_heartbeat_at, at)
                                     else a.last_heartbeat_at end
        from before b where a.id = b.id
        returning a.id, a.name, a.state, a.liveness, b.liveness as previous
    )
    insert into tenant_events (tenant_id, topic, id, type, actor, at, payload)
    select owner, 'agents', new_event_id(at), 'agent.status_changed',
        jsonb_build_object('kind', 'system', 'id', 'runners', 'name', 'runners'), at,
        jsonb_build_object('agent_id', c.id, 'name', c.name, 'state', c.state, 'liveness', c.liveness)
    from changed c where c.liveness <> c.previous;
end $$;

-- Publishes the state of a runner. `actor` is who changed it.
create function publish_runner_state(r runners, type text, actor jsonb, at timestamptz) returns void
    language sql volatile security definer set search_path = public
begin atomic
    insert into tenant_events (tenant_id, topic, id, type, actor, at, payload)
    values ((r).tenant_id, 'agents', new_event_id(at), type, actor, at,
        jsonb_build_object('runner_id', (r).id, 'name', (r).name, 'pool', (r).pool, 'state', (r).state));
end;

-- Revokes the leases of a runner: its reports are refused from now on, and another runner of the pool may claim its tasks
-- at once. A task that was cancelled is closed. Returns the sessions, and the agents whose claims are to be woken.
create function revoke_runner_leases(runner uuid, at timestamptz)
    returns table (tenant_id uuid, session_id uuid, agent_id uuid)
    language sql volatile security definer set search_path = public
begin atomic
    update agent_tasks t
    -- The token is no grant, so it does not count towards the limit of grants.
    set lease_token = t.lease_token + 1, reissues = t.reissues + 1, lease_until = least(t.lease_until, at), runner_id = null,
        status = case when t.cancel_requested then 'closed' else t.status end, updated_at = at
    where t.runner_id = runner and t.status = 'leased'
    returning t.tenant_id, t.session_id, t.agent_id;
end;

-- Records a sign of life of a runner and, at most once per interval (`quiet_before` is its beginning), of one of its agents.
-- Returns whether the agents of its pool may get work again since.
create function record_runner_call(runner uuid, agent uuid, at timestamptz, quiet_before timestamptz, claims boolean)
    returns boolean
    language plpgsql volatile security definer set search_path = public as $$
declare
    r runners;
    is_back boolean := false;
begin
    select * into r from runners x where x.id = runner and x.removed_at is null;
    if r.is_offline then
        perform lock_runner_pool(r.tenant_id, r.pool);
        update runners x set is_offline = false, last_seen_at = greatest(x.last_seen_at, at), updated_at = at
        where x.tenant_id = r.tenant_id and x.id = runner and x.is_offline and x.removed_at is null
        returning * into r;
        if found then
            perform publish_runner_state(r, 'runner.status_changed',
                jsonb_build_object('kind', 'runner', 'id', r.id, 'name', r.name), at);
            perform refresh_runner_pool(r.tenant_id, r.pool, at);
            is_back := true;
        end if;
    elsif r.last_seen_at < quiet_before then
        update runners x set last_seen_at = greatest(x.last_seen_at, at) where x.tenant_id = r.tenant_id and x.id = runner;
    end if;
    return record_agent_call(agent, at, quiet_before, claims) or is_back;
end $$;

-- Records a heartbeat of a runner, which is a sign of life of all its agents. No row if there is no such runner.
create function record_runner_heartbeat(runner uuid, at timestamptz, quiet_before timestamptz, new_state text, new_jobs jsonb)
    returns table (previous_state text, state text, drain boolean, resume boolean, agents uuid[])
    language plpgsql volatile security definer set search_path = public as $$
#variable_conflict use_column
declare
    r runners;
    now_is runners;
    of_pool uuid[];
begin
    select * into r from runners x where x.id = runner and x.removed_at is null;
    if r.id is null then
        return;
    end if;
    if r.is_offline <> (new_state = 'offline') or r.reports_draining <> (new_state = 'draining') then
        perform lock_runner_pool(r.tenant_id, r.pool);
        -- As the holder of the lock before left it.
        select * into r from runners x where x.tenant_id = r.tenant_id and x.id = runner;
    end if;
    update runners x
    set last_seen_at = greatest(x.last_seen_at, at), jobs = new_jobs, is_offline = new_state = 'offline',
        reports_draining = new_state = 'draining', resume_requested = x.resume_requested and new_state = 'draining'
    where x.tenant_id = r.tenant_id and x.id = runner and x.removed_at is null
    returning * into now_is;
    if not found then
        return;
    end if;
    if now_is.state <> r.state then
        perform publish_runner_state(now_is, 'runner.status_changed',
            jsonb_build_object('kind', 'runner', 'id', r.id, 'name', r.name), at);
        perform refresh_runner_pool(r.tenant_id, r.pool, at);
    end if;
    select array_agg(a.id order by a.id) into of_pool from agents a
    where a.tenant_id = r.tenant_id and a.pool = r.pool and a.state <> 'deregistered'
      and r.programs @> jsonb_build_array(jsonb_build_object('program', a.program));
    if new_state <> 'offline' then
        perform record_agent_call(id, at, quiet_before, false) from unnest(of_pool) as id;
    end if;
    return query select r.state, now_is.state, now_is.drain_requested and new_state = 'active', now_is.resume_requested,
        coalesce(of_pool, '{}');
end $$;

-- Marks the runners that were silent for too long as offline, and brings their pools up to that. Their leases end by
-- themselves: they last no longer than a runner may be silent.
create function mark_silent_runners(offline_before timestamptz, at timestamptz) returns table (runner_id uuid, runner_name text)
    language plpgsql volatile security definer set search_path = public as $$
#variable_conflict use_column
declare
    silent record;
    r runners;
begin
    for silent in
        select distinct x.tenant_id, x.pool from runners x
        where not x.is_offline and x.removed_at is null and x.last_seen_at <= offline_before order by 1, 2
    loop
        perform lock_runner_pool(silent.tenant_id, silent.pool);
        for r in
            update runners x set is_offline = true, updated_at = at
            where x.tenant_id = silent.tenant_id and x.pool = silent.pool and not x.is_offline and x.removed_at is null
              and x.last_seen_at <= offline_before
            returning x.*
        loop
            perform publish_runner_state(r, 'runner.status_changed',
                jsonb_build_object('kind', 'system', 'id', 'liveness', 'name', 'liveness'), at);
            runner_id := r.id;
            runner_name := r.name;
            return next;
        end loop;
        perform refresh_runner_pool(silent.tenant_id, silent.pool, at);
    end loop;
end $$;

-- Deletes what is only history: runners that were removed or silent since `before`, and enrolments that expired before it.
create function delete_outdated_runners(before timestamptz) returns void
    language sql volatile security definer set search_path = public
begin atomic
    delete from runners r where r.removed_at < before or (r.is_offline and r.last_seen_at < before);
    delete from runner_enrolments e where e.expires_at < before;
end;

grant create on schema public to ioc_directory;
do $$
declare
    signature regprocedure;
begin
    foreach signature in array array[
        'find_runner_credential(uuid)', 'record_runner_credential_use(uuid, timestamptz)', 'find_runner_enrolment(uuid)',
        'refresh_runner_pool(uuid, text, timestamptz)', 'publish_runner_state(runners, text, jsonb, timestamptz)',
        'revoke_runner_leases(uuid, timestamptz)', 'record_runner_call(uuid, uuid, timestamptz, timestamptz, boolean)',
        'record_runner_heartbeat(uuid, timestamptz, timestamptz, text, jsonb)',
        'mark_silent_runners(timestamptz, timestamptz)', 'delete_outdated_runners(timestamptz)'
        ]::regprocedure[] loop
        execute format('alter function %s owner to ioc_directory', signature);
        execute format('revoke all on function %s from public', signature);
        execute format('grant execute on function %s to ioc_app', signature);
    end loop;
end $$;
revoke create on schema public from ioc_directory;
