-- What a tenant stores, and limits on it. The counts are taken by the reconciler each minute, so that no write pays for
-- them; see shared/src/sessions/store/stored_bytes.rs.

-- The limits that differ from the platform's: {open_sessions, stored_bytes, api_keys, agents}; 0 = unlimited.
alter table tenants add column quotas jsonb not null default '{}' check (jsonb_typeof(quotas) = 'object');
grant select (quotas) on tenants to ioc_directory;

create table tenant_storage (
    tenant_id     uuid primary key references tenants (id) on delete cascade,
    open_sessions bigint not null default 0 check (open_sessions >= 0),
    stored_bytes  bigint not null default 0 check (stored_bytes >= 0),
    -- Events before this position are counted.
    position      xid8 not null default '0',
    counted_at    timestamptz not null
);

-- The bytes of one session, which go with it.
create table session_storage (
    tenant_id  uuid not null,
    session_id uuid not null,
    event_bytes    bigint not null default 0,
    artifact_bytes bigint not null default 0,
    primary key (tenant_id, session_id),
    foreign key (tenant_id, session_id) references sessions (tenant_id, id) on delete cascade
);

create index sessions_open on sessions (tenant_id) where ended_at is null;

do $$
declare
    name text;
begin
    foreach name in array array['tenant_storage', 'session_storage'] loop
        execute format('alter table %I enable row level security', name);
        execute format('alter table %I force row level security', name);
        execute format('create policy tenant on %I to ioc_app using (tenant_id = app_tenant_id()) '
                       'with check (tenant_id = app_tenant_id())', name);
    end loop;
end $$;
grant select, insert, update, delete on tenant_storage, session_storage to ioc_app;

grant create on schema public to ioc_directory;
drop function list_tenants(uuid, bigint, boolean, text);
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
alter function list_tenants(uuid, bigint, boolean, text) owner to ioc_directory;
revoke all on function list_tenants(uuid, bigint, boolean, text) from public;
grant execute on function list_tenants(uuid, bigint, boolean, text) to ioc_app;
revoke create on schema public from ioc_directory;
