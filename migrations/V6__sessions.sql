-- Sessions and what belongs to them.
--
-- A session that is offered to an agent stays queued until the agent has claimed or accepted it. The offer takes up one of
-- the tenant's slots, the workspace and one of the agent's places, as a running session does (ADR 21).

-- Whether a session in this state is at work. A test holds it equal to `Status::holds_slot`.
create function holds_slot(status text) returns boolean
    language sql immutable parallel safe
    return status in ('running', 'degraded');

-- Whether a session takes up one of its tenant's slots. A test holds it equal to `Session::occupies_slot`. The planner
-- inlines it, so queries that use it are answered by the partial indexes below, which state the same condition.
create function occupies_slot(status text, offered_until timestamptz) returns boolean
    language sql immutable parallel safe
    return status in ('running', 'degraded') or offered_until is not null;

-- How far ahead the next step of a running session, or the end of a lease, can be at most: far longer than any pause
-- between two observations. A time that is further ahead was written before the clock was set back, and has come.
create function longest_step_pause() returns interval
    language sql immutable parallel safe
    return interval '15 minutes';

-- The transitions that the product allows, stated again in the database, so that no write can break them.
-- A result that an agent reports while its question is open withdraws the question and ends the session. A retry also
-- starts the session. A test holds this, the Rust table and docs/architecture.md equal.
create function session_transition_allowed(from_status text, to_status text) returns boolean
    language sql immutable parallel safe
    return case from_status
        when 'pending'  then to_status in ('queued', 'running', 'cancelled', 'failed', 'orphaned')
        when 'queued'   then to_status in ('running', 'pending', 'cancelled', 'failed', 'timeout', 'orphaned')
        when 'running'  then to_status in ('completed', 'partially_completed', 'failed', 'timeout', 'paused', 'stopped', 'degraded', 'orphaned')
        when 'paused'   then to_status in ('running', 'queued', 'completed', 'partially_completed', 'failed', 'timeout', 'stopped', 'cancelled', 'orphaned')
        when 'degraded' then to_status in ('running', 'completed', 'partially_completed', 'failed', 'timeout', 'paused', 'stopped', 'orphaned')
        when 'failed'   then to_status in ('pending', 'queued')
        when 'timeout'  then to_status in ('pending', 'queued')
        when 'stopped'  then to_status in ('pending', 'queued')
        else false
    end;

-- The texts of a JSON array; an empty array for any other value.
create function jsonb_text_array(value jsonb) returns text[]
    language sql immutable parallel safe
    return case when jsonb_typeof(value) = 'array' then array(select jsonb_array_elements_text(value)) else '{}'::text[] end;

