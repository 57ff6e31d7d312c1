-- Users, API keys, and the stored responses of requests that carried an Idempotency-Key.

create table users (
    tenant_id    uuid not null references tenants (id) on delete cascade,
    id           uuid not null,
    email        text not null check (char_length(email) between 3 and 254 and email = lower(email) and email ~ '^[^@[:space:]]+@[^@[:space:]]+$'),
    full_name    text not null check (char_length(full_name) between 1 and 200),
    role         text not null check (role in ('viewer', 'member', 'lead', 'admin')),
    is_active    boolean not null default true,
    -- The identity at the issuer; set by the first login, and never by a person.
    issuer       text,
    subject      text,
    last_seen_at timestamptz,
    version      bigint not null default 1,
    created_at   timestamptz not null,
    updated_at   timestamptz not null,
    primary key (tenant_id, id),
    constraint users_email unique (tenant_id, email),
    constraint users_subject unique (tenant_id, issuer, subject),
    constraint issuer_with_subject check ((issuer is null) = (subject is null))
);
create index users_admins on users (tenant_id) where role = 'admin' and is_active;

create table api_keys (
    tenant_id    uuid not null references tenants (id) on delete cascade,
    id           uuid not null,
    name         text not null check (char_length(name) between 1 and 100),
    environment  text not null check (environment ~ '^[a-z0-9]{1,16}$'),
    role         text not null check (role in ('viewer', 'member', 'lead', 'admin')),
    -- The scopes that the key is limited to; none = everything that its role permits.
    scopes       text[] not null default '{}' check (cardinality(scopes) <= 50),
    secret_hash  bytea not null check (octet_length(secret_hash) = 32),
    -- The person whose key it is. The key can do no more than that person, and nothing once that person is deactivated.
    user_id      uuid,
    expires_at   timestamptz,
    revoked_at   timestamptz,
    last_used_at timestamptz,
    -- The key that replaced it at its rotation.
    rotated_to   uuid,
    -- The key that created it, so that a key can be revoked together with all that came from it.
    created_by_key uuid,
    created_by   jsonb not null default '{"kind": "system", "id": "setup", "name": "setup"}',
    created_at   timestamptz not null,
    primary key (tenant_id, id),
    foreign key (tenant_id, user_id) references users (tenant_id, id) on delete cascade
);
create index api_keys_by_id on api_keys (id);
create index api_keys_of_user on api_keys (tenant_id, user_id) where user_id is not null;
create index api_keys_by_maker on api_keys (tenant_id, created_by_key) where created_by_key is not null;

-- Responses to requests that carried an Idempotency-Key: written in the transaction of their effect, kept for a day.
create table idempotency_keys (
    -- The caller's own tenant, also where an admin acted on another. There is no foreign key: the caller was found with its
    -- tenant, and a check at each insert would cost more than the insert. delete_idempotency_keys_of_tenant() removes them
    -- with the tenant.
    tenant_id    uuid not null,
    caller       text not null,
    key          text not null,
    -- SHA-256 of the method, the path, the tenant that is acted on, and the body.
    request_hash bytea not null,
    status       smallint not null,
    -- The headers and the body, encrypted: a response may hold a secret that is shown once.
    response     bytea not null,
    created_at   timestamptz not null,
    primary key (tenant_id, caller, key)
    -- No check constraints: Postgres parses and compiles each of them again with every insert. The HTTP layer enforces the
    -- lengths.
);
-- Rows arrive in the order of their age. An encrypted response cannot be compressed and is read at most once: it stays in
-- its row.
create index idempotency_keys_by_age on idempotency_keys using brin (created_at);
alter table idempotency_keys alter column response set storage external, set (toast_tuple_target = 8160);

do $$
declare
    name text;
begin
    foreach name in array array['users', 'api_keys', 'idempotency_keys'] loop
        execute format('alter table %I enable row level security', name);
        execute format('alter table %I force row level security', name);
        execute format('create policy tenant on %I to ioc_app using (tenant_id = app_tenant_id()) '
                       'with check (tenant_id = app_tenant_id())', name);
    end loop;
end $$;
create policy directory on users for select to ioc_directory using (true);
create policy directory on api_keys for select to ioc_directory using (true);
create policy last_use on api_keys for update to ioc_directory using (true) with check (true);
create policy directory on idempotency_keys to ioc_directory using (true);
grant select, insert, update, delete on users, api_keys, idempotency_keys to ioc_app;
grant select on users, api_keys to ioc_directory;
grant update (last_used_at) on api_keys to ioc_directory;
grant select (tenant_id, created_at), delete on idempotency_keys to ioc_directory;

