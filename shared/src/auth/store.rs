//! SQL of keys and of the directory that finds a caller's tenant.

use std::sync::Arc;

use tokio_postgres::{Row, types::Json};

use crate::{
    clock::Time,
    db::{Db, OnConstraint, Tx},
    error::{Code, Error, Result},
    id::{AgentId, AgentTokenId, KeyId, TenantId, UserId},
};

use super::{
    Actor, Role, Scope,
    key::{ApiKey, prefix},
};

/// What is known of a key, whoever asks.
#[derive(Clone, Debug)]
pub struct KnownKey {
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
    /// The person whose key it is.
    pub owner: Option<Owner>,
}

/// The person behind a key, whose limits are the key's too.
#[derive(Clone, Debug)]
pub struct Owner {
    pub id: UserId,
    pub role: Role,
    pub is_active: bool,
}

impl KnownKey {
    fn read(row: &Row) -> Result<Self> {
        let owner = row.try_get::<_, Option<UserId>>("user_id")?;
        let owner = owner.map(|id| {
            Ok::<_, Error>(Owner { id, role: role(row.try_get("user_role")?)?, is_active: row.try_get("user_active")? })
        });
        Ok(Self {
            tenant_id: row.try_get("tenant_id")?,
            tenant_slug: row.try_get("tenant_slug")?,
            tenant_active: row.try_get("tenant_active")?,
            name: row.try_get("name")?,
            environment: row.try_get("environment")?,
            role: role(row.try_get("role")?)?,
            secret_hash: row.try_get("secret_hash")?,
            expires_at: row.try_get("expires_at")?,
            revoked_at: row.try_get("revoked_at")?,
            scopes: scopes(&row.try_get::<_, Vec<String>>("scopes")?)?,
            last_used_at: row.try_get("last_used_at")?,
            owner: owner.transpose()?,
        })
    }
}

pub(crate) fn role(text: &str) -> Result<Role> {
    Role::parse(text).ok_or_else(|| Error::internal(format!("role {text}")))
}

fn scopes(texts: &[String]) -> Result<Arc<[Scope]>> {
    texts.iter().map(|text| text.parse().map_err(|_| Error::internal(format!("scope {text}")))).collect()
}

/// What is known of an agent's token, whoever asks.
#[derive(Clone, Debug)]
pub struct KnownAgentToken {
    pub tenant_id: TenantId,
    pub tenant_slug: String,
    pub tenant_active: bool,
    pub agent_id: AgentId,
    pub agent_name: String,
    pub environment: String,
    pub secret_hash: Vec<u8>,
    pub expires_at: Option<Time>,
}

pub async fn find_agent_token(db: &Db, id: AgentTokenId) -> Result<Option<KnownAgentToken>> {
    let rows = db.directory("select * from find_agent_token($1)", &[&id]).await?;
    let read = |row: &Row| {
        Ok(KnownAgentToken {
            tenant_id: row.try_get("tenant_id")?,
            tenant_slug: row.try_get("tenant_slug")?,
            tenant_active: row.try_get("tenant_active")?,
            agent_id: row.try_get("agent_id")?,
            agent_name: row.try_get("agent_name")?,
            environment: row.try_get("environment")?,
            secret_hash: row.try_get("secret_hash")?,
            expires_at: row.try_get("expires_at")?,
        })
    };
    rows.first().map(read).transpose()
}

/// A token of an agent to be stored.
pub struct NewAgentToken<'a> {
    pub tenant_id: TenantId,
    pub id: AgentTokenId,
    pub agent_id: AgentId,
    pub environment: &'a str,
    pub secret_hash: &'a [u8],
    pub expires_at: Option<Time>,
    pub created_by: &'a Actor,
    pub created_at: Time,
}

/// Stores a token; false when the tenant has no such agent of its own.
pub async fn insert_agent_token(tx: &mut Tx, token: &NewAgentToken<'_>) -> Result<bool> {
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

/// Lets a token that works now, and that nothing took the place of, work until `until` at most; answers its agent.
pub async fn replace_agent_token(
    tx: &mut Tx,
    id: AgentTokenId,
    by: AgentTokenId,
    now: Time,
    until: Time,
) -> Result<Option<AgentId>> {
    let sql = "update agent_tokens set rotated_to = $2, expires_at = least(expires_at, $4)
               where tenant_id = app_tenant_id() and id = $1 and rotated_to is null
                 and (expires_at is null or expires_at > $3)
               returning agent_id";
    let row = tx.query_opt(sql, &[&id, &by, &now, &until]).await?;
    Ok(row.map(|row| row.try_get("agent_id")).transpose()?)
}

/// Ends a token that works now; answers its agent.
pub async fn end_agent_token(tx: &mut Tx, id: AgentTokenId, now: Time) -> Result<Option<AgentId>> {
    let sql = "update agent_tokens set expires_at = $2
               where tenant_id = app_tenant_id() and id = $1 and (expires_at is null or expires_at > $2)
               returning agent_id";
    let row = tx.query_opt(sql, &[&id, &now]).await?;
    Ok(row.map(|row| row.try_get("agent_id")).transpose()?)
}

/// Notes when a key was used.
pub async fn note_use(db: &Db, id: KeyId, at: Time) -> Result<()> {
    db.directory("select note_key_uses(array[$1::uuid], array[$2::timestamptz])", &[&id, &at]).await?;
    Ok(())
}

/// The tenant that an admin named, by id or slug.
#[derive(Clone, Debug)]
pub struct NamedTenant {
    pub id: TenantId,
    pub slug: String,
    pub is_active: bool,
}

pub async fn find_key(db: &Db, id: KeyId) -> Result<Option<KnownKey>> {
    let rows = db.directory("select * from find_api_key($1)", &[&id]).await?;
    rows.first().map(KnownKey::read).transpose()
}

pub async fn find_tenant(db: &Db, named: &str) -> Result<Option<NamedTenant>> {
    let rows = db.directory("select * from find_tenant($1)", &[&named]).await?;
    rows.first()
        .map(|row| {
            Ok(NamedTenant { id: row.try_get("id")?, slug: row.try_get("slug")?, is_active: row.try_get("is_active")? })
        })
        .transpose()
}

/// A key to be stored.
pub struct NewKey<'a> {
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
}

