-- Takes a key for a request and keeps its answer, in one statement: of a request of which everything is known before
-- anything is sent, that is all. As claim_idempotency_key() it refuses (IK001) a key that another request holds, or that
-- was answered after `since`.

create function keep_idempotent_answer(tenant uuid, who text, named text, since timestamptz, hash bytea, answered smallint,
                                       sealed bytea, at timestamptz) returns void
    language plpgsql volatile as $$
begin
    if pg_try_advisory_xact_lock(hashtextextended(concat_ws(':', 'idempotency', tenant, who, named), 0)) then
        insert into idempotency_keys as k (tenant_id, caller, key, request_hash, status, answer, created_at)
        values (tenant, who, named, hash, answered, sealed, at)
        on conflict (tenant_id, caller, key) do update
        set request_hash = excluded.request_hash, status = excluded.status, answer = excluded.answer,
            created_at = excluded.created_at
        where k.created_at <= since;
        if found then
            return;
        end if;
    end if;
    raise exception 'the key is not free' using errcode = 'IK001';
end $$;

-- Postgres reads and compiles each condition of a table anew with each insert, for two tables that most requests insert
-- into. These only repeat what the one place that writes makes sure of: the edge, which refuses a longer key, and
-- audit_append(), which counts from 1 and hashes.
alter table idempotency_keys
    drop constraint idempotency_keys_caller_check,
    drop constraint idempotency_keys_key_check,
    drop constraint idempotency_keys_request_hash_check;
alter table audit_entries
    drop constraint audit_entries_seq_check,
    drop constraint audit_entries_action_check,
    drop constraint audit_entries_hash_check;
