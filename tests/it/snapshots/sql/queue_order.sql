select s.status, s.offered_until is not null as offered, s.agent_id, s.handover is not null as handover, s.routed,
        n.tenant_id as next_tenant, n.session_id as next_session, w.tenant_has_room
    from sessions s
    cross join lateral (select s.status = 'queued' and s.offered_until is null and exists (select 1 from tenants t
            left join tenant_usage u on u.tenant_id = t.id and u.month = $4
            where t.id = s.tenant_id and t.is_active
              and not token_quota_reached(t.max_tokens_per_month, u.tokens)
              and t.max_concurrent_sessions > (select count(*) from sessions r where r.tenant_id = t.id
                  and (occupies_slot(r.status, r.offered_until) or r.suspended and r.status = 'paused')))
        as tenant_has_room offset 0) w
    -- A session whose tenant has no room changes nothing for others, so their queue is not read.
    left join lateral (select q.* from next_in_queue(s.agent_id, $3, $4, $5) with ordinality as q(tenant_id, session_id, turn)
        where w.tenant_has_room and s.agent_id is not null and $5 > 0) n on true
    where s.tenant_id = $1 and s.id = $2
    order by n.turn
