-- A runner that was killed and started again reclaims its tasks, and begins them anew: that counts as a lease like any
-- other, so that a task which kills its runner ends. An agent without runners continues what it reclaims, and a task that
-- a runner names it still holds.

create or replace function lease_agent_tasks(agent uuid, at timestamptz, until timestamptz, max_tasks integer, max_grants integer,
                                             held uuid[], holds_all boolean, runner uuid)
    returns table (tenant_id uuid, session_id uuid, assignment jsonb, lease_token bigint, created_at timestamptz)
    language sql volatile security definer set search_path = public
begin atomic
    with place as materialized (
        select r.slots - coalesce((select u.in_use from runner_slots_in_use(array[r.id]) u), 0) as free
        from runners r where r.id = runner and r.removed_at is null and r.state = 'active'
    ), reissued as (
        update agent_tasks t
        set lease_token = t.lease_token + 1, lease_until = until, messages_acked = 0, updated_at = at,
            reissues = t.reissues + case when runner is not null and holds_all then 0 else 1 end,
            phases = case when runner is not null and holds_all
                then jsonb_build_object('claimed', floor(extract(epoch from at) * 1000)::bigint) else t.phases end
        where t.agent_id = agent and t.status = 'leased' and not t.cancel_requested and t.runner_id is not distinct from runner
          and (holds_all or t.id = any(held))
          and (runner is null or not holds_all or t.lease_token - t.reissues < max_grants)
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
