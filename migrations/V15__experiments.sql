-- Experiments compare models on live sessions. A hash of the salt and the root of the session's tree selects the arm.

create table experiments (
    tenant_id    uuid not null references tenants (id) on delete cascade,
    id           uuid not null,
    name         text not null check (name ~ '^[A-Za-z0-9][A-Za-z0-9_.-]{0,99}$'),
    description  text check (char_length(description) <= 1000),
    -- Sessions that name this model take part; null = only those that name the experiment.
    target       text check (target ~ '^registry/.+@[a-z]'),
    session_type text check (session_type in ('planning', 'execution', 'review', 'debug', 'integration')),
    salt         text not null check (char_length(salt) between 16 and 100),
    guardrails   jsonb not null check (jsonb_typeof(guardrails) = 'array'),
    status       text not null check (status in ('draft', 'running', 'stopped')),
    stop_reason  text check (char_length(stop_reason) <= 1000),
    -- The first arm that was declared the winner.
    winner       text,
    winner_at    timestamptz,
    promoted     jsonb,
    version      bigint not null default 1,
    created_by   jsonb not null,
    created_at   timestamptz not null,
    started_at   timestamptz,
    stopped_at   timestamptz,
    primary key (tenant_id, id),
    constraint experiments_name unique (tenant_id, name),
    constraint started_unless_draft check ((status = 'draft') = (started_at is null)),
    constraint stopped_when_stopped check ((status = 'stopped') = (stopped_at is not null)),
    constraint winner_since check ((winner is null) = (winner_at is null))
);
-- A session takes part in at most one experiment.
create unique index experiments_target on experiments (tenant_id, target, coalesce(session_type, ''))
    where status = 'running' and target is not null;
create index experiments_running on experiments (id) where status = 'running';

create table experiment_arms (
    tenant_id     uuid not null,
    experiment_id uuid not null,
    name          text not null check (name ~ '^[a-z][a-z0-9_-]{0,49}$'),
    position      smallint not null check (position between 0 and 7),
    model         text not null check (char_length(model) between 3 and 300),
    weight        integer not null check (weight between 1 and 1000),
    -- The model that its sessions run on; resolved when the experiment starts, so that it stays the same.
    runs_on       jsonb,
    stopped_at    timestamptz,
    stopped_why   text,
    primary key (tenant_id, experiment_id, name),
    foreign key (tenant_id, experiment_id) references experiments (tenant_id, id) on delete cascade,
    constraint stopped_with_reason check ((stopped_at is null) = (stopped_why is null))
);

-- Sessions by id alone: the assignment of a deleted session still counts.
create table experiment_assignments (
    tenant_id     uuid not null,
    experiment_id uuid not null,
    session_id    uuid not null,
    root_id       uuid not null,
    arm           text not null,
    at            timestamptz not null,
    primary key (tenant_id, experiment_id, session_id),
    foreign key (tenant_id, experiment_id, arm) references experiment_arms (tenant_id, experiment_id, name) on delete cascade
);

-- The result of each session, written with its end: the first conclusive one.
create table experiment_results (
    tenant_id     uuid not null,
    experiment_id uuid not null,
    session_id    uuid not null,
    root_id       uuid not null,
    arm           text not null,
    -- 1; 0.5 if part of the work stands; 0.
    success       real not null check (success in (0, 0.5, 1)),
    duration_ms   bigint not null check (duration_ms >= 0),
    cost_micros   bigint not null check (cost_micros >= 0),
    tokens        bigint not null check (tokens >= 0),
    at            timestamptz not null,
    primary key (tenant_id, experiment_id, session_id),
    foreign key (tenant_id, experiment_id, arm) references experiment_arms (tenant_id, experiment_id, name) on delete cascade
);

do $$
declare
    name text;
begin
    foreach name in array array['experiments', 'experiment_arms', 'experiment_assignments', 'experiment_results'] loop
        execute format('alter table %I enable row level security', name);
        execute format('alter table %I force row level security', name);
        execute format('create policy tenant on %I to ioc_app using (tenant_id = app_tenant_id()) '
                       'with check (tenant_id = app_tenant_id())', name);
    end loop;
end $$;
grant select, insert, update (status, stop_reason, winner, winner_at, promoted, version, started_at, stopped_at)
    on experiments to ioc_app;
grant select, insert, update (runs_on, stopped_at, stopped_why) on experiment_arms to ioc_app;
grant select, insert, update (arm) on experiment_assignments to ioc_app;
grant select, insert on experiment_results to ioc_app;

-- The running experiments of all tenants, for the reconciler.
create policy directory on experiments for select to ioc_directory using (true);
grant select (tenant_id, id, status) on experiments to ioc_directory;
create function running_experiments() returns table (tenant_id uuid, experiment_id uuid)
    language sql stable security definer set search_path = public
begin atomic
    select e.tenant_id, e.id from experiments e where e.status = 'running';
end;

grant create on schema public to ioc_directory;
alter function running_experiments() owner to ioc_directory;
revoke all on function running_experiments() from public;
grant execute on function running_experiments() to ioc_app;
revoke create on schema public from ioc_directory;
