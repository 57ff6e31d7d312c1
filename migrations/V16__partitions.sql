-- The partitions of session_events and audit_entries: one a month, created ahead, and a default partition for everything
-- outside of them, so that no row is ever refused (ADR 20).
--
-- Partitions are in a schema of their own that only ioc_partitions may use. All access goes through the two tables; on the
-- partitions themselves nobody else has a privilege.

create table partitions.session_events_default partition of session_events default;
create table partitions.audit_entries_default partition of audit_entries default;

grant create on schema public to ioc_partitions;
do $$
declare
    name text;
begin
    foreach name in array array['session_events', 'audit_entries'] loop
        execute format('alter table partitions.%I enable row level security', name || '_default');
        execute format('alter table partitions.%I force row level security', name || '_default');
        -- Lets the owner move rows of the default partition into a new one.
        execute format('create policy partitions on partitions.%I to ioc_partitions using (true)', name || '_default');
        execute format('alter table partitions.%I owner to ioc_partitions', name || '_default');
        execute format('alter table %I owner to ioc_partitions', name);
    end loop;
end $$;

-- The least UUID of version 7 of a time: a bound of a range of sessions.
create function uuid_v7_lower_bound(at timestamptz) returns uuid
    language sql immutable parallel safe
    return (lpad(to_hex(floor(extract(epoch from at) * 1000)::bigint), 12, '0') || repeat('0', 20))::uuid;

-- The name of the partition of a month.
create function partition_name(parent text, month date) returns text
    language sql immutable parallel safe
    return parent || '_y' || to_char(month::timestamp, 'YYYY"m"MM');

-- Creates a partition for the keys from `lower` to below `upper`, and moves the rows into it that the default partition
-- holds of them.
create function create_partition(parent text, month date, key text, lower text, upper text) returns void
    language plpgsql volatile security definer set search_path = public as $$
declare
    child text := partition_name(parent, month);
