-- The tasks of runners: as those of other agents (V12), each held by one runner of the pool.

-- How many slots the tasks of all tenants take on runners. A task that waits for a person keeps its runner, but no slot.
create function runner_slots_in_use(runners uuid[]) returns table (runner_id uuid, in_use bigint)
    language sql stable security definer set search_path = public
begin atomic
    select t.runner_id, count(*)
    from agent_tasks t join sessions s on s.tenant_id = t.tenant_id and s.id = t.session_id
    where t.runner_id = any(runners) and t.status = 'leased' and s.status <> 'paused' group by t.runner_id;
end;

-- Leases tasks as before; for a runner no more than it has slots, and none while it drains. Only the runner that holds a
-- lease can have it issued anew.
create function lease_agent_tasks(agent uuid, at timestamptz, until timestamptz, max_tasks integer, max_grants integer,
                                  held uuid[], holds_all boolean, runner uuid)
    returns table (tenant_id uuid, session_id uuid, assignment jsonb, lease_token bigint, created_at timestamptz)
    language sql volatile security definer set search_path = public
begin atomic
    with place as materialized (
        select r.slots - coalesce((select u.in_use from runner_slots_in_use(array[r.id]) u), 0) as free
        from runners r where r.id = runner and r.removed_at is null and r.state = 'active'
    ), reissued as (
        update agent_tasks t
        set lease_token = t.lease_token + 1, reissues = t.reissues + 1, lease_until = until, messages_acked = 0, updated_at = at
        where t.agent_id = agent and t.status = 'leased' and not t.cancel_requested and t.runner_id is not distinct from runner
          and (holds_all or t.id = any(held))
        returning t.tenant_id, t.session_id, t.assignment, t.lease_token, t.created_at
    ), claimed as (
        update agent_tasks t
        -- An agent that takes a task anew may have lost the messages that it acknowledged before.
        set status = 'leased', lease_token = t.lease_token + 1, lease_until = until, messages_acked = 0, updated_at = at,
            runner_id = runner, phases = case when runner is null then t.phases
                else jsonb_build_object('claimed', floor(extract(epoch from at) * 1000)::bigint) end
        from (select c.tenant_id, c.id from agent_tasks c
              where c.agent_id = agent and c.delivery = 'pull' and not c.cancel_requested
                and c.lease_token - c.reissues < max_grants
                and (c.status = 'waiting'
                     or c.status = 'leased' and c.lease_until <= at
                        and not (c.runner_id is not distinct from runner and (holds_all or c.id = any(held))))
                and exists (select 1 from sessions s where s.tenant_id = c.tenant_id and s.id = c.session_id
                            and (s.run = c.run or s.handover is null)
                            and (occupies_slot(s.status, s.offered_until) or s.status = 'paused'))
              order by c.created_at, c.id
              limit case when runner is null then max_tasks
                         else least(max_tasks, greatest(coalesce((select p.free from place p), 0), 0)) end
              for no key update of c skip locked) as free
        where t.tenant_id = free.tenant_id and t.id = free.id
        returning t.tenant_id, t.session_id, t.assignment, t.lease_token, t.created_at
    )
    select r.tenant_id, r.session_id, r.assignment, r.lease_token, r.created_at from reissued r
    union all
    select c.tenant_id, c.session_id, c.assignment, c.lease_token, c.created_at from claimed c;
end;

-- The state of a task of an agent, with the runner that holds it.
create function find_leased_task(agent uuid, task uuid)
    returns table (tenant_id uuid, session_id uuid, status text, lease_token bigint, result_hash bytea, runner_id uuid)
    language sql stable security definer set search_path = public
begin atomic
    select t.tenant_id, t.session_id, t.status, t.lease_token, t.result_hash, t.runner_id
    from agent_tasks t where t.id = task and t.agent_id = agent;
end;

-- Stores a progress report as before, of the runner that holds the lease, and the beginning of a phase.
create function record_task_progress(agent uuid, task uuid, token bigint, at timestamptz, until timestamptz, number bigint,
                                     new_report jsonb, new_tokens bigint, new_cost_micros bigint, acknowledged integer,
                                     runner uuid, new_phase text)
    returns table (outcome text, tenant_id uuid, session_id uuid, cancelled boolean, changed boolean, messages jsonb)
    language plpgsql volatile security definer set search_path = public as $$
#variable_conflict use_column
declare
    t agent_tasks;
begin
    select * into t from agent_tasks x where x.id = task and x.agent_id = agent for no key update;
    if t.id is not null and t.runner_id is distinct from runner then
        return query select 'lost', t.tenant_id, t.session_id, true, false, null::jsonb;
        return;
    end if;
    if t.status = 'leased' and (token is null or token = t.lease_token) and new_phase is not null
       and not t.phases ? new_phase then
        update agent_tasks x
        set phases = t.phases || jsonb_build_object(new_phase, floor(extract(epoch from at) * 1000)::bigint)
        where x.tenant_id = t.tenant_id and x.id = t.id;
    end if;
    return query select * from record_task_progress(agent, task, token, at, until, number, new_report, new_tokens,
        new_cost_micros, acknowledged);
end $$;

grant create on schema public to ioc_directory;
do $$
declare
    signature regprocedure;
begin
    foreach signature in array array[
        'runner_slots_in_use(uuid[])', 'find_leased_task(uuid, uuid)',
        'lease_agent_tasks(uuid, timestamptz, timestamptz, integer, integer, uuid[], boolean, uuid)',
        'record_task_progress(uuid, uuid, bigint, timestamptz, timestamptz, bigint, jsonb, bigint, bigint, integer, uuid, text)'
        ]::regprocedure[] loop
        execute format('alter function %s owner to ioc_directory', signature);
        execute format('revoke all on function %s from public', signature);
        execute format('grant execute on function %s to ioc_app', signature);
    end loop;
end $$;
revoke create on schema public from ioc_directory;
