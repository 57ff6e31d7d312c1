-- Sessions and what belongs to them.

create table sessions (
    tenant_id            uuid not null references tenants (id) on delete cascade,
    id                   uuid not null,
    title                text not null check (char_length(title) between 1 and 200),
    description          text check (char_length(description) <= 1000),
    session_type         text not null check (session_type in ('planning', 'execution', 'review', 'debug', 'integration')),
    priority             smallint not null check (priority between 0 and 4),
    initial_prompt       text not null check (char_length(initial_prompt) between 1 and 10000),
    model_identifier     text,
    agent_config         jsonb not null check (jsonb_typeof(agent_config) = 'object'),
    workspace            jsonb,
    workspace_key        text,
    max_duration_seconds integer not null check (max_duration_seconds between 60 and 86400),
    cpu_limit            double precision check (cpu_limit between 0.1 and 8),
    memory_limit_mb      integer check (memory_limit_mb between 100 and 8192),
    tags                 text[] not null check (cardinality(tags) <= 20),
    metadata             jsonb not null check (jsonb_typeof(metadata) = 'object'),

    parent_id            uuid,
    root_id              uuid not null,
    depth                smallint not null check (depth between 1 and 10),
    tree_size            integer not null default 1 check (tree_size between 1 and 500),
    child_count          integer not null default 0 check (child_count >= 0),
    forked_from          jsonb,

    status               text not null check (status in ('pending', 'queued', 'running', 'paused', 'degraded', 'completed',
                             'partially_completed', 'failed', 'timeout', 'stopped', 'cancelled', 'orphaned')),
    status_changed_at    timestamptz not null,
    pause_reason         text check (pause_reason in ('manual', 'approval', 'input', 'auth', 'budget', 'quota', 'rate_limit',
                             'dependency', 'maintenance')),
    pause_question       jsonb,
    resume_at            timestamptz,
    outcome              jsonb,
    retry_count          integer not null default 0 check (retry_count between 0 and 3),
    -- The deactivation of its tenant asked for its pause, or holds it: the reactivation resumes exactly these.
    suspended            boolean not null default false,

    -- What a person asked for and the next step carries out: {verb, reason, actor, ..}.
    intent               jsonb,

    -- The run: one handover to the agent and what it remembers.
    agent_id             uuid references agents (id),
    handover             jsonb,
    run                  integer not null default 0,
    run_started_at       timestamptz,
    run_state            jsonb,
    turns_with_changes   integer not null default 0,
    usage_by_scope       jsonb not null default '{}',

    -- The step: who works on the row, and when it is due again.
    fence                bigint not null default 0,
    lease_until          timestamptz,
    next_step_at         timestamptz,
    step_pause_ms        integer not null default 1000,
    attempts             integer not null default 0,
    auto_retries         integer not null default 0,
    unreachable_since    timestamptz,

    tokens_input         bigint not null default 0,
    tokens_output        bigint not null default 0,
    tokens_reasoning     bigint not null default 0,
    tokens_cached        bigint not null default 0,
    cost_micros          bigint not null default 0,

    queued_at            timestamptz,
    started_at           timestamptz,
    ended_at             timestamptz,
    active_since         timestamptz,
    active_ms            bigint not null default 0 check (active_ms >= 0),

    last_event_seq       bigint not null default 0,
    last_checkpoint      integer not null default 0,
    version              bigint not null default 1,
    created_by           jsonb not null,
    created_at           timestamptz not null,
    updated_at           timestamptz not null,

    primary key (tenant_id, id),
    foreign key (tenant_id, parent_id) references sessions (tenant_id, id) on delete set null (parent_id),

    constraint pause_reason_while_paused check ((status = 'paused') = (pause_reason is not null)),
    constraint question_while_paused check (pause_question is null or status = 'paused'),
    constraint resume_while_paused check (resume_at is null or status = 'paused'),
    constraint ended_when_over check ((ended_at is not null) = (status in
        ('completed', 'partially_completed', 'failed', 'timeout', 'stopped', 'cancelled', 'orphaned'))),
    constraint outcome_when_over check (outcome is null or ended_at is not null),
    constraint clock_while_active check ((active_since is not null) = (status in ('running', 'degraded'))),
    constraint suspended_while_open check (not suspended or status in ('running', 'degraded', 'paused')),
    constraint queued_since check ((queued_at is not null) = (status = 'queued')),
    constraint running_has_agent check (status not in ('queued', 'running', 'degraded') or agent_id is not null)
);

-- Two sessions never run at once in one workspace: refused here whatever the code does.
create unique index sessions_workspace_in_use on sessions (tenant_id, workspace_key)
    where status in ('running', 'degraded') and workspace_key is not null;