create function find_api_key(key_id uuid)
    returns table (tenant_id uuid, tenant_slug text, tenant_active boolean, name text, environment text, role text,
                   secret_hash bytea, expires_at timestamptz, revoked_at timestamptz, scopes text[], last_used_at timestamptz,
                   user_id uuid, user_email text, user_role text, user_active boolean)
    language sql stable security definer set search_path = public
begin atomic
    select k.tenant_id, t.slug, t.is_active, k.name, k.environment, k.role, k.secret_hash, k.expires_at, k.revoked_at,
           k.scopes, k.last_used_at, u.id, u.email, u.role, u.is_active
    from api_keys k
    join tenants t on t.id = k.tenant_id
    left join users u on u.tenant_id = k.tenant_id and u.id = k.user_id
    where k.id = key_id;
end;

-- Records when keys were last used, for many keys at once.
create function record_key_uses(key_ids uuid[], used_at timestamptz[]) returns void
    language sql volatile security definer set search_path = public
begin atomic
    update api_keys k set last_used_at = u.at
    from unnest(key_ids, used_at) as u(id, at)
    where k.id = u.id and (k.last_used_at is null or k.last_used_at < u.at);
end;

-- Claims a key for a request until the end of its transaction. Fails (IK001) if another request holds the key or the key
-- was answered after `since`, so that nothing which was sent along with the claim is done; the caller then looks up the
-- reason. A response that is older than `since` is replaced.
create function claim_idempotency_key(tenant uuid, caller_key text, idempotency_key text, since timestamptz) returns void
    language plpgsql volatile as $$
declare
    answered_at timestamptz;
begin
    if pg_try_advisory_xact_lock(hashtextextended(concat_ws(':', 'idempotency', tenant, caller_key, idempotency_key), 0)) then
        -- A statement of its own, so that it sees what was committed before the lock was taken.
        select k.created_at into answered_at from idempotency_keys k
        where k.tenant_id = tenant and k.caller = caller_key and k.key = idempotency_key;
        if answered_at is null then
            return;
        elsif answered_at <= since then
            delete from idempotency_keys k
            where k.tenant_id = tenant and k.caller = caller_key and k.key = idempotency_key;
            return;
        end if;
    end if;
    raise exception 'the idempotency key is in use' using errcode = 'IK001';
end $$;

-- Claims a key and stores its response in one statement: all that a request needs whose writes are known in advance. It
-- fails (IK001) as claim_idempotency_key() does.
create function store_idempotent_response(tenant uuid, caller_key text, idempotency_key text, since timestamptz, hash bytea,
                                          status_code smallint, sealed bytea, at timestamptz) returns void
    language plpgsql volatile as $$
begin
    if pg_try_advisory_xact_lock(hashtextextended(concat_ws(':', 'idempotency', tenant, caller_key, idempotency_key), 0)) then
        insert into idempotency_keys as k (tenant_id, caller, key, request_hash, status, response, created_at)
        values (tenant, caller_key, idempotency_key, hash, status_code, sealed, at)
        on conflict (tenant_id, caller, key) do update
        set request_hash = excluded.request_hash, status = excluded.status, response = excluded.response,
            created_at = excluded.created_at
        where k.created_at <= since;
        if found then
            return;
        end if;
    end if;
    raise exception 'the idempotency key is in use' using errcode = 'IK001';
end $$;

create function delete_expired_idempotency_keys(until timestamptz) returns void
    language sql volatile security definer set search_path = public
begin atomic
    delete from idempotency_keys where created_at < until;
end;

create function delete_idempotency_keys_of_tenant() returns trigger
    language plpgsql security definer set search_path = public as $$
begin
    delete from idempotency_keys k where k.tenant_id = old.id;
    return null;
end $$;
create trigger delete_idempotency_keys after delete on tenants
    for each row execute function delete_idempotency_keys_of_tenant();

grant create on schema public to ioc_directory;
do $$
declare
    signature regprocedure;
begin
    foreach signature in array array['find_api_key(uuid)', 'record_key_uses(uuid[], timestamptz[])',
        'delete_expired_idempotency_keys(timestamptz)']::regprocedure[] loop
        execute format('alter function %s owner to ioc_directory', signature);
        execute format('revoke all on function %s from public', signature);
        execute format('grant execute on function %s to ioc_app', signature);
    end loop;
end $$;
-- A role that may execute a trigger function can attach it to a table of its own: no role may.
alter function delete_idempotency_keys_of_tenant() owner to ioc_directory;
revoke all on function delete_idempotency_keys_of_tenant() from public;
revoke create on schema public from ioc_directory;
