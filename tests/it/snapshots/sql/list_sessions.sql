with page as materialized (
            select s.tenant_id, s.id, s.title, s.description, s.session_type, s.priority, s.initial_prompt,
    s.model_identifier, s.resolved_model, s.agent_config, s.workspace, s.environment, s.max_duration_seconds, s.cpu_limit, s.memory_limit_mb, s.tags,
    s.metadata, s.parent_id, s.root_id, s.depth, s.child_count, s.forked_from, s.status, s.status_changed_at,
    s.pause_reason, s.pause_question, s.resume_at, s.suspended, s.outcome, s.retry_count, s.intent, s.agent_id, s.lost_agent_id,
    s.handover, s.offered_until, s.offered_handover, s.run,
    s.run_started_at, s.run_state, s.turns_with_changes, s.usage_by_scope, s.usage_claims, s.fence, s.lease_until, s.next_step_at,
    s.step_pause_ms, s.failed_steps, s.interrupted_steps, s.attempts, s.auto_retries, s.unreachable_since, s.failed_collections, s.tokens_input, s.tokens_output,
    s.tokens_reasoning, s.tokens_cached, s.cost_micros, s.queued_at, s.started_at, s.ended_at, s.active_since,
    s.active_ms, s.last_event_seq, s.last_checkpoint, s.version, s.created_by, s.created_at, s.updated_at, s.workspace_key from sessions s where s.tenant_id = $2 order by s.id desc limit $3
        ), places as materialized (
            select q.id, row_number() over (partition by q.agent_id, q.offered_until is null order by
                greatest(q.priority - floor(extract(epoch from $1::timestamptz - q.queued_at) / 600), 0), q.queued_at, q.id) as place
            from sessions q
            where q.tenant_id = $2 and q.status = 'queued' and exists (select 1 from page p where p.status = 'queued')
        ), tenant as materialized (
            select token_quota_reached(t.max_tokens_per_month, (select u.tokens from tenant_usage u
                    where u.tenant_id = t.id and u.month = utc_month($1::timestamptz))) as out_of_tokens,
                t.max_concurrent_sessions <= (select count(*) from sessions r
                    where r.tenant_id = t.id and occupies_slot(r.status, r.offered_until)) as out_of_slots
            from tenants t where t.id = $2
        )
        select s.tenant_id, s.id, s.title, s.description, s.session_type, s.priority, s.initial_prompt,
    s.model_identifier, s.resolved_model, s.agent_config, s.workspace, s.environment, s.max_duration_seconds, s.cpu_limit, s.memory_limit_mb, s.tags,
    s.metadata, s.parent_id, s.root_id, s.depth, s.child_count, s.forked_from, s.status, s.status_changed_at,
    s.pause_reason, s.pause_question, s.resume_at, s.suspended, s.outcome, s.retry_count, s.intent, s.agent_id, s.lost_agent_id,
    s.handover, s.offered_until, s.offered_handover, s.run,
    s.run_started_at, s.run_state, s.turns_with_changes, s.usage_by_scope, s.usage_claims, s.fence, s.lease_until, s.next_step_at,
    s.step_pause_ms, s.failed_steps, s.interrupted_steps, s.attempts, s.auto_retries, s.unreachable_since, s.failed_collections, s.tokens_input, s.tokens_output,
    s.tokens_reasoning, s.tokens_cached, s.cost_micros, s.queued_at, s.started_at, s.ended_at, s.active_since,
    s.active_ms, s.last_event_seq, s.last_checkpoint, s.version, s.created_by, s.created_at, s.updated_at,
            (select a.name from agents a where a.id = s.agent_id) as agent_name,
            (select a.kind from agents a where a.id = s.agent_id) as agent_kind,
            q.place as queue_place,
            case when q.place is not null then (
                select case when t.out_of_tokens then 'tokens' when t.out_of_slots then 'slot'
                    when s.workspace_key is not null and exists (select 1 from sessions w where w.tenant_id = $2
                        and w.workspace_key = s.workspace_key and occupies_slot(w.status, w.offered_until)) then 'workspace'
                    else 'agent' end from tenant t
            ) end as queue_waiting_for,
            $1::timestamptz as queue_now
        from page s left join places q on q.id = s.id order by s.id desc
