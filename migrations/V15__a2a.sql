-- The contexts that clients of A2A give to their tasks, which are sessions.

create index sessions_of_a2a_context on sessions (tenant_id, (metadata->'a2a'->>'context_id')) where metadata->'a2a'->>'context_id' is not null;
