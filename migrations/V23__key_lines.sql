-- The key that created a key, so that a key can be revoked together with all that came from it.

alter table api_keys add column created_by_key uuid;
create index api_keys_by_maker on api_keys (tenant_id, created_by_key) where created_by_key is not null;
