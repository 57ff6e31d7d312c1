//! SQL of the credentials of runners, and of the tokens with which they enrol. Neither is cached: a runner that was
//! removed is refused at once, in every process.

use std::collections::BTreeMap;

use tokio_postgres::{Row, types::Json};

use crate::{
    kernel::{
        actor::Actor,
        clock::Time,
        error::Result,
        id::{AgentId, RunnerCredentialId, RunnerEnrolmentId, RunnerId, TenantId},
    },
    platform::postgres::{Db, Tx},
};

/// The row of a credential with its tenant and runner, as authentication reads it.
pub(super) struct StoredRunnerCredential {
    pub(super) tenant_id: TenantId,
    pub(super) tenant_slug: String,
    pub(super) tenant_active: bool,
    pub(super) runner_id: RunnerId,
    pub(super) runner_name: String,
    pub(super) pool: String,
    pub(super) environment: String,
    pub(super) secret_hash: Vec<u8>,
    pub(super) expires_at: Time,
    pub(super) is_used: bool,
    /// Whether its runner was removed.
    pub(super) is_removed: bool,
    /// The agents of the pool, with their names.
    pub(super) agents: BTreeMap<AgentId, String>,
}

pub(super) async fn find_runner_credential(db: &Db, id: RunnerCredentialId) -> Result<Option<StoredRunnerCredential>> {
    let rows = db.query_directory("select * from find_runner_credential($1)", &[&id]).await?;
    let read = |row: &Row| {
        let Json(agents) = row.try_get("agents")?;
        Ok(StoredRunnerCredential {
            tenant_id: row.try_get("tenant_id")?,
            tenant_slug: row.try_get("tenant_slug")?,
            tenant_active: row.try_get("tenant_active")?,
            runner_id: row.try_get("runner_id")?,
            runner_name: row.try_get("runner_name")?,
            pool: row.try_get("pool")?,
            environment: row.try_get("environment")?,
            secret_hash: row.try_get("secret_hash")?,
            expires_at: row.try_get("expires_at")?,
            is_used: row.try_get("used")?,
            is_removed: row.try_get("removed")?,
            agents,
        })
    };
    rows.first().map(read).transpose()
}

/// Records that a credential was used for the first time.
pub(super) async fn record_runner_credential_use(db: &Db, id: RunnerCredentialId, at: Time) -> Result<()> {
    db.query_directory("select record_runner_credential_use($1, $2)", &[&id, &at]).await?;
    Ok(())
}

/// The row of an enrolment with its tenant, as authentication reads it.
pub(super) struct StoredEnrolment {
    pub(super) tenant_id: TenantId,
    pub(super) tenant_slug: String,
    pub(super) tenant_active: bool,
    pub(super) pool: String,
    pub(super) environment: String,
    pub(super) secret_hash: Vec<u8>,
    pub(super) expires_at: Time,
    /// Whether it was good for one runner, which has enrolled.
    pub(super) is_used_up: bool,
    pub(super) created_by: Actor,
}

pub(super) async fn find_runner_enrolment(db: &Db, id: RunnerEnrolmentId) -> Result<Option<StoredEnrolment>> {
    let rows = db.query_directory("select * from find_runner_enrolment($1)", &[&id]).await?;
    let read = |row: &Row| {
        let Json(created_by) = row.try_get("created_by")?;
        Ok(StoredEnrolment {
            tenant_id: row.try_get("tenant_id")?,
            tenant_slug: row.try_get("tenant_slug")?,
            tenant_active: row.try_get("tenant_active")?,
            pool: row.try_get("pool")?,
            environment: row.try_get("environment")?,
            secret_hash: row.try_get("secret_hash")?,
            expires_at: row.try_get("expires_at")?,
            is_used_up: row.try_get("used_up")?,
            created_by,
        })
    };
    rows.first().map(read).transpose()
}

/// A credential to insert.
pub(super) struct RunnerCredentialInsert<'a> {
    pub(super) id: RunnerCredentialId,
    pub(super) runner_id: RunnerId,
    pub(super) environment: &'a str,
    pub(super) secret_hash: &'a [u8],
    pub(super) expires_at: Time,
    pub(super) created_at: Time,
}

pub(super) async fn insert_runner_credential(tx: &mut Tx, new: &RunnerCredentialInsert<'_>) -> Result<()> {
    let sql =
        "insert into runner_credentials (tenant_id, id, runner_id, environment, secret_hash, expires_at, created_at)
               values (app_tenant_id(), $1, $2, $3, $4, $5, $6)";
    tx.query(sql, &[&new.id, &new.runner_id, &new.environment, &new.secret_hash, &new.expires_at, &new.created_at])
        .await?;
    Ok(())
}

/// Limits a valid credential to `until`, and records its successor. A credential that was rotated before gets another
/// successor if the first was never used, which ends then: its runner did not receive it. Returns whether it did.
pub(super) async fn replace_runner_credential(
    tx: &mut Tx,
    id: RunnerCredentialId,
    by: RunnerCredentialId,
    now: Time,
    until: Time,
) -> Result<bool> {
    let sql = "with old as (
                   select k.id, k.rotated_to from runner_credentials k
                   where k.tenant_id = app_tenant_id() and k.id = $1 and k.expires_at > $3 for update),
               unclaimed as (
                   update runner_credentials k set expires_at = $3 from old
                   where k.tenant_id = app_tenant_id() and k.id = old.rotated_to and k.used_at is null returning k.id)
               update runner_credentials k set rotated_to = $2, expires_at = least(k.expires_at, $4) from old
               where k.tenant_id = app_tenant_id() and k.id = old.id
                 and (old.rotated_to is null or exists (select 1 from unclaimed))
               returning k.id";
    Ok(tx.query_opt(sql, &[&id, &by, &now, &until]).await?.is_some())
}
