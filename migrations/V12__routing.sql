-- Sessions that name no agent: what they ask of one, whose turn it is then, and what came of each run.

-- The texts of a JSON array; of anything else none.
create function json_texts(value jsonb) returns text[]
    language sql immutable parallel safe
    return case when jsonb_typeof(value) = 'array' then array(select jsonb_array_elements_text(value)) else '{}'::text[] end;

-- The tiers in order, and an agent's from what came of its work. A test holds both equal to shared/src/agent/standing.rs.
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

-- How many sessions at once an agent may have now; null = any number.
create function agent_room(agent agents, at timestamptz) returns integer
    language sql immutable parallel safe
    return case
        when agent.state <> 'active' or agent.liveness <> 'alive'
            or coalesce(agent.reported_status in ('degraded', 'offline'), false) then 0
        when agent.breaker_opened_at is null then agent.capacity
        when at < agent.breaker_opened_at + interval '10 minutes' then 0
        else 1
    end;

alter table sessions
    -- Any agent that suits may take it. What was held goes on where its work is.
    add column routed                boolean not null
        generated always as (not (agent_config ? 'agent') and coalesce(handover->>'from', '') <> 'resume') stored,
    add column required_capabilities text[] not null generated always as (json_texts(agent_config->'required_capabilities')) stored,
    add column required_skills       text[] not null generated always as (json_texts(agent_config->'skills')) stored,
    add column minimum_tier          text generated always as (agent_config->>'minimum_tier') stored,
    -- The agent that it was taken from: it is dispatched elsewhere once.
    add column lost_agent_id         uuid,
    drop constraint running_has_agent,
    add constraint running_has_agent check (status not in ('running', 'degraded') or agent_id is not null),
    add constraint named_has_agent check (status <> 'queued' or agent_id is not null or not (agent_config ? 'agent'));
create index sessions_waiting_routed on sessions (queued_at) where status = 'queued' and routed;
grant select (routed, required_capabilities, required_skills, minimum_tier, lost_agent_id) on sessions to ioc_directory;

alter table session_checkpoints
    -- Whose the run state is: another agent can make nothing of it.
    add column agent_id uuid;

drop function register_platform_agent(uuid, text, text, integer, timestamptz);
create function register_platform_agent(agent_id uuid, agent_name text, agent_kind text, agent_capacity integer,
                                        agent_capabilities text[], by_choice boolean, at timestamptz)
    returns uuid
    language sql volatile security definer set search_path = public
begin atomic
    insert into agents (id, tenant_id, name, kind, capacity, capabilities, routable, created_at, updated_at)
    values (agent_id, null, agent_name, agent_kind, agent_capacity, agent_capabilities, by_choice, at, at)
    on conflict (tenant_id, name) where state <> 'deregistered' do update
        set kind = excluded.kind, capacity = excluded.capacity, capabilities = excluded.capabilities,
            routable = excluded.routable, updated_at = excluded.updated_at
    returning id;
end;

-- Whose turn it is on an agent: as V4 has it, over the sessions that are meant for it and those that any agent may take
-- and that it suits.
create or replace function next_turns(agent uuid, at timestamptz, this_month date, most integer)
    returns table (tenant_id uuid, session_id uuid)
    language sql stable security definer set search_path = public
begin atomic
    with taker as materialized (
        select a.id, a.tenant_id, a.capabilities, a.skills,
               tier_rank(agent_tier(a.finished, a.succeeded, a.quality_sum, a.quality_count)) as tier
        from agents a
        where a.id = agent and a.routable and agent_room(a, at) is distinct from 0
    ), queue as materialized (
        select s.tenant_id, s.id, s.root_id, s.queued_at, s.priority, s.depth, s.child_count, s.workspace_key
        from sessions s
        where s.status = 'queued' and s.agent_id = agent and not s.routed
        union all
        select s.tenant_id, s.id, s.root_id, s.queued_at, s.priority, s.depth, s.child_count, s.workspace_key
        from taker a, sessions s
        where s.status = 'queued' and s.routed
          and s.required_capabilities <@ a.capabilities and s.required_skills <@ a.skills
          and (s.minimum_tier is null or tier_rank(s.minimum_tier) <= a.tier)
          and (a.tenant_id is null or a.tenant_id = s.tenant_id or exists (
                  select 1 from agent_enablements e where e.tenant_id = s.tenant_id and e.agent_id = a.id))
    ), tenant as materialized (
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
          and t.id in (select q.tenant_id from queue q)
    ), waiting as (
        select s.tenant_id, s.id, s.root_id, s.queued_at, t.running, t.free, t.last_turn,
               greatest(s.priority - floor(extract(epoch from at - s.queued_at) / 600), 0) as priority,
               case when s.depth > 1 or s.child_count > 0 then (select max(l.run_started_at) from sessions l
                   where l.tenant_id = s.tenant_id and l.root_id = s.root_id) end as tree_last_turn
        from queue s join tenant t on t.id = s.tenant_id
        where t.free > 0
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

-- Agents that somebody waits for: by name, or that have room while there are sessions that any agent may take.
create or replace function agents_waited_for() returns table (agent_id uuid)
    language sql stable security definer set search_path = public
begin atomic
    select distinct s.agent_id from sessions s where s.status = 'queued' and not s.routed
    union
    select a.id from agents a
    where a.routable and agent_room(a, now()) is distinct from 0
      and exists (select 1 from sessions s where s.status = 'queued' and s.routed
                  and (a.tenant_id is null or a.tenant_id = s.tenant_id or exists (
                          select 1 from agent_enablements e where e.tenant_id = s.tenant_id and e.agent_id = a.id)));
end;

-- The sessions that an agent works on, of all tenants.
create function sessions_at_agent(agent uuid) returns table (tenant_id uuid, session_id uuid)
    language sql stable security definer set search_path = public
begin atomic
    select s.tenant_id, s.id from sessions s where s.agent_id = agent and s.status in ('running', 'degraded');
end;

-- Writes down what came of a run, once, and counts it for the agent. The breaker looks at the latest results: after every
-- twenty the older count half. It opens below 3 of 10 successes once there are five; a success closes it.
create function note_agent_result(tenant uuid, session uuid, of_run integer, agent uuid, of_success real, of_quality real,
                                  of_duration_ms bigint, of_cost_micros bigint, of_tokens bigint, of_error_code text,
                                  of_capabilities text[], of_at timestamptz) returns void
    language sql volatile security definer set search_path = public
begin atomic
    with written as (
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
        from agents a join written w on w.agent_id = a.id
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
        'register_platform_agent(uuid, text, text, integer, text[], boolean, timestamptz)', 'sessions_at_agent(uuid)',
        'note_agent_result(uuid, uuid, integer, uuid, real, real, bigint, bigint, bigint, text, text[], timestamptz)']::regprocedure[] loop
        execute format('alter function %s owner to ioc_directory', signature);
        execute format('revoke all on function %s from public', signature);
        execute format('grant execute on function %s to ioc_app', signature);
    end loop;
end $$;
revoke create on schema public from ioc_directory;
