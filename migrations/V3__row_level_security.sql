-- Row-level security: forced, so that not even the owner passes it by accident.
do $$
declare
    name text;
begin
    foreach name in array array['tenant_usage', 'api_keys', 'sessions', 'session_events', 'session_checkpoints',
                                'session_files', 'session_artifacts', 'session_messages'] loop
        execute format('alter table %I enable row level security', name);
        execute format('alter table %I force row level security', name);
        execute format('create policy tenant on %I to ioc_app using (tenant_id = app_tenant_id()) '
                       'with check (tenant_id = app_tenant_id())', name);
    end loop;
end $$;
alter table tenants enable row level security;
alter table tenants force row level security;
create policy tenant on tenants to ioc_app using (id = app_tenant_id()) with check (id = app_tenant_id());
alter table agents enable row level security;
alter table agents force row level security;
create policy visible on agents for select to ioc_app using (tenant_id is null or tenant_id = app_tenant_id());
create policy own on agents to ioc_app using (tenant_id = app_tenant_id()) with check (tenant_id = app_tenant_id());

grant select, insert, update, delete on tenants, tenant_usage, api_keys, agents, sessions, session_checkpoints,
    session_files, session_artifacts, session_messages to ioc_app;
grant select, insert on session_events to ioc_app;     -- append-only
