-- The sessions that agents created for the sessions they work on.

-- A child by the id that the agent chose for its request, so that a request which is repeated creates no second one. The
-- row outlives the child: a repetition does not bring a deleted one back.
create table agent_task_sessions (
    tenant_id  uuid not null,
    task_id    uuid not null,
    request_id text not null check (char_length(request_id) between 1 and 200),
    session_id uuid not null,
    created_at timestamptz not null,
    primary key (tenant_id, task_id, request_id),
    foreign key (tenant_id, task_id) references agent_tasks (tenant_id, id) on delete cascade
);
alter table agent_task_sessions enable row level security;
alter table agent_task_sessions force row level security;
create policy tenant on agent_task_sessions to ioc_app using (tenant_id = app_tenant_id())
    with check (tenant_id = app_tenant_id());
grant select, insert on agent_task_sessions to ioc_app;
