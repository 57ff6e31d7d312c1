-- The registry of models: immutable versions, aliases that point at them, and the retirement dates of base models.

create table models (
    tenant_id  uuid not null references tenants (id) on delete cascade,
    name       text not null check (name ~ '^[A-Za-z0-9][A-Za-z0-9_.-]{0,99}$'),
    created_by jsonb not null,
    created_at timestamptz not null,
    updated_at timestamptz not null,
    primary key (tenant_id, name)
);

-- The origin of a version is kept by ids alone: what they refer to may be deleted, the version stays.
create table model_versions (
    tenant_id        uuid not null references tenants (id) on delete cascade,
    id               uuid not null,
    name             text not null,
    major            integer not null check (major >= 0),
    minor            integer not null check (minor >= 0),
    patch            integer not null check (patch >= 0),
    build            text check (build ~ '^[0-9A-Za-z.-]{1,50}$'),
    version          text not null generated always as
                         (major::text || '.' || minor::text || '.' || patch::text || coalesce('-' || build, '')) stored,
    base_model       text not null check (char_length(base_model) between 1 and 200),
    job_id           uuid,
    dataset_id       uuid,
    dataset_sha256   text check (dataset_sha256 ~ '^[0-9a-f]{64}$'),
    recipe_hash      text check (char_length(recipe_hash) between 1 and 200),
    parameters       jsonb not null check (jsonb_typeof(parameters) = 'object'),
    provider         text check (char_length(provider) between 1 and 50),
    -- The name that agents use: provider/model. Null while no provider serves it.
    model_identifier text check (char_length(model_identifier) between 3 and 300),
    artifact         text check (char_length(artifact) <= 2000),
    metrics          jsonb not null check (jsonb_typeof(metrics) = 'object'),
    cost_micros      bigint check (cost_micros >= 0),
    notes            text check (char_length(notes) <= 4000),
    archived_at      timestamptz,
    created_by       jsonb not null,
    created_at       timestamptz not null,
    primary key (tenant_id, id),
    foreign key (tenant_id, name) references models (tenant_id, name) on delete cascade,
    constraint model_versions_version unique (tenant_id, name, version)
);
-- A job registers one version, however often its last step runs.
create unique index model_versions_of_job on model_versions (tenant_id, job_id) where job_id is not null;
create index model_versions_newest on model_versions (tenant_id, name, major desc, minor desc, patch desc, id desc);
create index model_versions_of_dataset on model_versions (tenant_id, dataset_id) where dataset_id is not null;

create function check_model_version_unchanged() returns trigger language plpgsql as $$
declare
    -- A generated column is not computed yet, and follows from the others.
    mutable constant text[] := array['notes', 'archived_at', 'version'];
begin
    if to_jsonb(new) - mutable is distinct from to_jsonb(old) - mutable then
        raise exception 'a model version is immutable'
            using errcode = 'check_violation', constraint = 'model_version_immutable';
    end if;
    return new;
end $$;
create trigger model_version_immutable before update on model_versions
    for each row execute function check_model_version_unchanged();

create table model_aliases (
    tenant_id  uuid not null references tenants (id) on delete cascade,
    name       text not null,
    alias      text not null check (alias ~ '^[a-z][a-z0-9_-]{0,49}$'),
    version_id uuid not null,
    moved_by   jsonb not null,
    moved_at   timestamptz not null,
    primary key (tenant_id, name, alias),
    foreign key (tenant_id, name) references models (tenant_id, name) on delete cascade,
    foreign key (tenant_id, version_id) references model_versions (tenant_id, id) on delete cascade
);
create index model_aliases_of_version on model_aliases (tenant_id, version_id);

-- The history of each alias. A rollback reverts the newest move that was not rolled back.
create table model_alias_moves (
    tenant_id  uuid not null references tenants (id) on delete cascade,
    name       text not null,
    alias      text not null,
    seq        integer not null check (seq > 0),
    verb       text not null check (verb in ('move', 'remove', 'rollback')),
    previous_version_id uuid,
    new_version_id      uuid,
    rolled_back         boolean not null default false,
    actor      jsonb not null,
    at         timestamptz not null,
    primary key (tenant_id, name, alias, seq),
    foreign key (tenant_id, name) references models (tenant_id, name) on delete cascade,
    foreign key (tenant_id, previous_version_id) references model_versions (tenant_id, id) on delete cascade,
    foreign key (tenant_id, new_version_id) references model_versions (tenant_id, id) on delete cascade
);

-- A tenant's notes on the base models that it trains on.
create table base_models (
    tenant_id  uuid not null references tenants (id) on delete cascade,
    name       text not null check (char_length(name) between 1 and 200),
    retires_on date,
    note       text check (char_length(note) <= 1000),
    updated_by jsonb not null,
    updated_at timestamptz not null,
    primary key (tenant_id, name)
);

do $$
declare
    name text;
begin
    foreach name in array array['models', 'model_versions', 'model_aliases', 'model_alias_moves', 'base_models'] loop
        execute format('alter table %I enable row level security', name);
        execute format('alter table %I force row level security', name);
        execute format('create policy tenant on %I to ioc_app using (tenant_id = app_tenant_id()) '
                       'with check (tenant_id = app_tenant_id())', name);
    end loop;
end $$;
grant select, insert, update (updated_at) on models to ioc_app;
grant select, insert, update (notes, archived_at) on model_versions to ioc_app;
grant select, insert, update (version_id, moved_by, moved_at), delete on model_aliases to ioc_app;
grant select, insert, update (rolled_back) on model_alias_moves to ioc_app;
grant select, insert, update (retires_on, note, updated_by, updated_at) on base_models to ioc_app;
