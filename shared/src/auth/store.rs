//! SQL of keys and of the directory that finds a caller's tenant.

use std::sync::Arc;

use tokio_postgres::{Row, types::Json};

use crate::{
    clock::Time,
    db::{Db, Tx},
    error::{Error, Result},
    id::{AgentId, AgentTokenId, KeyId, TenantId, UserId},
};

use super::{Actor, Role, Scope};

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
}

pub async fn insert_key(tx: Tx, key: &NewKey<'_>) -> Result<()> {
    tx.finish(
        "insert into api_keys (tenant_id, id, name, environment, role, secret_hash, expires_at, created_at)
         values ($1, $2, $3, $4, $5, $6, $7, $8)",
        &[
            &key.tenant_id,
            &key.id,
            &key.name,
            &key.environment,
            &key.role.name(),
            &key.secret_hash,
            &key.expires_at,
            &key.created_at,
        ],
    )
    .await?;
    Ok(())
}

/// Marks a key as revoked; false when there is none or it was revoked before.
pub async fn revoke_key(tx: Tx, id: KeyId, now: Time) -> Result<bool> {
    let rows = tx
        .finish("update api_keys set revoked_at = $2 where id = $1 and revoked_at is null returning id", &[&id, &now])
        .await?;
    Ok(!rows.is_empty())
}
