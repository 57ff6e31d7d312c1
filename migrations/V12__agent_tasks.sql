-- The External Agent Protocol: the tasks of external agents, their reports, and the messages to them.

-- One run of a session as its external agent receives it: rows of the tenant that owns the session. The agent may belong to
-- another tenant.
create table agent_tasks (
    tenant_id        uuid not null,
    -- Derived from session and run, so that a repeated handover creates no second task.
    id               uuid not null,
    session_id       uuid not null,
    run              integer not null,
    agent_id         uuid not null references agents (id) on delete cascade,
    delivery         text not null check (delivery in ('push', 'pull')),
    status           text not null check (status in ('waiting', 'leased', 'done', 'lost', 'closed')),
    -- The task as it is sent to the agent.
    assignment       jsonb not null,
    -- The agent is to end it; reported with the next response to the agent.
    cancel_requested boolean not null default false,
    -- Increases with every grant; a report with another token is refused.
    lease_token      bigint not null default 0,
    -- How often the agent itself asked for the lease anew. Only the other grants count towards the limit.
    reissues         integer not null default 0 check (reissues >= 0),
    lease_until      timestamptz,
    -- When the agent last accepted a push.
    pushed_at        timestamptz,
    -- The number of stored reports, of messages sent, and the newest message that the agent has acknowledged.
    reports_received bigint not null default 0,
    -- Their bytes, which have a bound: whoever reads them holds them in memory.
    report_bytes     bigint not null default 0,
    messages_sent    integer not null default 0,
    messages_acked   integer not null default 0,
    tokens           bigint not null default 0 check (tokens >= 0),
    cost_micros      bigint not null default 0 check (cost_micros >= 0),
    -- How many messages there were when the result came: the agent learned of no later one.
    messages_at_result integer,
    -- What the agent uploaded before its result: the size of each content by its hash, and all bytes.
    uploads          jsonb not null default '{}',
    uploaded_bytes   bigint not null default 0 check (uploaded_bytes >= 0),
    result           jsonb,
    result_hash      bytea,
    created_at       timestamptz not null,
    updated_at       timestamptz not null,
    primary key (tenant_id, id),
    unique (tenant_id, session_id, run),
    foreign key (tenant_id, session_id) references sessions (tenant_id, id) on delete cascade,
    constraint leased_until check (status <> 'leased' or lease_until is not null),
    constraint done_with_result check ((result_hash is not null) = (result is not null) and (status <> 'done' or result is not null))
);
create index agent_tasks_of_agent on agent_tasks (agent_id, id);
create index agent_tasks_with_uploads on agent_tasks (tenant_id) where uploaded_bytes > 0 and result is null;
create index agent_tasks_open on agent_tasks (agent_id, created_at, id) where status in ('waiting', 'leased');

-- The progress reports of an agent. `position` counts arrivals; `seq` is the agent's own number within a lease: an agent
-- that was restarted under a new lease begins at 1 again.
create table agent_task_reports (
    tenant_id   uuid not null,
    task_id     uuid not null,
    lease_token bigint not null,
    seq         bigint not null check (seq > 0),
    position    bigint not null,
    report      jsonb not null,
    at          timestamptz not null,
    primary key (tenant_id, task_id, lease_token, seq),
    foreign key (tenant_id, task_id) references agent_tasks (tenant_id, id) on delete cascade
);

-- The messages to an agent, in the order in which they were sent.
create table agent_task_messages (
    tenant_id uuid not null,
    task_id   uuid not null,
    number    integer not null check (number > 0),
    id        uuid not null,
    message   jsonb not null,
    at        timestamptz not null,
    primary key (tenant_id, task_id, number),
    unique (tenant_id, task_id, id),
    foreign key (tenant_id, task_id) references agent_tasks (tenant_id, id) on delete cascade
);

do $$
declare
    name text;
begin
    foreach name in array array['agent_tasks', 'agent_task_reports', 'agent_task_messages'] loop
        execute format('alter table %I enable row level security', name);
        execute format('alter table %I force row level security', name);
        execute format('create policy tenant on %I to ioc_app using (tenant_id = app_tenant_id()) '
                       'with check (tenant_id = app_tenant_id())', name);
        execute format('create policy directory on %I to ioc_directory using (true) with check (true)', name);
    end loop;
