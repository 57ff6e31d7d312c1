-- The directory: questions of the scheduler and the reconciler over all tenants, as functions that return ids and limits
-- only.

-- How many sessions of all tenants an agent works on, for one agent and for several.
create function agent_running_sessions(agent uuid) returns bigint
    language sql stable security definer set search_path = public
begin atomic
    select count(*) from sessions s where s.agent_id = agent and occupies_slot(s.status, s.offered_until);
end;
create function running_sessions_by_agent(agents uuid[]) returns table (agent_id uuid, running bigint)
    language sql stable security definer set search_path = public
begin atomic
    select s.agent_id, count(*) from sessions s
    where s.agent_id = any(agents) and occupies_slot(s.status, s.offered_until)
    group by s.agent_id;
end;

-- The sessions that an agent works on, of all tenants.
create function running_sessions_of_agent(agent uuid) returns table (tenant_id uuid, session_id uuid)
    language sql stable security definer set search_path = public
begin atomic
    select s.tenant_id, s.id from sessions s where s.agent_id = agent and occupies_slot(s.status, s.offered_until);
end;

-- Sessions whose step is due and that no worker has leased, oldest first. `handover`: the step hands the work to the agent.
create function due_sessions(at timestamptz, max_rows integer)
    returns table (tenant_id uuid, session_id uuid, status text, handover boolean)
    language sql stable security definer set search_path = public
begin atomic
    select d.tenant_id, d.id, d.status, d.handover is not null and occupies_slot(d.status, d.offered_until)
    from (
        select s.tenant_id, s.id, s.status, s.handover, s.offered_until, s.next_step_at, s.lease_until
        from sessions s where s.next_step_at <= at
        union all
        select s.tenant_id, s.id, s.status, s.handover, s.offered_until, s.next_step_at, s.lease_until
        from sessions s where occupies_slot(s.status, s.offered_until) and s.next_step_at > at + longest_step_pause()
    ) d
    where d.lease_until is null or d.lease_until <= at or d.lease_until > at + longest_step_pause()
    order by d.next_step_at
    limit max_rows;
end;

-- Workspaces whose release is due, the longest due first.
create function due_workspace_releases(at timestamptz, max_rows integer) returns table (tenant_id uuid, session_id uuid)
    language sql stable security definer set search_path = public
begin atomic
    select w.tenant_id, w.session_id from workspace_releases w
    where w.next_step_at <= at order by w.next_step_at limit max_rows;
end;

-- Deleted sessions whose files are to be removed, oldest first.
create function due_file_removals(max_rows integer) returns table (tenant_id uuid, session_id uuid)
    language sql stable security definer set search_path = public
begin atomic
    select r.tenant_id, r.session_id from file_removals r order by r.requested_at limit max_rows;
end;

-- Agents for which sessions are queued: by name, or because they have capacity while there are sessions that any agent may
-- take.
create function agents_with_waiting_sessions() returns table (agent_id uuid)
    language sql stable security definer set search_path = public
begin atomic
    select distinct s.agent_id from sessions s where s.status = 'queued' and s.offered_until is null and not s.routed
    union
    select a.id from agents a
    where a.routable and agent_capacity_now(a, now()) is distinct from 0
      and exists (select 1 from sessions s where s.status = 'queued' and s.offered_until is null and s.routed
                  and (a.tenant_id is null or a.tenant_id = s.tenant_id or exists (
                          select 1 from agent_enablements e where e.tenant_id = s.tenant_id and e.agent_id = a.id)));
end;

-- Sessions queued for one agent only that is deregistered, or that their tenant may not use any more.
create function sessions_waiting_for_removed_agent(max_rows integer)
    returns table (tenant_id uuid, session_id uuid, agent_id uuid)
    language sql stable security definer set search_path = public
begin atomic
    select s.tenant_id, s.id, s.agent_id
    from sessions s join agents a on a.id = s.agent_id
    where s.status = 'queued' and not s.routed
      and (a.state = 'deregistered'
           or (a.tenant_id <> s.tenant_id and not exists (
                   select 1 from agent_enablements e where e.tenant_id = s.tenant_id and e.agent_id = a.id)))
    limit max_rows;
