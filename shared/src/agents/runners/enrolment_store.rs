//! SQL of enrolments. Decides nothing.

use tokio_postgres::{Row, types::Json};

use crate::{
    kernel::{
        clock::Time,
        error::{Error, Result},
        id::{RunnerEnrolmentId, TenantId},
    },
    platform::postgres::{Db, Tx},
};

use super::enrolment::{Enrolment, EnrolmentUses, MAX_ENROLMENTS};

/// Inserts an enrolment; false if the tenant has as many valid ones as it may.
pub(super) async fn insert(tx: &mut Tx, new: &Enrolment, environment: &str, hash: &[u8]) -> Result<bool> {
    let sql = "insert into runner_enrolments (tenant_id, id, pool, reusable, environment, secret_hash, expires_at, created_by, created_at)
               select app_tenant_id(), $1, $2, $3, $4, $5, $6, $7, $8
               where (select count(*) from runner_enrolments e where e.tenant_id = app_tenant_id() and e.expires_at > $8
                      and (e.reusable or e.runners = 0)) < $9
               returning id";
    let reusable = new.uses == EnrolmentUses::Many;
    let created_by = Json(&new.created_by);
    let row = tx
        .query_opt(
            sql,
            &[
                &new.id,
                &new.pool,
                &reusable,
                &environment,
                &hash,
                &new.expires_at,
                &created_by,
                &new.created_at,
                &MAX_ENROLMENTS,
            ],
        )
        .await?;
    Ok(row.is_some())
}

/// The enrolments that are valid now, newest first, created before `before`.
pub(super) async fn list(
    db: &Db,
    tenant_id: TenantId,
    now: Time,
    before: Option<RunnerEnrolmentId>,
    most: i64,
) -> Result<Vec<Enrolment>> {
    let sql = "select id, pool, reusable, runners, expires_at, created_by, created_at from runner_enrolments
               where tenant_id = $1 and expires_at > $2 and (reusable or runners = 0) and ($3::uuid is null or id < $3)
               order by id desc limit $4";
    db.read(tenant_id, sql, &[&tenant_id, &now, &before, &most]).await?.iter().map(read).collect()
}

fn read(row: &Row) -> Result<Enrolment> {
    let Json(created_by) = row.try_get("created_by")?;
    let reusable: bool = row.try_get("reusable")?;
    Ok(Enrolment {
        id: row.try_get("id")?,
        pool: row.try_get("pool")?,
        uses: if reusable { EnrolmentUses::Many } else { EnrolmentUses::One },
        runners: row.try_get("runners")?,
        expires_at: row.try_get("expires_at")?,
        created_by,
        created_at: row.try_get("created_at")?,
    })
}

/// Deletes an enrolment that is valid now. Returns its pool.
pub(super) async fn delete(tx: &mut Tx, id: RunnerEnrolmentId, now: Time) -> Result<Option<String>> {
    let sql = "delete from runner_enrolments
               where tenant_id = app_tenant_id() and id = $1 and expires_at > $2 and (reusable or runners = 0) returning pool";
    let row = tx.query_opt(sql, &[&id, &now]).await?;
    row.map(|row| row.try_get("pool").map_err(Error::from)).transpose()
}

/// Counts another runner of a valid enrolment; false if it is not good for another.
pub(super) async fn use_enrolment(tx: &mut Tx, id: RunnerEnrolmentId, now: Time) -> Result<bool> {
    let sql = "update runner_enrolments set runners = runners + 1
               where tenant_id = app_tenant_id() and id = $1 and expires_at > $2 and (reusable or runners = 0) returning id";
    Ok(tx.query_opt(sql, &[&id, &now]).await?.is_some())
}
