//! SQL of keys and of the directory that finds a caller's tenant.

use tokio_postgres::Row;

use crate::{
    clock::Time,
    db::{Db, Tx},
    error::{Error, Result},
    id::{KeyId, TenantId},
};

use super::Role;

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
}

impl KnownKey {
    fn read(row: &Row) -> Result<Self> {
        let role: &str = row.try_get("role")?;
        Ok(Self {
            tenant_id: row.try_get("tenant_id")?,
            tenant_slug: row.try_get("tenant_slug")?,
            tenant_active: row.try_get("tenant_active")?,
            name: row.try_get("name")?,
            environment: row.try_get("environment")?,
            role: Role::parse(role).ok_or_else(|| Error::internal(format!("role {role}")))?,
            secret_hash: row.try_get("secret_hash")?,
            expires_at: row.try_get("expires_at")?,
            revoked_at: row.try_get("revoked_at")?,
        })
    }
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