create table sessions (
    tenant_id            uuid not null references tenants (id) on delete cascade,
    id                   uuid not null,
    title                text not null check (char_length(title) between 1 and 200),
    description          text check (char_length(description) <= 1000),
    session_type         text not null check (session_type in ('planning', 'execution', 'review', 'debug', 'integration')),
    priority             smallint not null check (priority between 0 and 4),
    initial_prompt       text not null check (char_length(initial_prompt) between 1 and 100000),
    model_identifier     text,
    -- The model that a session runs on which names a version or an alias, from its dispatch on.
    resolved_model       jsonb,
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
    -- The deactivation of its tenant requested its pause, or keeps it paused: the reactivation resumes exactly these.
    suspended            boolean not null default false,

    -- The pending request of a person, which the next step carries out: {verb, reason, actor, ..}.
    intent               jsonb,

    -- The run: one handover to the agent and the state that the agent's driver keeps.
    agent_id             uuid references agents (id),
    -- The agent that it was taken from: it is dispatched to another one once.
    lost_agent_id        uuid,
    handover             jsonb,
    -- Until when the agent may take the session; null = not offered. Until then the offer takes up a slot.
    offered_until        timestamptz,
    -- What the offer handed over; restored if the offer is withdrawn.
    offered_handover     jsonb,
    run                  integer not null default 0,
    run_started_at       timestamptz,
    run_state            jsonb,
    turns_with_changes   integer not null default 0,
    usage_by_scope       jsonb not null default '{}',
    -- What an agent of a tenant reports about its own usage beyond the bound of its run: kept, but booked nowhere. The form
    -- is that of UsageClaims in shared/src/sessions/usage_claims.rs; an empty object means that nothing was ever claimed.
    usage_claims         jsonb not null default '{}' check (jsonb_typeof(usage_claims) = 'object'),

    -- Any suitable agent may take it. A paused session resumes where its work is.
    routed                boolean not null
        generated always as (not (agent_config ? 'agent') and coalesce(handover->>'from', '') <> 'resume') stored,
    required_capabilities text[] not null generated always as (jsonb_text_array(agent_config->'required_capabilities')) stored,
    required_skills       text[] not null generated always as (jsonb_text_array(agent_config->'skills')) stored,
    minimum_tier          text generated always as (agent_config->>'minimum_tier') stored,

    -- The step: who works on the row, and when it is due again.
    fence                bigint not null default 0,
    lease_until          timestamptz,
    next_step_at         timestamptz,
    step_pause_ms        integer not null default 1000,
    attempts             integer not null default 0,
    -- Steps in a row that failed for a reason of their own, and that were interrupted by crashes or time limits. A step that
    -- is written resets both. A session whose step is never done is ended instead of being tried for ever.
    failed_steps         integer not null default 0,
    interrupted_steps    integer not null default 0,
    -- How often its work could not be read since it was last read. Reading it is tried a few times.
    failed_collections   integer not null default 0,
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
    -- The position of its last event; see session_events.
    last_event_position  xid8 not null default pg_current_xact_id(),
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
    constraint running_has_agent check (status not in ('running', 'degraded') or agent_id is not null),
    constraint named_has_agent check (status <> 'queued' or agent_id is not null or not (agent_config ? 'agent')),
    constraint offered_while_queued check (offered_until is null or status = 'queued' and agent_id is not null),
    constraint handed_over_with_offer check (offered_handover is null or offered_until is not null)
);

-- Two sessions are never at work in one workspace, or offered with it: the database refuses it whatever the code does.
create unique index sessions_workspace_taken on sessions (tenant_id, workspace_key)
    where (status in ('running', 'degraded') or offered_until is not null) and workspace_key is not null;
-- No other index than the key may begin with tenant_id: while the table is small, the check of a foreign key would be
-- planned with it, and a connection keeps that plan while the table grows.
create index sessions_by_status on sessions (status, tenant_id, id);
create index sessions_of_agent_with_slots on sessions (agent_id, tenant_id, root_id)
    where status in ('running', 'degraded') or offered_until is not null;
create index sessions_with_slots on sessions (tenant_id) where status in ('running', 'degraded') or offered_until is not null;
create index sessions_open on sessions (tenant_id) where ended_at is null;
create index sessions_suspended on sessions (tenant_id) where suspended;
create index sessions_queued on sessions (agent_id, tenant_id, queued_at) where status = 'queued';
create index sessions_queued_routed on sessions (queued_at) where status = 'queued' and routed;
create index sessions_due on sessions (next_step_at) where next_step_at is not null;
create index sessions_by_parent on sessions (tenant_id, parent_id) where parent_id is not null;
create index sessions_by_root on sessions (root_id, tenant_id);
create index sessions_by_tag on sessions using gin (tags);
create index sessions_by_run_start on sessions (agent_id, tenant_id, run_started_at) where run_started_at is not null;
create index sessions_paused_by_quota on sessions (tenant_id) where pause_reason = 'quota';
-- The contexts that clients of A2A assign to their tasks, which are sessions.
create index sessions_of_a2a_context on sessions (tenant_id, (metadata->'a2a'->>'context_id')) where metadata->'a2a'->>'context_id' is not null;

