-- A create that the tenant's limits or its agent do not allow ends as an error, which undoes the whole transaction: so it
-- can travel with what it is recorded by and with the commit, and nothing that follows has to ask whether it was made.

create function refuse_session(room jsonb) returns void language plpgsql volatile as $$
begin
    raise exception 'the session is refused' using errcode = 'SR001', detail = coalesce(room::text, 'null');
end $$;
