-- People, what narrows their keys, and the tokens of agents.

alter table tenants
    -- Whether whoever the configured issuer vouches for becomes a user at the first login, and with which role.
    add column signup               boolean not null default false,
    add column signup_role          text not null default 'viewer' check (signup_role in ('viewer', 'member', 'lead')),
    -- Days that entries of the audit log are kept; 0 = for ever.
    add column audit_retention_days integer not null default 0
        check (audit_retention_days = 0 or audit_retention_days between 30 and 3650),
    -- Calls per minute of all keys together; null = the platform's default, 0 = unlimited.
    add column calls_per_minute     integer check (calls_per_minute between 0 and 10000000);

create table users (
    tenant_id    uuid not null references tenants (id) on delete cascade,
    id           uuid not null,
    email        text not null check (char_length(email) between 3 and 254 and email = lower(email) and email ~ '^[^@[:space:]]+@[^@[:space:]]+$'),
    full_name    text not null check (char_length(full_name) between 1 and 200),
    role         text not null check (role in ('viewer', 'member', 'lead', 'admin')),
    is_active    boolean not null default true,
    -- Who the issuer says it is; set by the first login, and never by a person.
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

alter table api_keys
    -- What the key may be used for; none = all that its role may.
    add column scopes       text[] not null default '{}' check (cardinality(scopes) <= 50),
    -- The person whose key it is: it can do no more than that person, and nothing once that person is deactivated.
    add column user_id      uuid,
    add column last_used_at timestamptz,
    -- The key that took its place when it was rotated.
    add column rotated_to   uuid,
    add column created_by   jsonb not null default '{"kind": "system", "id": "setup", "name": "setup"}',
    add foreign key (tenant_id, user_id) references users (tenant_id, id) on delete cascade;
create index api_keys_of_user on api_keys (tenant_id, user_id) where user_id is not null;

-- What an agent outside of the platform calls us with. It reaches the endpoints of agents and nothing else.
create table agent_tokens (
    tenant_id   uuid not null references tenants (id) on delete cascade,
    id          uuid not null,
    agent_id    uuid not null references agents (id) on delete cascade,
    environment text not null check (environment ~ '^[a-z0-9]{1,16}$'),
    secret_hash bytea not null check (octet_length(secret_hash) = 32),
    expires_at  timestamptz,
    created_at  timestamptz not null,
    primary key (tenant_id, id)
);
create index agent_tokens_by_id on agent_tokens (id);
create index agent_tokens_of_agent on agent_tokens (agent_id);

do $$
declare
    name text;
begin
    foreach name in array array['users', 'agent_tokens'] loop
        execute format('alter table %I enable row level security', name);
        execute format('alter table %I force row level security', name);
        execute format('create policy tenant on %I to ioc_app using (tenant_id = app_tenant_id()) '
                       'with check (tenant_id = app_tenant_id())', name);
        execute format('create policy directory on %I for select to ioc_directory using (true)', name);
    end loop;
end $$;
grant select, insert, update, delete on users, agent_tokens to ioc_app;
grant select on users, agent_tokens to ioc_directory;
grant update (last_used_at) on api_keys to ioc_directory;
create policy used on api_keys for update to ioc_directory using (true) with check (true);

drop function find_api_key(uuid);
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

create function find_agent_token(token_id uuid)
    returns table (tenant_id uuid, tenant_slug text, tenant_active boolean, agent_id uuid, agent_name text, environment text,
                   secret_hash bytea, expires_at timestamptz)
    language sql stable security definer set search_path = public
begin atomic
    select k.tenant_id, t.slug, t.is_active, a.id, a.name, k.environment, k.secret_hash, k.expires_at
    from agent_tokens k
    join tenants t on t.id = k.tenant_id
    join agents a on a.id = k.agent_id and a.tenant_id = k.tenant_id
    where k.id = token_id;
end;

-- Notes when keys were last used: written now and then, for many keys at once.
create function note_key_uses(key_ids uuid[], used_at timestamptz[]) returns void
    language sql volatile security definer set search_path = public
begin atomic
    update api_keys k set last_used_at = u.at
    from unnest(key_ids, used_at) as u(id, at)
    where k.id = u.id and (k.last_used_at is null or k.last_used_at < u.at);
end;

grant create on schema public to ioc_directory;
do $$
declare
    signature regprocedure;
begin
    foreach signature in array array[
        'find_api_key(uuid)', 'find_agent_token(uuid)', 'note_key_uses(uuid[], timestamptz[])']::regprocedure[] loop
        execute format('alter function %s owner to ioc_directory', signature);
        execute format('revoke all on function %s from public', signature);
        execute format('grant execute on function %s to ioc_app', signature);
    end loop;
end $$;
revoke create on schema public from ioc_directory;
