-- What we stand on, and whether it worked when the sweep last asked: so that each change is told once, whoever sees it.

-- It belongs to no tenant and holds nothing of one.
create table component_health (
    -- `redis`, `queue`, or `agent:` and the name of an agent of the platform.
    component text primary key check (length(component) between 1 and 300),
    healthy   boolean not null,
    since     timestamptz not null
);
grant select, insert, update on component_health to ioc_directory;

-- Notes what was seen of a component, and tells every active tenant where that is a change. Of two who see it at once one
-- tells; one that changed later than `settled` is left alone, so that what comes and goes is told now and then, not each time.
create function component_seen(seen text, works boolean, at timestamptz, settled timestamptz) returns boolean
    language sql volatile security definer set search_path = public
begin atomic
    with before as (
        select h.component from component_health h where h.component = seen
    ), changed as (
        insert into component_health as h (component, healthy, since) values (seen, works, at)
        on conflict (component) do update set healthy = excluded.healthy, since = excluded.since
        where h.healthy <> excluded.healthy and h.since <= settled
        returning h.component, h.healthy
    ), news as (
        -- That something works which was never asked before is none.
        select c.component, c.healthy from changed c where not c.healthy or exists (select from before)
    ), told as (
        insert into tenant_events (tenant_id, topic, id, type, actor, at, payload)
        select t.id, 'system', event_id(at), 'system.health_changed',
            jsonb_build_object('kind', 'system', 'id', 'health', 'name', 'health'), at,
            jsonb_build_object('component', n.component, 'healthy', n.healthy)
        from news n cross join tenants t where t.is_active
    )
    select exists (select from news);
end;

grant create on schema public to ioc_directory;
alter function component_seen(text, boolean, timestamptz, timestamptz) owner to ioc_directory;
revoke all on function component_seen(text, boolean, timestamptz, timestamptz) from public;
grant execute on function component_seen(text, boolean, timestamptz, timestamptz) to ioc_app;
revoke create on schema public from ioc_directory;
