//! SQL of training jobs and what belongs to them. Decides nothing.

mod list;
pub mod providers;
mod row;

use std::sync::LazyLock;

use tokio_postgres::types::{Json, ToSql};

use crate::{
    events::log,
    identity::audit,
    kernel::{
        calendar::month_of,
        clock::Time,
        error::{Code, Error, Result},
        id::{EventId, TenantId, TrainingJobId},
    },
    platform::postgres::{Db, OwnedStatement, Params, Statement, Tx},
};

pub use self::list::{CurvePoints, TrainingJobFilter, TrainingJobLog, list, list_events, read_curve};
use self::row::COLUMNS;
use super::{TrainingJob, change::TrainingJobChange, store::providers::SealedCredentials};

/// The error for an id that is unknown or of another tenant: the error does not reveal which.
#[track_caller]
pub fn not_found(id: TrainingJobId) -> Error {
    Error::new(Code::JobNotFound, format!("There is no training job {id}."))
}

/// One job.
pub async fn find_job(db: &Db, tenant_id: TenantId, id: TrainingJobId) -> Result<TrainingJob> {
    static SQL: LazyLock<String> =
        LazyLock::new(|| format!("select {COLUMNS} from training_jobs j where j.tenant_id = $1 and j.id = $2"));
    let rows = db.read(tenant_id, &SQL, &[&tenant_id, &id]).await?;
    rows.first().map(row::job_of_row).transpose()?.ok_or_else(|| not_found(id))
}

/// Reads and locks a job until the end of the transaction.
pub async fn lock_job(tx: &mut Tx, tenant_id: TenantId, id: TrainingJobId) -> Result<TrainingJob> {
    static SQL: LazyLock<String> = LazyLock::new(|| {
        format!("select {COLUMNS} from training_jobs j where j.tenant_id = $1 and j.id = $2 for no key update")
    });
    let row = tx.query_opt(&SQL, &[&tenant_id, &id]).await?;
    row.map(|row| row::job_of_row(&row)).transpose()?.ok_or_else(|| not_found(id))
}

/// The number of active jobs of the tenant.
pub async fn count_active(tx: &mut Tx, tenant_id: TenantId) -> Result<i64> {
    let sql = "select count(*) as active from training_jobs
               where tenant_id = $1 and status in ('queued', 'running', 'evaluating')";
    let row = tx.query_opt(sql, &[&tenant_id]).await?.ok_or_else(|| Error::internal("a count has a row"))?;
    Ok(row.try_get("active")?)
}

/// A claimed job, with what its step needs.
#[derive(Debug)]
pub struct ClaimedJob {
    pub job: TrainingJob,
    pub tenant_active: bool,
    /// The tenant's credentials for the provider.
    pub connection: SealedCredentials,
}

/// Claims the step of a job, if it is due, no other worker has it, and it does (or does not) poll the provider.
pub async fn claim_job(
    db: &Db,
    (tenant_id, id): (TenantId, TrainingJobId),
    polls: bool,
    now: Time,
    until: Time,
) -> Result<Option<ClaimedJob>> {
    static SQL: LazyLock<String> = LazyLock::new(|| {
        format!(
            "with j as (
                 update training_jobs j
                 set fence = j.fence + 1, lease_until = $4,
                     interrupted_steps = case when j.lease_until is null then 0 else j.interrupted_steps + 1 end,
                     failed_steps = case when j.lease_until is null then 0 else j.failed_steps end
                 where j.tenant_id = $1 and j.id = $2 and j.next_step_at <= $3 and (j.status = 'running') = $5
                   and (j.lease_until is null or j.lease_until <= $3)
                 returning j.*)
             select {COLUMNS}, t.is_active, p.base_url, p.api_key
             from j join tenants t on t.id = j.tenant_id
             left join training_providers p on p.tenant_id = j.tenant_id and p.provider = j.provider"
        )
    });
    let params: Params<'_> = &[&tenant_id, &id, &now, &until, &polls];
    let rows = db.tenant(tenant_id).await?.query_and_commit(&SQL, params).await?;
    let Some(row) = rows.first() else { return Ok(None) };
    Ok(Some(ClaimedJob {
        job: row::job_of_row(row)?,
        tenant_active: row.try_get("is_active")?,
        connection: SealedCredentials { base_url: row.try_get("base_url")?, api_key: row.try_get("api_key")? },
    }))
}

/// Frees the claim of a step that wrote nothing, and counts it as one that failed by itself (`failed`), as one that was
/// interrupted, or as none (`was_outage`). The next claim adds the interruption.
pub async fn release_failed_step(
    db: &Db,
    (tenant_id, id): (TenantId, TrainingJobId),
    fence: i64,
    now: Time,
    failed: bool,
    was_outage: bool,
) -> Result<()> {
    let sql = "update training_jobs
               set lease_until = $4, failed_steps = failed_steps + case when $5 then 1 else 0 end,
                   interrupted_steps = interrupted_steps - case when $5 or $6 then 1 else 0 end
               where tenant_id = $1 and id = $2 and fence = $3 and lease_until is not null";
    let params: Params<'_> = &[&tenant_id, &id, &fence, &now, &failed, &was_outage];
    db.tenant(tenant_id).await?.query_and_commit(sql, params).await?;
    Ok(())
}

