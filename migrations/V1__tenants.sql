-- Roles, tenants, and what they may use.
--
-- None of these roles can log in until somebody gives it a password:
--   ioc_app         the functions connect as this role; it owns nothing and is subject to row-level security everywhere
--   ioc_directory   owns the few functions that must see more than one tenant; it can read only the columns they need
--   ioc_audit       owns the functions that write the audit log
--   ioc_partitions  owns the partitioned tables and the functions that create and drop their partitions

do $$
declare
    name text;
begin
    foreach name in array array['ioc_app', 'ioc_directory', 'ioc_audit', 'ioc_partitions'] loop
        begin
            execute format('create role %I nologin nosuperuser nobypassrls nocreatedb nocreaterole', name);
        exception when duplicate_object or unique_violation then null;
        end;
    end loop;
    foreach name in array array['ioc_directory', 'ioc_audit', 'ioc_partitions'] loop
        if not pg_has_role(current_user, name, 'member') then
            execute format('grant %I to %I', name, current_user);
        end if;
    end loop;
end $$;

revoke create on schema public from public;
grant usage on schema public to ioc_app, ioc_directory, ioc_audit, ioc_partitions;

-- The tenant of this transaction. Null when none is set, and then no row is visible.
create function app_tenant_id() returns uuid
    language sql stable parallel safe
    return nullif(current_setting('app.tenant_id', true), '')::uuid;

-- The first day of the month that a time falls in, in UTC.
create function utc_month(at timestamptz) returns date
    language sql immutable parallel safe
    return date_trunc('month', at at time zone 'UTC')::date;

-- Whether a tenant has used up its tokens of a month. A limit of 0 means no limit, and no row of usage means no use.
-- The planner inlines this function, so it costs nothing.
create function token_quota_reached(max_tokens_per_month bigint, tokens_used bigint) returns boolean
    language sql immutable parallel safe
    return max_tokens_per_month > 0 and max_tokens_per_month <= coalesce(tokens_used, 0);

create table tenants (
    id                      uuid primary key,
    name                    text not null check (char_length(name) between 2 and 100),
    slug                    text not null unique check (slug ~ '^[a-z0-9-]{2,50}$'),
    max_concurrent_sessions integer not null default 10 check (max_concurrent_sessions between 0 and 100000),
    max_queued_sessions     integer not null default 1000 check (max_queued_sessions between 0 and 1000000),
    max_tokens_per_month    bigint not null default 1000000 check (max_tokens_per_month >= 0),
    admission               text not null default 'queue' check (admission in ('queue', 'reject')),
    -- Calls per minute of all keys together; null = the platform's default, 0 = unlimited.
    calls_per_minute        integer check (calls_per_minute between 0 and 10000000),
    -- Whether a person whom the configured issuer authenticates becomes a user at the first login, and with which role.
    signup                  boolean not null default false,
    signup_role             text not null default 'viewer' check (signup_role in ('viewer', 'member', 'lead')),
    -- Days for which entries of the audit log are kept; 0 = for ever.
    audit_retention_days    integer not null default 0
        check (audit_retention_days = 0 or audit_retention_days between 30 and 3650),
    -- Whether its sessions may become training data. A lead or an admin of the tenant decides.
    training_consent        boolean not null default false,
    -- Whether agents without a recorded conformance run get only the sessions that name them.
    require_conformance     boolean not null default false,
    -- The limits that differ from the platform's: {open_sessions, stored_bytes, api_keys, agents}; 0 = unlimited.
    quotas                  jsonb not null default '{}' check (jsonb_typeof(quotas) = 'object'),
    metadata                jsonb not null default '{}' check (jsonb_typeof(metadata) = 'object'),
    is_active               boolean not null default true,
    -- When its removal was requested; the reconciler completes the removal.
    deleted_at              timestamptz,
    version                 bigint not null default 1,
    created_at              timestamptz not null,
    updated_at              timestamptz not null,
    constraint deleted_when_inactive check (deleted_at is null or not is_active)
);

create table tenant_usage (
    tenant_id   uuid not null references tenants (id) on delete cascade,
    month       date not null check (extract(day from month) = 1),
    tokens      bigint not null default 0 check (tokens >= 0),
    cost_micros bigint not null default 0 check (cost_micros >= 0),
    primary key (tenant_id, month)
);

-- Row-level security is forced, so that not even the owner bypasses it by accident.
alter table tenants enable row level security;
alter table tenants force row level security;
create policy tenant on tenants to ioc_app using (id = app_tenant_id()) with check (id = app_tenant_id());
create policy directory on tenants for select to ioc_directory using (true);
alter table tenant_usage enable row level security;
alter table tenant_usage force row level security;
create policy tenant on tenant_usage to ioc_app using (tenant_id = app_tenant_id()) with check (tenant_id = app_tenant_id());
create policy directory on tenant_usage for select to ioc_directory using (true);

grant select, insert, update, delete on tenants, tenant_usage to ioc_app;
grant select (id, name, slug, max_concurrent_sessions, max_queued_sessions, max_tokens_per_month, admission, calls_per_minute,
              signup, signup_role, audit_retention_days, training_consent, require_conformance, quotas, metadata, is_active,
              deleted_at, version, created_at, updated_at) on tenants to ioc_directory;
grant select on tenant_usage to ioc_directory;

create function find_tenant(slug_or_id text)
    returns table (id uuid, slug text, is_active boolean)
    language sql stable security definer set search_path = public
begin atomic
    select t.id, t.slug, t.is_active from tenants t where t.slug = slug_or_id or t.id::text = slug_or_id;
end;

-- A page of all tenants, newest first. Only platform admins may call the endpoint behind it.
create function list_tenants(before uuid, max_rows bigint, active boolean, fragment text)
    returns table (id uuid, name text, slug text, max_concurrent_sessions integer, max_queued_sessions integer,
                   max_tokens_per_month bigint, admission text, signup boolean, signup_role text, audit_retention_days integer,
                   calls_per_minute integer, training_consent boolean, metadata jsonb, is_active boolean, version bigint,
                   created_at timestamptz, updated_at timestamptz, quotas jsonb)
    language sql stable security definer set search_path = public
begin atomic
    select t.id, t.name, t.slug, t.max_concurrent_sessions, t.max_queued_sessions, t.max_tokens_per_month, t.admission,
           t.signup, t.signup_role, t.audit_retention_days, t.calls_per_minute, t.training_consent, t.metadata, t.is_active,
           t.version, t.created_at, t.updated_at, t.quotas
    from tenants t
    where t.deleted_at is null and (before is null or t.id < before) and (active is null or t.is_active = active)
      and (fragment is null or strpos(lower(t.name), lower(fragment)) > 0 or strpos(t.slug, lower(fragment)) > 0)
    order by t.id desc
    limit max_rows;
end;

grant create on schema public to ioc_directory;
do $$
declare
    signature regprocedure;
begin
    foreach signature in array array['find_tenant(text)', 'list_tenants(uuid, bigint, boolean, text)']::regprocedure[] loop
        execute format('alter function %s owner to ioc_directory', signature);
        execute format('revoke all on function %s from public', signature);
        execute format('grant execute on function %s to ioc_app', signature);
    end loop;
end $$;
revoke create on schema public from ioc_directory;
