//! SQL of lists: models, their versions, their aliases.

use tokio_postgres::{Row, types::Json};

use crate::{
    kernel::{
        actor::Actor,
        clock::Time,
        error::Result,
        id::{ModelVersionId, TenantId},
    },
    platform::postgres::Db,
};

use super::{
    super::{ModelVersion, Name},
    AliasPointer, COLUMNS, FROM, not_found, read,
};

/// A model: what its versions have in common.
#[derive(Clone, Debug, PartialEq)]
pub struct Model {
    pub name: String,
    /// The version with the highest number.
    pub newest_version: String,
    pub base_model: String,
    pub versions: i64,
    pub aliases: Vec<AliasPointer>,
    pub created_by: Actor,
    pub created_at: Time,
    pub updated_at: Time,
}

/// Which models are wanted; all that is given must hold.
#[derive(Clone, Debug, Default)]
pub struct ModelFilter {
    /// A fragment of the name.
    pub q: Option<String>,
    /// A model with a version that stands on it.
    pub base_model: Option<String>,
}

const MODELS: &str = "
    select m.name, m.created_by, m.created_at, m.updated_at, n.version as newest_version, n.base_model,
           (select count(*) from model_versions v where v.tenant_id = m.tenant_id and v.name = m.name) as versions
    from models m
    join lateral (select v.version, v.base_model from model_versions v where v.tenant_id = m.tenant_id and v.name = m.name
                  order by v.major desc, v.minor desc, v.patch desc, v.id desc limit 1) n on true
    where m.tenant_id = $1";

fn read_model(row: &Row) -> Result<Model> {
    let Json(created_by) = row.try_get("created_by")?;
    Ok(Model {
        name: row.try_get("name")?,
        newest_version: row.try_get("newest_version")?,
        base_model: row.try_get("base_model")?,
        versions: row.try_get("versions")?,
        aliases: Vec::new(),
        created_by,
        created_at: row.try_get("created_at")?,
        updated_at: row.try_get("updated_at")?,
    })
}

/// The models of a tenant after a name, by name, with their aliases.
pub async fn list_models(
    db: &Db,
    tenant_id: TenantId,
    filter: &ModelFilter,
    after: Option<&str>,
    most: i64,
) -> Result<Vec<Model>> {
    let sql = format!(
        "{MODELS} and ($2::text is null or m.name > $2) and ($3::text is null or strpos(lower(m.name), lower($3)) > 0)
           and ($4::text is null or exists (select 1 from model_versions v
                where v.tenant_id = m.tenant_id and v.name = m.name and v.base_model = $4))
         order by m.name limit $5"
    );
    let rows = db.read(tenant_id, &sql, &[&tenant_id, &after, &filter.q, &filter.base_model, &most]).await?;
    let mut found = rows.iter().map(read_model).collect::<Result<Vec<_>>>()?;
    let names: Vec<_> = found.iter().map(|model| model.name.clone()).collect();
    for (name, pointed) in list_aliases(db, tenant_id, &names).await? {
        if let Some(model) = found.iter_mut().find(|model| model.name == name) {
            model.aliases.push(pointed);
        }
    }
    Ok(found)
}

/// One model with its aliases.
pub async fn find_model(db: &Db, tenant_id: TenantId, name: &Name) -> Result<Model> {
    let rows = db.read(tenant_id, &format!("{MODELS} and m.name = $2"), &[&tenant_id, &name.as_str()]).await?;
    let mut model = rows.first().map(read_model).transpose()?.ok_or_else(|| not_found(name))?;
    let pointed = list_aliases(db, tenant_id, &[name.to_string()]).await?;
    model.aliases = pointed.into_iter().map(|(_, pointed)| pointed).collect();
    Ok(model)
}

/// The aliases of models, by name.
pub async fn list_aliases(db: &Db, tenant_id: TenantId, names: &[String]) -> Result<Vec<(String, AliasPointer)>> {
    let sql = "select a.name, a.alias, a.version_id, v.version, a.moved_by, a.moved_at
               from model_aliases a join model_versions v on v.tenant_id = a.tenant_id and v.id = a.version_id
               where a.tenant_id = $1 and a.name = any($2) order by a.name, a.alias";
    let rows = db.read(tenant_id, sql, &[&tenant_id, &names]).await?;
    let read = |row: &Row| {
        let Json(moved_by) = row.try_get("moved_by")?;
        let pointed = AliasPointer {
            alias: row.try_get("alias")?,
            version_id: row.try_get("version_id")?,
            version: row.try_get("version")?,
            moved_by,
            moved_at: row.try_get("moved_at")?,
        };
        Ok((row.try_get("name")?, pointed))
    };
    rows.iter().map(read).collect()
}

/// The versions of a model that were registered before one, newest first; archived ones only where that is asked.
pub async fn list_versions(
    db: &Db,
    tenant_id: TenantId,
    name: &Name,
    archived: Option<bool>,
    before: Option<ModelVersionId>,
    most: i64,
) -> Result<Vec<ModelVersion>> {
    let known = "select name from models where tenant_id = $1 and name = $2";
    let sql = format!(
        "select {COLUMNS} from {FROM}
         where v.tenant_id = $1 and v.name = $2 and ($3::boolean is null or (v.archived_at is not null) = $3)
           and ($4::uuid is null or v.id < $4)
         order by v.id desc limit $5"
    );
    let tx = db.tenant(tenant_id).await?;
    let answers = tx
        .finish_all(&[
            (known, &[&tenant_id, &name.as_str()]),
            (&sql, &[&tenant_id, &name.as_str(), &archived, &before, &most]),
        ])
        .await?;
    if answers[0].is_empty() {
        return Err(not_found(name));
    }
    answers[1].iter().map(read).collect()
}