/// Extends a claim until then. Returns false if a newer claim exists.
pub async fn renew_lease(db: &Db, (tenant_id, id): (TenantId, TrainingJobId), fence: i64, until: Time) -> Result<bool> {
    let sql = "with renewed as (
                   update training_jobs set lease_until = $4
                   where tenant_id = $1 and id = $2 and fence = $3 and lease_until is not null)
               select id from training_jobs where tenant_id = $1 and id = $2 and fence = $3";
    Ok(!db.tenant(tenant_id).await?.query_and_commit(sql, &[&tenant_id, &id, &fence, &until]).await?.is_empty())
}

/// Records that the job will write files, before it does. Returns false if it was cancelled meanwhile, or another
/// worker has it.
pub async fn begin_curation(db: &Db, job: &TrainingJob) -> Result<bool> {
    let sql = "update training_jobs set may_have_orphaned_files = true
               where tenant_id = $1 and id = $2 and fence = $3 and attempt = $4 and status = 'queued' returning id";
    let params: Params<'_> = &[&job.tenant_id, &job.id, &job.schedule.fence, &job.attempt];
    Ok(!db.tenant(job.tenant_id).await?.query_and_commit(sql, params).await?.is_empty())
}

/// Records that no orphaned files of the job, as it was read, remain.
pub async fn mark_files_removed(db: &Db, job: &TrainingJob) -> Result<()> {
    let sql = "update training_jobs set may_have_orphaned_files = false
               where tenant_id = $1 and id = $2 and fence = $3 and attempt = $4";
    db.tenant(job.tenant_id)
        .await?
        .query_and_commit(sql, &[&job.tenant_id, &job.id, &job.schedule.fence, &job.attempt])
        .await?;
    Ok(())
}

/// Records that the job will be submitted, before it is. Returns the time of the first submission. `None` if it was
/// cancelled meanwhile, or another worker has it.
pub async fn begin_handover(db: &Db, job: &TrainingJob, now: Time) -> Result<Option<Time>> {
    let sql = "update training_jobs set submitted_at = coalesce(submitted_at, $5)
               where tenant_id = $1 and id = $2 and fence = $3 and attempt = $4 and status = 'queued'
               returning submitted_at";
    let params: Params<'_> = &[&job.tenant_id, &job.id, &job.schedule.fence, &job.attempt, &now];
    let rows = db.tenant(job.tenant_id).await?.query_and_commit(sql, params).await?;
    rows.first().map(|row| row.try_get("submitted_at").map_err(Error::from)).transpose()
}

/// Makes every running job of the tenant due that no worker has. Returns their ids.
pub async fn make_due(db: &Db, tenant_id: TenantId, now: Time) -> Result<Vec<TrainingJobId>> {
    let sql = "update training_jobs set next_step_at = least(next_step_at, $2)
               where tenant_id = $1 and status = 'running' and (lease_until is null or lease_until <= $2)
               returning id";
    let rows = db.tenant(tenant_id).await?.query_and_commit(sql, &[&tenant_id, &now]).await?;
    rows.iter().map(|row| row.try_get("id").map_err(Error::from)).collect()
}

/// Due jobs of all tenants that no worker has, and whether the step polls the provider.
pub async fn list_due(db: &Db, now: Time, most: i32) -> Result<Vec<(TenantId, TrainingJobId, bool)>> {
    let sql = "select tenant_id, job_id, polls from due_training_jobs($1, $2)";
    let rows = db.query_directory(sql, &[&now, &most]).await?;
    let read =
        |row: &tokio_postgres::Row| Ok((row.try_get("tenant_id")?, row.try_get("job_id")?, row.try_get("polls")?));
    rows.iter().map(read).collect()
}

/// Inserts a job with its first events.
pub async fn insert(mut tx: Tx, change: &TrainingJobChange) -> Result<()> {
    audit::record(&mut tx, change.creation_entry());
    let mut fields = row::fixed_fields(&change.job);
    fields.extend(row::changing_fields(&change.job));
    let names: Vec<_> = fields.iter().map(|(name, _)| *name).collect();
    let places: Vec<_> = (1..=fields.len()).map(|n| format!("${n}")).collect();
    let sql = format!("insert into training_jobs ({}) values ({})", names.join(", "), places.join(", "));
    write(tx, &sql, &row::field_parameters(&fields), change).await
}

