-- Steps of a session in a row that failed for a reason of their own, and that were interrupted by crashes or time limits. A
-- step that is written resets both. A session whose step is never done is ended instead of being tried for ever.
alter table sessions
    add column failed_steps      integer not null default 0,
    add column interrupted_steps integer not null default 0;

-- The same for training jobs, which count their interrupted steps already.
alter table training_jobs
    add column failed_steps integer not null default 0;