-- No other index than the key may begin with tenant_id: as long as the table was small, the check of a foreign key would
-- be planned with it, and a connection keeps that plan while the table grows.
create index sessions_by_status on sessions (status, tenant_id, id);
create index sessions_active on sessions (agent_id, tenant_id, root_id) where status in ('running', 'degraded');
create index sessions_slots on sessions (tenant_id) where status in ('running', 'degraded');
create index sessions_suspended on sessions (tenant_id) where suspended;
create index sessions_waiting on sessions (agent_id, tenant_id, queued_at) where status = 'queued';
create index sessions_due on sessions (next_step_at) where next_step_at is not null;
create index sessions_by_parent on sessions (tenant_id, parent_id) where parent_id is not null;
create index sessions_by_root on sessions (root_id, tenant_id);
create index sessions_by_tag on sessions using gin (tags);
create index sessions_last_turn on sessions (agent_id, tenant_id, run_started_at) where run_started_at is not null;
create index sessions_paused_by_quota on sessions (tenant_id) where pause_reason = 'quota';

-- The transition table once more, so that no write can take a session where it may not go.
-- A test holds this, shared/src/session/status.rs and docs/architecture.md equal.
create function session_may_go(was text, goes text) returns boolean
    language sql immutable parallel safe
    return case was
        when 'pending'  then goes in ('queued', 'running', 'cancelled', 'failed', 'orphaned')
        when 'queued'   then goes in ('running', 'pending', 'cancelled', 'failed', 'timeout', 'orphaned')
        when 'running'  then goes in ('completed', 'partially_completed', 'failed', 'timeout', 'paused', 'stopped', 'degraded', 'orphaned')
        when 'paused'   then goes in ('running', 'queued', 'stopped', 'cancelled', 'timeout', 'orphaned')
        when 'degraded' then goes in ('running', 'completed', 'partially_completed', 'failed', 'timeout', 'paused', 'stopped', 'orphaned')
        when 'failed'   then goes in ('pending')
        when 'timeout'  then goes in ('pending')
        when 'stopped'  then goes in ('pending')
        else false
    end;

create function refuse_impossible_transition() returns trigger language plpgsql as $$
begin
    if not session_may_go(old.status, new.status) then
        raise exception 'a session cannot go from % to %', old.status, new.status
            using errcode = 'check_violation', constraint = 'session_transition';
    end if;
    return new;
end $$;

create trigger session_transition before update of status on sessions
    for each row when (old.status is distinct from new.status) execute function refuse_impossible_transition();

create table session_events (
    tenant_id  uuid not null,
    session_id uuid not null,
    seq        bigint not null check (seq > 0),
    id         uuid not null,
    type       text not null,
    actor      jsonb not null,
    at         timestamptz not null,
    payload    jsonb not null,
    primary key (tenant_id, session_id, seq),
    foreign key (tenant_id, session_id) references sessions (tenant_id, id) on delete cascade
);

create table session_checkpoints (
    tenant_id  uuid not null,
    session_id uuid not null,
    sequence   integer not null check (sequence > 0),
    cause      text not null check (cause in ('dispatch', 'turn', 'pause', 'stop', 'manual')),
    event_seq  bigint not null,
    run_state  jsonb,
    patch      text not null,
    summary    text not null,
    usage      jsonb not null,
    data       jsonb,
    note       text check (char_length(note) <= 1000),
    actor      jsonb not null,
    at         timestamptz not null,
    primary key (tenant_id, session_id, sequence),
    foreign key (tenant_id, session_id) references sessions (tenant_id, id) on delete cascade
);

create table session_files (
    tenant_id  uuid not null,
    session_id uuid not null,
    path       text not null,
    status     text not null check (status in ('added', 'modified', 'deleted', 'renamed')),
    additions  integer not null,
    deletions  integer not null,
    patch      text not null,
    primary key (tenant_id, session_id, path),
    foreign key (tenant_id, session_id) references sessions (tenant_id, id) on delete cascade
);

-- The bytes lie in the file store under tenant/session/sha256.
create table session_artifacts (
    tenant_id  uuid not null,
    session_id uuid not null,
    id         uuid not null,
    path       text not null check (char_length(path) between 1 and 1024),
    mime_type  text not null,
    size       bigint not null check (size between 0 and 10485760),
    sha256     text not null check (sha256 ~ '^[0-9a-f]{64}$'),
    at         timestamptz not null,
    primary key (tenant_id, session_id, id),
    unique (tenant_id, session_id, path),
    foreign key (tenant_id, session_id) references sessions (tenant_id, id) on delete cascade
);

-- What people said to a session; delivered to its agent by the next step.
create table session_messages (
    tenant_id    uuid not null,
    session_id   uuid not null,
    id           uuid not null,
    said         jsonb not null,
    actor        jsonb not null,
    at           timestamptz not null,
    delivered_at timestamptz,
    primary key (tenant_id, session_id, id),
    foreign key (tenant_id, session_id) references sessions (tenant_id, id) on delete cascade
);
create index session_messages_waiting on session_messages (tenant_id, session_id, id) where delivered_at is null;