/// Saves a changed job with its new events and points. This transaction must have locked the row.
pub async fn save_change(mut tx: Tx, change: &TrainingJobChange) -> Result<()> {
    if let Some(entry) = change.audit_entry() {
        audit::record(&mut tx, entry);
    }
    change.tenant_events().for_each(|event| log::publish(&mut tx, event));
    let mut fields: Vec<row::Field<'_>> =
        vec![("tenant_id", Box::new(change.job.tenant_id)), ("id", Box::new(change.job.id))];
    fields.extend(row::changing_fields(&change.job));
    let sets: Vec<_> =
        fields.iter().enumerate().skip(2).map(|(at, (name, _))| format!("{name} = ${}", at + 1)).collect();
    let sql = format!("update training_jobs set {} where tenant_id = $1 and id = $2", sets.join(", "));
    write(tx, &sql, &row::field_parameters(&fields), change).await
}

/// Writes the row and all related rows in one round trip.
async fn write(tx: Tx, sql: &str, row: Params<'_>, change: &TrainingJobChange) -> Result<()> {
    let beside: Vec<_> =
        [append_events(change), extend_curve(change), charge_usage(change)].into_iter().flatten().collect();
    let params: Vec<_> = beside.iter().map(OwnedStatement::params).collect();
    let mut statements: Vec<Statement<'_>> = vec![(sql, row)];
    statements.extend(beside.iter().zip(&params).map(|(one, params)| (one.sql, params.as_slice())));
    tx.finish_all(&statements).await?;
    Ok(())
}

/// Appends the events, numbered up to the row's last.
fn append_events(change: &TrainingJobChange) -> Option<OwnedStatement<'_>> {
    if change.events.is_empty() {
        return None;
    }
    let sql = "insert into training_events (tenant_id, job_id, seq, id, type, actor, at, payload)
               select $1, $2, $3::bigint - cardinality($4::uuid[]) + e.ord, e.id, e.type, $7, $8, e.payload
               from unnest($4::uuid[], $5::text[], $6::jsonb[]) with ordinality as e(id, type, payload, ord)";
    let ids: Vec<_> = change.events.iter().map(|_| EventId::new()).collect();
    let types: Vec<_> = change.events.iter().map(|event| event.kind.name()).collect();
    let payloads: Vec<_> = change.events.iter().map(|event| &event.payload).collect();
    let values: Vec<Box<dyn ToSql + Sync + Send + '_>> = vec![
        Box::new(change.job.tenant_id),
        Box::new(change.job.id),
        Box::new(change.job.last_event_seq),
        Box::new(ids),
        Box::new(types),
        Box::new(payloads),
        Box::new(Json(&change.by.actor)),
        Box::new(change.now),
    ];
    Some(OwnedStatement { sql, values })
}

/// Adds points to the curve. A repeated step replaces its point.
fn extend_curve(change: &TrainingJobChange) -> Option<OwnedStatement<'_>> {
    if change.points.is_empty() {
        return None;
    }
    let sql = "insert into training_points (tenant_id, job_id, attempt, step, loss, learning_rate, eval_loss)
               select distinct on (p.step) $1::uuid, $2::uuid, $3::integer, p.step, p.loss, p.learning_rate, p.eval_loss
               from unnest($4::bigint[], $5::float8[], $6::float8[], $7::float8[])
                   with ordinality as p(step, loss, learning_rate, eval_loss, ord)
               order by p.step, p.ord desc
               on conflict (tenant_id, job_id, attempt, step) do update
               set loss = excluded.loss, learning_rate = excluded.learning_rate, eval_loss = excluded.eval_loss";
    let points = &change.points;
    let values: Vec<Box<dyn ToSql + Sync + Send + '_>> = vec![
        Box::new(change.job.tenant_id),
        Box::new(change.job.id),
        Box::new(change.job.attempt),
        Box::new(points.iter().map(|point| point.step).collect::<Vec<_>>()),
        Box::new(points.iter().map(|point| point.loss).collect::<Vec<_>>()),
        Box::new(points.iter().map(|point| point.learning_rate).collect::<Vec<_>>()),
        Box::new(points.iter().map(|point| point.eval_loss).collect::<Vec<_>>()),
    ];
    Some(OwnedStatement { sql, values })
}

/// Adds the cost to the month of the tenant.
fn charge_usage(change: &TrainingJobChange) -> Option<OwnedStatement<'_>> {
    if change.spent_micros == 0 {
        return None;
    }
    let sql = "insert into tenant_usage (tenant_id, month, tokens, cost_micros) values ($1, $2, 0, $3)
               on conflict (tenant_id, month) do update
               set cost_micros = tenant_usage.cost_micros + excluded.cost_micros";
    let values: Vec<Box<dyn ToSql + Sync + Send + '_>> =
        vec![Box::new(change.job.tenant_id), Box::new(month_of(change.now)), Box::new(change.spent_micros)];
    Some(OwnedStatement { sql, values })
}
