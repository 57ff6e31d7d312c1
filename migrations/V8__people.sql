-- Deactivating a tenant, removing one, and listing them all.

alter table tenants
    -- Its removal was decided; what is left of it goes with the next sweep at the latest.
    add column deleted_at timestamptz,
    add constraint deleted_when_inactive check (deleted_at is null or not is_active);

create index users_admins on users (tenant_id) where role = 'admin' and is_active;

grant select (name, max_queued_sessions, admission, signup, signup_role, audit_retention_days, calls_per_minute, metadata,
              version, created_at, updated_at, deleted_at) on tenants to ioc_directory;

-- A page of all tenants, newest first. Called for admins alone.
create function list_tenants(before uuid, most bigint, active boolean, fragment text)
    returns table (id uuid, name text, slug text, max_concurrent_sessions integer, max_queued_sessions integer,
                   max_tokens_per_month bigint, admission text, signup boolean, signup_role text, audit_retention_days integer,
                   calls_per_minute integer, metadata jsonb, is_active boolean, version bigint, created_at timestamptz,
                   updated_at timestamptz)
    language sql stable security definer set search_path = public
begin atomic
    select t.id, t.name, t.slug, t.max_concurrent_sessions, t.max_queued_sessions, t.max_tokens_per_month, t.admission,
           t.signup, t.signup_role, t.audit_retention_days, t.calls_per_minute, t.metadata, t.is_active, t.version,
           t.created_at, t.updated_at
    from tenants t
    where t.deleted_at is null and (before is null or t.id < before) and (active is null or t.is_active = active)
      and (fragment is null or strpos(lower(t.name), lower(fragment)) > 0 or strpos(t.slug, lower(fragment)) > 0)
    order by t.id desc
    limit most;
end;

-- Tenants whose removal, deactivation or reactivation is decided and not carried out in full.
create function unsettled_tenants() returns table (tenant_id uuid, is_active boolean, deleted boolean)
    language sql stable security definer set search_path = public
begin atomic
    select t.id, t.is_active, t.deleted_at is not null
    from tenants t
    where t.deleted_at is not null
       or (t.is_active and exists (select 1 from sessions s where s.tenant_id = t.id and s.suspended))
       or (not t.is_active and exists (select 1 from sessions s
               where s.tenant_id = t.id and s.status in ('running', 'degraded') and not s.suspended));
end;

-- As before, of tenants that are active.
create or replace function sessions_with_tokens_again(this_month date, most integer)
    returns table (tenant_id uuid, session_id uuid)
    language sql stable security definer set search_path = public
begin atomic
    select s.tenant_id, s.id
    from sessions s
    join tenants t on t.id = s.tenant_id and t.is_active
    left join tenant_usage u on u.tenant_id = s.tenant_id and u.month = this_month
    where s.pause_reason = 'quota'
      and (t.max_tokens_per_month = 0 or coalesce(u.tokens, 0) < t.max_tokens_per_month)
    limit most;
end;

grant create on schema public to ioc_directory;
do $$
declare
    signature regprocedure;
begin
    foreach signature in array array['list_tenants(uuid, bigint, boolean, text)', 'unsettled_tenants()']::regprocedure[] loop
        execute format('alter function %s owner to ioc_directory', signature);
        execute format('revoke all on function %s from public', signature);
        execute format('grant execute on function %s to ioc_app', signature);
    end loop;
end $$;
revoke create on schema public from ioc_directory;