pub async fn insert_key(tx: Tx, key: &NewKey<'_>) -> Result<()> {
    let scopes: Vec<_> = key.scopes.iter().map(ToString::to_string).collect();
    tx.finish(
        "insert into api_keys (tenant_id, id, name, environment, role, secret_hash, expires_at, created_at, scopes, user_id,
                               created_by)
         values ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11)",
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
        ],
    )
    .await
    .on_constraint("api_keys_tenant_id_user_id_fkey", || {
        Error::field("user_id", "there is no such person in the tenant")
    })?;
    Ok(())
}

/// Marks a key as revoked; false when there is none or it was revoked before.
pub async fn revoke_key(tx: Tx, id: KeyId, now: Time) -> Result<bool> {
    let rows = tx
        .finish("update api_keys set revoked_at = $2 where id = $1 and revoked_at is null returning id", &[&id, &now])
        .await?;
    Ok(!rows.is_empty())
}

const KEY_COLUMNS: &str =
    "k.id, k.name, k.environment, k.role, k.scopes, k.user_id, k.created_at, k.created_by, k.expires_at,
    k.last_used_at, k.revoked_at, k.rotated_to,
    (select u.role from users u where u.tenant_id = k.tenant_id and u.id = k.user_id) as person_role";

fn api_key(row: &Row) -> Result<ApiKey> {
    let id = row.try_get("id")?;
    let Json(created_by) = row.try_get("created_by")?;
    Ok(ApiKey {
        id,
        name: row.try_get("name")?,
        prefix: prefix(row.try_get("environment")?, id),
        role: role(row.try_get("role")?)?,
        scopes: scopes(&row.try_get::<_, Vec<String>>("scopes")?)?.to_vec(),
        user_id: row.try_get("user_id")?,
        created_at: row.try_get("created_at")?,
        created_by,
        expires_at: row.try_get("expires_at")?,
        last_used_at: row.try_get("last_used_at")?,
        revoked_at: row.try_get("revoked_at")?,
        rotated_to: row.try_get("rotated_to")?,
        person_role: row.try_get::<_, Option<&str>>("person_role")?.map(role).transpose()?,
    })
}

/// The error for a key that is unknown, another tenant's, or not to be seen: nobody can tell which.
#[track_caller]
pub fn no_key(id: KeyId) -> Error {
    Error::new(Code::ApiKeyNotFound, format!("There is no API key {id}."))
}

/// Which keys of a tenant are looked at.
#[derive(Clone, Copy, Debug)]
pub enum Sight {
    All,
    Of(UserId),
    Only(KeyId),
}

/// A page of keys, newest first, made before `before`.
pub async fn keys(db: &Db, tenant_id: TenantId, sight: Sight, before: Option<KeyId>, most: i64) -> Result<Vec<ApiKey>> {
    let (person, only) = match sight {
        Sight::All => (None, None),
        Sight::Of(person) => (Some(person), None),
        Sight::Only(id) => (None, Some(id)),
    };
    let sql = format!(
        "select {KEY_COLUMNS} from api_keys k
         where k.tenant_id = $1 and ($2::uuid is null or k.id < $2) and ($3::uuid is null or k.user_id = $3)
           and ($4::uuid is null or k.id = $4)
         order by k.id desc limit $5"
    );
    db.read(tenant_id, &sql, &[&tenant_id, &before, &person, &only, &most]).await?.iter().map(api_key).collect()
}

pub async fn key(db: &Db, tenant_id: TenantId, id: KeyId) -> Result<ApiKey> {
    let sql = format!("select {KEY_COLUMNS} from api_keys k where k.tenant_id = $1 and k.id = $2");
    let rows = db.read(tenant_id, &sql, &[&tenant_id, &id]).await?;
    rows.first().map(api_key).transpose()?.ok_or_else(|| no_key(id))
}

/// Reads a key and keeps it from changing until the end of the transaction.
pub async fn lock_key(tx: &mut Tx, tenant_id: TenantId, id: KeyId) -> Result<ApiKey> {
    let sql = format!("select {KEY_COLUMNS} from api_keys k where k.tenant_id = $1 and k.id = $2 for no key update");
    tx.query_opt(&sql, &[&tenant_id, &id]).await?.as_ref().map(api_key).transpose()?.ok_or_else(|| no_key(id))
}

/// Has a key end at a time, because another takes its place.
pub async fn replace_key(tx: &mut Tx, id: KeyId, by: KeyId, until: Time) -> Result<()> {
    tx.query("update api_keys set expires_at = $2, rotated_to = $3 where id = $1", &[&id, &until, &by]).await?;
    Ok(())
}
