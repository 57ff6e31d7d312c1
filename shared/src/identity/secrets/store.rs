//! SQL of secrets. Decides nothing, and never sees a value in plain text.

use tokio_postgres::{
    Row,
    types::{Json, ToSql},
};

use crate::{
    kernel::{
        clock::Time,
        error::{Code, Error, Result},
        id::{EnvironmentId, SecretId, TenantId, UserId},
    },
    platform::postgres::{Db, OnConstraint, Tx},
};

use super::{ModelProvider, NamedScope, Secret, SecretOwner, SecretPhase, SecretUse, selection::Candidate};

const COLUMNS: &str =
    "s.id, s.environment_id, s.user_id, s.name, s.phase, s.kind, s.host, s.username, s.provider, s.created_at,
    s.updated_at, s.updated_by";

/// A secret with its encrypted value.
#[derive(Clone, Debug)]
pub struct SealedSecret {
    pub secret: Secret,
    pub sealed: Vec<u8>,
}

impl Candidate for SealedSecret {
    fn owner(&self) -> SecretOwner {
        self.secret.owner
    }

    fn name(&self) -> &str {
        &self.secret.name
    }
}

fn read_secret(row: &Row) -> Result<Secret> {
    let owner = match (row.try_get("environment_id")?, row.try_get("user_id")?) {
        (Some(id), _) => SecretOwner::Environment(id),
        (None, Some(id)) => SecretOwner::User(id),
        (None, None) => SecretOwner::Tenant,
    };
    let phase: &str = row.try_get("phase")?;
    Ok(Secret {
        id: row.try_get("id")?,
        owner,
        name: row.try_get("name")?,
        phase: SecretPhase::parse(phase).ok_or_else(|| Error::internal(format!("phase holds {phase}")))?,
        used_as: read_use(row)?,
        created_at: row.try_get("created_at")?,
        updated_at: row.try_get("updated_at")?,
        updated_by: row.try_get::<_, Json<_>>("updated_by")?.0,
    })
}

fn read_use(row: &Row) -> Result<SecretUse> {
    let provider: Option<&str> = row.try_get("provider")?;
    match row.try_get("kind")? {
        "plain" => Ok(SecretUse::Plain),
        "git" => Ok(SecretUse::Git { host: row.try_get("host")?, username: row.try_get("username")? }),
        _ => provider
            .and_then(ModelProvider::parse)
            .map(SecretUse::Provider)
            .ok_or_else(|| Error::internal(format!("provider holds {provider:?}"))),
    }
}

fn read_sealed(row: &Row) -> Result<SealedSecret> {
    Ok(SealedSecret { secret: read_secret(row)?, sealed: row.try_get("sealed")? })
}

/// The error for an environment that is unknown, deleted or of another tenant.
#[track_caller]
fn environment_not_found(id: EnvironmentId) -> Error {
    Error::new(Code::EnvironmentNotFound, format!("There is no environment {id}."))
}

/// Fails if the tenant has no such environment.
pub async fn check_environment(tx: &mut Tx, tenant_id: TenantId, id: EnvironmentId) -> Result<()> {
    let sql = "select 1 from environments where tenant_id = $1 and id = $2 and deleted_at is null for key share";
    tx.query_opt(sql, &[&tenant_id, &id]).await?.map(|_| ()).ok_or_else(|| environment_not_found(id))
}

/// The secret of an owner with a name, and the number of all secrets of the tenant.
pub async fn find_with_count(
    tx: &mut Tx,
    tenant_id: TenantId,
    owner: SecretOwner,
    name: &str,
) -> Result<(Option<Secret>, i64)> {
    let find = format!(
        "select {COLUMNS} from secrets s where s.tenant_id = $1 and s.environment_id is not distinct from $2
           and s.user_id is not distinct from $3 and s.name = $4"
    );
    let count = "select count(*) as number from secrets where tenant_id = $1";
    let (environment, user) = (owner.environment_id(), owner.user_id());
    let answers = tx.query_all(&[(&find, &[&tenant_id, &environment, &user, &name]), (count, &[&tenant_id])]).await?;
    let found = answers[0].first().map(read_secret).transpose()?;
    let number = answers[1].first().map_or(Ok(0), |row| row.try_get("number"))?;
    Ok((found, number))
}

