-- Turns in a time that grows with the queue alone: a tenant's figures were counted once for each of its waiting sessions,
-- and each of these was compared with every running one.

-- Whose turn it is on an agent. Within a tenant: by priority (one step better per 10 minutes of waiting), then by
-- fewest sessions of the same tree running or ahead, then by which tree has waited longest since its last turn, then by
-- age. Between tenants: by fewest running or ahead, then by which has waited longest since its last turn.
create or replace function next_turns(agent uuid, at timestamptz, this_month date, most integer)
    returns table (tenant_id uuid, session_id uuid)
    language sql stable security definer set search_path = public
begin atomic
    with tenant as materialized (
        select t.id,
               t.max_concurrent_sessions - (select count(*) from sessions r
                   where r.tenant_id = t.id and r.status in ('running', 'degraded')) as free,
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
