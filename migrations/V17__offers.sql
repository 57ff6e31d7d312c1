-- Offers: a session that is offered to an agent stays queued until the agent has claimed or accepted it. The offer takes up
-- one of the tenant's slots, the workspace and one of the agent's places, as a running session does.

alter table sessions
    -- Until when the agent may take the session; null = not offered. Until then the offer takes up a slot.
    add column offered_until timestamptz,
    -- What the offer handed over; restored if the offer is withdrawn.
    add column offered_handover jsonb,
    add constraint offered_while_queued check (offered_until is null or status = 'queued' and agent_id is not null),
    add constraint handed_over_with_offer check (offered_handover is null or offered_until is not null);

-- Whether a session takes up one of its tenant's slots. A test holds it equal to `Session::occupies_slot`. The planner
-- inlines it, so queries that use it are answered by the partial indexes below, which state the same condition.
create function occupies_slot(status text, offered_until timestamptz) returns boolean
    language sql immutable parallel safe
    return status in ('running', 'degraded') or offered_until is not null;

-- Two sessions are never at work in one workspace, or offered with it: the database refuses it whatever the code does.
create unique index sessions_workspace_taken on sessions (tenant_id, workspace_key)
    where (status in ('running', 'degraded') or offered_until is not null) and workspace_key is not null;
create index sessions_of_agent_with_slots on sessions (agent_id, tenant_id, root_id)
    where status in ('running', 'degraded') or offered_until is not null;
create index sessions_with_slots on sessions (tenant_id) where status in ('running', 'degraded') or offered_until is not null;

grant select (run, offered_until) on sessions to ioc_directory;

alter table agents
    -- Since when the agent has let offers pass: it gets no further ones until its next claim.
    add column offers_ignored_since timestamptz;

alter table agent_tasks
    -- How often the agent itself asked for the lease anew. Only the other grants count towards the limit.
    add column reissues integer not null default 0 check (reissues >= 0);

-- How many sessions an agent may work on at once at this time; null = any number.
create or replace function agent_capacity_now(agent agents, at timestamptz) returns integer
    language sql immutable parallel safe
    return case
        when agent.state <> 'active' or agent.liveness <> 'alive' or agent.offers_ignored_since is not null
            or coalesce(agent.reported_status in ('degraded', 'offline'), false) then 0
        when agent.breaker_opened_at is null then agent.capacity
        when at < agent.breaker_opened_at + interval '10 minutes' then 0
        else 1
    end;

-- Sessions whose step is due and that no worker has leased, oldest first. `handover`: the step hands the work to the agent.
create or replace function due_sessions(at timestamptz, max_rows integer)
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

-- How many sessions of all tenants an agent works on, for one agent and for several.
create or replace function agent_running_sessions(agent uuid) returns bigint
    language sql stable security definer set search_path = public
begin atomic
    select count(*) from sessions s where s.agent_id = agent and occupies_slot(s.status, s.offered_until);
end;

create or replace function running_sessions_by_agent(agents uuid[]) returns table (agent_id uuid, running bigint)
    language sql stable security definer set search_path = public
begin atomic
    select s.agent_id, count(*) from sessions s
    where s.agent_id = any(agents) and occupies_slot(s.status, s.offered_until)
    group by s.agent_id;
end;

-- The sessions that an agent works on, of all tenants.
create or replace function running_sessions_of_agent(agent uuid) returns table (tenant_id uuid, session_id uuid)
    language sql stable security definer set search_path = public
begin atomic
    select s.tenant_id, s.id from sessions s where s.agent_id = agent and occupies_slot(s.status, s.offered_until);
end;

-- Draining agents that have no running session left.
create or replace function drained_agents() returns table (tenant_id uuid, agent_id uuid)
    language sql stable security definer set search_path = public
begin atomic
    select a.tenant_id, a.id from agents a
    where a.state = 'draining' and a.tenant_id is not null
      and not exists (select 1 from sessions s where s.agent_id = a.id and occupies_slot(s.status, s.offered_until));
end;

-- Tenants whose removal, deactivation or reactivation is requested but not complete.
create or replace function tenants_to_reconcile() returns table (tenant_id uuid, is_active boolean, deleted boolean)
    language sql stable security definer set search_path = public
begin atomic
    select t.id, t.is_active, t.deleted_at is not null
    from tenants t
    where t.deleted_at is not null
       or (t.is_active and exists (select 1 from sessions s where s.tenant_id = t.id and s.suspended))
       or (not t.is_active and exists (select 1 from sessions s
               where s.tenant_id = t.id and occupies_slot(s.status, s.offered_until) and not s.suspended));
end;

-- Agents for which sessions are queued: by name, or because they have capacity while there are sessions that any agent may
-- take.
create or replace function agents_with_waiting_sessions() returns table (agent_id uuid)
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

-- The sessions that an agent should start next, in order: of those queued for it, and of those that any agent may take and
-- that it suits. Within a tenant: by priority (one step better per 10 minutes of waiting), then by fewest running or
-- earlier sessions of the same tree, then by which tree has waited longest since its last run, then by age. Between
-- tenants: by fewest running or earlier sessions, then by which has waited longest since its last run. Sessions that the
-- deactivation of a tenant suspended get their slots back before any queued session, so these slots are not free.
create or replace function next_in_queue(agent uuid, at timestamptz, this_month date, max_rows integer)
    returns table (tenant_id uuid, session_id uuid)
    language sql stable security definer set search_path = public