begin
    execute format('create table partitions.%I (like public.%I including all)', child, parent);
    execute format('lock table partitions.%I in access exclusive mode', parent || '_default');
    execute format('with moved as (delete from partitions.%I where %I >= %L and %I < %L returning *)
                    insert into partitions.%I select * from moved', parent || '_default', key, lower, key, upper, child);
    execute format('alter table partitions.%I enable row level security', child);
    execute format('alter table partitions.%I force row level security', child);
    execute format('alter table public.%I attach partition partitions.%I for values from (%L) to (%L)',
                   parent, child, lower, upper);
end $$;

-- Creates the partitions of the current month and the three that follow, as far as they are missing. Returns how many it
-- created. The reconciler calls it each time it runs. It does not wait long for a lock, because writers would wait behind
-- it: the next run tries again, and until then the default partition takes the rows.
create function ensure_partitions(at timestamptz) returns integer
    language plpgsql volatile security definer set search_path = public set lock_timeout = '1s' as $$
declare
    first date;
    following date;
    created integer := 0;
begin
    for ahead in 0..3 loop
        first := (utc_month(at) + make_interval(months => ahead))::date;
        following := (first + interval '1 month')::date;
        continue when to_regclass('partitions.' || partition_name('session_events', first)) is not null
                  and to_regclass('partitions.' || partition_name('audit_entries', first)) is not null;
        -- Another process creates them.
        exit when not pg_try_advisory_xact_lock(hashtextextended('partitions', 0));
        if to_regclass('partitions.' || partition_name('session_events', first)) is null then
            perform create_partition('session_events', first, 'session_id',
                                     uuid_v7_lower_bound(first::timestamp at time zone 'UTC')::text,
                                     uuid_v7_lower_bound(following::timestamp at time zone 'UTC')::text);
            created := created + 1;
        end if;
        if to_regclass('partitions.' || partition_name('audit_entries', first)) is null then
            perform create_partition('audit_entries', first, 'month', first::text, following::text);
            created := created + 1;
        end if;
    end loop;
    return created;
exception when lock_not_available then
    return 0;
end $$;

create function drop_audit_partition(month date) returns void
    language plpgsql volatile security definer set search_path = public as $$
begin
    if to_regclass('partitions.' || partition_name('audit_entries', month)) is null then
        raise exception 'the audit log has no partition for the month %', to_char(month::timestamp, 'YYYY-MM')
            using errcode = 'undefined_table';
    end if;
    execute format('drop table partitions.%I', partition_name('audit_entries', month));
end $$;

-- Drops a past month of the audit log, of all tenants. It leaves an anchor in each chain, so that the rest can still be
-- verified, and an entry that records the removal. Returns the tenants and the number of entries that each lost. It fails
-- if a tenant's retention keeps entries of that month, unless `ignore_retention` is set. To be run by the owner.
create function audit_drop_month(dropped date, now timestamptz, ignore_retention boolean default false)
    returns table (tenant_id uuid, removed bigint)
    language plpgsql volatile security definer set search_path = public set lock_timeout = '5s' as $$
#variable_conflict use_column
declare
    following date := (dropped + interval '1 month')::date;
    label text := to_char(dropped::timestamp, 'YYYY-MM');
    caller_tenant text := current_setting('app.tenant_id', true);
    anchor audit_anchors;
begin
    if dropped <> date_trunc('month', dropped::timestamp)::date or following > utc_month(now) then
        raise exception 'only a month that is over can be dropped, named by its first day' using errcode = 'invalid_parameter_value';
    end if;
    if not ignore_retention and exists (
        select 1 from tenants t
        where (t.audit_retention_days = 0 or following::timestamp at time zone 'UTC' + make_interval(days => t.audit_retention_days) > now)
          and exists (select 1 from audit_entries e where e.tenant_id = t.id and e.month = dropped)) then
        raise exception 'the retention of a tenant keeps entries of the month %', label using errcode = 'object_in_use';
    end if;
    -- Later entries belong to a later month, whatever the clock of their writer says.
    update audit_heads h set month = following where h.month < following;
    insert into audit_anchors (tenant_id, month, first_seq, last_seq, previous_hash, last_hash, dropped_at)
    select r.tenant_id, dropped, r.first_seq, r.last_seq,
           coalesce((select e.hash from audit_entries e where e.tenant_id = r.tenant_id and e.seq = r.first_seq - 1),
                    (select a.last_hash from audit_anchors a where a.tenant_id = r.tenant_id and a.last_seq = r.first_seq - 1),
                    (select h.pruned_hash from audit_heads h where h.tenant_id = r.tenant_id and h.pruned_seq = r.first_seq - 1)),
           (select e.hash from audit_entries e where e.tenant_id = r.tenant_id and e.seq = r.last_seq), now
    from (select e.tenant_id, min(e.seq) as first_seq, max(e.seq) as last_seq, count(*) as entries
          from audit_entries e where e.month = dropped group by e.tenant_id) r
    -- A chain that is broken already stays as it is: what it lacks must not be covered by an anchor.
    where r.entries = r.last_seq - r.first_seq + 1;
    if exists (select 1 from audit_entries e where e.month = dropped and not exists (
                   select 1 from audit_anchors a where a.tenant_id = e.tenant_id and a.month = dropped)) then
        raise exception 'entries of the month % are missing in a chain: run audit_verify() for its tenant', label
            using errcode = 'data_exception';
    end if;
    perform drop_audit_partition(dropped);
    for anchor in select * from audit_anchors a where a.month = dropped and a.dropped_at = now order by a.tenant_id loop
        tenant_id := anchor.tenant_id;
        removed := anchor.last_seq - anchor.first_seq + 1;
        perform set_config('app.tenant_id', anchor.tenant_id::text, true);
        perform audit_append(new_event_id(now), now, '{"kind": "system", "id": "retention", "name": "retention"}', 'audit.prune',
            'tenant', anchor.tenant_id::text, null, jsonb_build_object('removed', removed, 'month', label), null, null);
        return next;
    end loop;
    perform set_config('app.tenant_id', coalesce(caller_tenant, ''), true);
end $$;

do $$
declare
    signature regprocedure;
begin
    foreach signature in array array['create_partition(text, date, text, text, text)', 'ensure_partitions(timestamptz)',
                                     'drop_audit_partition(date)']::regprocedure[] loop
        execute format('alter function %s owner to ioc_partitions', signature);
        execute format('revoke all on function %s from public', signature);
    end loop;
end $$;
grant execute on function ensure_partitions(timestamptz) to ioc_app;
grant execute on function drop_audit_partition(date) to ioc_audit;
revoke create on schema public from ioc_partitions;

grant create on schema public to ioc_audit;
alter function audit_drop_month(date, timestamptz, boolean) owner to ioc_audit;
revoke all on function audit_drop_month(date, timestamptz, boolean) from public;
revoke create on schema public from ioc_audit;

select ensure_partitions(now());
