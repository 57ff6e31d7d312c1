select t.is_active as active, t.max_concurrent_sessions::bigint as max_concurrent, t.max_queued_sessions::bigint as max_queued,
            t.admission = 'reject' as rejects,
            (select count(*) from sessions r
                where r.tenant_id = t.id and occupies_slot(r.status, r.offered_until)) as running,
            (select count(*) from sessions h
                where h.tenant_id = t.id and h.suspended and h.status = 'paused') as held,
            (select count(*) from sessions q
                where q.tenant_id = t.id and q.status = 'queued' and q.offered_until is null) as queued,
            (select count(*) from sessions q
                where q.tenant_id = t.id and q.status = 'queued' and q.offered_until is null and q.agent_id = a.id) as queued_on_agent,
            token_quota_reached(t.max_tokens_per_month, (select u.tokens from tenant_usage u
                where u.tenant_id = t.id and u.month = utc_month($3::timestamptz))) as out_of_tokens,
            exists (select 1 from sessions w where w.tenant_id = t.id and w.workspace_key = s.workspace_key
                and occupies_slot(w.status, w.offered_until)) as workspace_taken,
            a.id as agent_id,
            -- An agent that the tenant may not use any more has no capacity for it.
            case when a.id is null and coalesce($4, s.agent_id) is not null then true
                when agent_capacity_now(a, $3::timestamptz) = 0 then true
                else coalesce(agent_running_sessions(a.id) >= agent_capacity_now(a, $3::timestamptz), false) end as agent_full,
            coalesce(is_withheld(a, t.id, s.created_by, s.routed, $3::timestamptz), false) as agent_withheld
        from tenants t join sessions s on s.tenant_id = t.id and s.id = $2
        left join agents a on a.id = coalesce($4::uuid, s.agent_id)
        where t.id = $1
