-- The audit log: who changed what, written in the transaction of the change; append-only, and chained by hashes per tenant.
--
-- Only audit_append() writes entries, with the rights of the role ioc_audit. The role of the functions can read them.

create schema partitions;
grant create on schema partitions to ioc_partitions;
grant usage on schema partitions to ioc_partitions;

create table audit_entries (
    -- There is no foreign key: the chain (audit_heads) refers to the tenant and takes the entries along. A second check for
    -- each entry would only lock the tenant's row once more. There are no check constraints either, because Postgres parses
    -- and compiles each of them again with every insert: audit_append() counts from 1 and hashes.
    tenant_id   uuid not null,
    seq         bigint not null,
    id          uuid not null,
    at          timestamptz not null,
    actor       jsonb not null,
    action      text not null,
    object_kind text not null,
    object_id   text not null,
    before      jsonb,
    after       jsonb,
    request_id  text,
    address     text,
    -- SHA-256 of the hash of the entry before and of audit_text() of this row.
    hash        bytea not null,
    -- The partition. It never goes back along a chain, whatever the clocks of the writers say: each partition therefore
    -- holds one contiguous stretch of each chain (ADR 20).
    month       date not null,
    primary key (tenant_id, seq, month)
) partition by range (month);
create index audit_entries_of_object on audit_entries (tenant_id, object_kind, object_id, seq);

-- The end of each tenant's chain, and the end of what retention has removed of it.
create table audit_heads (
    tenant_id   uuid primary key references tenants (id) on delete cascade,
    seq         bigint not null default 0,
    hash        bytea not null default '\x',
    -- The partition of the newest entry.
    month       date not null default '-infinity',
    -- The newest entry that retention removed: 0 and no hash until it has removed any.
    pruned_seq  bigint not null default 0,
    pruned_hash bytea not null default '\x'
);

-- What a dropped partition held of each chain. With it the rest of the chain can still be verified.
create table audit_anchors (
    tenant_id     uuid not null references audit_heads (tenant_id) on delete cascade,
    month         date not null,
    first_seq     bigint not null,
    last_seq      bigint not null,
    -- The hash of the entry before the first, and that of the last.
    previous_hash bytea not null,
    last_hash     bytea not null,
    dropped_at    timestamptz not null,
    primary key (tenant_id, month),
    constraint anchor_spans_entries check (first_seq <= last_seq)
);

-- The text that is hashed for an entry: one JSON array, the time in microseconds since 1970.
create function audit_text(e audit_entries) returns bytea
    language sql stable
    return convert_to(jsonb_build_array(e.tenant_id, e.seq, e.id, (extract(epoch from e.at) * 1000000)::bigint, e.actor,
        e.action, e.object_kind, e.object_id, e.before, e.after, e.request_id, e.address)::text, 'UTF8');

-- Appends to the chain of the transaction's tenant. Other writers of the tenant wait until the commit: call it last.
create function audit_append(id uuid, at timestamptz, actor jsonb, action text, object_kind text, object_id text,
                             before jsonb, after jsonb, request_id text, address text) returns bigint
    language plpgsql volatile security definer set search_path = public as $$
declare
    tenant uuid := app_tenant_id();
    number bigint;
begin
    loop
        with head as (
            update audit_heads h
            set seq = h.seq + 1,
                month = greatest(h.month, utc_month(at)),
                hash = sha256(h.hash || audit_text(row(tenant, h.seq + 1, id, at, actor, action, object_kind, object_id,
                                                       before, after, request_id, address, null, null)::audit_entries))
            where h.tenant_id = tenant
            returning h.seq, h.hash, h.month
        )
        insert into audit_entries
        select tenant, head.seq, id, at, actor, action, object_kind, object_id, before, after, request_id, address, head.hash,
               head.month
        from head
        returning audit_entries.seq into number;
        if found then
            return number;
        end if;
        insert into audit_heads (tenant_id) values (tenant) on conflict do nothing;
    end loop;
end $$;

-- Deletes the entries of a chain when the chain is removed with its tenant. If the head alone is deleted, the entries stay
-- and audit_verify() reports them.
create function delete_audit_of_tenant() returns trigger
    language plpgsql security definer set search_path = public as $$
begin
    if not exists (select 1 from tenants t where t.id = old.tenant_id) then
        delete from audit_entries e where e.tenant_id = old.tenant_id;
    end if;
    return null;
end $$;
create trigger delete_audit_entries after delete on audit_heads for each row execute function delete_audit_of_tenant();

-- Every break in the chain of the transaction's tenant; no row when the chain is intact.
create function audit_verify() returns table (seq bigint, finding text)
    language sql stable set search_path = public
