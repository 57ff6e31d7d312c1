//! SQL of the registry. Decides nothing.

mod aliases;
mod base;
mod lineage;
mod list;

use serde_json::{Map, Value};
use tokio_postgres::{
    Row,
    types::{Json, ToSql},
};

use crate::{
    kernel::{
        actor::Actor,
        clock::Time,
        error::{Code, Error, Result},
        id::{ModelVersionId, TenantId, TrainingJobId},
    },
    models::registry::metrics::Metrics,
    platform::postgres::{Db, OnConstraint, Tx},
};

pub use self::{
    aliases::{AliasPointer, Move, NewMove, append_move, find_alias, list_moves, point_alias, remove_alias, undo_next},
    base::{BaseModel, base_model, base_models, keep_base_model, retires_on},
    lineage::{TrainedOn, trained_on},
    list::{Model, ModelFilter, find_model, list_aliases, list_models, list_versions},
};
use super::{
    ModelVersion, ModelVersionRegistration, Name, Reference, RegisteredVersion, Resolution, ResolvedModel, Target,
    Version,
};

/// The columns of a [`ModelVersion`].
const COLUMNS: &str = "v.id, v.name, v.major, v.minor, v.patch, v.build, v.base_model, b.retires_on, v.job_id, v.dataset_id,
    v.dataset_sha256, v.recipe_hash, v.parameters, v.provider, v.model_identifier, v.artifact, v.metrics, v.cost_micros,
    v.notes, v.archived_at, v.created_by, v.created_at,
    array(select a.alias from model_aliases a where a.tenant_id = v.tenant_id and a.version_id = v.id order by a.alias) as aliases";

const FROM: &str = "model_versions v left join base_models b on b.tenant_id = v.tenant_id and b.name = v.base_model";

/// The error for a name that is unknown or of another tenant.
#[track_caller]
pub fn not_found(name: &Name) -> Error {
    Error::new(Code::ModelNotFound, format!("There is no model {name}."))
}

/// The error for an alias or a version that a model does not have.
#[track_caller]
pub fn no_target(name: &Name, target: &Target) -> Error {
    match target {
        Target::Alias(alias) => Error::new(Code::AliasNotFound, format!("The model {name} has no alias {alias}.")),
        Target::Version(version) => {
            Error::new(Code::ModelVersionNotFound, format!("The model {name} has no version {version}."))
        }
    }
}

fn read(row: &Row) -> Result<ModelVersion> {
    let Json(parameters): Json<Map<String, Value>> = row.try_get("parameters")?;
    let Json(metrics): Json<Metrics> = row.try_get("metrics")?;
    let Json(created_by): Json<Actor> = row.try_get("created_by")?;
    Ok(ModelVersion {
        id: row.try_get("id")?,
        name: row.try_get("name")?,
        version: version_of_row(row)?,
        base_model: row.try_get("base_model")?,
        base_model_retires_on: row.try_get("retires_on")?,
        job_id: row.try_get("job_id")?,
        dataset_id: row.try_get("dataset_id")?,
        dataset_sha256: row.try_get("dataset_sha256")?,
        recipe_hash: row.try_get("recipe_hash")?,
        parameters,
        provider: row.try_get("provider")?,
        model_identifier: row.try_get("model_identifier")?,
        artifact: row.try_get("artifact")?,
        metrics,
        cost_micros: row.try_get("cost_micros")?,
        notes: row.try_get("notes")?,
        archived_at: row.try_get("archived_at")?,
        created_by,
        created_at: row.try_get("created_at")?,
        aliases: row.try_get("aliases")?,
    })
}

fn version_of_row(row: &Row) -> Result<Version> {
    Ok(Version {
        major: row.try_get("major")?,
        minor: row.try_get("minor")?,
        patch: row.try_get("patch")?,
        build: row.try_get("build")?,
    })
}

/// Creates a model if there is none with the name, and locks its versions and aliases until the end of the transaction.
/// Concurrent registrations wait here.
pub async fn insert_model(tx: &mut Tx, tenant_id: TenantId, name: &Name, actor: &Actor, now: Time) -> Result<()> {
    let sql = "insert into models (tenant_id, name, created_by, created_at, updated_at) values ($1, $2, $3, $4, $4)
               on conflict (tenant_id, name) do update set updated_at = greatest(models.updated_at, excluded.updated_at)";
    tx.query(sql, &[&tenant_id, &name.as_str(), &Json(actor), &now]).await?;
    Ok(())
}

/// Locks the versions and aliases of a model until the end of the transaction.
pub async fn lock_model(tx: &mut Tx, tenant_id: TenantId, name: &Name) -> Result<()> {
    let sql = "select name from models where tenant_id = $1 and name = $2 for no key update";
    tx.query_opt(sql, &[&tenant_id, &name.as_str()]).await?.map(|_| ()).ok_or_else(|| not_found(name))
}

/// The versions from which the number of a new version is derived.
pub struct Before {
    /// The version that the job registered already.
    pub of_job: Option<RegisteredVersion>,
    /// The version with the highest number; of several, the newest.
    pub newest: Option<ModelVersion>,
}

