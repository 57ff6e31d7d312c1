-- What a tenant stores. The counts are taken by the reconciler each minute, so that no write pays for them; see
-- shared/src/sessions/store/stored_bytes.rs. The limits are in tenants.quotas.

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
    tenant_id      uuid not null,
    session_id     uuid not null,
    event_bytes    bigint not null default 0,
    artifact_bytes bigint not null default 0,
    primary key (tenant_id, session_id),
    foreign key (tenant_id, session_id) references sessions (tenant_id, id) on delete cascade
);

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
