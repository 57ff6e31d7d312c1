-- What agents do with their own tokens: a rotation whose answer was lost can be repeated, a removed agent learns that it was
-- removed, and an agent that reports that it goes offline hands its work back at once.

alter table agent_tokens
    -- When the token was first used. The successor of a token can be replaced until then.
    add column used_at timestamptz;
-- Existing tokens count as used: nobody knows better.
update agent_tokens set used_at = created_at;

create function find_agent_credential(token_id uuid)
    returns table (tenant_id uuid, tenant_slug text, tenant_active boolean, agent_id uuid, agent_name text, environment text,
                   secret_hash bytea, expires_at timestamptz, used boolean, deregistered boolean)
    language sql stable security definer set search_path = public
begin atomic
    select k.tenant_id, t.slug, t.is_active, a.id, a.name, k.environment, k.secret_hash, k.expires_at, k.used_at is not null,
           a.state = 'deregistered'
    from agent_tokens k
    join tenants t on t.id = k.tenant_id
    join agents a on a.id = k.agent_id and a.tenant_id = k.tenant_id
    where k.id = token_id;
end;

create policy directory_use on agent_tokens for update to ioc_directory using (true) with check (true);
grant update (used_at) on agent_tokens to ioc_directory;
create function record_agent_token_use(token_id uuid, at timestamptz) returns void
    language sql volatile security definer set search_path = public
begin atomic
    update agent_tokens k set used_at = at where k.id = token_id and k.used_at is null;
end;

-- Agents that are offline, or report that they go offline, and still have open tasks.
create or replace function offline_agents_with_tasks() returns table (agent_id uuid)
    language sql stable security definer set search_path = public
begin atomic
    select distinct t.agent_id from agent_tasks t join agents a on a.id = t.agent_id
    where t.status in ('waiting', 'leased') and a.kind = 'eap'
      and (a.liveness = 'offline' or coalesce(a.reported_status = 'offline', false));
end;

-- Revokes the open tasks of an agent that is still offline. Returns their sessions.
create or replace function revoke_agent_tasks(agent uuid, at timestamptz) returns table (tenant_id uuid, session_id uuid)
    language sql volatile security definer set search_path = public
begin atomic
    update agent_tasks t set status = 'lost', updated_at = at
    where t.agent_id = agent and t.status in ('waiting', 'leased')
      and exists (select 1 from agents a where a.id = agent
                  and (a.liveness = 'offline' or coalesce(a.reported_status = 'offline', false)) for no key update)
    returning t.tenant_id, t.session_id;
end;

grant create on schema public to ioc_directory;
do $$
declare
    signature regprocedure;
begin
    foreach signature in array array['find_agent_credential(uuid)', 'record_agent_token_use(uuid, timestamptz)']::regprocedure[] loop
        execute format('alter function %s owner to ioc_directory', signature);
        execute format('revoke all on function %s from public', signature);
        execute format('grant execute on function %s to ioc_app', signature);
    end loop;
end $$;
revoke create on schema public from ioc_directory;