create function check_session_transition() returns trigger language plpgsql as $$
begin
    if not session_transition_allowed(old.status, new.status) then
        raise exception 'a session cannot go from % to %', old.status, new.status
            using errcode = 'check_violation', constraint = 'session_transition';
    end if;
    return new;
end $$;

create trigger session_transition before update of status on sessions
    for each row when (old.status is distinct from new.status) execute function check_session_transition();

-- A create that the tenant's limits or its agent do not allow ends as an error, which rolls the whole transaction back. So
-- the create can be sent together with its audit entry and the commit, and no later statement has to check its result.
create function reject_session(snapshot jsonb) returns void language plpgsql volatile as $$
begin
    raise exception 'the session is not admitted' using errcode = 'SR001', detail = coalesce(snapshot::text, 'null');
end $$;

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
    -- The agent whose run state it is; no other agent can use it.
    agent_id   uuid,
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

-- The bytes are in the object store under tenant/session/sha256.
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

-- Messages from people to a session; the next step delivers them to its agent.
create table session_messages (
    tenant_id    uuid not null,
    session_id   uuid not null,
    id           uuid not null,
    message      jsonb not null,
    actor        jsonb not null,
    at           timestamptz not null,
    delivered_at timestamptz,
    primary key (tenant_id, session_id, id),
    foreign key (tenant_id, session_id) references sessions (tenant_id, id) on delete cascade
);
create index session_messages_undelivered on session_messages (tenant_id, session_id, id) where delivered_at is null;

-- Workspaces that agents still hold for deleted sessions: inserted in the transaction that deletes the session, or its
-- tenant, and deleted once the agent has released the workspace. A row has what the release needs, and nothing of the
-- session's content.
create table workspace_releases (
    -- There is no foreign key: the row outlives its session and its tenant.
    tenant_id      uuid not null,
    session_id     uuid not null,
    agent_id       uuid not null,
    run            integer not null,
    run_started_at timestamptz not null,
    run_state      jsonb not null,
    requested_at   timestamptz not null,
    attempts       integer not null default 0,
    next_step_at   timestamptz not null,
    primary key (tenant_id, session_id)
);
create index workspace_releases_due on workspace_releases (next_step_at);

-- Deleted sessions whose files are still in the object store: inserted in the transaction that deletes the session, and
-- deleted once the files are removed.
create table file_removals (
    -- There is no foreign key: the row outlives its session and its tenant.
    tenant_id    uuid not null,
    session_id   uuid not null,
    requested_at timestamptz not null,
    primary key (tenant_id, session_id)
);
create index file_removals_oldest on file_removals (requested_at);

do $$
declare
    name text;
begin
    foreach name in array array['sessions', 'session_checkpoints', 'session_files', 'session_artifacts', 'session_messages',
                                'workspace_releases', 'file_removals'] loop
        execute format('alter table %I enable row level security', name);
        execute format('alter table %I force row level security', name);
        execute format('create policy tenant on %I to ioc_app using (tenant_id = app_tenant_id()) '
                       'with check (tenant_id = app_tenant_id())', name);
    end loop;
end $$;
create policy directory on sessions for select to ioc_directory using (true);
create policy directory on workspace_releases for select to ioc_directory using (true);
create policy directory on file_removals for select to ioc_directory using (true);
grant select, insert, update, delete on sessions, session_checkpoints, session_files, session_artifacts, session_messages,
    workspace_releases, file_removals to ioc_app;
grant select (tenant_id, id, status, priority, queued_at, root_id, agent_id, workspace_key, next_step_at, lease_until,
              handover, offered_until, pause_reason, depth, child_count, run, run_started_at, suspended, routed,
              required_capabilities, required_skills, minimum_tier, lost_agent_id, created_by) on sessions to ioc_directory;
grant select (tenant_id, session_id, agent_id, next_step_at) on workspace_releases to ioc_directory;
grant select on file_removals to ioc_directory;
