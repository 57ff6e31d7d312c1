//! SQL of what people read of training jobs: lists, logs, curves.

use tokio_postgres::types::{Json, ToSql};

use crate::{
    auth::Actor,
    db::Db,
    error::Result,
    id::{TenantId, TrainingJobId},
    trainer::Point,
    tuning::{TrainingJob, event::Event},
};

use super::row::{self, COLUMNS};

/// Which jobs a list holds. Lists within a field mean "any of", none means all.
#[derive(Clone, Debug, Default)]
pub struct Filter {
    pub status: Vec<&'static str>,
    pub provider: Vec<&'static str>,
    /// A fragment of the id, the base model or the target model's name.
    pub q: Option<String>,
}

/// A page of jobs, newest first, made before `before`.
pub async fn list(
    db: &Db,
    tenant_id: TenantId,
    filter: &Filter,
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
    rows.iter().map(row::job).collect()
}

/// The log after `after`, `limit` entries at most, and where it ends. `None` when there is no such job.
pub async fn events(
    db: &Db,
    tenant_id: TenantId,
    id: TrainingJobId,
    after: i64,
    limit: i64,
) -> Result<Option<(Vec<Event>, i64)>> {
    let sql = "
        select j.last_event_seq, e.id, e.seq, e.type, e.actor, e.at, e.payload
        from training_jobs j
        left join lateral (select * from training_events e where e.tenant_id = j.tenant_id and e.job_id = j.id and e.seq > $3
                           order by e.seq limit $4) e on true
        where j.tenant_id = $1 and j.id = $2
        order by e.seq";
    let rows = db.read(tenant_id, sql, &[&tenant_id, &id, &after, &limit]).await?;
    let Some(first) = rows.first() else { return Ok(None) };
    let last: i64 = first.try_get("last_event_seq")?;
    let mut events = Vec::with_capacity(rows.len());
    for row in &rows {
        if let Some(seq) = row.try_get("seq")? {
            events.push(Event {
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
    Ok(Some((events, last)))
}

/// A stretch of a training curve.
#[derive(Clone, Debug)]
pub struct Stretch {
    pub points: Vec<Point>,
    /// How many points there are of the attempt, shown or not.
    pub total: i64,
}

/// The curve of an attempt: all of it, or so many points spread evenly over it, the first and the last among them.
pub async fn curve(db: &Db, tenant_id: TenantId, id: TrainingJobId, attempt: i32, most: i64) -> Result<Stretch> {
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
    Ok(Stretch { points: rows.iter().map(read).collect::<Result<_>>()?, total })
}
