-- The External Agent Protocol: tasks of external agents, what they report, and what is said to them.

-- One run of a session, as its agent has it: rows of the tenant whose session it is; the agent may be another's.
create table external_tasks (
    tenant_id   uuid not null,
    -- Made of session and run, so that a handover made twice is one.
    id          uuid not null,
    session_id  uuid not null,
    run         integer not null,
    agent_id    uuid not null references agents (id) on delete cascade,
    delivery    text not null check (delivery in ('push', 'pull')),
    status      text not null check (status in ('waiting', 'leased', 'done', 'lost', 'closed')),
    -- What the agent is told.
    assignment  jsonb not null,
    -- It is to end: told with the next answer.
    cancel      boolean not null default false,
    -- Grows with every grant; what comes with another is refused.
    lease_token bigint not null default 0,
    lease_until timestamptz,
    -- When the agent last took a push.
    pushed_at   timestamptz,
    -- How many reports are kept, and messages; and up to which message the agent has them.
    reports     bigint not null default 0,
    said        integer not null default 0,
    heard       integer not null default 0,
    tokens      bigint not null default 0 check (tokens >= 0),
    cost_micros bigint not null default 0 check (cost_micros >= 0),
    result      jsonb,
    result_hash bytea,
    created_at  timestamptz not null,
    updated_at  timestamptz not null,
    primary key (tenant_id, id),
    unique (tenant_id, session_id, run),
    foreign key (tenant_id, session_id) references sessions (tenant_id, id) on delete cascade,
    constraint leased_until check (status <> 'leased' or lease_until is not null),
    constraint done_with_result check ((result_hash is not null) = (result is not null) and (status <> 'done' or result is not null))
);
create index external_tasks_of_agent on external_tasks (agent_id, id);
create index external_tasks_open on external_tasks (agent_id, created_at, id) where status in ('waiting', 'leased');

-- What an agent reported on the way; `position` counts arrivals, `seq` is the agent's own within a lease: who was started
-- again under a new one begins at 1 again.
create table external_reports (
    tenant_id   uuid not null,
    task_id     uuid not null,
    lease_token bigint not null,
    seq         bigint not null check (seq > 0),
    position    bigint not null,
    report      jsonb not null,
    at          timestamptz not null,
    primary key (tenant_id, task_id, lease_token, seq),
    foreign key (tenant_id, task_id) references external_tasks (tenant_id, id) on delete cascade
);

-- What was said to an agent, in the order in which it was.
create table external_messages (
    tenant_id uuid not null,
    task_id   uuid not null,
    number    integer not null check (number > 0),
    id        uuid not null,
    said      jsonb not null,
    at        timestamptz not null,
    primary key (tenant_id, task_id, number),
    unique (tenant_id, task_id, id),
    foreign key (tenant_id, task_id) references external_tasks (tenant_id, id) on delete cascade
);

do $$
declare
    name text;
begin
    foreach name in array array['external_tasks', 'external_reports', 'external_messages'] loop
        execute format('alter table %I enable row level security', name);
        execute format('alter table %I force row level security', name);
        execute format('create policy tenant on %I to ioc_app using (tenant_id = app_tenant_id()) '
                       'with check (tenant_id = app_tenant_id())', name);
        execute format('create policy directory on %I to ioc_directory using (true) with check (true)', name);
    end loop;
end $$;
grant select, insert, update on external_tasks to ioc_app;
grant select on external_reports to ioc_app;
grant select, insert on external_messages to ioc_app;
grant select, update on external_tasks to ioc_directory;
grant select, insert on external_reports to ioc_directory;
grant select on external_messages to ioc_directory;

-- A heartbeat changes no column of an index and finds room on its page: one row is written, and no index.
drop index agents_silent;
create index agents_external on agents (id) where kind = 'eap' and state <> 'deregistered';
alter table agents set (fillfactor = 70);

