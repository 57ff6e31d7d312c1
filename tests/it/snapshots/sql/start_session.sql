with snapshot as materialized (select t.max_concurrent_sessions::bigint as max_concurrent, t.max_queued_sessions::bigint as max_queued,
            t.admission = 'reject' as rejects,
            case when t.admission = 'reject' then (select count(*) from sessions r
                where r.tenant_id = t.id and occupies_slot(r.status, r.offered_until)) else 0 end as running,
            case when true then (select count(*) from sessions q
                where q.tenant_id = t.id and q.status = 'queued' and q.offered_until is null) else 0 end as queued,
            t.admission = 'reject' and token_quota_reached(t.max_tokens_per_month, (select u.tokens from tenant_usage u
                where u.tenant_id = t.id and u.month = utc_month($57::timestamptz))) as out_of_tokens,
            case when $59::boolean then 0 else current_setting('max_connections')::bigint end as margin
         from tenants t where t.id = $1),
         changed as (update sessions s set title = $3, description = $4, priority = $5, max_duration_seconds = $6, tags = $7, metadata = $8, status = $9, status_changed_at = $10, pause_reason = $11, pause_question = $12, resume_at = $13, suspended = $14, outcome = $15, retry_count = $16, intent = $17, resolved_model = $18, agent_id = $19, lost_agent_id = $20, handover = $21, offered_until = $22, offered_handover = $23, run = $24, run_started_at = $25, run_state = $26, turns_with_changes = $27, usage_by_scope = $28, usage_claims = $29, lease_until = $30, next_step_at = $31, step_pause_ms = $32, failed_steps = $33, interrupted_steps = $34, attempts = $35, auto_retries = $36, unreachable_since = $37, failed_collections = $38, tokens_input = $39, tokens_output = $40, tokens_reasoning = $41, tokens_cached = $42, cost_micros = $43, queued_at = $44, started_at = $45, ended_at = $46, active_since = $47, active_ms = $48, last_event_seq = $49, last_checkpoint = $50, version = $51, updated_at = $52, last_event_position = case last_event_seq when $49 then last_event_position
             else greatest(last_event_position, pg_current_xact_id()) end
         from snapshot r where s.tenant_id = $1 and s.id = $2 and s.xmin::text = $58::text
             and not (r.rejects and (r.running + r.queued + r.margin >= r.max_concurrent or r.out_of_tokens))
             and r.queued + r.margin < r.max_queued returning s.tenant_id, s.id, s.last_event_seq, s.last_event_position),
         appended as (insert into session_events (tenant_id, session_id, seq, id, type, actor, at, payload, position)
         select c.tenant_id, c.id, c.last_event_seq - cardinality($53::uuid[]) + e.ord, e.id, e.type, e.actor, $57, e.payload,
             c.last_event_position
         from changed c, unnest($53::uuid[], $54::text[], $55::jsonb[], $56::jsonb[])
             with ordinality as e(id, type, actor, payload, ord))
         select reject_session((select to_jsonb(r) || jsonb_build_object('is_outdated', not exists (
                 select 1 from sessions s where s.tenant_id = $1 and s.id = $2 and s.xmin::text = $58::text))
             from snapshot r where exists (select 1 from sessions s where s.tenant_id = $1 and s.id = $2)))
         where not exists (select 1 from changed)
