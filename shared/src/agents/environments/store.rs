//! SQL of environments. Decides nothing.

use tokio_postgres::{
    Row,
    types::{Json, ToSql},
};

use crate::{
    kernel::{
        actor::Actor,
        clock::Time,
        error::{Code, Error, Result},
        id::{EnvironmentId, TenantId},
    },
    platform::postgres::{Db, OnConstraint, Tx},
};

use super::{
    Environment, EnvironmentVersion, SessionEnvironment, TaskEnvironment,
    reference::{EnvironmentKey, EnvironmentReference},
};

/// The environments of a tenant at their newest version.
const SELECT: &str = "
    select e.id, e.name, e.is_default, e.version, v.spec, e.created_by, e.created_at, e.updated_at
    from environments e join environment_versions v
        on v.tenant_id = e.tenant_id and v.environment_id = e.id and v.version = e.version
    where e.tenant_id = $1 and e.deleted_at is null";

/// The error for an id that is unknown, deleted or of another tenant.
#[track_caller]
pub fn not_found(id: EnvironmentId) -> Error {
    Error::new(Code::EnvironmentNotFound, format!("There is no environment {id}."))
}

fn name_taken(name: &str) -> Error {
    Error::new(Code::AlreadyExists, format!("The tenant has an environment {name} already."))
}

fn read_environment(row: &Row) -> Result<Environment> {
    Ok(Environment {
        id: row.try_get("id")?,
        name: row.try_get("name")?,
        is_default: row.try_get("is_default")?,
        spec: row.try_get::<_, Json<_>>("spec")?.0,
        version: row.try_get("version")?,
        created_by: row.try_get::<_, Json<_>>("created_by")?.0,
        created_at: row.try_get("created_at")?,
        updated_at: row.try_get("updated_at")?,
    })
}

fn read_version(row: &Row) -> Result<EnvironmentVersion> {
    Ok(EnvironmentVersion {
        version: row.try_get("version")?,
        name: row.try_get("name")?,
        spec: row.try_get::<_, Json<_>>("spec")?.0,
        created_by: row.try_get::<_, Json<_>>("created_by")?.0,
        created_at: row.try_get("created_at")?,
    })
}

/// Inserts an environment with its first version. Fails with `ALREADY_EXISTS` if the name is in use.
pub async fn insert_environment(tx: &mut Tx, tenant_id: TenantId, new: &Environment) -> Result<()> {
    let sql = "insert into environments (tenant_id, id, name, is_default, version, created_by, created_at, updated_at)
               values ($1, $2, $3, $4, $5, $6, $7, $7)";
    let created_by = Json(&new.created_by);
    let params: [&(dyn ToSql + Sync); 7] =
        [&tenant_id, &new.id, &new.name, &new.is_default, &new.version, &created_by, &new.created_at];
    tx.query(sql, &params).await.on_constraint("environments_name", || name_taken(&new.name))?;
    insert_version(tx, tenant_id, new, &new.created_by, new.created_at).await
}

/// Inserts the version that an environment has now.
async fn insert_version(
    tx: &mut Tx,
    tenant_id: TenantId,
    environment: &Environment,
    by: &Actor,
    at: Time,
) -> Result<()> {
    let sql =
        "insert into environment_versions (tenant_id, environment_id, version, name, spec, created_by, created_at)
               values ($1, $2, $3, $4, $5, $6, $7)";
    let (spec, by) = (Json(&environment.spec), Json(by));
    let params: [&(dyn ToSql + Sync); 7] =
        [&tenant_id, &environment.id, &environment.version, &environment.name, &spec, &by, &at];
    tx.query(sql, &params).await?;
    Ok(())
}

/// The number of a tenant's environments.
pub async fn count_environments(tx: &mut Tx, tenant_id: TenantId) -> Result<i64> {
    let sql = "select count(*) as number from environments where tenant_id = $1 and deleted_at is null";
    tx.query_opt(sql, &[&tenant_id]).await?.map_or(Ok(0), |row| row.try_get("number").map_err(Error::from))
}

/// Takes the mark of the default from the environment that has it. Returns its name.
pub async fn clear_default(tx: &mut Tx, tenant_id: TenantId, now: Time) -> Result<Option<(EnvironmentId, String)>> {
    let sql = "update environments set is_default = false, updated_at = $2 where tenant_id = $1 and is_default
               returning id, name";
    let row = tx.query_opt(sql, &[&tenant_id, &now]).await?;
    row.map(|row| Ok((row.try_get("id")?, row.try_get("name")?))).transpose()
}

pub async fn find_environment(db: &Db, tenant_id: TenantId, id: EnvironmentId) -> Result<Environment> {
    let rows = db.read(tenant_id, &format!("{SELECT} and e.id = $2"), &[&tenant_id, &id]).await?;
    rows.first().map(read_environment).transpose()?.ok_or_else(|| not_found(id))
}

/// Reads and locks an environment until the end of the transaction.
pub async fn lock_environment(tx: &mut Tx, tenant_id: TenantId, id: EnvironmentId) -> Result<Environment> {
    let row = tx.query_opt(&format!("{SELECT} and e.id = $2 for no key update of e"), &[&tenant_id, &id]).await?;
    row.as_ref().map(read_environment).transpose()?.ok_or_else(|| not_found(id))
}

