-- Tenants, their keys and agents.
--
-- Two roles, neither of which can log in until somebody gives it a password:
--   ioc_app        what the functions connect as: owns nothing, is subject to row-level security everywhere
--   ioc_directory  owns the few functions that must see more than one tenant; it can read the columns they need, no more

do $$ begin
    create role ioc_app nologin nosuperuser nobypassrls nocreatedb nocreaterole;
exception when duplicate_object or unique_violation then null; end $$;

do $$ begin
    create role ioc_directory nologin nosuperuser nobypassrls nocreatedb nocreaterole;
exception when duplicate_object or unique_violation then null; end $$;

do $$ begin
    if not pg_has_role(current_user, 'ioc_directory', 'member') then
        execute format('grant ioc_directory to %I', current_user);
    end if;
end $$;

revoke create on schema public from public;
grant usage on schema public to ioc_app, ioc_directory;

-- The tenant of this transaction; null when none was set, and then no row is visible.
create function app_tenant_id() returns uuid
    language sql stable parallel safe
    return nullif(current_setting('app.tenant_id', true), '')::uuid;

create table tenants (
    id                      uuid primary key,
    name                    text not null check (char_length(name) between 2 and 100),
    slug                    text not null unique check (slug ~ '^[a-z0-9-]{2,50}$'),
    max_concurrent_sessions integer not null default 10 check (max_concurrent_sessions between 0 and 100000),
    max_queued_sessions     integer not null default 1000 check (max_queued_sessions between 0 and 1000000),
    max_tokens_per_month    bigint not null default 1000000 check (max_tokens_per_month >= 0),
    admission               text not null default 'queue' check (admission in ('queue', 'reject')),
    is_active               boolean not null default true,
    metadata                jsonb not null default '{}' check (jsonb_typeof(metadata) = 'object'),
    version                 bigint not null default 1,
    created_at              timestamptz not null,
    updated_at              timestamptz not null
);

create table tenant_usage (
    tenant_id   uuid not null references tenants (id) on delete cascade,
    month       date not null check (extract(day from month) = 1),
    tokens      bigint not null default 0 check (tokens >= 0),
    cost_micros bigint not null default 0 check (cost_micros >= 0),
    primary key (tenant_id, month)
);

create table api_keys (
    tenant_id   uuid not null references tenants (id) on delete cascade,
    id          uuid not null,
    name        text not null check (char_length(name) between 1 and 100),
    environment text not null check (environment ~ '^[a-z0-9]{1,16}$'),
    role        text not null check (role in ('viewer', 'member', 'lead', 'admin')),
    secret_hash bytea not null check (octet_length(secret_hash) = 32),
    expires_at  timestamptz,
    revoked_at  timestamptz,
    created_at  timestamptz not null,
    primary key (tenant_id, id)
);

create index api_keys_by_id on api_keys (id);

-- An agent without a tenant is the platform's own and serves every tenant. Without a capacity it takes any number.
create table agents (
    id           uuid primary key,
    tenant_id    uuid references tenants (id) on delete cascade,
    name         text not null check (name ~ '^[A-Za-z0-9_-]{1,100}$'),
    kind         text not null check (kind in ('opencode', 'scripted', 'manual')),
    capacity     integer check (capacity between 1 and 50),
    created_at   timestamptz not null,
    updated_at   timestamptz not null,
    unique nulls not distinct (tenant_id, name),
    check (capacity is not null or kind in ('scripted', 'manual'))
);
