with snapshot as materialized (
             select r.*, $74::boolean and exists (
                 select 1 from environments e where e.tenant_id = $1 and e.is_default) as has_default_environment
             from (select l.*, case when $72::text <> '' then (
             select a.id from agents a where a.name = $72::text and a.state <> 'deregistered' or a.id::text = $72::text
             order by a.tenant_id = $1 desc nulls last, a.tenant_id nulls first limit 1)
         when $73::boolean then (select case when count(*) = 1 then (array_agg(r.id))[1] end
    from (select id from agents where routable and not restricted and state <> 'deregistered' limit 2) r) end as agent_id from (select t.max_concurrent_sessions::bigint as max_concurrent, t.max_queued_sessions::bigint as max_queued,
            t.admission = 'reject' as rejects,
            case when t.admission = 'reject' then (select count(*) from sessions r
                where r.tenant_id = t.id and occupies_slot(r.status, r.offered_until)) else 0 end as running,
            case when ($73::boolean or t.admission = 'reject') then (select count(*) from sessions q
                where q.tenant_id = t.id and q.status = 'queued' and q.offered_until is null) else 0 end as queued,
            t.admission = 'reject' and token_quota_reached(t.max_tokens_per_month, (select u.tokens from tenant_usage u
                where u.tenant_id = t.id and u.month = utc_month($71::timestamptz))) as out_of_tokens,
            case when $75::boolean then 0 else current_setting('max_connections')::bigint end as margin
         from tenants t where t.id = $1) l) r),
         changed as (
             insert into sessions (tenant_id, id, session_type, initial_prompt, model_identifier, agent_config, workspace, workspace_key, environment, cpu_limit, memory_limit_mb, parent_id, root_id, depth, forked_from, created_by, created_at, title, description, priority, max_duration_seconds, tags, metadata, status, status_changed_at, pause_reason, pause_question, resume_at, suspended, outcome, retry_count, intent, resolved_model, lost_agent_id, handover, offered_until, offered_handover, run, run_started_at, run_state, turns_with_changes, usage_by_scope, usage_claims, lease_until, next_step_at, step_pause_ms, failed_steps, interrupted_steps, attempts, auto_retries, unreachable_since, failed_collections, tokens_input, tokens_output, tokens_reasoning, tokens_cached, cost_micros, queued_at, started_at, ended_at, active_since, active_ms, last_event_seq, last_checkpoint, version, updated_at, agent_id)
             select $1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13, $14, $15, $16, $17, $18, $19, $20, $21, $22, $23, $24, $25, $26, $27, $28, $29, $30, $31, $32, $33, $34, $35, $36, $37, $38, $39, $40, $41, $42, $43, $44, $45, $46, $47, $48, $49, $50, $51, $52, $53, $54, $55, $56, $57, $58, $59, $60, $61, $62, $63, $64, $65, $66, case when $73::boolean then r.agent_id end from snapshot r
             where (r.agent_id is not null or $72::text = '')
               and not (r.rejects and (r.running + r.queued + r.margin >= r.max_concurrent or r.out_of_tokens))
               and not ($73::boolean and r.queued + r.margin >= r.max_queued)
               and not r.has_default_environment
             returning tenant_id, id, last_event_seq, last_event_position),
         appended as (insert into session_events (tenant_id, session_id, seq, id, type, actor, at, payload, position)
         select c.tenant_id, c.id, c.last_event_seq - cardinality($67::uuid[]) + e.ord, e.id, e.type, e.actor, $71, e.payload,
             c.last_event_position
         from changed c, unnest($67::uuid[], $68::text[], $69::jsonb[], $70::jsonb[])
             with ordinality as e(id, type, actor, payload, ord))
         select reject_session((select to_jsonb(r) from snapshot r)) where not exists (select 1 from changed)