-- Takes in what a heartbeat tells; answers how the agent stood before, nothing when there is no such agent.
create function external_heartbeat(agent uuid, at timestamptz, told_status text, told_load double precision, told_tasks integer, told_metrics jsonb)
    returns table (was text)
    language sql volatile security definer set search_path = public
begin atomic
    with before as (
        select a.id, a.liveness from agents a
        where a.id = agent and a.kind = 'eap' and a.state <> 'deregistered' for no key update)
    update agents a
    set last_heartbeat_at = greatest(a.last_heartbeat_at, at), reported_status = told_status, reported_load = told_load,
        reported_tasks = told_tasks, metrics = told_metrics, liveness = 'alive',
        liveness_since = case when a.liveness = 'alive' then a.liveness_since else at end
    from before b where a.id = b.id
    returning b.liveness;
end;

-- Agents that were silent for too long, as they stand from now on: all of them at once.
create function external_silent(suspect_before timestamptz, offline_before timestamptz, at timestamptz)
    returns table (agent_id uuid, liveness text)
    language sql volatile security definer set search_path = public
begin atomic
    update agents a
    set liveness = case when a.last_heartbeat_at <= offline_before then 'offline' else 'suspect' end, liveness_since = at
    where a.kind = 'eap' and a.state <> 'deregistered' and a.last_heartbeat_at <= suspect_before
      and a.liveness <> 'offline' and (a.liveness = 'alive' or a.last_heartbeat_at <= offline_before)
    returning a.id, a.liveness;
end;

-- Agents that are offline and still have work.
create function external_lost_agents() returns table (agent_id uuid)
    language sql stable security definer set search_path = public
begin atomic
    select distinct t.agent_id from external_tasks t join agents a on a.id = t.agent_id
    where t.status in ('waiting', 'leased') and a.kind = 'eap' and a.liveness = 'offline';
end;

-- Takes its work from an agent that is offline still; answers whose it was.
create function external_take_away(agent uuid, at timestamptz) returns table (tenant_id uuid, session_id uuid)
    language sql volatile security definer set search_path = public
begin atomic
    update external_tasks t set status = 'lost', updated_at = at
    where t.agent_id = agent and t.status in ('waiting', 'leased')
      and exists (select 1 from agents a where a.id = agent and a.liveness = 'offline' for no key update)
    returning t.tenant_id, t.session_id;
end;

-- Leases what waits for an agent, and what was leased and not renewed, oldest first; each to one caller.
create function external_claim(agent uuid, at timestamptz, until timestamptz, most integer, most_grants integer)
    returns table (assignment jsonb, lease_token bigint, created_at timestamptz)
    language sql volatile security definer set search_path = public
begin atomic
    update external_tasks t
    -- Who takes it anew may have lost what was said before.
    set status = 'leased', lease_token = t.lease_token + 1, lease_until = until, heard = 0, updated_at = at
    from (select c.tenant_id, c.id from external_tasks c
          where c.agent_id = agent and c.delivery = 'pull' and not c.cancel and c.lease_token < most_grants
            and (c.status = 'waiting' or c.status = 'leased' and c.lease_until <= at)
          order by c.created_at, c.id limit most for no key update skip locked) as mine
    where t.tenant_id = mine.tenant_id and t.id = mine.id
    returning t.assignment, t.lease_token, t.created_at;
end;

-- How a task of an agent stands, for whoever is about to report its result.
create function external_task(agent uuid, task uuid)
    returns table (tenant_id uuid, session_id uuid, status text, lease_token bigint, result_hash bytea)
    language sql stable security definer set search_path = public
begin atomic
    select t.tenant_id, t.session_id, t.status, t.lease_token, t.result_hash
    from external_tasks t where t.id = task and t.agent_id = agent;
end;

-- Takes a report in and renews the lease. The outcome is taken, lost or unknown.
create function external_progress(agent uuid, task uuid, token bigint, at timestamptz, until timestamptz, number bigint, told jsonb,
                                  spent_tokens bigint, spent_micros bigint, has integer)
    returns table (outcome text, tenant_id uuid, session_id uuid, cancelled boolean, news boolean, messages jsonb)
    language plpgsql volatile security definer set search_path = public as $$