/// The versions of a model that this transaction opened.
pub async fn find_registered(
    tx: &mut Tx,
    tenant_id: TenantId,
    name: &Name,
    job: Option<TrainingJobId>,
) -> Result<Before> {
    let of_job = "select id, version from model_versions where tenant_id = $1 and job_id = $2";
    let newest = format!(
        "select {COLUMNS} from {FROM} where v.tenant_id = $1 and v.name = $2
         order by v.major desc, v.minor desc, v.patch desc, v.id desc limit 1"
    );
    let answers = tx.query_all(&[(of_job, &[&tenant_id, &job]), (&newest, &[&tenant_id, &name.as_str()])]).await?;
    let registered =
        |row: &Row| Ok::<_, Error>(RegisteredVersion { id: row.try_get("id")?, version: row.try_get("version")? });
    Ok(Before {
        of_job: answers[0].first().map(registered).transpose()?,
        newest: answers[1].first().map(read).transpose()?,
    })
}

/// Inserts a version of a model that this transaction opened.
pub async fn insert(
    tx: &mut Tx,
    tenant_id: TenantId,
    (id, version): (ModelVersionId, &Version),
    new: &ModelVersionRegistration,
    (actor, now): (&Actor, Time),
) -> Result<()> {
    let sql = "insert into model_versions (tenant_id, id, name, major, minor, patch, build, base_model, job_id, dataset_id,
                   dataset_sha256, recipe_hash, parameters, provider, model_identifier, artifact, metrics, cost_micros, notes,
                   created_by, created_at)
               values ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13, $14, $15, $16, $17, $18, $19, $20, $21)";
    let params: [&(dyn ToSql + Sync); 21] = [
        &tenant_id,
        &id,
        &new.name.as_str(),
        &version.major,
        &version.minor,
        &version.patch,
        &version.build,
        &new.base_model,
        &new.job_id,
        &new.dataset_id,
        &new.dataset_sha256,
        &new.recipe_hash,
        &Json(&new.parameters),
        &new.provider,
        &new.model_identifier,
        &new.artifact,
        &Json(&new.metrics),
        &new.cost_micros,
        &new.notes,
        &Json(actor),
        &now,
    ];
    let taken = || Error::new(Code::AlreadyExists, format!("The model {} has a version {version} already.", new.name));
    tx.query(sql, &params).await.on_constraint("model_versions_version", taken)?;
    Ok(())
}

/// The version that an alias or a number resolves to, if any. An unknown model is an error.
pub async fn find_target(db: &Db, tenant_id: TenantId, name: &Name, target: &Target) -> Result<Option<ModelVersion>> {
    let mut tx = db.tenant(tenant_id).await?;
    let found = target_in(&mut tx, tenant_id, name, target).await?;
    tx.commit().await?;
    Ok(found)
}

/// As [`find_target`], within a transaction.
pub async fn target_in(tx: &mut Tx, tenant_id: TenantId, name: &Name, target: &Target) -> Result<Option<ModelVersion>> {
    let known = "select name from models where tenant_id = $1 and name = $2";
    let sql = format!(
        "select {COLUMNS} from {FROM} where v.tenant_id = $1 and v.name = $2
           and (v.version = $3 or v.id = (select a.version_id from model_aliases a
                where a.tenant_id = $1 and a.name = $2 and a.alias = $3))"
    );
    let text = target.to_string();
    let answers =
        tx.query_all(&[(known, &[&tenant_id, &name.as_str()]), (&sql, &[&tenant_id, &name.as_str(), &text])]).await?;
    if answers[0].is_empty() {
        return Err(not_found(name));
    }
    answers[1].first().map(read).transpose()
}

/// A version by its id.
pub async fn by_id(tx: &mut Tx, tenant_id: TenantId, id: ModelVersionId) -> Result<ModelVersion> {
    let sql = format!("select {COLUMNS} from {FROM} where v.tenant_id = $1 and v.id = $2");
    let row = tx.query_opt(&sql, &[&tenant_id, &id]).await?;
    row.as_ref().map(read).transpose()?.ok_or_else(|| Error::internal("an alias names a version that is not there"))
}

/// Resolves the model reference of a session.
pub async fn resolve_reference(tx: &mut Tx, tenant_id: TenantId, reference: &Reference) -> Result<Resolution> {
    let found = match target_in(tx, tenant_id, &reference.name, &reference.target).await {
        Ok(found) => found,
        Err(error) if error.code() == Code::ModelNotFound => None,
        Err(error) => return Err(error),
    };
    let Some(found) = found else { return Ok(Resolution::Nothing) };
    let version = found.version.to_string();
    if found.archived_at.is_some() {
        return Ok(Resolution::Archived(version));
    }
    let Some(model_identifier) = found.model_identifier else { return Ok(Resolution::Unserved(version)) };
    let alias = match &reference.target {
        Target::Alias(alias) => Some(alias.to_string()),
        Target::Version(_) => None,
    };
    let (name, version, version_id) = (Some(found.name), Some(version), Some(found.id));
    Ok(Resolution::Found(ResolvedModel { model_identifier, name, version, version_id, alias, experiment: None }))
}

/// Saves the changeable fields of a version.
pub async fn save_version(tx: &mut Tx, tenant_id: TenantId, version: &ModelVersion) -> Result<()> {
    let sql = "update model_versions set notes = $3, archived_at = $4 where tenant_id = $1 and id = $2";
    tx.query(sql, &[&tenant_id, &version.id, &version.notes, &version.archived_at]).await?;
    Ok(())
}
