-- The tokens of agents: which took whose place, and who made them.

alter table agent_tokens
    -- The token that took its place when it was rotated; set once, so that an old token makes no further ones.
    add column rotated_to uuid,
    add column created_by jsonb not null default '{"kind": "system", "id": "setup", "name": "setup"}';