#variable_conflict use_column
declare
    t external_tasks;
    fresh boolean := false;
begin
    select * into t from external_tasks x where x.id = task and x.agent_id = agent for no key update;
    if t.id is null then
        return query select 'unknown', null::uuid, null::uuid, false, false, null::jsonb;
        return;
    end if;
    if t.status <> 'leased' or token <> t.lease_token then
        return query select 'lost', t.tenant_id, t.session_id, true, false, null::jsonb;
        return;
    end if;
    if told is not null then
        insert into external_reports values (t.tenant_id, t.id, t.lease_token, number, t.reports + 1, told, at) on conflict do nothing;
        fresh := found;
    end if;
    update external_tasks x
    set lease_until = greatest(t.lease_until, until), reports = t.reports + fresh::int, heard = least(greatest(t.heard, has), t.said),
        tokens = greatest(t.tokens, spent_tokens), cost_micros = greatest(t.cost_micros, spent_micros), updated_at = at
    where x.tenant_id = t.tenant_id and x.id = t.id;
    return query select 'taken', t.tenant_id, t.session_id,
        t.cancel or exists (select 1 from sessions s where s.tenant_id = t.tenant_id and s.id = t.session_id and s.status in
            ('completed', 'partially_completed', 'failed', 'timeout', 'stopped', 'cancelled', 'orphaned')),
        fresh or spent_tokens > t.tokens or spent_micros > t.cost_micros,
        (select coalesce(jsonb_agg(m.said || jsonb_build_object('number', m.number) order by m.number), '[]')
         from external_messages m where m.tenant_id = t.tenant_id and m.task_id = t.id and m.number > greatest(t.heard, has));
end $$;

-- Keeps a result. The outcome is taken, again (the same was), other (another was), lost or unknown.
create function external_result(agent uuid, task uuid, token bigint, at timestamptz, hash bytea, told jsonb, spent_tokens bigint, spent_micros bigint)
    returns table (outcome text, tenant_id uuid, session_id uuid)
    language plpgsql volatile security definer set search_path = public as $$
#variable_conflict use_column
declare
    t external_tasks;
begin
    select * into t from external_tasks x where x.id = task and x.agent_id = agent for no key update;
    if t.id is not null and t.result_hash is null and t.status = 'leased' and (token is null or token = t.lease_token) then
        update external_tasks x
        set status = 'done', result = told, result_hash = hash, tokens = greatest(t.tokens, spent_tokens),
            cost_micros = greatest(t.cost_micros, spent_micros), updated_at = at
        where x.tenant_id = t.tenant_id and x.id = t.id;
        return query select 'taken', t.tenant_id, t.session_id;
        return;
    end if;
    return query select case when t.id is null then 'unknown' when t.result_hash = hash then 'again'
        when t.result_hash is not null then 'other' else 'lost' end, t.tenant_id, t.session_id;
end $$;

grant create on schema public to ioc_directory;
do $$
declare
    signature regprocedure;
begin
    foreach signature in array array[
        'external_heartbeat(uuid, timestamptz, text, double precision, integer, jsonb)',
        'external_silent(timestamptz, timestamptz, timestamptz)', 'external_lost_agents()',
        'external_take_away(uuid, timestamptz)', 'external_claim(uuid, timestamptz, timestamptz, integer, integer)',
        'external_task(uuid, uuid)',
        'external_progress(uuid, uuid, bigint, timestamptz, timestamptz, bigint, jsonb, bigint, bigint, integer)',
        'external_result(uuid, uuid, bigint, timestamptz, bytea, jsonb, bigint, bigint)']::regprocedure[] loop
        execute format('alter function %s owner to ioc_directory', signature);
        execute format('revoke all on function %s from public', signature);
        execute format('grant execute on function %s to ioc_app', signature);
    end loop;
end $$;
revoke create on schema public from ioc_directory;
