-- What an agent of a tenant reports about its own usage beyond the bound of its run: kept, but booked nowhere. The form is
-- that of UsageClaims in shared/src/sessions/usage_claims.rs; an empty object means that nothing was ever claimed.
alter table sessions
    add column usage_claims jsonb not null default '{}' check (jsonb_typeof(usage_claims) = 'object');
