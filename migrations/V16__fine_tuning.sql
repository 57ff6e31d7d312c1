-- Fine-tuning: the jobs that make models of datasets, their log, their curves, and what tenants set for providers.

create table training_jobs (
    tenant_id         uuid not null references tenants (id) on delete cascade,
    id                uuid not null,
    base_model        text not null check (char_length(base_model) between 1 and 200),
    target_model_name text not null check (char_length(target_model_name) between 1 and 100),
    provider          text not null check (provider in ('simulated', 'openai', 'aws', 'command')),
    parameters        jsonb not null check (jsonb_typeof(parameters) = 'object'),
    -- What the dataset is made by; see the recipes of datasets.
    recipe            jsonb not null check (jsonb_typeof(recipe) = 'object'),

    status            text not null check (status in ('pending', 'queued', 'running', 'evaluating', 'completed', 'failed', 'cancelled')),
    status_changed_at timestamptz not null,
    -- Counts the submissions; a retry begins the next one.
    attempt           integer not null default 1 check (attempt > 0),
    error             jsonb,

    -- What was curated for this attempt.
    dataset           jsonb,
    -- When this attempt was handed to the provider; set before it is, so that a handover whose answer was lost is known of.
    submitted_at      timestamptz,
    external_id       text,
    trainer_state     jsonb,
    -- The provider is still to be told that nobody wants it any more.
    stopping          boolean not null default false,
    progress          double precision check (progress between 0 and 1),
    polled_at         timestamptz,
    trained           jsonb,
    metrics           jsonb not null default '{}' check (jsonb_typeof(metrics) = 'object'),
    evaluation        jsonb,
    model_version_id  uuid,
    model_version     text,
    -- Of all attempts.
    cost_micros       bigint not null default 0 check (cost_micros >= 0),

    -- The step: who works on the row, and when it is due again.
    fence             bigint not null default 0,
    lease_until       timestamptz,
    next_step_at      timestamptz,
    -- The pause before the last look.
    look_pause_ms     integer not null default 0 check (look_pause_ms >= 0),
    -- Tries in a row that failed for the moment, looks in a row that found no job, and steps in a row that were broken off.
    tries             integer not null default 0,
    unknown_looks     integer not null default 0,
    broken_off        integer not null default 0,

    last_event_seq    bigint not null default 0,
    version           bigint not null default 1,
    created_by        jsonb not null,
    created_at        timestamptz not null,
    updated_at        timestamptz not null,
    started_at        timestamptz,
    ended_at          timestamptz,

    primary key (tenant_id, id),
    constraint ended_when_over check ((ended_at is not null) = (status in ('completed', 'failed', 'cancelled'))),
    constraint error_when_failed check ((error is not null) = (status = 'failed')),
    constraint running_was_submitted check (status not in ('running', 'evaluating', 'completed')
        or (submitted_at is not null and dataset is not null and trainer_state is not null)),
    constraint evaluating_was_trained check (status not in ('evaluating', 'completed') or trained is not null),
    constraint completed_is_registered check ((status = 'completed') = (model_version_id is not null)
        and (model_version_id is null) = (model_version is null)),
    constraint active_is_due check (status not in ('queued', 'running', 'evaluating') or next_step_at is not null),
    constraint stopping_when_over check (not stopping or (ended_at is not null and next_step_at is not null))
);
create index training_jobs_due on training_jobs (next_step_at) where next_step_at is not null;
create index training_jobs_active on training_jobs (tenant_id) where status in ('queued', 'running', 'evaluating');

-- The transition table once more. A test holds this, shared/src/tuning/status.rs and docs/fine-tuning.md equal.
create function training_may_go(was text, goes text) returns boolean
    language sql immutable parallel safe
    return case was
        when 'pending'    then goes in ('queued', 'cancelled', 'failed')
        when 'queued'     then goes in ('running', 'failed', 'cancelled')
        when 'running'    then goes in ('evaluating', 'completed', 'failed', 'cancelled')
        when 'evaluating' then goes in ('completed', 'failed', 'cancelled')
        when 'failed'     then goes in ('pending')
        when 'cancelled'  then goes in ('pending')
        else false
    end;