begin atomic
    with taker as materialized (
        select a.id, a.tenant_id, a.capabilities, a.skills,
               tier_rank(agent_tier(a.finished, a.succeeded, a.quality_sum, a.quality_count)) as tier
        from agents a
        where a.id = agent and a.routable and agent_capacity_now(a, at) is distinct from 0
    ), queue as materialized (
        select s.tenant_id, s.id, s.root_id, s.queued_at, s.priority, s.depth, s.child_count, s.workspace_key
        from sessions s
        where s.status = 'queued' and s.offered_until is null and s.agent_id = agent and not s.routed
        union all
        select s.tenant_id, s.id, s.root_id, s.queued_at, s.priority, s.depth, s.child_count, s.workspace_key
        from taker a, sessions s
        where s.status = 'queued' and s.offered_until is null and s.routed and s.lost_agent_id is distinct from a.id
          and s.required_capabilities <@ a.capabilities and s.required_skills <@ a.skills
          and (s.minimum_tier is null or tier_rank(s.minimum_tier) <= a.tier)
          and (a.tenant_id is null or a.tenant_id = s.tenant_id or exists (
                  select 1 from agent_enablements e where e.tenant_id = s.tenant_id and e.agent_id = a.id))
    ), tenant as materialized (
        select t.id,
               t.max_concurrent_sessions
                   - (select count(*) from sessions r where r.tenant_id = t.id and occupies_slot(r.status, r.offered_until))
                   - (select count(*) from sessions h where h.tenant_id = t.id and h.suspended and h.status = 'paused')
                   as free,
               (select count(*) from sessions r where r.agent_id = agent and r.tenant_id = t.id
                   and occupies_slot(r.status, r.offered_until)) as running,
               (select max(l.run_started_at) from sessions l
                   where l.agent_id = agent and l.tenant_id = t.id and l.run_started_at is not null) as last_run
        from tenants t
        left join tenant_usage u on u.tenant_id = t.id and u.month = this_month
        where t.is_active and not token_quota_reached(t.max_tokens_per_month, u.tokens)
          and t.id in (select q.tenant_id from queue q)
    ), waiting as (
        select s.tenant_id, s.id, s.root_id, s.queued_at, t.running, t.free, t.last_run,
               greatest(s.priority - floor(extract(epoch from at - s.queued_at) / 600), 0) as priority,
               case when s.depth > 1 or s.child_count > 0 then (select max(l.run_started_at) from sessions l
                   where l.tenant_id = s.tenant_id and l.root_id = s.root_id) end as tree_last_run
        from queue s join tenant t on t.id = s.tenant_id
        where t.free > 0
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
                                  order by b.priority, b.tree_place, b.tree_since, b.queued_at, b.id) as place
        from by_tree b
    )
    select b.tenant_id, b.id
    from by_tenant b
    where b.place <= b.free
    order by b.running + b.place, b.since, b.priority, b.queued_at, b.id
    limit max_rows;
end;

-- The agents that other tenants offer to the transaction's tenant, or the one given: the public facts about each, with the
-- durations of its newest results.
create or replace function agent_offers(agent uuid)
    returns table (id uuid, tenant_id uuid, publisher text, enabled boolean, name text, kind text, agent_type text,
                   description text, capabilities text[], skills text[], capacity integer, state text, liveness text,
                   reported_status text, reported_load double precision, finished bigint, succeeded double precision,
                   quality_sum double precision, quality_count bigint, duration_ms_sum double precision,
                   cost_micros_sum double precision, breaker_opened_at timestamptz, software_version text, running bigint,
                   p50_ms double precision, p95_ms double precision)
    language sql stable security definer set search_path = public
begin atomic
    select a.id, a.tenant_id, t.name, e.agent_id is not null, a.name, a.kind, a.agent_type, a.description, a.capabilities,
           a.skills, a.capacity, a.state, a.liveness, a.reported_status, a.reported_load, a.finished, a.succeeded,
           a.quality_sum, a.quality_count, a.duration_ms_sum, a.cost_micros_sum, a.breaker_opened_at, a.software_version,
           (select count(*) from sessions s where s.agent_id = a.id and occupies_slot(s.status, s.offered_until)),
           times.p50, times.p95
    from agents a
    join tenants t on t.id = a.tenant_id and t.is_active
    left join agent_enablements e on e.agent_id = a.id and e.tenant_id = app_tenant_id()
    cross join lateral (
        select percentile_cont(0.5) within group (order by newest.duration_ms) as p50,
               percentile_cont(0.95) within group (order by newest.duration_ms) as p95
        from (select r.duration_ms from agent_results r where r.agent_id = a.id order by r.at desc limit 200) newest
    ) times
    where (agent is null or a.id = agent) and a.state <> 'deregistered' and a.tenant_id <> app_tenant_id()
      and (a.shared_with_all
           or exists (select 1 from agent_shares s where s.agent_id = a.id and s.recipient_id = app_tenant_id()));
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

grant create on schema public to ioc_directory;
do $$
declare
    signature regprocedure;
begin
    foreach signature in array array[
        'lease_agent_tasks(uuid, timestamptz, timestamptz, integer, integer, uuid[], boolean)',
        'record_ignored_offer(uuid, timestamptz)',
        'record_agent_call(uuid, timestamptz, timestamptz, boolean)']::regprocedure[] loop
        execute format('alter function %s owner to ioc_directory', signature);
        execute format('revoke all on function %s from public', signature);
        execute format('grant execute on function %s to ioc_app', signature);
    end loop;
end $$;
revoke create on schema public from ioc_directory;