end;

-- Draining agents that have no running session left.
create function drained_agents() returns table (tenant_id uuid, agent_id uuid)
    language sql stable security definer set search_path = public
begin atomic
    select a.tenant_id, a.id from agents a
    where a.state = 'draining' and a.tenant_id is not null
      and not exists (select 1 from sessions s where s.agent_id = a.id and occupies_slot(s.status, s.offered_until));
end;

-- Sessions paused by the token quota whose tenant is active and has tokens again.
create function sessions_resumable_after_quota(this_month date, max_rows integer)
    returns table (tenant_id uuid, session_id uuid)
    language sql stable security definer set search_path = public
begin atomic
    select s.tenant_id, s.id
    from sessions s
    join tenants t on t.id = s.tenant_id and t.is_active
    left join tenant_usage u on u.tenant_id = s.tenant_id and u.month = this_month
    where s.pause_reason = 'quota' and not token_quota_reached(t.max_tokens_per_month, u.tokens)
    limit max_rows;
end;

-- Tenants whose removal, deactivation or reactivation is requested but not complete.
create function tenants_to_reconcile() returns table (tenant_id uuid, is_active boolean, deleted boolean)
    language sql stable security definer set search_path = public
begin atomic
    select t.id, t.is_active, t.deleted_at is not null
    from tenants t
    where t.deleted_at is not null
       or (t.is_active and exists (select 1 from sessions s where s.tenant_id = t.id and s.suspended))
       or (not t.is_active and exists (select 1 from sessions s
               where s.tenant_id = t.id and occupies_slot(s.status, s.offered_until) and not s.suspended));
end;

-- The sessions that an agent should start next, in order: of those queued for it, and of those that any agent may take and
-- that it suits. Within a tenant: by priority (one step better per 10 minutes of waiting), then by fewest running or
-- earlier sessions of the same tree, then by which tree has waited longest since its last run, then by age. Between
-- tenants: by fewest running or earlier sessions, then by which has waited longest since its last run. Sessions that the
-- deactivation of a tenant suspended get their slots back before any queued session, so these slots are not free. A tenant
-- whose circuit breaker for the agent is open has no place there. On probation, an agent takes one session at a time that
-- names none.
create function next_in_queue(agent uuid, at timestamptz, this_month date, max_rows integer)
    returns table (tenant_id uuid, session_id uuid)
    language sql stable security definer set search_path = public
