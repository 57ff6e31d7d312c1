-- The live stream: in which order a tenant's events are told, and those that belong to no session.
--
-- An event is written in the transaction of the change that it tells, and told after the commit. Transactions do not commit
-- in the order in which they began, so whoever reads on from the last number would pass over what commits later. Here an
-- event has the position of its transaction, and only positions below event_horizon() are read: all that will ever be there
-- is there then. Nobody waits for anybody to get a number (ADR 17).

-- Below this position nothing is to come any more: each transaction that is not over has its own or a later one.
create function event_horizon() returns xid8
    language sql stable
    return pg_snapshot_xmin(pg_current_snapshot());

alter table sessions
    -- The position of its last event.
    add column last_event_position xid8 not null default pg_current_xact_id();
alter table session_events
    -- Of its transaction, or that of the event before where that is later: who waited for the row may have begun first.
    add column position xid8 not null default pg_current_xact_id();
create index session_events_by_position on session_events (tenant_id, position, session_id, seq);

-- What a tenant is told of beside its sessions; kept for a while (shared/src/event/tenant.rs).
create table tenant_events (
    tenant_id uuid not null references tenants (id) on delete cascade,
    topic     text not null check (topic in ('agents', 'tuning', 'system')),
    position  xid8 not null default pg_current_xact_id(),
    -- Version 7: it tells when.
    id        uuid not null,
    type      text not null check (type ~ '^[a-z_]+\.[a-z_]+$'),
    actor     jsonb not null,
    at        timestamptz not null,
    payload   jsonb not null check (jsonb_typeof(payload) = 'object'),
    primary key (tenant_id, topic, position, id)
);
-- They come in the order of their age.
create index tenant_events_by_age on tenant_events using brin (at);

alter table tenant_events enable row level security;
alter table tenant_events force row level security;
create policy tenant on tenant_events to ioc_app using (tenant_id = app_tenant_id()) with check (tenant_id = app_tenant_id());
create policy directory on tenant_events to ioc_directory using (true) with check (true);
grant select, insert on tenant_events to ioc_app;     -- append-only
grant select (at), insert, delete on tenant_events to ioc_directory;

-- The id of an event that SQL itself writes.
create function event_id(at timestamptz) returns uuid
    language sql volatile
    return encode(set_bit(set_bit(overlay(uuid_send(gen_random_uuid())
        placing substring(int8send(floor(extract(epoch from at) * 1000)::bigint) from 3) from 1 for 6), 52, 1), 53, 1), 'hex')::uuid;

create function forget_tenant_events(until timestamptz) returns void
    language sql volatile security definer set search_path = public
begin atomic
    delete from tenant_events where at < until;
end;

-- After a restore by pg_dump the positions of the new server begin again below those that are stored: what is there counts
-- as told before everything to come. Run by the owner.
create function events_restored() returns void
    language sql volatile
begin atomic
    update session_events set position = '0' where position >= event_horizon();
    update sessions set last_event_position = '0' where last_event_position >= event_horizon();
    update tenant_events set position = '0' where position >= event_horizon();
end;
revoke all on function events_restored() from public;

grant create on schema public to ioc_directory;
alter function forget_tenant_events(timestamptz) owner to ioc_directory;
revoke all on function forget_tenant_events(timestamptz) from public;
grant execute on function forget_tenant_events(timestamptz) to ioc_app;
revoke create on schema public from ioc_directory;