create function refuse_impossible_training() returns trigger language plpgsql as $$
begin
    if not training_may_go(old.status, new.status) then
        raise exception 'a training job cannot go from % to %', old.status, new.status
            using errcode = 'check_violation', constraint = 'training_transition';
    end if;
    return new;
end $$;

create trigger training_transition before update of status on training_jobs
    for each row when (old.status is distinct from new.status) execute function refuse_impossible_training();

create table training_events (
    tenant_id uuid not null,
    job_id    uuid not null,
    seq       bigint not null check (seq > 0),
    id        uuid not null,
    type      text not null,
    actor     jsonb not null,
    at        timestamptz not null,
    payload   jsonb not null,
    primary key (tenant_id, job_id, seq),
    foreign key (tenant_id, job_id) references training_jobs (tenant_id, id) on delete cascade
);

create table training_points (
    tenant_id     uuid not null,
    job_id        uuid not null,
    attempt       integer not null,
    step          bigint not null check (step >= 0),
    loss          double precision not null,
    learning_rate double precision,
    eval_loss     double precision,
    primary key (tenant_id, job_id, attempt, step),
    foreign key (tenant_id, job_id) references training_jobs (tenant_id, id) on delete cascade
);

-- What a tenant set for a provider of training. The key is sealed under the pepper.
create table training_providers (
    tenant_id  uuid not null references tenants (id) on delete cascade,
    provider   text not null check (provider in ('openai', 'aws', 'command')),
    base_url   text check (char_length(base_url) <= 2000),
    api_key    bytea,
    updated_by jsonb not null,
    updated_at timestamptz not null,
    primary key (tenant_id, provider)
);

-- The trainings that the simulated trainer plays: what a provider would keep on its own servers.
create table simulated_trainings (
    tenant_id    uuid not null references tenants (id) on delete cascade,
    job_id       uuid not null,
    attempt      integer not null,
    began_at     timestamptz not null,
    tokens       bigint not null check (tokens >= 0),
    cancelled_at timestamptz,
    -- How many calls failed as they were told to.
    failures     integer not null default 0,
    primary key (tenant_id, job_id, attempt)
);

do $$
declare
    name text;
begin
    foreach name in array array['training_jobs', 'training_events', 'training_points', 'training_providers', 'simulated_trainings'] loop
        execute format('alter table %I enable row level security', name);
        execute format('alter table %I force row level security', name);
        execute format('create policy tenant on %I to ioc_app using (tenant_id = app_tenant_id()) '
                       'with check (tenant_id = app_tenant_id())', name);
    end loop;
end $$;
create policy directory on training_jobs for select to ioc_directory using (true);
grant select, insert, update, delete on training_jobs, training_points, training_providers, simulated_trainings to ioc_app;
grant select, insert on training_events to ioc_app;     -- append-only
grant select (tenant_id, id, status, stopping, next_step_at, lease_until) on training_jobs to ioc_directory;

-- Jobs whose step is due and whom nobody serves, the longest due first.
create function due_trainings(at timestamptz, most integer)
    returns table (tenant_id uuid, job_id uuid, polls boolean)
    language sql stable security definer set search_path = public
begin atomic
    select t.tenant_id, t.id, t.status = 'running' from training_jobs t
    where t.next_step_at <= at and (t.lease_until is null or t.lease_until <= at)
    order by t.next_step_at limit most;
end;
grant create on schema public to ioc_directory;
alter function due_trainings(timestamptz, integer) owner to ioc_directory;
revoke all on function due_trainings(timestamptz, integer) from public;
grant execute on function due_trainings(timestamptz, integer) to ioc_app;
revoke create on schema public from ioc_directory;
