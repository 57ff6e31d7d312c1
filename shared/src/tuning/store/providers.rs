//! SQL of what tenants set for providers of training.

use tokio_postgres::{Row, types::Json};

use crate::{
    auth::Actor,
    clock::Time,
    db::{Db, Tx},
    error::{Error, Result},
    id::TenantId,
    trainer::Provider,
    tuning::provider::Sealed,
};

const COLUMNS: &str = "provider, base_url, api_key, updated_by, updated_at";

/// A row.
#[derive(Clone, Debug)]
pub struct Kept {
    pub provider: Provider,
    pub sealed: Sealed,
    pub updated_by: Actor,
    pub updated_at: Time,
}

pub async fn all(db: &Db, tenant_id: TenantId) -> Result<Vec<Kept>> {
    let sql = format!("select {COLUMNS} from training_providers where tenant_id = $1 order by provider");
    db.read(tenant_id, &sql, &[&tenant_id]).await?.iter().map(read).collect()
}

pub async fn find(tx: &mut Tx, tenant_id: TenantId, provider: Provider) -> Result<Option<Kept>> {
    let sql = format!("select {COLUMNS} from training_providers where tenant_id = $1 and provider = $2");
    tx.query_opt(&sql, &[&tenant_id, &provider.name()]).await?.as_ref().map(read).transpose()
}

pub async fn put(tx: Tx, tenant_id: TenantId, kept: &Kept) -> Result<()> {
    let sql = "insert into training_providers (tenant_id, provider, base_url, api_key, updated_by, updated_at)
               values ($1, $2, $3, $4, $5, $6)
               on conflict (tenant_id, provider) do update
               set base_url = excluded.base_url, api_key = excluded.api_key, updated_by = excluded.updated_by,
                   updated_at = excluded.updated_at";
    let sealed = &kept.sealed;
    let by = Json(&kept.updated_by);
    tx.finish(sql, &[&tenant_id, &kept.provider.name(), &sealed.base_url, &sealed.api_key, &by, &kept.updated_at])
        .await?;
    Ok(())
}

pub async fn delete(tx: Tx, tenant_id: TenantId, provider: Provider) -> Result<()> {
    let sql = "delete from training_providers where tenant_id = $1 and provider = $2";
    tx.finish(sql, &[&tenant_id, &provider.name()]).await?;
    Ok(())
}

fn read(row: &Row) -> Result<Kept> {
    let name: &str = row.try_get("provider")?;
    Ok(Kept {
        provider: Provider::of(name).ok_or_else(|| Error::internal(format!("provider holds {name}")))?,
        sealed: Sealed { base_url: row.try_get("base_url")?, api_key: row.try_get("api_key")? },
        updated_by: row.try_get::<_, Json<Actor>>("updated_by")?.0,
        updated_at: row.try_get("updated_at")?,
    })
}
