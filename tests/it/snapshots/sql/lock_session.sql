select s.tenant_id, s.id, s.title, s.description, s.session_type, s.priority, s.initial_prompt,
    s.model_identifier, s.resolved_model, s.agent_config, s.workspace, s.environment, s.max_duration_seconds, s.cpu_limit, s.memory_limit_mb, s.tags,
    s.metadata, s.parent_id, s.root_id, s.depth, s.child_count, s.forked_from, s.status, s.status_changed_at,
    s.pause_reason, s.pause_question, s.resume_at, s.suspended, s.outcome, s.retry_count, s.intent, s.agent_id, s.lost_agent_id,
    s.handover, s.offered_until, s.offered_handover, s.run,
    s.run_started_at, s.run_state, s.turns_with_changes, s.usage_by_scope, s.usage_claims, s.fence, s.lease_until, s.next_step_at,
    s.step_pause_ms, s.failed_steps, s.interrupted_steps, s.attempts, s.auto_retries, s.unreachable_since, s.failed_collections, s.tokens_input, s.tokens_output,
    s.tokens_reasoning, s.tokens_cached, s.cost_micros, s.queued_at, s.started_at, s.ended_at, s.active_since,
    s.active_ms, s.last_event_seq, s.last_checkpoint, s.version, s.created_by, s.created_at, s.updated_at from sessions s where s.tenant_id = $1 and s.id = $2 for no key update
