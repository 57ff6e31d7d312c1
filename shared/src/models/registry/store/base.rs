//! SQL of base models.

use chrono::NaiveDate;
use tokio_postgres::{Row, types::Json};

use crate::{
    kernel::{actor::Actor, clock::Time, error::Result, id::TenantId},
    platform::postgres::{Db, Tx},
};

use super::super::draft::BaseModelDraft;

/// A base model.
#[derive(Clone, Debug, PartialEq)]
pub struct BaseModel {
    pub name: String,
    pub retires_on: Option<NaiveDate>,
    pub note: Option<String>,
    /// The number of versions trained on it.
    pub versions: i64,
    pub updated_by: Option<Actor>,
    pub updated_at: Option<Time>,
}

/// Facts about all base models of versions and all others on record, by name after `after`; or about just one.
const SELECT: &str = "
    select n.name, b.retires_on, b.note, b.updated_by, b.updated_at,
           (select count(*) from model_versions v where v.tenant_id = $1 and v.base_model = n.name) as versions
    from (select name from base_models where tenant_id = $1
          union select base_model from model_versions where tenant_id = $1) n
    left join base_models b on b.tenant_id = $1 and b.name = n.name";

fn read(row: &Row) -> Result<BaseModel> {
    Ok(BaseModel {
        name: row.try_get("name")?,
        retires_on: row.try_get("retires_on")?,
        note: row.try_get("note")?,
        versions: row.try_get("versions")?,
        updated_by: row.try_get::<_, Option<Json<Actor>>>("updated_by")?.map(|json| json.0),
        updated_at: row.try_get("updated_at")?,
    })
}

/// The models that a tenant trains on, by name.
pub async fn base_models(db: &Db, tenant_id: TenantId, after: Option<&str>, most: i64) -> Result<Vec<BaseModel>> {
    let sql = format!("{SELECT} where $2::text is null or n.name > $2 order by n.name limit $3");
    let rows = db.read(tenant_id, &sql, &[&tenant_id, &after, &most]).await?;
    rows.iter().map(read).collect()
}

/// One base model, if anything is known of it.
pub async fn base_model(db: &Db, tenant_id: TenantId, name: &str) -> Result<Option<BaseModel>> {
    let rows = db.read(tenant_id, &format!("{SELECT} where n.name = $2"), &[&tenant_id, &name]).await?;
    rows.first().map(read).transpose()
}

/// The retirement date of a base model, if known.
pub async fn retires_on(tx: &mut Tx, tenant_id: TenantId, name: &str) -> Result<Option<NaiveDate>> {
    let sql = "select retires_on from base_models where tenant_id = $1 and name = $2";
    let row = tx.query_opt(sql, &[&tenant_id, &name]).await?;
    Ok(row.map(|row| row.try_get("retires_on")).transpose()?.flatten())
}

/// Stores facts about a base model. Returns its previous retirement date.
pub async fn keep_base_model(
    tx: &mut Tx,
    tenant_id: TenantId,
    draft: &BaseModelDraft,
    (actor, now): (&Actor, Time),
) -> Result<Option<NaiveDate>> {
    let was = "select retires_on from base_models where tenant_id = $1 and name = $2 for update";
    let row = tx.query_opt(was, &[&tenant_id, &draft.name]).await?;
    let was = row.map(|row| row.try_get("retires_on")).transpose()?.flatten();
    let sql = "insert into base_models (tenant_id, name, retires_on, note, updated_by, updated_at) values ($1, $2, $3, $4, $5, $6)
               on conflict (tenant_id, name) do update
               set retires_on = excluded.retires_on, note = excluded.note, updated_by = excluded.updated_by,
                   updated_at = excluded.updated_at";
    tx.query(sql, &[&tenant_id, &draft.name, &draft.retires_on, &draft.note, &Json(actor), &now]).await?;
    Ok(was)
}