end $$;
grant select, insert, update on agent_tasks to ioc_app;
grant select on agent_task_reports to ioc_app;
grant select, insert on agent_task_messages to ioc_app;
grant select, update on agent_tasks to ioc_directory;
grant select, insert on agent_task_reports to ioc_directory;
grant select on agent_task_messages to ioc_directory;

-- Records a heartbeat. Publishes an event if the agent's liveness or status changed, or if its load or number of tasks
-- differs from the last heartbeat. Returns the previous liveness; no row when there is no such agent.
create function record_agent_heartbeat(agent uuid, at timestamptz, new_status text, new_load double precision, new_tasks integer,
                                       new_metrics jsonb)
    returns table (previous_liveness text)
    language sql volatile security definer set search_path = public
begin atomic
    with before as (
        select a.id, a.liveness, a.reported_status, a.reported_load, a.reported_tasks from agents a
        where a.id = agent and a.kind = 'eap' and a.state <> 'deregistered' for no key update
    ), changed as (
        update agents a
        set last_heartbeat_at = greatest(a.last_heartbeat_at, at), reported_status = new_status, reported_load = new_load,
            reported_tasks = new_tasks, metrics = new_metrics, liveness = 'alive',
            liveness_since = case when a.liveness = 'alive' then a.liveness_since else at end
        from before b where a.id = b.id
        returning a.id, a.tenant_id, a.name, a.state, b.liveness as previous_liveness,
            b.liveness <> 'alive' or b.reported_status is distinct from new_status as status_changed,
            round(b.reported_load * 20) is distinct from round(new_load * 20)
                or b.reported_tasks is distinct from new_tasks as figures_changed
    ), published as (
        insert into tenant_events (tenant_id, topic, id, type, actor, at, payload)
        select c.tenant_id, 'agents', new_event_id(at),
            case when c.status_changed then 'agent.status_changed' else 'agent.heartbeat' end,
            jsonb_build_object('kind', 'agent', 'id', c.id, 'name', c.name), at,
            jsonb_build_object('agent_id', c.id, 'name', c.name, 'state', c.state, 'liveness', 'alive', 'status', new_status,
                'load', new_load, 'tasks', new_tasks)
        from changed c where c.tenant_id is not null and (c.status_changed or c.figures_changed)
    )
    select c.previous_liveness from changed c;
end;

-- Records a call of an agent as a sign of life, at most once per interval (`quiet_before` is its beginning) unless the call
-- changes more than the time. A claim shows that the agent takes work. Returns whether the agent may get work again.
create function record_agent_call(agent uuid, at timestamptz, quiet_before timestamptz, claims boolean) returns boolean
    language sql volatile security definer set search_path = public
begin atomic
    with before as (
        select a.id, a.liveness, a.offers_ignored_since, a.reported_status from agents a
        where a.id = agent and a.kind = 'eap' and a.state <> 'deregistered'
          and (a.last_heartbeat_at is null or a.last_heartbeat_at < quiet_before or a.liveness <> 'alive'
               or claims and (a.offers_ignored_since is not null or a.reported_status = 'offline'))
        for no key update
    ), changed as (
        update agents a
        set last_heartbeat_at = greatest(a.last_heartbeat_at, at), liveness = 'alive',
            liveness_since = case when b.liveness = 'alive' then a.liveness_since else at end,
            offers_ignored_since = case when claims then null else a.offers_ignored_since end,
            reported_status = case when claims and a.reported_status = 'offline' then null else a.reported_status end
        from before b where a.id = b.id
        returning a.id, a.tenant_id, a.name, a.state, a.reported_status, a.reported_load, a.reported_tasks,
            b.liveness <> 'alive' or b.reported_status is distinct from a.reported_status as status_changed,
            b.liveness <> 'alive' or claims and (b.offers_ignored_since is not null or b.reported_status = 'offline') as is_back
    ), published as (
        insert into tenant_events (tenant_id, topic, id, type, actor, at, payload)
        select c.tenant_id, 'agents', new_event_id(at), 'agent.status_changed',
            jsonb_build_object('kind', 'agent', 'id', c.id, 'name', c.name), at,
            jsonb_build_object('agent_id', c.id, 'name', c.name, 'state', c.state, 'liveness', 'alive',
                'status', c.reported_status, 'load', c.reported_load, 'tasks', c.reported_tasks)
        from changed c where c.tenant_id is not null and c.status_changed
    )
    select coalesce((select c.is_back from changed c), false);
