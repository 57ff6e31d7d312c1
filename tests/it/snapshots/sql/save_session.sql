with changed as (
                 update sessions set title = $3, description = $4, priority = $5, max_duration_seconds = $6, tags = $7, metadata = $8, status = $9, status_changed_at = $10, pause_reason = $11, pause_question = $12, resume_at = $13, suspended = $14, outcome = $15, retry_count = $16, intent = $17, resolved_model = $18, agent_id = $19, lost_agent_id = $20, handover = $21, offered_until = $22, offered_handover = $23, run = $24, run_started_at = $25, run_state = $26, turns_with_changes = $27, usage_by_scope = $28, lease_until = $29, next_step_at = $30, step_pause_ms = $31, failed_steps = $32, interrupted_steps = $33, attempts = $34, auto_retries = $35, unreachable_since = $36, failed_collections = $37, tokens_input = $38, tokens_output = $39, tokens_reasoning = $40, tokens_cached = $41, cost_micros = $42, queued_at = $43, started_at = $44, ended_at = $45, active_since = $46, active_ms = $47, last_event_seq = $48, last_checkpoint = $49, version = $50, updated_at = $51, last_event_position = case last_event_seq when $48 then last_event_position
                                         else greatest(last_event_position, pg_current_xact_id()) end
                 where tenant_id = $1 and id = $2 returning tenant_id, id, last_event_seq, last_event_position)
             insert into session_events (tenant_id, session_id, seq, id, type, actor, at, payload, position)
         select c.tenant_id, c.id, c.last_event_seq - cardinality($52::uuid[]) + e.ord, e.id, e.type, e.actor, $56, e.payload,
             c.last_event_position
         from changed c, unnest($52::uuid[], $53::text[], $54::jsonb[], $55::jsonb[])
             with ordinality as e(id, type, actor, payload, ord)
