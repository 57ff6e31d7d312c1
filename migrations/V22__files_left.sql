-- Files of datasets that came to nothing: a job whose curation began may have left some, until the sweep has looked.

alter table training_jobs add column leaves_files boolean not null default false;
create index training_jobs_leaving_files on training_jobs (tenant_id, id) where leaves_files;
grant select (leaves_files) on training_jobs to ioc_directory;

-- Jobs that may have left files and whose attempt makes no dataset any more. A worker that was taken over may be at it still.
create function trainings_leaving_files(at timestamptz, most integer) returns table (tenant_id uuid, job_id uuid)
    language sql stable security definer set search_path = public
begin atomic
    select t.tenant_id, t.id from training_jobs t
    where t.leaves_files and t.status not in ('pending', 'queued')
      and (t.lease_until is null or t.lease_until <= at - interval '10 minutes')
    limit most;
end;

grant create on schema public to ioc_directory;
alter function trainings_leaving_files(timestamptz, integer) owner to ioc_directory;
revoke all on function trainings_leaving_files(timestamptz, integer) from public;
grant execute on function trainings_leaving_files(timestamptz, integer) to ioc_app;
revoke create on schema public from ioc_directory;
