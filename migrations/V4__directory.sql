-- The directory: what must see more than one tenant, as functions that answer with ids and limits only.
grant select (id, slug, is_active, max_concurrent_sessions, max_tokens_per_month) on tenants to ioc_directory;
grant select on tenant_usage to ioc_directory;
grant select on api_keys to ioc_directory;
grant select, insert, update on agents to ioc_directory;
grant select (tenant_id, id, status, priority, queued_at, root_id, agent_id, workspace_key, next_step_at, lease_until,
              handover, pause_reason, depth, child_count, run_started_at, suspended) on sessions to ioc_directory;
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
-- fewest sessions of the same tree running or ahead, then by which tree has waited longest since its last turn, then by
-- age. Between tenants: by fewest running or ahead, then by which has waited longest since its last turn. What the
-- deactivation of a tenant holds gets its slots back before anything that waits, so these slots are not free.
create function next_turns(agent uuid, at timestamptz, this_month date, most integer)
    returns table (tenant_id uuid, session_id uuid)
    language sql stable security definer set search_path = public
begin atomic
    with tenant as materialized (
        select t.id,
               t.max_concurrent_sessions
                   - (select count(*) from sessions r where r.tenant_id = t.id and r.status in ('running', 'degraded'))
                   - (select count(*) from sessions h where h.tenant_id = t.id and h.suspended and h.status = 'paused')
                   as free,
               (select count(*) from sessions r where r.agent_id = agent and r.tenant_id = t.id
                   and r.status in ('running', 'degraded')) as running,
               (select max(l.run_started_at) from sessions l
                   where l.agent_id = agent and l.tenant_id = t.id and l.run_started_at is not null) as last_turn
        from tenants t
        left join tenant_usage u on u.tenant_id = t.id and u.month = this_month
        where t.is_active
          and (t.max_tokens_per_month = 0 or coalesce(u.tokens, 0) < t.max_tokens_per_month)
          and t.id in (select q.tenant_id from sessions q where q.agent_id = agent and q.status = 'queued')
    ), waiting as (
        select s.tenant_id, s.id, s.root_id, s.queued_at, t.running, t.free, t.last_turn,
               greatest(s.priority - floor(extract(epoch from at - s.queued_at) / 600), 0) as priority,
               case when s.depth > 1 or s.child_count > 0 then (select max(l.run_started_at) from sessions l
                   where l.tenant_id = s.tenant_id and l.root_id = s.root_id) end as tree_last_turn
        from sessions s join tenant t on t.id = s.tenant_id
        where s.agent_id = agent and s.status = 'queued' and t.free > 0
          and not exists (select 1 from sessions w where w.tenant_id = s.tenant_id
                          and w.workspace_key = s.workspace_key and w.status in ('running', 'degraded'))
    ), by_tree as (
        select w.*, greatest(w.tree_last_turn, w.queued_at) as tree_since,
               (select count(*) from sessions r where r.agent_id = agent and r.tenant_id = w.tenant_id
                   and r.root_id = w.root_id and r.status in ('running', 'degraded'))
               + row_number() over (partition by w.tenant_id, w.root_id order by w.priority, w.queued_at, w.id) as tree_turn
        from waiting w
    ), by_tenant as (
        select b.*, greatest(b.last_turn, min(b.queued_at) over (partition by b.tenant_id)) as since,
               row_number() over (partition by b.tenant_id
                                  order by b.priority, b.tree_turn, b.tree_since, b.queued_at, b.id) as place
        from by_tree b
    )
    select b.tenant_id, b.id
    from by_tenant b
    where b.place <= b.free
    order by b.running + b.place, b.since, b.priority, b.queued_at, b.id
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