/// A page of environments, newest first, created before `before`.
pub async fn list_environments(
    db: &Db,
    tenant_id: TenantId,
    before: Option<EnvironmentId>,
    most: i64,
) -> Result<Vec<Environment>> {
    let sql = format!("{SELECT} and ($2::uuid is null or e.id < $2) order by e.id desc limit $3");
    db.read(tenant_id, &sql, &[&tenant_id, &before, &most]).await?.iter().map(read_environment).collect()
}

/// A page of the versions of an environment, newest first, before the version `before`.
pub async fn list_versions(
    db: &Db,
    tenant_id: TenantId,
    id: EnvironmentId,
    before: Option<i32>,
    most: i64,
) -> Result<Vec<EnvironmentVersion>> {
    let sql = "select v.version, v.name, v.spec, v.created_by, v.created_at from environment_versions v
               where v.tenant_id = $1 and v.environment_id = $2 and ($3::integer is null or v.version < $3)
               order by v.version desc limit $4";
    db.read(tenant_id, sql, &[&tenant_id, &id, &before, &most]).await?.iter().map(read_version).collect()
}

/// Saves an environment that this transaction has locked, and its new version if it has one.
pub async fn save_environment(
    tx: &mut Tx,
    tenant_id: TenantId,
    environment: &Environment,
    new_version_by: Option<&Actor>,
) -> Result<()> {
    let sql = "update environments set name = $3, is_default = $4, version = $5, updated_at = $6
               where tenant_id = $1 and id = $2";
    let Environment { id, name, is_default, version, updated_at, .. } = environment;
    let params: [&(dyn ToSql + Sync); 6] = [&tenant_id, id, name, is_default, version, updated_at];
    tx.query(sql, &params).await.on_constraint("environments_name", || name_taken(name))?;
    match new_version_by {
        Some(by) => insert_version(tx, tenant_id, environment, by, *updated_at).await,
        None => Ok(()),
    }
}

/// Marks an environment as deleted, and deletes its secrets. Its versions stay for the sessions that work with them.
pub async fn delete_environment(tx: &mut Tx, tenant_id: TenantId, id: EnvironmentId, now: Time) -> Result<()> {
    let marked = "update environments set deleted_at = $3, is_default = false, updated_at = $3
                  where tenant_id = $1 and id = $2";
    let secrets = "delete from secrets where tenant_id = $1 and environment_id = $2";
    tx.query_all(&[(marked, &[&tenant_id, &id, &now]), (secrets, &[&tenant_id, &id])]).await?;
    Ok(())
}

fn read_found(row: &Row) -> Result<TaskEnvironment> {
    let named =
        SessionEnvironment { id: row.try_get("id")?, name: row.try_get("name")?, version: row.try_get("version")? };
    Ok(TaskEnvironment { named, spec: row.try_get::<_, Json<_>>("spec")?.0 })
}

/// The version that a session names; `None` if there is no such environment or version.
pub async fn find_referenced(
    tx: &mut Tx,
    tenant_id: TenantId,
    reference: &EnvironmentReference,
) -> Result<Option<TaskEnvironment>> {
    let sql = "select e.id, v.name, v.version, v.spec
               from environments e join environment_versions v on v.tenant_id = e.tenant_id and v.environment_id = e.id
               where e.tenant_id = $1 and e.deleted_at is null and (e.id = $2 or e.name = $3)
                 and v.version = coalesce($4, e.version)";
    let (id, name) = match &reference.key {
        EnvironmentKey::Id(id) => (Some(*id), None),
        EnvironmentKey::Name(name) => (None, Some(name.as_str())),
    };
    let row = tx.query_opt(sql, &[&tenant_id, &id, &name, &reference.version]).await?;
    row.as_ref().map(read_found).transpose()
}

/// The newest version of the tenant's default, if there is one.
pub async fn find_default(tx: &mut Tx, tenant_id: TenantId) -> Result<Option<TaskEnvironment>> {
    let sql = "select e.id, v.name, v.version, v.spec
               from environments e join environment_versions v
                   on v.tenant_id = e.tenant_id and v.environment_id = e.id and v.version = e.version
               where e.tenant_id = $1 and e.is_default";
    let row = tx.query_opt(sql, &[&tenant_id]).await?;
    row.as_ref().map(read_found).transpose()
}

const PINNED: &str = "select environment_id as id, name, version, spec from environment_versions
    where tenant_id = $1 and environment_id = $2 and version = $3";

/// A version of an environment, also if the environment was deleted.
pub async fn find_version(db: &Db, tenant_id: TenantId, named: &SessionEnvironment) -> Result<TaskEnvironment> {
    let rows = db.read(tenant_id, PINNED, &[&tenant_id, &named.id, &named.version]).await?;
    rows.first().map(read_found).transpose()?.ok_or_else(|| not_found(named.id))
}

/// As [`find_version`], within a transaction.
pub async fn find_pinned(tx: &mut Tx, tenant_id: TenantId, named: &SessionEnvironment) -> Result<TaskEnvironment> {
    let row = tx.query_opt(PINNED, &[&tenant_id, &named.id, &named.version]).await?;
    row.as_ref().map(read_found).transpose()?.ok_or_else(|| not_found(named.id))
}