end;

-- Records that an agent let an offer pass. True if that counts against it: it is the first one since its last claim, and
-- the agent is not at work on another task.
create function record_ignored_offer(agent uuid, at timestamptz) returns boolean
    language sql volatile security definer set search_path = public
begin atomic
    with changed as (
        update agents a set offers_ignored_since = at
        where a.id = agent and a.kind = 'eap' and a.offers_ignored_since is null
        returning a.id
    )
    select exists (select 1 from changed)
        and not exists (select 1 from agent_tasks t where t.agent_id = agent and t.status = 'leased' and t.lease_until > at);
end;

-- Marks the agents that were silent for too long as suspect or offline, all of them at once, and publishes each change.
create function mark_silent_agents(suspect_before timestamptz, offline_before timestamptz, at timestamptz)
    returns table (agent_id uuid, liveness text)
    language sql volatile security definer set search_path = public
begin atomic
    with changed as (
        update agents a
        set liveness = case when a.last_heartbeat_at <= offline_before then 'offline' else 'suspect' end, liveness_since = at
        where a.kind = 'eap' and a.state <> 'deregistered' and a.last_heartbeat_at <= suspect_before
          and a.liveness <> 'offline' and (a.liveness = 'alive' or a.last_heartbeat_at <= offline_before)
        returning a.id, a.tenant_id, a.name, a.state, a.liveness
    ), published as (
        insert into tenant_events (tenant_id, topic, id, type, actor, at, payload)
        select c.tenant_id, 'agents', new_event_id(at), 'agent.status_changed',
            jsonb_build_object('kind', 'system', 'id', 'liveness', 'name', 'liveness'), at,
            jsonb_build_object('agent_id', c.id, 'name', c.name, 'state', c.state, 'liveness', c.liveness)
        from changed c where c.tenant_id is not null
    )
    select c.id, c.liveness from changed c;
end;

-- Agents that are offline, or report that they go offline, and still have open tasks.
create function offline_agents_with_tasks() returns table (agent_id uuid)
    language sql stable security definer set search_path = public
begin atomic
    select distinct t.agent_id from agent_tasks t join agents a on a.id = t.agent_id
    where t.status in ('waiting', 'leased') and a.kind = 'eap'
      and (a.liveness = 'offline' or coalesce(a.reported_status = 'offline', false));
end;

-- Revokes the open tasks of an agent that is still offline. Returns their sessions.
create function revoke_agent_tasks(agent uuid, at timestamptz) returns table (tenant_id uuid, session_id uuid)
    language sql volatile security definer set search_path = public
begin atomic
    update agent_tasks t set status = 'lost', updated_at = at
    where t.agent_id = agent and t.status in ('waiting', 'leased')
      and exists (select 1 from agents a where a.id = agent
                  and (a.liveness = 'offline' or coalesce(a.reported_status = 'offline', false)) for no key update)
    returning t.tenant_id, t.session_id;
end;

-- Leases tasks to an agent: first anew those that it holds already and names (or all of them), then those that wait for it
-- or whose lease expired, oldest first; each to one caller. A task can be leased only while its session is offered to the
-- agent, at work or paused: a withdrawn offer can no longer be claimed.
create function lease_agent_tasks(agent uuid, at timestamptz, until timestamptz, max_tasks integer, max_grants integer,
                                  held uuid[], holds_all boolean)
    returns table (tenant_id uuid, session_id uuid, assignment jsonb, lease_token bigint, created_at timestamptz)
    language sql volatile security definer set search_path = public
