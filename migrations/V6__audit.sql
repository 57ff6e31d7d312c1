-- The audit log: who changed what, in the transaction of the change; append-only, and chained by hashes per tenant.
--
-- Entries are written by the role ioc_audit alone, through audit_append(). The functions' own role can read them.

do $$ begin
    create role ioc_audit nologin nosuperuser nobypassrls nocreatedb nocreaterole;
exception when duplicate_object or unique_violation then null; end $$;

do $$ begin
    if not pg_has_role(current_user, 'ioc_audit', 'member') then
        execute format('grant ioc_audit to %I', current_user);
    end if;
end $$;
grant usage on schema public to ioc_audit;

create table audit_entries (
    -- No reference: that its tenant is there, and takes it along, is the chain's (audit_heads). A second check of each
    -- entry would only hold the tenant's row once more.
    tenant_id   uuid not null,
    seq         bigint not null check (seq > 0),
    id          uuid not null,
    at          timestamptz not null,
    actor       jsonb not null,
    action      text not null check (action ~ '^[a-z_]+\.[a-z_]+$'),
    object_kind text not null,
    object_id   text not null,
    before      jsonb,
    after       jsonb,
    request_id  text,
    address     text,
    -- SHA-256 of the hash before it and of audit_text() of this row.
    hash        bytea not null check (octet_length(hash) = 32),
    primary key (tenant_id, seq)
);
create index audit_entries_of_object on audit_entries (tenant_id, object_kind, object_id, seq);

-- The end of each tenant's chain, and where what is kept of it begins.
create table audit_heads (
    tenant_id uuid primary key references tenants (id) on delete cascade,
    seq       bigint not null default 0,
    hash      bytea not null default '\x',
    -- The entry before the first that is kept: 0 and no hash until retention has removed any.
    kept_seq  bigint not null default 0,
    kept_hash bytea not null default '\x'
);

-- What the hash of an entry is made of: one JSON array, the time in microseconds since 1970.
create function audit_text(e audit_entries) returns bytea
    language sql stable
    return convert_to(jsonb_build_array(e.tenant_id, e.seq, e.id, (extract(epoch from e.at) * 1000000)::bigint, e.actor,
        e.action, e.object_kind, e.object_id, e.before, e.after, e.request_id, e.address)::text, 'UTF8');

-- Appends to the chain of the transaction's tenant. Who appends at the same time waits: call it last.
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
                hash = sha256(h.hash || audit_text(row(tenant, h.seq + 1, id, at, actor, action, object_kind, object_id,
                                                       before, after, request_id, address, null)::audit_entries))
            where h.tenant_id = tenant
            returning h.seq, h.hash
        )
        insert into audit_entries
        select tenant, head.seq, id, at, actor, action, object_kind, object_id, before, after, request_id, address, head.hash
        from head
        returning audit_entries.seq into number;
        if found then
            return number;
        end if;
        insert into audit_heads (tenant_id) values (tenant) on conflict do nothing;
    end loop;
end $$;

-- The entries go with the end of their chain when that goes with its tenant. Without it they stay, and are found.
create function audit_forget() returns trigger
    language plpgsql security definer set search_path = public as $$
begin
    if not exists (select 1 from tenants t where t.id = old.tenant_id) then
        delete from audit_entries e where e.tenant_id = old.tenant_id;
    end if;
    return null;
end $$;
create trigger audit_forget after delete on audit_heads for each row execute function audit_forget();

-- What is wrong with the chain of the transaction's tenant: nothing, or each place where it breaks.
create function audit_verify() returns table (seq bigint, finding text)
    language sql stable set search_path = public
begin atomic
    with head as (
        select * from audit_heads h where h.tenant_id = app_tenant_id()
    ), chain as (
        select e.seq, e.hash, sha256(lag(e.hash, 1, h.kept_hash) over w || audit_text(e)) as expected,
               lag(e.seq, 1, h.kept_seq) over w as seq_before
        from audit_entries e join head h on h.tenant_id = e.tenant_id
        window w as (order by e.seq)
    ), last as (
        select c.seq, c.hash from chain c order by c.seq desc limit 1
    )
    select c.seq, 'changed' from chain c where c.hash <> c.expected and c.seq_before = c.seq - 1
    union all
    select c.seq_before + 1, 'removed' from chain c where c.seq_before < c.seq - 1
    union all
    select coalesce(l.seq, h.kept_seq) + 1, 'removed' from head h left join last l on true
    where coalesce(l.seq, h.kept_seq) < h.seq
    union all
    select l.seq, 'inserted' from head h join last l on l.seq > h.seq
    union all
    select l.seq, 'changed' from head h join last l on l.seq = h.seq and l.hash <> h.hash
    union all
    select min(e.seq), 'inserted' from audit_entries e
    where e.tenant_id = app_tenant_id() and not exists (select 1 from head) having count(*) > 0
    order by 1;
end;

-- Removes what retention no longer keeps, for all tenants; answers the tenants and how many entries each lost.
create function audit_prune(now timestamptz) returns table (tenant_id uuid, removed bigint)
    language plpgsql volatile security definer set search_path = public as $$
declare
    due record;
begin
    for due in select t.id, now - make_interval(days => t.audit_retention_days) as until
               from tenants t where t.audit_retention_days > 0 loop
        -- A chain that somebody appends to is left to the next time.
        perform 1 from audit_heads h where h.tenant_id = due.id for update skip locked;
        continue when not found;
        with kept as (
            select coalesce(min(e.seq), (select h.seq + 1 from audit_heads h where h.tenant_id = due.id)) as seq
            from audit_entries e where e.tenant_id = due.id and e.at >= due.until
        ), last as (
            select e.seq, e.hash from audit_entries e, kept k
            where e.tenant_id = due.id and e.seq < k.seq order by e.seq desc limit 1
        ), moved as (
            update audit_heads h set kept_seq = l.seq, kept_hash = l.hash from last l where h.tenant_id = due.id returning l.seq
        ), gone as (
            delete from audit_entries e using moved m where e.tenant_id = due.id and e.seq <= m.seq returning 1
        )
        select due.id, count(*) from gone into tenant_id, removed;
        if removed > 0 then return next; end if;
    end loop;
end $$;

do $$
declare
    name text;
begin
    foreach name in array array['audit_entries', 'audit_heads'] loop
        execute format('alter table %I enable row level security', name);
        execute format('alter table %I force row level security', name);
        execute format('create policy tenant on %I for select to ioc_app using (tenant_id = app_tenant_id())', name);
        execute format('create policy audit on %I to ioc_audit using (true) with check (true)', name);
    end loop;
end $$;
grant select on audit_entries, audit_heads to ioc_app;
grant select, insert, delete on audit_entries to ioc_audit;
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
-- Who may execute a trigger's function may make a trigger of it, on a table where anybody is deleted: nobody may.
alter function audit_forget() owner to ioc_audit;
revoke all on function audit_forget() from public;
revoke create on schema public from ioc_audit;
