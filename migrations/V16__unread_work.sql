-- How often the work of a session could not be read since it was last read. Reading it is tried a few times.
alter table sessions
    add column failed_collections integer not null default 0;

-- A result that an agent reports while its question is open withdraws the question and ends the session. A retry also
-- starts the session.
create or replace function session_transition_allowed(from_status text, to_status text) returns boolean
    language sql immutable parallel safe
    return case from_status
        when 'pending'  then to_status in ('queued', 'running', 'cancelled', 'failed', 'orphaned')
        when 'queued'   then to_status in ('running', 'pending', 'cancelled', 'failed', 'timeout', 'orphaned')
        when 'running'  then to_status in ('completed', 'partially_completed', 'failed', 'timeout', 'paused', 'stopped', 'degraded', 'orphaned')
        when 'paused'   then to_status in ('running', 'queued', 'completed', 'partially_completed', 'failed', 'timeout', 'stopped', 'cancelled', 'orphaned')
        when 'degraded' then to_status in ('running', 'completed', 'partially_completed', 'failed', 'timeout', 'paused', 'stopped', 'orphaned')
        when 'failed'   then to_status in ('pending', 'queued')
        when 'timeout'  then to_status in ('pending', 'queued')
        when 'stopped'  then to_status in ('pending', 'queued')
        else false
    end;

-- How far ahead the next step of a running session, or the end of a lease, can be at most: far longer than any pause
-- between two observations. A time that is further ahead was written before the clock was set back, and has come.
create function longest_step_pause() returns interval
    language sql immutable parallel safe
    return interval '15 minutes';

-- Sessions whose step is due and that no worker has leased, oldest first.
create or replace function due_sessions(at timestamptz, max_rows integer)
    returns table (tenant_id uuid, session_id uuid, status text, handover boolean)
    language sql stable security definer set search_path = public
begin atomic
    select d.tenant_id, d.id, d.status, d.handover is not null
    from (
        select s.tenant_id, s.id, s.status, s.handover, s.next_step_at, s.lease_until
        from sessions s where s.next_step_at <= at
        union all
        select s.tenant_id, s.id, s.status, s.handover, s.next_step_at, s.lease_until
        from sessions s where s.status in ('running', 'degraded') and s.next_step_at > at + longest_step_pause()
    ) d
    where d.lease_until is null or d.lease_until <= at or d.lease_until > at + longest_step_pause()
    order by d.next_step_at
    limit max_rows;
end;
