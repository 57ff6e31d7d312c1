-- Datasets: samples made of sessions, which sessions they are made of, and whether a tenant agrees to that.

alter table tenants
    -- Whether its sessions may become training data. A lead or an admin of it decides.
    add column training_consent boolean not null default false;

-- Who lists all tenants sees that too.
grant select (training_consent) on tenants to ioc_directory;
drop function list_tenants(uuid, bigint, boolean, text);
create function list_tenants(before uuid, most bigint, active boolean, fragment text)
    returns table (id uuid, name text, slug text, max_concurrent_sessions integer, max_queued_sessions integer,
                   max_tokens_per_month bigint, admission text, signup boolean, signup_role text, audit_retention_days integer,
                   calls_per_minute integer, training_consent boolean, metadata jsonb, is_active boolean, version bigint,
                   created_at timestamptz, updated_at timestamptz)
    language sql stable security definer set search_path = public
begin atomic
    select t.id, t.name, t.slug, t.max_concurrent_sessions, t.max_queued_sessions, t.max_tokens_per_month, t.admission,
           t.signup, t.signup_role, t.audit_retention_days, t.calls_per_minute, t.training_consent, t.metadata, t.is_active,
           t.version, t.created_at, t.updated_at
    from tenants t
    where t.deleted_at is null and (before is null or t.id < before) and (active is null or t.is_active = active)
      and (fragment is null or strpos(lower(t.name), lower(fragment)) > 0 or strpos(t.slug, lower(fragment)) > 0)
    order by t.id desc
    limit most;
end;

-- A dataset is written once, when its files lie in the file store, and never changed. Its job is known by its id alone.
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
    -- What was looked at, left out and redacted, in figures.
    tally             jsonb not null check (jsonb_typeof(tally) = 'object'),
    created_at        timestamptz not null,
    primary key (tenant_id, id),
    constraint datasets_of_job unique (tenant_id, job_id, attempt),
    constraint held_out_whole check (num_nonnulls(held_out_key, held_out_sha256, held_out_bytes, held_out_samples) in (0, 4))
);

-- Which sessions a dataset is made of. No reference to them: that a session is gone is told, not forgotten.
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

-- Whoever deletes a session, and however: the datasets that hold it say so from the same transaction on.
create function mark_deleted_in_datasets() returns trigger language plpgsql as $$
begin
    update dataset_sessions d set deleted_at = now()
    where d.session_id = old.id and d.tenant_id = old.tenant_id and d.deleted_at is null;
    return null;
end $$;
create trigger session_deleted_in_datasets after delete on sessions for each row execute function mark_deleted_in_datasets();

do $$
declare
    name text;
begin
    foreach name in array array['datasets', 'dataset_sessions'] loop
        execute format('alter table %I enable row level security', name);
        execute format('alter table %I force row level security', name);
        execute format('create policy tenant on %I to ioc_app using (tenant_id = app_tenant_id()) '
                       'with check (tenant_id = app_tenant_id())', name);
    end loop;
end $$;
grant select, insert on datasets to ioc_app;
grant select, insert on dataset_sessions to ioc_app;
grant update (deleted_at) on dataset_sessions to ioc_app;

grant create on schema public to ioc_directory;
do $$
declare
    signature regprocedure := 'list_tenants(uuid, bigint, boolean, text)';
begin
    execute format('alter function %s owner to ioc_directory', signature);
    execute format('revoke all on function %s from public', signature);
    execute format('grant execute on function %s to ioc_app', signature);
end $$;
revoke create on schema public from ioc_directory;
