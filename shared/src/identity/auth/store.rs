//! SQL of keys and agent tokens, and of the directory that finds a caller's tenant.

use std::sync::Arc;

use tokio_postgres::{Row, types::Json};

use crate::{
    kernel::{
        actor::Actor,
        clock::Time,
        error::{Code, Error, Result},
        id::{AgentId, AgentTokenId, KeyId, TenantId, UserId},
    },
    platform::postgres::{Db, OnConstraint, Tx},
};

use super::{
    Role, Scope,
    key::{ApiKey, public_prefix},
};

/// The row of a key with its tenant and owner, as authentication reads it.
#[derive(Clone, Debug)]
pub struct StoredKey {
    pub tenant_id: TenantId,
    pub tenant_slug: String,
    pub tenant_active: bool,
    pub name: String,
    pub environment: String,
    pub role: Role,
    pub secret_hash: Vec<u8>,
    pub expires_at: Option<Time>,
    pub revoked_at: Option<Time>,
    pub scopes: Arc<[Scope]>,
    pub last_used_at: Option<Time>,
    /// The user who owns the key.
    pub owner: Option<KeyOwner>,
}

/// The user who owns a key, whose role limits the key.
#[derive(Clone, Debug)]
pub struct KeyOwner {
    pub id: UserId,
    pub role: Role,
    pub is_active: bool,
}

impl StoredKey {
    fn read(row: &Row) -> Result<Self> {
        let owner = row.try_get::<_, Option<UserId>>("user_id")?;
        let owner = owner.map(|id| {
            Ok::<_, Error>(KeyOwner {
                id,
                role: parse_role(row.try_get("user_role")?)?,
                is_active: row.try_get("user_active")?,
            })
        });
        Ok(Self {
            tenant_id: row.try_get("tenant_id")?,
            tenant_slug: row.try_get("tenant_slug")?,
            tenant_active: row.try_get("tenant_active")?,
            name: row.try_get("name")?,
            environment: row.try_get("environment")?,
            role: parse_role(row.try_get("role")?)?,
            secret_hash: row.try_get("secret_hash")?,
            expires_at: row.try_get("expires_at")?,
            revoked_at: row.try_get("revoked_at")?,
            scopes: parse_scopes(&row.try_get::<_, Vec<String>>("scopes")?)?,
            last_used_at: row.try_get("last_used_at")?,
            owner: owner.transpose()?,
        })
    }
}

pub(crate) fn parse_role(text: &str) -> Result<Role> {
    Role::parse(text).ok_or_else(|| Error::internal(format!("role {text}")))
}

pub(super) fn parse_scopes(texts: &[String]) -> Result<Arc<[Scope]>> {
    texts.iter().map(|text| text.parse().map_err(|_| Error::internal(format!("scope {text}")))).collect()
}

/// The row of an agent token with its tenant and agent, as authentication reads it.
#[derive(Clone, Debug)]
pub struct StoredAgentToken {
    pub tenant_id: TenantId,
    pub tenant_slug: String,
    pub tenant_active: bool,
    pub agent_id: AgentId,
    pub agent_name: String,
    pub environment: String,
    pub secret_hash: Vec<u8>,
    pub expires_at: Option<Time>,
    /// Whether the token was used before.
    pub is_used: bool,
    /// Whether its agent was deregistered.
    pub is_deregistered: bool,
}

pub async fn find_stored_agent_token(db: &Db, id: AgentTokenId) -> Result<Option<StoredAgentToken>> {
    let rows = db.query_directory("select * from find_agent_credential($1)", &[&id]).await?;
    let read = |row: &Row| {
        Ok(StoredAgentToken {
            tenant_id: row.try_get("tenant_id")?,
            tenant_slug: row.try_get("tenant_slug")?,
            tenant_active: row.try_get("tenant_active")?,
            agent_id: row.try_get("agent_id")?,
            agent_name: row.try_get("agent_name")?,
            environment: row.try_get("environment")?,
            secret_hash: row.try_get("secret_hash")?,
            expires_at: row.try_get("expires_at")?,
            is_used: row.try_get("used")?,
            is_deregistered: row.try_get("deregistered")?,
        })
    };
    rows.first().map(read).transpose()
}

/// Records that an agent token was used for the first time.
pub async fn record_agent_token_use(db: &Db, id: AgentTokenId, at: Time) -> Result<()> {
    db.query_directory("select record_agent_token_use($1, $2)", &[&id, &at]).await?;
    Ok(())
}

/// An agent token to insert.
pub struct AgentTokenInsert<'a> {
    pub tenant_id: TenantId,
    pub id: AgentTokenId,
    pub agent_id: AgentId,
    pub environment: &'a str,
    pub secret_hash: &'a [u8],
    pub expires_at: Option<Time>,
    pub created_by: &'a Actor,
    pub created_at: Time,
}

