//! SQL of the provider settings of tenants.

use tokio_postgres::{Row, types::Json};

use crate::{
    kernel::{
        actor::Actor,
        clock::Time,
        encryption::{self, Pepper, Purpose},
        error::{Error, Result},
        id::TenantId,
    },
    platform::postgres::{Db, Tx},
    training::trainers::{Provider, TrainerConnection},
};

/// What a tenant set for a provider, as stored: the key is encrypted.
#[derive(Clone, Debug, Default)]
pub struct SealedCredentials {
    pub base_url: Option<String>,
    pub api_key: Option<Vec<u8>>,
}

impl SealedCredentials {
    /// Decrypts the key, for a trainer.
    pub fn open_credentials(
        self,
        pepper: &Pepper,
        tenant_id: TenantId,
        provider: Provider,
    ) -> Result<TrainerConnection> {
        let open = |sealed: Vec<u8>| {
            let plain = encryption::open_bytes(
                pepper,
                Purpose::TrainingProvider,
                &encryption_context(tenant_id, provider),
                &sealed,
            )?;
            String::from_utf8(plain).map_err(Error::internal)
        };
        Ok(TrainerConnection { base_url: self.base_url, api_key: self.api_key.map(open).transpose()? })
    }
}

/// The context that the encryption of a key is bound to.
pub(in crate::training::jobs) fn encryption_context(tenant_id: TenantId, provider: Provider) -> Vec<u8> {
    [tenant_id.0.as_bytes().as_slice(), provider.name().as_bytes()].concat()
}

const COLUMNS: &str = "provider, base_url, api_key, updated_by, updated_at";

/// A row.
#[derive(Clone, Debug)]
pub struct StoredProvider {
    pub provider: Provider,
    pub sealed: SealedCredentials,
    pub updated_by: Actor,
    pub updated_at: Time,
}

pub async fn list_providers(db: &Db, tenant_id: TenantId) -> Result<Vec<StoredProvider>> {
    let sql = format!("select {COLUMNS} from training_providers where tenant_id = $1 order by provider");
    db.read(tenant_id, &sql, &[&tenant_id]).await?.iter().map(read).collect()
}

pub async fn find_provider(tx: &mut Tx, tenant_id: TenantId, provider: Provider) -> Result<Option<StoredProvider>> {
    let sql = format!("select {COLUMNS} from training_providers where tenant_id = $1 and provider = $2");
    tx.query_opt(&sql, &[&tenant_id, &provider.name()]).await?.as_ref().map(read).transpose()
}

pub async fn put_provider(tx: Tx, tenant_id: TenantId, kept: &StoredProvider) -> Result<()> {
    let sql = "insert into training_providers (tenant_id, provider, base_url, api_key, updated_by, updated_at)
               values ($1, $2, $3, $4, $5, $6)
               on conflict (tenant_id, provider) do update
               set base_url = excluded.base_url, api_key = excluded.api_key, updated_by = excluded.updated_by,
                   updated_at = excluded.updated_at";
    let sealed = &kept.sealed;
    let by = Json(&kept.updated_by);
    tx.query_and_commit(
        sql,
        &[&tenant_id, &kept.provider.name(), &sealed.base_url, &sealed.api_key, &by, &kept.updated_at],
    )
    .await?;
    Ok(())
}

pub async fn delete(tx: Tx, tenant_id: TenantId, provider: Provider) -> Result<()> {
    let sql = "delete from training_providers where tenant_id = $1 and provider = $2";
    tx.query_and_commit(sql, &[&tenant_id, &provider.name()]).await?;
    Ok(())
}

fn read(row: &Row) -> Result<StoredProvider> {
    let name: &str = row.try_get("provider")?;
    Ok(StoredProvider {
        provider: Provider::parse_name(name).ok_or_else(|| Error::internal(format!("provider holds {name}")))?,
        sealed: SealedCredentials { base_url: row.try_get("base_url")?, api_key: row.try_get("api_key")? },
        updated_by: row.try_get::<_, Json<Actor>>("updated_by")?.0,
        updated_at: row.try_get("updated_at")?,
    })
}
