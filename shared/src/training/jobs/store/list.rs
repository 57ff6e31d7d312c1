//! SQL of reads of training jobs: lists, logs, curves.

use tokio_postgres::types::{Json, ToSql};

use crate::{
    kernel::{
        actor::Actor,
        error::Result,
        id::{TenantId, TrainingJobId},
    },
    platform::postgres::Db,
    training::{
        jobs::{TrainingJob, event::TrainingEvent, status::TrainingStatus},
        trainers::Point,
    },
};

use super::row::{self, COLUMNS};

/// A filter of jobs. A list means "any of"; an empty list means no condition.
#[derive(Clone, Debug, Default)]
pub struct TrainingJobFilter {
    pub status: Vec<&'static str>,
    pub provider: Vec<&'static str>,
    /// A substring of the id, the base model or the name of the target model.
    pub q: Option<String>,
}

/// A page of jobs, newest first, created before `before`.
pub async fn list(
    db: &Db,
    tenant_id: TenantId,
    filter: &TrainingJobFilter,
    before: Option<TrainingJobId>,
    most: i64,
) -> Result<Vec<TrainingJob>> {
    let sql = format!(
        "select {COLUMNS} from training_jobs j
         where j.tenant_id = $1 and ($2::uuid is null or j.id < $2)
           and (cardinality($3::text[]) = 0 or j.status = any($3))
           and (cardinality($4::text[]) = 0 or j.provider = any($4))
           and ($5::text is null or strpos(j.id::text, lower($5)) > 0 or strpos(lower(j.base_model), lower($5)) > 0
                or strpos(lower(j.target_model_name), lower($5)) > 0)
         order by j.id desc limit $6"
    );
    let params: [&(dyn ToSql + Sync); 6] = [&tenant_id, &before, &filter.status, &filter.provider, &filter.q, &most];
    let rows = db.read(tenant_id, &sql, &params).await?;
    rows.iter().map(row::job_of_row).collect()
}

/// A part of the log of a job.
pub struct TrainingJobLog {
    pub events: Vec<TrainingEvent>,
    /// The number of the log's last event.
    pub last_seq: i64,
    /// Whether the job is over, so that nothing follows the last event unless it is retried.
    pub is_over: bool,
}

/// The log after `after`, at most `limit` events. `None` when there is no such job.
pub async fn list_events(
    db: &Db,
    tenant_id: TenantId,
    id: TrainingJobId,
    after: i64,
    limit: i64,
) -> Result<Option<TrainingJobLog>> {
    let sql = "
        select j.last_event_seq, j.status, e.id, e.seq, e.type, e.actor, e.at, e.payload
        from training_jobs j
        left join lateral (select * from training_events e where e.tenant_id = j.tenant_id and e.job_id = j.id and e.seq > $3
                           order by e.seq limit $4) e on true
        where j.tenant_id = $1 and j.id = $2
        order by e.seq";
    let rows = db.read(tenant_id, sql, &[&tenant_id, &id, &after, &limit]).await?;
    let Some(first) = rows.first() else { return Ok(None) };
    let (last_seq, status): (i64, &str) = (first.try_get("last_event_seq")?, first.try_get("status")?);
    let is_over = TrainingStatus::parse(status).is_some_and(TrainingStatus::is_over);
    let mut events = Vec::with_capacity(rows.len());
    for row in &rows {
        if let Some(seq) = row.try_get("seq")? {
            events.push(TrainingEvent {
                id: row.try_get("id")?,
                seq,
                kind: row.try_get("type")?,
                tenant_id,
                job_id: id,
                actor: row.try_get::<_, Json<Actor>>("actor")?.0,
                at: row.try_get("at")?,
                payload: row.try_get("payload")?,
            });
        }
    }
    Ok(Some(TrainingJobLog { events, last_seq, is_over }))
}

/// Points of a training curve.
#[derive(Clone, Debug)]
pub struct CurvePoints {
    pub points: Vec<Point>,
    /// The total number of points of the attempt.
    pub total: i64,
}

/// The curve of an attempt: all points, or `limit` points spread evenly over it with the first and the last.
pub async fn read_curve(
    db: &Db,
    tenant_id: TenantId,
    id: TrainingJobId,
    attempt: i32,
    most: i64,
) -> Result<CurvePoints> {
    let sql = "
        with numbered as (
            select p.step, p.loss, p.learning_rate, p.eval_loss, row_number() over (order by p.step) - 1 as place,
                   count(*) over () as total
            from training_points p where p.tenant_id = $1 and p.job_id = $2 and p.attempt = $3)
        select step, loss, learning_rate, eval_loss, total from numbered
        where total <= $4 or place = 0
           or place * ($4 - 1) / (total - 1) > (place - 1) * ($4 - 1) / (total - 1)
        order by step";
    let rows = db.read(tenant_id, sql, &[&tenant_id, &id, &attempt, &most]).await?;
    let total = rows.first().map(|row| row.try_get("total")).transpose()?.unwrap_or(0);
    let read = |row: &tokio_postgres::Row| {
        Ok(Point {
            step: row.try_get("step")?,
            loss: row.try_get("loss")?,
            learning_rate: row.try_get("learning_rate")?,
            eval_loss: row.try_get("eval_loss")?,
        })
    };
    Ok(CurvePoints { points: rows.iter().map(read).collect::<Result<_>>()?, total })
}
