-- Events: the log of each session, the events of a tenant that belong to no session, and the order of both in streams.
--
-- An event is written in the transaction of the change that it reports and published after the commit. Transactions do not
-- commit in the order in which they began, so a reader that continues after the highest number would skip what commits
-- later. Therefore an event has the position of its transaction, and readers take only positions below event_horizon():
-- there, everything that will ever exist exists. No writer waits for another to get a number (ADR 17).

-- No event below this position can appear any more: each open transaction has its own or a later one.
create function event_horizon() returns xid8
    language sql stable
    return pg_snapshot_xmin(pg_current_snapshot());

-- The id of an event that SQL itself writes: a UUID of version 7.
create function new_event_id(at timestamptz) returns uuid
    language sql volatile
    return encode(set_bit(set_bit(overlay(uuid_send(gen_random_uuid())
        placing substring(int8send(floor(extract(epoch from at) * 1000)::bigint) from 3) from 1 for 6), 52, 1), 53, 1), 'hex')::uuid;

-- Partitioned by the month in which the session was created, which its id (a UUID of version 7) begins with. The log of a
-- session therefore is in one partition, and a read by session opens that one only (ADR 20).
create table session_events (
    tenant_id  uuid not null,
    session_id uuid not null,
    seq        bigint not null check (seq > 0),
    id         uuid not null,
    type       text not null,
    actor      jsonb not null,
    at         timestamptz not null,
    payload    jsonb not null,
    -- Of its transaction, or of the event before where that is later: a transaction that waited for the row may have begun
    -- first.
    position   xid8 not null default pg_current_xact_id(),
    primary key (tenant_id, session_id, seq),
    foreign key (tenant_id, session_id) references sessions (tenant_id, id) on delete cascade
) partition by range (session_id);
create index session_events_by_position on session_events (tenant_id, position, session_id, seq);

-- The other events of a tenant; kept for some days (`KEPT_FOR` in the Rust code).
create table tenant_events (
    tenant_id uuid not null references tenants (id) on delete cascade,
    topic     text not null check (topic in ('agents', 'tuning', 'system')),
    position  xid8 not null default pg_current_xact_id(),
    -- A UUID of version 7: it includes the time.
    id        uuid not null,
    type      text not null check (type ~ '^[a-z_]+\.[a-z_]+$'),
    actor     jsonb not null,
    at        timestamptz not null,
    payload   jsonb not null check (jsonb_typeof(payload) = 'object'),
    primary key (tenant_id, topic, position, id)
);
-- Rows arrive in the order of their age.
create index tenant_events_by_age on tenant_events using brin (at);

-- The dependencies of the platform and their last known health, so that each change is published once, whoever notices it.
-- The table belongs to no tenant and has no data of one.
create table component_health (
    -- `redis`, `queue`, or `agent:` and the name of an agent of the platform.
    component text primary key check (length(component) between 1 and 300),
    healthy   boolean not null,
    since     timestamptz not null
);

do $$
declare
    name text;
begin
    foreach name in array array['session_events', 'tenant_events'] loop
        execute format('alter table %I enable row level security', name);
        execute format('alter table %I force row level security', name);
        execute format('create policy tenant on %I to ioc_app using (tenant_id = app_tenant_id()) '
                       'with check (tenant_id = app_tenant_id())', name);
        -- Append-only.
        execute format('grant select, insert on %I to ioc_app', name);
    end loop;
end $$;
create policy directory on tenant_events to ioc_directory using (true) with check (true);
grant select (at), insert, delete on tenant_events to ioc_directory;
grant select, insert, update on component_health to ioc_directory;

create function delete_tenant_events_before(until timestamptz) returns void
    language sql volatile security definer set search_path = public
begin atomic
    delete from tenant_events where at < until;
end;

-- After a restore by pg_dump the positions of the new server start again below the stored ones. This places every stored
-- event before all events to come. To be run by the owner.
create function reset_event_positions() returns void
    language sql volatile
begin atomic
    update session_events set position = '0' where position >= event_horizon();
    update sessions set last_event_position = '0' where last_event_position >= event_horizon();
    update tenant_events set position = '0' where position >= event_horizon();
end;
revoke all on function reset_event_positions() from public;

-- Records the observed health of a component, and publishes a change to every active tenant. If several callers observe
-- it at once, one of them publishes. A component that changed after `settled_since` is left alone, so that one which
-- flaps is reported now and then, not each time.
create function record_component_health(observed text, works boolean, at timestamptz, settled_since timestamptz) returns boolean
    language sql volatile security definer set search_path = public
begin atomic
    with before as (
        select h.component from component_health h where h.component = observed
    ), changed as (
        insert into component_health as h (component, healthy, since) values (observed, works, at)
        on conflict (component) do update set healthy = excluded.healthy, since = excluded.since
        where h.healthy <> excluded.healthy and h.since <= settled_since
        returning h.component, h.healthy
    ), reported as (
        -- A component that was never checked before and works is no change.
        select c.component, c.healthy from changed c where not c.healthy or exists (select from before)
    ), published as (
        insert into tenant_events (tenant_id, topic, id, type, actor, at, payload)
        select t.id, 'system', new_event_id(at), 'system.health_changed',
            jsonb_build_object('kind', 'system', 'id', 'health', 'name', 'health'), at,
            jsonb_build_object('component', r.component, 'healthy', r.healthy)
        from reported r cross join tenants t where t.is_active
    )
    select exists (select from reported);
end;

grant create on schema public to ioc_directory;
do $$
declare
    signature regprocedure;
begin
    foreach signature in array array['delete_tenant_events_before(timestamptz)',
        'record_component_health(text, boolean, timestamptz, timestamptz)']::regprocedure[] loop
        execute format('alter function %s owner to ioc_directory', signature);
        execute format('revoke all on function %s from public', signature);
        execute format('grant execute on function %s to ioc_app', signature);
    end loop;
end $$;
revoke create on schema public from ioc_directory;
