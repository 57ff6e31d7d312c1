-- Workspaces that agents still keep for sessions that are gone: written in the transaction that removes the session, or its
-- tenant, and removed once the agent has given the workspace back. Holds what that takes, and nothing of what was asked.

create table workspaces_left (
    -- No reference: it outlives its session and its tenant.
    tenant_id      uuid not null,
    session_id     uuid not null,
    agent_id       uuid not null,
    run            integer not null,
    run_started_at timestamptz not null,
    run_state      jsonb not null,
    left_at        timestamptz not null,
    attempts       integer not null default 0,
    next_step_at   timestamptz not null,
    primary key (tenant_id, session_id)
);
create index workspaces_left_due on workspaces_left (next_step_at);

alter table workspaces_left enable row level security;
alter table workspaces_left force row level security;
create policy tenant on workspaces_left to ioc_app using (tenant_id = app_tenant_id()) with check (tenant_id = app_tenant_id());
create policy directory on workspaces_left for select to ioc_directory using (true);
grant select, insert, update, delete on workspaces_left to ioc_app;
grant select (tenant_id, session_id, next_step_at) on workspaces_left to ioc_directory;

-- Those that are to be given back now, the longest due first.
create function due_workspaces(at timestamptz, most integer) returns table (tenant_id uuid, session_id uuid)
    language sql stable security definer set search_path = public
begin atomic
    select w.tenant_id, w.session_id from workspaces_left w where w.next_step_at <= at order by w.next_step_at limit most;
end;
grant create on schema public to ioc_directory;
alter function due_workspaces(timestamptz, integer) owner to ioc_directory;
revoke all on function due_workspaces(timestamptz, integer) from public;
grant execute on function due_workspaces(timestamptz, integer) to ioc_app;
revoke create on schema public from ioc_directory;