/// Writes a secret: a new one, or the new value and settings of the one with its name.
pub async fn put_secret(tx: &mut Tx, tenant_id: TenantId, new: &SealedSecret) -> Result<()> {
    let sql =
        "insert into secrets (tenant_id, id, environment_id, user_id, name, phase, kind, host, username, provider,
                   sealed, created_at, updated_at, updated_by)
               values ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13, $14)
               on conflict on constraint secrets_name do update
               set phase = excluded.phase, kind = excluded.kind, host = excluded.host, username = excluded.username,
                   provider = excluded.provider, sealed = excluded.sealed, updated_at = excluded.updated_at,
                   updated_by = excluded.updated_by";
    let secret = &new.secret;
    let params: [&(dyn ToSql + Sync); 14] = [
        &tenant_id,
        &secret.id,
        &secret.owner.environment_id(),
        &secret.owner.user_id(),
        &secret.name,
        &secret.phase.name(),
        &secret.used_as.kind().name(),
        &secret.used_as.host(),
        &secret.used_as.username(),
        &secret.used_as.provider().map(ModelProvider::name),
        &new.sealed,
        &secret.created_at,
        &secret.updated_at,
        &Json(&secret.updated_by),
    ];
    let user_gone = || Error::new(Code::UserNotFound, "The user of this credential was deleted.");
    tx.query(sql, &params).await.on_constraint("secrets_tenant_id_user_id_fkey", user_gone)?;
    Ok(())
}

pub async fn delete_secret(tx: &mut Tx, tenant_id: TenantId, id: SecretId) -> Result<()> {
    tx.query("delete from secrets where tenant_id = $1 and id = $2", &[&tenant_id, &id]).await?;
    Ok(())
}

/// A page of secrets without their values, newest first: those of the tenant and its environments, and those of a
/// user. `scope` narrows it to one owner.
pub async fn list_secrets(
    db: &Db,
    tenant_id: TenantId,
    user: Option<UserId>,
    scope: Option<NamedScope>,
    (before, most): (Option<SecretId>, i64),
) -> Result<Vec<Secret>> {
    let (kind, environment) = match scope {
        None => (None, None),
        Some(NamedScope::Tenant) => (Some("tenant"), None),
        Some(NamedScope::User) => (Some("user"), None),
        Some(NamedScope::Environment(id)) => (Some("environment"), Some(id)),
    };
    let sql = format!(
        "select {COLUMNS} from secrets s
         where s.tenant_id = $1 and (s.user_id is null or s.user_id = $2)
           and case $3::text when 'tenant' then s.user_id is null and s.environment_id is null
                             when 'user' then s.user_id is not null
                             when 'environment' then s.environment_id = $4
                             else true end
           and ($5::uuid is null or s.id < $5)
         order by s.id desc limit $6"
    );
    let params: [&(dyn ToSql + Sync); 6] = [&tenant_id, &user, &kind, &environment, &before, &most];
    db.read(tenant_id, &sql, &params).await?.iter().map(read_secret).collect()
}

/// The secrets with these names that belong to the tenant, to an environment or to a user, with their encrypted values.
pub async fn find_candidates(
    tx: &mut Tx,
    tenant_id: TenantId,
    environment: EnvironmentId,
    user: Option<UserId>,
    names: &[String],
) -> Result<Vec<SealedSecret>> {
    let sql = format!(
        "select {COLUMNS}, s.sealed from secrets s
         where s.tenant_id = $1 and s.name = any($2)
           and (s.environment_id is null and s.user_id is null or s.environment_id = $3 or s.user_id = $4)"
    );
    tx.query(&sql, &[&tenant_id, &names, &environment, &user]).await?.iter().map(read_sealed).collect()
}

/// The user who created a session, directly or with an API key that is still valid.
pub async fn find_creator(
    tx: &mut Tx,
    tenant_id: TenantId,
    created_by: (&str, &str),
    now: Time,
) -> Result<Option<UserId>> {
    let sql = "select u.id from users u
               where u.tenant_id = $1 and u.is_active
                 and u.id = case $2 when 'user' then (select x.id from users x where x.tenant_id = $1 and x.id::text = $3)
                                    when 'key' then (select k.user_id from api_keys k where k.tenant_id = $1
                                        and k.id::text = $3 and k.revoked_at is null
                                        and (k.expires_at is null or k.expires_at > $4)) end";
    let row = tx.query_opt(sql, &[&tenant_id, &created_by.0, &created_by.1, &now]).await?;
    row.map(|row| row.try_get("id").map_err(Error::from)).transpose()
}