begin atomic
    with reissued as (
        update agent_tasks t
        set lease_token = t.lease_token + 1, reissues = t.reissues + 1, lease_until = until, messages_acked = 0, updated_at = at
        where t.agent_id = agent and t.status = 'leased' and not t.cancel_requested and (holds_all or t.id = any(held))
        returning t.tenant_id, t.session_id, t.assignment, t.lease_token, t.created_at
    ), claimed as (
        update agent_tasks t
        -- An agent that takes a task anew may have lost the messages that it acknowledged before.
        set status = 'leased', lease_token = t.lease_token + 1, lease_until = until, messages_acked = 0, updated_at = at
        from (select c.tenant_id, c.id from agent_tasks c
              where c.agent_id = agent and c.delivery = 'pull' and not c.cancel_requested
                and c.lease_token - c.reissues < max_grants
                and (c.status = 'waiting'
                     or c.status = 'leased' and c.lease_until <= at and not (holds_all or c.id = any(held)))
                and exists (select 1 from sessions s where s.tenant_id = c.tenant_id and s.id = c.session_id
                            and (s.run = c.run or s.handover is null)
                            and (occupies_slot(s.status, s.offered_until) or s.status = 'paused'))
              order by c.created_at, c.id limit max_tasks for no key update of c skip locked) as free
        where t.tenant_id = free.tenant_id and t.id = free.id
        returning t.tenant_id, t.session_id, t.assignment, t.lease_token, t.created_at
    )
    select r.tenant_id, r.session_id, r.assignment, r.lease_token, r.created_at from reissued r
    union all
    select c.tenant_id, c.session_id, c.assignment, c.lease_token, c.created_at from claimed c;
end;

-- The state of a task of an agent, read before its result is recorded.
create function find_agent_task(agent uuid, task uuid)
    returns table (tenant_id uuid, session_id uuid, status text, lease_token bigint, result_hash bytea)
    language sql stable security definer set search_path = public
begin atomic
    select t.tenant_id, t.session_id, t.status, t.lease_token, t.result_hash
    from agent_tasks t where t.id = task and t.agent_id = agent;
end;

-- Stores a progress report and renews the lease. The outcome is `taken`, `lost` or `unknown`.
create function record_task_progress(agent uuid, task uuid, token bigint, at timestamptz, until timestamptz, number bigint,
                                     new_report jsonb, new_tokens bigint, new_cost_micros bigint, acknowledged integer)
    returns table (outcome text, tenant_id uuid, session_id uuid, cancelled boolean, changed boolean, messages jsonb)
    language plpgsql volatile security definer set search_path = public as $$
#variable_conflict use_column
declare
    most constant bigint := 64 * 1024 * 1024;
    t agent_tasks;
    inserted boolean := false;
    size bigint := 0;
begin
    select * into t from agent_tasks x where x.id = task and x.agent_id = agent for no key update;
    if t.id is null then
        return query select 'unknown', null::uuid, null::uuid, false, false, null::jsonb;
        return;
    end if;
    if t.status <> 'leased' or token <> t.lease_token then
        return query select 'lost', t.tenant_id, t.session_id, true, false, null::jsonb;
        return;
    end if;
    -- A question is always stored, because the session waits for it.
    if new_report is not null and t.report_bytes > most and not new_report ? 'question' then
        new_report := null;
    elsif new_report is not null then
        size := pg_column_size(new_report);
        if t.report_bytes + size > most and not new_report ? 'question' then
            size := most - t.report_bytes + 1;
            new_report := jsonb_build_object('log', jsonb_build_object('level', 'warning', 'message',
                'The agent has reported 64 MiB. Its further messages and log entries are left out.'));
        end if;
        insert into agent_task_reports
        values (t.tenant_id, t.id, t.lease_token, number, t.reports_received + 1, new_report, at) on conflict do nothing;
        inserted := found;
    end if;
    update agent_tasks x
    set lease_until = greatest(t.lease_until, until), reports_received = t.reports_received + inserted::int,
        report_bytes = t.report_bytes + case when inserted then size else 0 end,
        messages_acked = least(greatest(t.messages_acked, acknowledged), t.messages_sent),
        tokens = greatest(t.tokens, new_tokens), cost_micros = greatest(t.cost_micros, new_cost_micros), updated_at = at
    where x.tenant_id = t.tenant_id and x.id = t.id;
    return query select 'taken', t.tenant_id, t.session_id,
        t.cancel_requested or exists (select 1 from sessions s where s.tenant_id = t.tenant_id and s.id = t.session_id and s.status in
            ('completed', 'partially_completed', 'failed', 'timeout', 'stopped', 'cancelled', 'orphaned')),
        -- What is reported while a person is asked is read after the answer.
        (inserted or new_tokens > t.tokens or new_cost_micros > t.cost_micros) and not exists (
            select 1 from sessions s where s.tenant_id = t.tenant_id and s.id = t.session_id and s.status = 'paused'),
        (select coalesce(jsonb_agg(m.message || jsonb_build_object('number', m.number) order by m.number), '[]')
         from agent_task_messages m
         where m.tenant_id = t.tenant_id and m.task_id = t.id and m.number > greatest(t.messages_acked, acknowledged));
