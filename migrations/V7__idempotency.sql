-- What was answered to requests that carried an Idempotency-Key: written in the transaction of their effect, kept a day.

create table idempotency_keys (
    -- The caller's own tenant, also where an admin acted on another. No reference: who calls was found with its tenant,
    -- and a check at each insert would cost more than the insert. They go with the tenant by forget_keys_of_tenant().
    tenant_id    uuid not null,
    caller       text not null check (char_length(caller) <= 300),
    key          text not null check (char_length(key) between 1 and 255),
    -- SHA-256 of the method, the path, the tenant that is acted on, and the body.
    request_hash bytea not null check (octet_length(request_hash) = 32),
    status       smallint not null,
    -- The headers and the body, sealed: an answer may hold a secret that is shown once.
    answer       bytea not null,
    created_at   timestamptz not null,
    primary key (tenant_id, caller, key)
);
-- They come in the order of their age. An answer that is sealed cannot be compressed, and is read once if ever: it stays
-- in its row.
create index idempotency_keys_by_age on idempotency_keys using brin (created_at);
alter table idempotency_keys alter column answer set storage external, set (toast_tuple_target = 8160);

alter table idempotency_keys enable row level security;
alter table idempotency_keys force row level security;
create policy tenant on idempotency_keys to ioc_app using (tenant_id = app_tenant_id()) with check (tenant_id = app_tenant_id());
create policy directory on idempotency_keys to ioc_directory using (true);
grant select, insert, update, delete on idempotency_keys to ioc_app;
grant select (tenant_id, created_at), delete on idempotency_keys to ioc_directory;

-- Takes a key for a request until the end of its transaction. Refuses (IK001) one that another request holds or that was
-- answered, so that nothing which was sent along with it is done: who asks then looks up why. An answer of before `since`
-- makes room for the new one.
create function claim_idempotency_key(tenant uuid, who text, named text, since timestamptz) returns void
    language plpgsql volatile as $$
declare
    answered timestamptz;
begin
    if pg_try_advisory_xact_lock(hashtextextended(concat_ws(':', 'idempotency', tenant, who, named), 0)) then
        -- A statement of its own, so that it sees what was committed before the lock was ours.
        select k.created_at into answered from idempotency_keys k
        where k.tenant_id = tenant and k.caller = who and k.key = named;
        if answered is null then
            return;
        elsif answered <= since then
            delete from idempotency_keys k where k.tenant_id = tenant and k.caller = who and k.key = named;
            return;
        end if;
    end if;
    raise exception 'the key is not free' using errcode = 'IK001';
end $$;

create function forget_idempotency_keys(until timestamptz) returns void
    language sql volatile security definer set search_path = public
begin atomic
    delete from idempotency_keys where created_at < until;
end;
create function forget_keys_of_tenant() returns trigger
    language plpgsql security definer set search_path = public as $$
begin
    delete from idempotency_keys k where k.tenant_id = old.id;
    return null;
end $$;
create trigger forget_keys_of_tenant after delete on tenants for each row execute function forget_keys_of_tenant();

grant create on schema public to ioc_directory;
alter function forget_keys_of_tenant() owner to ioc_directory;
-- Who may execute a trigger's function may make a trigger of it: nobody may.
revoke all on function forget_keys_of_tenant() from public;
alter function forget_idempotency_keys(timestamptz) owner to ioc_directory;
revoke all on function forget_idempotency_keys(timestamptz) from public;
grant execute on function forget_idempotency_keys(timestamptz) to ioc_app;
revoke create on schema public from ioc_directory;
