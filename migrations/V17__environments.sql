-- Environments say where and with what the sessions of a tenant work. Secrets are what their sessions need to know, sealed.

create table environments (
    tenant_id  uuid not null references tenants (id) on delete cascade,
    id         uuid not null,
    name       text not null check (name ~ '^[A-Za-z0-9][A-Za-z0-9_.-]{0,99}$'),
    -- Sessions that name no environment work in this one.
    is_default boolean not null default false,
    -- The newest row of environment_versions.
    version    integer not null check (version > 0),
    created_by jsonb not null,
    created_at timestamptz not null,
    updated_at timestamptz not null,
    -- A deleted environment keeps its versions, because sessions work with the one that they were created with.
    deleted_at timestamptz,
    primary key (tenant_id, id),
    constraint default_is_not_deleted check (not (is_default and deleted_at is not null))
);
create unique index environments_name on environments (tenant_id, name) where deleted_at is null;
create unique index environments_default on environments (tenant_id) where is_default;

-- Every change of an environment is a new version. `spec` has the form of EnvironmentSpec in
-- shared/src/agents/environments/spec.rs.
create table environment_versions (
    tenant_id      uuid not null,
    environment_id uuid not null,
    version        integer not null check (version > 0),
    name           text not null,
    spec           jsonb not null check (jsonb_typeof(spec) = 'object'),
    created_by     jsonb not null,
    created_at     timestamptz not null,
    primary key (tenant_id, environment_id, version),
    foreign key (tenant_id, environment_id) references environments (tenant_id, id) on delete cascade
);

-- The owner of a secret is an environment, a user, or else the tenant.
create table secrets (
    tenant_id      uuid not null references tenants (id) on delete cascade,
    id             uuid not null,
    environment_id uuid,
    user_id        uuid,
    name           text not null check (name ~ '^[A-Za-z_][A-Za-z0-9_]{0,99}$'),
    -- Which part of a session knows it: the set-up script, the agent, or both.
    phase          text not null check (phase in ('setup', 'agent', 'both')),
    kind           text not null check (kind in ('plain', 'git', 'provider')),
    -- Of a secret of kind git: the host that it is for, and the name to log in with.
    host           text check (char_length(host) between 1 and 255),
    username       text check (char_length(username) between 1 and 200),
    -- Of a secret of kind provider.
    provider       text check (provider in ('anthropic', 'openai')),
    -- The value, encrypted for this tenant, owner and name.
    sealed         bytea not null check (octet_length(sealed) <= 66000),
    created_at     timestamptz not null,
    updated_at     timestamptz not null,
    updated_by     jsonb not null,
    primary key (tenant_id, id),
    foreign key (tenant_id, environment_id) references environments (tenant_id, id) on delete cascade,
    foreign key (tenant_id, user_id) references users (tenant_id, id) on delete cascade,
    constraint secrets_name unique nulls not distinct (tenant_id, environment_id, user_id, name),
    constraint one_owner check (environment_id is null or user_id is null),
    constraint git_with_host check ((kind = 'git') = (host is not null) and (kind = 'git') = (username is not null)),
    constraint provider_with_name check ((kind = 'provider') = (provider is not null))
);

-- The version that a session works with: {id, name, version}; resolved when it is created.
alter table sessions add column environment jsonb check (jsonb_typeof(environment) = 'object');

do $$
declare
    name text;
begin
    foreach name in array array['environments', 'environment_versions', 'secrets'] loop
        execute format('alter table %I enable row level security', name);
        execute format('alter table %I force row level security', name);
        execute format('create policy tenant on %I to ioc_app using (tenant_id = app_tenant_id()) '
                       'with check (tenant_id = app_tenant_id())', name);
    end loop;
end $$;
grant select, insert, update (name, is_default, version, updated_at, deleted_at) on environments to ioc_app;
grant select, insert on environment_versions to ioc_app;    -- append-only
grant select, insert, update (phase, kind, host, username, provider, sealed, updated_at, updated_by), delete on secrets to ioc_app;