begin atomic
    with taker as materialized (
        select a.id, a.tenant_id, a.capabilities, a.skills, a as whole
        from agents a
        where a.id = agent and a.routable and agent_capacity_now(a, at) is distinct from 0
    ), queue as materialized (
        select s.tenant_id, s.id, s.root_id, s.queued_at, s.priority, s.depth, s.child_count, s.workspace_key, false as unnamed
        from agents a, sessions s
        where a.id = agent and s.status = 'queued' and s.offered_until is null and s.agent_id = agent and not s.routed
          and (not a.restricted or agent_serves(a, s.created_by))
        union all
        select s.tenant_id, s.id, s.root_id, s.queued_at, s.priority, s.depth, s.child_count, s.workspace_key, true
        from taker a, sessions s
        where s.status = 'queued' and s.offered_until is null and s.routed and s.lost_agent_id is distinct from a.id
          and (not (a.whole).restricted or agent_serves(a.whole, s.created_by))
          and s.required_capabilities <@ a.capabilities and s.required_skills <@ a.skills
          and (s.minimum_tier is null or tier_rank(s.minimum_tier) <= (
                  select tier_rank(agent_tier(f.finished, f.succeeded, f.quality_sum, f.quality_count))
                  from agent_figures(a.whole, s.tenant_id) f))
          and (a.tenant_id is null or a.tenant_id = s.tenant_id or exists (
                  select 1 from agent_enablements e where e.tenant_id = s.tenant_id and e.agent_id = a.id))
    ), tenant as materialized (
        select t.id,
               least(t.max_concurrent_sessions
                   - (select count(*) from sessions r where r.tenant_id = t.id and occupies_slot(r.status, r.offered_until))
                   - (select count(*) from sessions h where h.tenant_id = t.id and h.suspended and h.status = 'paused'),
                   tenant_agent_room(agent, t.id, at)) as free,
               (select unnamed_agent_room(a.whole, t.id) from taker a) as unnamed_room,
               (select count(*) from sessions r where r.agent_id = agent and r.tenant_id = t.id
                   and occupies_slot(r.status, r.offered_until)) as running,
               (select max(l.run_started_at) from sessions l
                   where l.agent_id = agent and l.tenant_id = t.id and l.run_started_at is not null) as last_run
        from tenants t
        left join tenant_usage u on u.tenant_id = t.id and u.month = this_month
        where t.is_active and not token_quota_reached(t.max_tokens_per_month, u.tokens)
          and t.id in (select q.tenant_id from queue q)
    ), waiting as (
        select s.tenant_id, s.id, s.root_id, s.queued_at, t.running, t.free, t.last_run, s.unnamed, t.unnamed_room,
               greatest(s.priority - floor(extract(epoch from at - s.queued_at) / 600), 0) as priority,
               case when s.depth > 1 or s.child_count > 0 then (select max(l.run_started_at) from sessions l
                   where l.tenant_id = s.tenant_id and l.root_id = s.root_id) end as tree_last_run
        from queue s join tenant t on t.id = s.tenant_id
        where t.free > 0 and not (s.unnamed and coalesce(t.unnamed_room <= 0, false))
          and not exists (select 1 from sessions w where w.tenant_id = s.tenant_id
                          and w.workspace_key = s.workspace_key and occupies_slot(w.status, w.offered_until))
    ), by_tree as (
        select w.*, greatest(w.tree_last_run, w.queued_at) as tree_since,
               (select count(*) from sessions r where r.agent_id = agent and r.tenant_id = w.tenant_id
                   and r.root_id = w.root_id and occupies_slot(r.status, r.offered_until))
               + row_number() over (partition by w.tenant_id, w.root_id order by w.priority, w.queued_at, w.id) as tree_place
        from waiting w
    ), by_tenant as (
        select b.*, greatest(b.last_run, min(b.queued_at) over (partition by b.tenant_id)) as since,
               row_number() over (partition by b.tenant_id
                                  order by b.priority, b.tree_place, b.tree_since, b.queued_at, b.id) as place,
               row_number() over (partition by b.tenant_id, b.unnamed
                                  order by b.priority, b.tree_place, b.tree_since, b.queued_at, b.id) as unnamed_place
        from by_tree b
    )
    select b.tenant_id, b.id
    from by_tenant b
    where b.place <= b.free and (not b.unnamed or b.unnamed_place <= coalesce(b.unnamed_room, b.unnamed_place))
    order by b.running + b.place, b.since, b.priority, b.queued_at, b.id
    limit max_rows;
end;

grant create on schema public to ioc_directory;
do $$
declare
    signature regprocedure;
begin
    foreach signature in array array[
        'agent_running_sessions(uuid)', 'running_sessions_by_agent(uuid[])', 'running_sessions_of_agent(uuid)',
        'due_sessions(timestamptz, integer)', 'due_workspace_releases(timestamptz, integer)', 'due_file_removals(integer)',
        'agents_with_waiting_sessions()',
        'sessions_waiting_for_removed_agent(integer)', 'drained_agents()', 'sessions_resumable_after_quota(date, integer)',
        'tenants_to_reconcile()', 'next_in_queue(uuid, timestamptz, date, integer)']::regprocedure[] loop
        execute format('alter function %s owner to ioc_directory', signature);
        execute format('revoke all on function %s from public', signature);
        execute format('grant execute on function %s to ioc_app', signature);
    end loop;
end $$;
revoke create on schema public from ioc_directory;