/// Inserts a token; false if the tenant has no such agent of its own.
pub async fn insert_agent_token(tx: &mut Tx, token: &AgentTokenInsert<'_>) -> Result<bool> {
    let sql = "insert into agent_tokens (tenant_id, id, agent_id, environment, secret_hash, expires_at, created_by, created_at)
               select a.tenant_id, $3, a.id, $4, $5, $6, $7, $8 from agents a where a.tenant_id = $1 and a.id = $2
               returning id";
    let rows = tx
        .query(
            sql,
            &[
                &token.tenant_id,
                &token.agent_id,
                &token.id,
                &token.environment,
                &token.secret_hash,
                &token.expires_at,
                &Json(token.created_by),
                &token.created_at,
            ],
        )
        .await?;
    Ok(!rows.is_empty())
}

/// Limits a valid token to `until`, and records its successor. A token that was rotated before gets another successor
/// if the first was never used, which ends then: its agent did not receive it. Returns the agent.
pub async fn replace_agent_token(
    tx: &mut Tx,
    id: AgentTokenId,
    by: AgentTokenId,
    now: Time,
    until: Time,
) -> Result<Option<AgentId>> {
    let sql = "with old as (
                   select k.id, k.rotated_to from agent_tokens k
                   where k.tenant_id = app_tenant_id() and k.id = $1 and (k.expires_at is null or k.expires_at > $3)
                   for update),
               unclaimed as (
                   update agent_tokens k set expires_at = $3 from old
                   where k.tenant_id = app_tenant_id() and k.id = old.rotated_to and k.used_at is null returning k.id)
               update agent_tokens k set rotated_to = $2, expires_at = least(k.expires_at, $4) from old
               where k.tenant_id = app_tenant_id() and k.id = old.id
                 and (old.rotated_to is null or exists (select 1 from unclaimed))
               returning k.agent_id";
    let row = tx.query_opt(sql, &[&id, &by, &now, &until]).await?;
    Ok(row.map(|row| row.try_get("agent_id")).transpose()?)
}

/// Records when a key was last used.
pub async fn record_key_use(db: &Db, id: KeyId, at: Time) -> Result<()> {
    db.query_directory("select record_key_uses(array[$1::uuid], array[$2::timestamptz])", &[&id, &at]).await?;
    Ok(())
}

/// A tenant that was found by id or slug.
#[derive(Clone, Debug)]
pub struct TenantIdentity {
    pub id: TenantId,
    pub slug: String,
    pub is_active: bool,
}

pub async fn find_stored_key(db: &Db, id: KeyId) -> Result<Option<StoredKey>> {
    let rows = db.query_directory("select * from find_api_key($1)", &[&id]).await?;
    rows.first().map(StoredKey::read).transpose()
}

pub async fn find_tenant(db: &Db, named: &str) -> Result<Option<TenantIdentity>> {
    let rows = db.query_directory("select * from find_tenant($1)", &[&named]).await?;
    rows.first()
        .map(|row| {
            Ok(TenantIdentity {
                id: row.try_get("id")?,
                slug: row.try_get("slug")?,
                is_active: row.try_get("is_active")?,
            })
        })
        .transpose()
}

/// A key to insert.
pub struct KeyInsert<'a> {
    pub tenant_id: TenantId,
    pub id: KeyId,
    pub name: &'a str,
    pub environment: &'a str,
    pub role: Role,
    pub secret_hash: &'a [u8],
    pub expires_at: Option<Time>,
    pub created_at: Time,
    pub scopes: &'a [Scope],
    pub user_id: Option<UserId>,
    pub created_by: Actor,
    /// The key that created it, or that it replaces.
    pub created_by_key: Option<KeyId>,
}

pub async fn insert_key(tx: Tx, key: &KeyInsert<'_>) -> Result<()> {
    let scopes: Vec<_> = key.scopes.iter().map(ToString::to_string).collect();
    tx.query_and_commit(
        "insert into api_keys (tenant_id, id, name, environment, role, secret_hash, expires_at, created_at, scopes, user_id,
                               created_by, created_by_key)
         values ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12)",
        &[
            &key.tenant_id,
            &key.id,
            &key.name,
            &key.environment,
            &key.role.name(),
            &key.secret_hash,
            &key.expires_at,
            &key.created_at,
            &scopes,
            &key.user_id,
            &Json(&key.created_by),
            &key.created_by_key,
        ],
    )
    .await
    .on_constraint("api_keys_tenant_id_user_id_fkey", || {
        Error::invalid_field("user_id", "the tenant has no user with this id")
    })?;
    Ok(())
}

/// Marks keys as revoked; false if there are none or all were revoked before.
pub async fn revoke_keys(tx: Tx, ids: &[KeyId], now: Time) -> Result<bool> {
    let rows = tx
        .query_and_commit(
            "update api_keys set revoked_at = $2 where id = any($1) and revoked_at is null returning id",
            &[&ids, &now],
        )
        .await?;
    Ok(!rows.is_empty())
}

