select s.status, s.offered_until is not null as offered, s.agent_id, s.handover is not null as handover, s.routed,
        n.tenant_id as next_tenant, n.session_id as next_session,
        s.status = 'queued' and s.offered_until is null and exists (select 1 from tenants t
            left join tenant_usage u on u.tenant_id = t.id and u.month = $4
            where t.id = s.tenant_id and t.is_active
              and not token_quota_reached(t.max_tokens_per_month, u.tokens)
              and t.max_concurrent_sessions > (select count(*) from sessions r where r.tenant_id = t.id
                  and (occupies_slot(r.status, r.offered_until) or r.suspended and r.status = 'paused'))) as tenant_has_room
    from sessions s
    left join lateral next_in_queue(case when s.status = 'queued' and s.offered_until is null then s.agent_id end, $3, $4, $5)
        with ordinality as n(tenant_id, session_id, turn) on true
    where s.tenant_id = $1 and s.id = $2
    order by n.turn