begin atomic
    with head as (
        select * from audit_heads h where h.tenant_id = app_tenant_id()
    ), link as (
        -- The entries, and for each dropped partition one link that spans those which it held.
        select e.seq as first_seq, e.seq as last_seq, e.hash, audit_text(e) as content, null::bytea as previous_hash, e.month
        from audit_entries e where e.tenant_id = app_tenant_id()
        union all
        select a.first_seq, a.last_seq, a.last_hash, null, a.previous_hash, a.month
        from audit_anchors a where a.tenant_id = app_tenant_id()
    ), chain as (
        select l.*, lag(l.last_seq, 1, h.pruned_seq) over w as seq_before, lag(l.hash, 1, h.pruned_hash) over w as hash_before,
               lag(l.month) over w as month_before
        from link l cross join head h
        window w as (order by l.first_seq, l.month)
    ), last as (
        select c.last_seq as seq, c.hash from chain c order by c.last_seq desc limit 1
    )
    select c.first_seq, 'changed' from chain c
    where c.seq_before = c.first_seq - 1
      and (case when c.content is null then c.hash_before <> c.previous_hash else c.hash <> sha256(c.hash_before || c.content) end
           or c.month < c.month_before)
    union all
    select c.seq_before + 1, 'removed' from chain c where c.seq_before < c.first_seq - 1
    union all
    select c.first_seq, 'inserted' from chain c where c.seq_before >= c.first_seq
    union all
    select coalesce(l.seq, h.pruned_seq) + 1, 'removed' from head h left join last l on true
    where coalesce(l.seq, h.pruned_seq) < h.seq
    union all
    select l.seq, 'inserted' from head h join last l on l.seq > h.seq
    union all
    select l.seq, 'changed' from head h join last l on l.seq = h.seq and l.hash <> h.hash
    union all
    select min(e.seq), 'inserted' from audit_entries e
    where e.tenant_id = app_tenant_id() and not exists (select 1 from head) having count(*) > 0
    order by 1;
end;

-- Removes the entries of all tenants that are past their tenant's retention. Returns the tenants and the number of entries
-- that each lost.
create function audit_prune(now timestamptz) returns table (tenant_id uuid, removed bigint)
    language plpgsql volatile security definer set search_path = public as $$
declare
    due record;
begin
    for due in select t.id, now - make_interval(days => t.audit_retention_days) as until
               from tenants t where t.audit_retention_days > 0 loop
        -- A chain that another transaction appends to is left for the next run.
        perform 1 from audit_heads h where h.tenant_id = due.id for update skip locked;
        continue when not found;
        with kept as (
            select coalesce(min(e.seq), (select h.seq + 1 from audit_heads h where h.tenant_id = due.id)) as seq
            from audit_entries e where e.tenant_id = due.id and e.at >= due.until
        ), last as (
            select e.seq, e.hash from audit_entries e, kept k
            where e.tenant_id = due.id and e.seq < k.seq order by e.seq desc limit 1
        ), pruned as (
            update audit_heads h set pruned_seq = l.seq, pruned_hash = l.hash from last l where h.tenant_id = due.id
            returning l.seq
        ), anchors as (
            -- What comes before the newest removed entry needs no anchor any more.
            delete from audit_anchors a using pruned p where a.tenant_id = due.id and a.last_seq <= p.seq
        ), deleted as (
            delete from audit_entries e using pruned p where e.tenant_id = due.id and e.seq <= p.seq returning 1
        )
        select due.id, count(*) from deleted into tenant_id, removed;
        if removed > 0 then return next; end if;
    end loop;
end $$;

do $$
declare
    name text;
begin
    foreach name in array array['audit_entries', 'audit_heads', 'audit_anchors'] loop
        execute format('alter table %I enable row level security', name);
        execute format('alter table %I force row level security', name);
        execute format('create policy tenant on %I for select to ioc_app using (tenant_id = app_tenant_id())', name);
        execute format('create policy audit on %I to ioc_audit using (true) with check (true)', name);
        execute format('grant select on %I to ioc_app', name);
    end loop;
end $$;
grant select, insert, delete on audit_entries, audit_anchors to ioc_audit;
grant select, insert, update on audit_heads to ioc_audit;
grant select (id, audit_retention_days) on tenants to ioc_audit;
create policy audit on tenants for select to ioc_audit using (true);

grant create on schema public to ioc_audit;
do $$
declare
    signature regprocedure;
begin
    foreach signature in array array[
        'audit_append(uuid, timestamptz, jsonb, text, text, text, jsonb, jsonb, text, text)', 'audit_prune(timestamptz)']::regprocedure[] loop
        execute format('alter function %s owner to ioc_audit', signature);
        execute format('revoke all on function %s from public', signature);
        execute format('grant execute on function %s to ioc_app', signature);
    end loop;
end $$;
-- A role that may execute a trigger function can attach it to a table of its own: no role may.
alter function delete_audit_of_tenant() owner to ioc_audit;
revoke all on function delete_audit_of_tenant() from public;
revoke create on schema public from ioc_audit;