end $$;

-- Stores a result. The outcome is `taken`, `again` (the same result is stored), `other` (another result is stored), `lost`
-- or `unknown`.
create function record_task_result(agent uuid, task uuid, token bigint, at timestamptz, hash bytea, new_result jsonb,
                                   new_tokens bigint, new_cost_micros bigint)
    returns table (outcome text, tenant_id uuid, session_id uuid)
    language plpgsql volatile security definer set search_path = public as $$
#variable_conflict use_column
declare
    t agent_tasks;
begin
    select * into t from agent_tasks x where x.id = task and x.agent_id = agent for no key update;
    if t.id is not null and t.result_hash is null and t.status = 'leased' and (token is null or token = t.lease_token) then
        update agent_tasks x
        set status = 'done', result = new_result, result_hash = hash, messages_at_result = t.messages_sent, tokens = greatest(t.tokens, new_tokens),
            cost_micros = greatest(t.cost_micros, new_cost_micros), updated_at = at
        where x.tenant_id = t.tenant_id and x.id = t.id;
        return query select 'taken', t.tenant_id, t.session_id;
        return;
    end if;
    return query select case when t.id is null then 'unknown' when t.result_hash = hash then 'again'
        when t.result_hash is not null then 'other' else 'lost' end, t.tenant_id, t.session_id;
end $$;

-- Counts the bytes of an artifact that is about to be stored, each content once. The outcome is `taken`, `full`, `lost`
-- or `unknown`.
create function count_task_upload(agent uuid, task uuid, hash text, bytes bigint, most bigint, most_uploads integer,
                                  at timestamptz)
    returns text
    language plpgsql volatile security definer set search_path = public as $$
declare
    t agent_tasks;
begin
    select * into t from agent_tasks x where x.id = task and x.agent_id = agent for no key update;
    if t.id is null then
        return 'unknown';
    elsif t.status <> 'leased' then
        return 'lost';
    elsif t.uploads ? hash then
        return 'taken';
    elsif t.uploaded_bytes + bytes > most or (select count(*) from jsonb_object_keys(t.uploads)) >= most_uploads then
        return 'full';
    end if;
    update agent_tasks x
    set uploads = t.uploads || jsonb_build_object(hash, bytes), uploaded_bytes = t.uploaded_bytes + bytes, updated_at = at
    where x.tenant_id = t.tenant_id and x.id = t.id;
    return 'taken';
end $$;

grant create on schema public to ioc_directory;
do $$
declare
    signature regprocedure;
begin
    foreach signature in array array[
        'record_agent_heartbeat(uuid, timestamptz, text, double precision, integer, jsonb)',
        'mark_silent_agents(timestamptz, timestamptz, timestamptz)', 'offline_agents_with_tasks()',
        'revoke_agent_tasks(uuid, timestamptz)',
        'lease_agent_tasks(uuid, timestamptz, timestamptz, integer, integer, uuid[], boolean)',
        'record_agent_call(uuid, timestamptz, timestamptz, boolean)', 'record_ignored_offer(uuid, timestamptz)',
        'find_agent_task(uuid, uuid)', 'count_task_upload(uuid, uuid, text, bigint, bigint, integer, timestamptz)',
        'record_task_progress(uuid, uuid, bigint, timestamptz, timestamptz, bigint, jsonb, bigint, bigint, integer)',
        'record_task_result(uuid, uuid, bigint, timestamptz, bytea, jsonb, bigint, bigint)']::regprocedure[] loop
        execute format('alter function %s owner to ioc_directory', signature);
        execute format('revoke all on function %s from public', signature);
        execute format('grant execute on function %s to ioc_app', signature);
    end loop;
end $$;
revoke create on schema public from ioc_directory;
