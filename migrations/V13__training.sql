-- Fine-tuning: the jobs that train models, their log and curves, the datasets that they are trained on, and the tenants'
-- settings for providers.

create table training_jobs (
    tenant_id         uuid not null references tenants (id) on delete cascade,
    id                uuid not null,
    base_model        text not null check (char_length(base_model) between 1 and 200),
    target_model_name text not null check (char_length(target_model_name) between 1 and 100),
    provider          text not null check (provider in ('simulated', 'openai', 'aws', 'command')),
    parameters        jsonb not null check (jsonb_typeof(parameters) = 'object'),
    -- The recipe of its dataset.
    recipe            jsonb not null check (jsonb_typeof(recipe) = 'object'),

    status            text not null check (status in ('pending', 'queued', 'running', 'evaluating', 'completed', 'failed', 'cancelled')),
    status_changed_at timestamptz not null,
    -- Counts the submissions; a retry begins the next one.
    attempt           integer not null default 1 check (attempt > 0),
    error             jsonb,

    -- The dataset of this attempt.
    dataset           jsonb,
    -- When this attempt was submitted to the provider; set before the submission, so that one whose response was lost is
    -- known.
    submitted_at      timestamptz,
    external_id       text,
    trainer_state     jsonb,
    -- The job is over, but its cancellation at the provider is not complete.
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
    -- Curation began, so there may be files of a dataset that was never completed, until the reconciler has checked.
    may_have_orphaned_files boolean not null default false,

    -- The step: who works on the row, and when it is due again.
    fence              bigint not null default 0,
    lease_until        timestamptz,
    next_step_at       timestamptz,
    -- The delay before the last poll.
    poll_interval_ms   integer not null default 0 check (poll_interval_ms >= 0),
    -- In a row: transient failures, polls that found no job at the provider, steps that were interrupted, and steps that
    -- failed for a reason of their own.
    transient_failures integer not null default 0,
    not_found_polls    integer not null default 0,
    interrupted_steps  integer not null default 0,
    failed_steps       integer not null default 0,

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
create index training_jobs_orphaned_files on training_jobs (tenant_id, id) where may_have_orphaned_files;

-- The transitions that the product allows, stated again. A test holds this, the Rust table and docs/fine-tuning.md equal.
create function training_transition_allowed(from_status text, to_status text) returns boolean
    language sql immutable parallel safe
    return case from_status
        when 'pending'    then to_status in ('queued', 'cancelled', 'failed')
        when 'queued'     then to_status in ('running', 'failed', 'cancelled')
        when 'running'    then to_status in ('evaluating', 'completed', 'failed', 'cancelled')
        when 'evaluating' then to_status in ('completed', 'failed', 'cancelled')
        when 'failed'     then to_status in ('pending')
        when 'cancelled'  then to_status in ('pending')
        else false
    end;

create function check_training_transition() returns trigger language plpgsql as $$
begin
    if not training_transition_allowed(old.status, new.status) then
        raise exception 'a training job cannot go from % to %', old.status, new.status
            using errcode = 'check_violation', constraint = 'training_transition';
    end if;
    return new;
end $$;

create trigger training_transition before update of status on training_jobs
    for each row when (old.status is distinct from new.status) execute function check_training_transition();

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

-- The points of a job's loss curves.
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

-- A tenant's settings for a training provider. The key is encrypted under the pepper.
create table training_providers (
    tenant_id  uuid not null references tenants (id) on delete cascade,
    provider   text not null check (provider in ('openai', 'aws', 'command')),
    base_url   text check (char_length(base_url) <= 2000),
    api_key    bytea,
    updated_by jsonb not null,
    updated_at timestamptz not null,
    primary key (tenant_id, provider)
);

-- The state of the simulated trainer: what a real provider keeps on its own servers.
create table simulated_trainings (
    tenant_id    uuid not null references tenants (id) on delete cascade,
    job_id       uuid not null,
    attempt      integer not null,
    began_at     timestamptz not null,
    tokens       bigint not null check (tokens >= 0),
    cancelled_at timestamptz,
    -- How many calls failed as their parameters demand.
    failures     integer not null default 0,
    primary key (tenant_id, job_id, attempt)
);

-- A dataset is written once, when its files are in the object store, and never changed. It keeps its job by id alone.
create table datasets (
    tenant_id         uuid not null references tenants (id) on delete cascade,
    id                uuid not null,
    job_id            uuid not null,
    attempt           integer not null check (attempt >= 0),
    recipe            jsonb not null check (jsonb_typeof(recipe) = 'object'),
    sha256            text not null check (sha256 ~ '^[0-9a-f]{64}$'),
    training_key      text not null,
    training_sha256   text not null check (training_sha256 ~ '^[0-9a-f]{64}$'),
    training_bytes    bigint not null check (training_bytes > 0),
    training_samples  bigint not null check (training_samples > 0),
    held_out_key      text,
    held_out_sha256   text check (held_out_sha256 ~ '^[0-9a-f]{64}$'),
    held_out_bytes    bigint check (held_out_bytes > 0),
    held_out_samples  bigint check (held_out_samples > 0),
    -- The counts of the curation: considered, excluded, redacted.
    tally             jsonb not null check (jsonb_typeof(tally) = 'object'),
    created_at        timestamptz not null,
    primary key (tenant_id, id),
    constraint datasets_of_job unique (tenant_id, job_id, attempt),
    constraint held_out_whole check (num_nonnulls(held_out_key, held_out_sha256, held_out_bytes, held_out_samples) in (0, 4))
);

-- The sessions that a dataset is made of. There is no foreign key: the deletion of a session is recorded, not cascaded.
create table dataset_sessions (
    tenant_id  uuid not null,
    dataset_id uuid not null,
    session_id uuid not null,
    split      text not null check (split in ('training', 'held_out')),
    deleted_at timestamptz,
    primary key (tenant_id, dataset_id, session_id),
    foreign key (tenant_id, dataset_id) references datasets (tenant_id, id) on delete cascade
);
create index dataset_sessions_of_session on dataset_sessions (session_id, tenant_id);
create index dataset_sessions_deleted on dataset_sessions (dataset_id, tenant_id) where deleted_at is not null;

-- Whoever deletes a session, and by whatever path, the same transaction marks it in the datasets that include it.
create function mark_deleted_in_datasets() returns trigger language plpgsql as $$
begin
    update dataset_sessions d set deleted_at = now()
    where d.session_id = old.id and d.tenant_id = old.tenant_id and d.deleted_at is null;
    return null;
end $$;
create trigger mark_deleted_in_datasets after delete on sessions for each row execute function mark_deleted_in_datasets();

do $$
declare
    name text;
begin
    foreach name in array array['training_jobs', 'training_events', 'training_points', 'training_providers',
                                'simulated_trainings', 'datasets', 'dataset_sessions'] loop
        execute format('alter table %I enable row level security', name);
        execute format('alter table %I force row level security', name);
        execute format('create policy tenant on %I to ioc_app using (tenant_id = app_tenant_id()) '
                       'with check (tenant_id = app_tenant_id())', name);
    end loop;
end $$;
create policy directory on training_jobs for select to ioc_directory using (true);
grant select, insert, update, delete on training_jobs, training_points, training_providers, simulated_trainings to ioc_app;
grant select, insert on training_events to ioc_app;     -- append-only
grant select, insert on datasets, dataset_sessions to ioc_app;
grant update (deleted_at) on dataset_sessions to ioc_app;
grant select (tenant_id, id, status, stopping, next_step_at, lease_until, may_have_orphaned_files) on training_jobs to ioc_directory;

-- Jobs whose step is due and that no worker has leased, the longest due first.
create function due_training_jobs(at timestamptz, max_rows integer)
    returns table (tenant_id uuid, job_id uuid, polls boolean)
    language sql stable security definer set search_path = public
begin atomic
    select t.tenant_id, t.id, t.status = 'running' from training_jobs t
    where t.next_step_at <= at and (t.lease_until is null or t.lease_until <= at)
    order by t.next_step_at limit max_rows;
end;

-- Jobs that may have orphaned files and whose attempt creates no dataset any more. A worker that lost its lease may still
-- write for a while.
create function training_jobs_with_orphaned_files(at timestamptz, max_rows integer) returns table (tenant_id uuid, job_id uuid)
    language sql stable security definer set search_path = public
begin atomic
    select t.tenant_id, t.id from training_jobs t
    where t.may_have_orphaned_files and t.status not in ('pending', 'queued')
      and (t.lease_until is null or t.lease_until <= at - interval '10 minutes')
    limit max_rows;
end;

grant create on schema public to ioc_directory;
do $$
declare
    signature regprocedure;
begin
    foreach signature in array array['due_training_jobs(timestamptz, integer)',
        'training_jobs_with_orphaned_files(timestamptz, integer)']::regprocedure[] loop
        execute format('alter function %s owner to ioc_directory', signature);
        execute format('revoke all on function %s from public', signature);
        execute format('grant execute on function %s to ioc_app', signature);
    end loop;
end $$;
revoke create on schema public from ioc_directory;