/// Reads and locks the keys that came from a key and are not revoked: those that it created or was replaced by, those
/// that they created, and so on.
pub async fn lock_descendants(tx: &mut Tx, tenant_id: TenantId, id: KeyId) -> Result<Vec<ApiKey>> {
    let sql = format!(
        "with recursive line as (
             select $2::uuid as id
             union select k.id from api_keys k join line l on k.created_by_key = l.id where k.tenant_id = $1
         )
         select {KEY_COLUMNS} from api_keys k
         where k.tenant_id = $1 and k.id <> $2 and k.revoked_at is null and k.id in (select l.id from line l)
         order by k.id for no key update"
    );
    tx.query(&sql, &[&tenant_id, &id]).await?.iter().map(read_api_key).collect()
}

const KEY_COLUMNS: &str =
    "k.id, k.name, k.environment, k.role, k.scopes, k.user_id, k.created_at, k.created_by, k.created_by_key, k.expires_at,
    k.last_used_at, k.revoked_at, k.rotated_to,
    (select u.role from users u where u.tenant_id = k.tenant_id and u.id = k.user_id) as person_role";

fn read_api_key(row: &Row) -> Result<ApiKey> {
    let id = row.try_get("id")?;
    let Json(created_by) = row.try_get("created_by")?;
    Ok(ApiKey {
        id,
        name: row.try_get("name")?,
        prefix: public_prefix(row.try_get("environment")?, id),
        role: parse_role(row.try_get("role")?)?,
        scopes: parse_scopes(&row.try_get::<_, Vec<String>>("scopes")?)?.to_vec(),
        user_id: row.try_get("user_id")?,
        created_at: row.try_get("created_at")?,
        created_by,
        created_by_key: row.try_get("created_by_key")?,
        expires_at: row.try_get("expires_at")?,
        last_used_at: row.try_get("last_used_at")?,
        revoked_at: row.try_get("revoked_at")?,
        rotated_to: row.try_get("rotated_to")?,
        person_role: row.try_get::<_, Option<&str>>("person_role")?.map(parse_role).transpose()?,
    })
}

/// The error for a key that is unknown, belongs to another tenant or is not visible to the caller: all look the same.
#[track_caller]
pub fn api_key_not_found(id: KeyId) -> Error {
    Error::new(Code::ApiKeyNotFound, format!("There is no API key {id}."))
}

/// Selects the keys of a tenant that a caller can see.
#[derive(Clone, Copy, Debug)]
pub enum KeyVisibility {
    All,
    OwnedBy(UserId),
    Single(KeyId),
}

/// A page of the keys created before `before`, newest first.
pub async fn list_keys(
    db: &Db,
    tenant_id: TenantId,
    visibility: KeyVisibility,
    before: Option<KeyId>,
    most: i64,
) -> Result<Vec<ApiKey>> {
    let (owner, only) = match visibility {
        KeyVisibility::All => (None, None),
        KeyVisibility::OwnedBy(owner) => (Some(owner), None),
        KeyVisibility::Single(id) => (None, Some(id)),
    };
    let sql = format!(
        "select {KEY_COLUMNS} from api_keys k
         where k.tenant_id = $1 and ($2::uuid is null or k.id < $2) and ($3::uuid is null or k.user_id = $3)
           and ($4::uuid is null or k.id = $4)
         order by k.id desc limit $5"
    );
    db.read(tenant_id, &sql, &[&tenant_id, &before, &owner, &only, &most]).await?.iter().map(read_api_key).collect()
}

pub async fn find_key(db: &Db, tenant_id: TenantId, id: KeyId) -> Result<ApiKey> {
    let sql = format!("select {KEY_COLUMNS} from api_keys k where k.tenant_id = $1 and k.id = $2");
    let rows = db.read(tenant_id, &sql, &[&tenant_id, &id]).await?;
    rows.first().map(read_api_key).transpose()?.ok_or_else(|| api_key_not_found(id))
}

/// Reads a key and locks it until the end of the transaction.
pub async fn lock_key(tx: &mut Tx, tenant_id: TenantId, id: KeyId) -> Result<ApiKey> {
    let sql = format!("select {KEY_COLUMNS} from api_keys k where k.tenant_id = $1 and k.id = $2 for no key update");
    tx.query_opt(&sql, &[&tenant_id, &id])
        .await?
        .as_ref()
        .map(read_api_key)
        .transpose()?
        .ok_or_else(|| api_key_not_found(id))
}

/// Limits a key to `until` and records its successor, which counts as the maker of the keys that it created.
pub async fn replace_key(tx: &mut Tx, id: KeyId, by: KeyId, until: Time) -> Result<()> {
    let limit = "update api_keys set expires_at = $2, rotated_to = $3 where id = $1";
    let adopt = "update api_keys set created_by_key = $2 where created_by_key = $1";
    tx.query_all(&[(limit, &[&id, &until, &by]), (adopt, &[&id, &by])]).await?;
    Ok(())
}
