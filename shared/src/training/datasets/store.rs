//! SQL of datasets and of the sessions that they are made from. Decides nothing.

use std::collections::HashMap;

use tokio_postgres::{Row, types::Json};

use crate::{
    kernel::{
        clock::Time,
        error::{Code, Error, Result},
        id::{DatasetId, SessionId, TenantId, TrainingJobId},
        session_type::SessionType,
    },
    platform::postgres::{Db, Tx},
    training::trainers::TrainingFile,
};

use super::{Dataset, DatasetSession, Recipe, Split, recipe::SampleCandidate, transcript::Transcript};

const COLUMNS: &str =
    "d.id, d.job_id, d.attempt, d.recipe, d.sha256, d.training_key, d.training_sha256, d.training_bytes,
    d.training_samples, d.held_out_key, d.held_out_sha256, d.held_out_bytes, d.held_out_samples, d.tally, d.created_at,
    (select count(*) from dataset_sessions s where s.tenant_id = d.tenant_id and s.dataset_id = d.id
     and s.deleted_at is not null) as deleted_sessions";

fn to_unsigned(number: i64) -> u64 {
    u64::try_from(number).unwrap_or(0)
}

fn to_signed(number: u64) -> i64 {
    i64::try_from(number).unwrap_or(i64::MAX)
}

fn read(row: &Row) -> Result<Dataset> {
    let training = TrainingFile {
        key: row.try_get("training_key")?,
        sha256: row.try_get("training_sha256")?,
        bytes: to_unsigned(row.try_get("training_bytes")?),
        samples: to_unsigned(row.try_get("training_samples")?),
    };
    let held_out_key: Option<String> = row.try_get("held_out_key")?;
    let held_out = held_out_key.map(|key| {
        Ok::<_, Error>(TrainingFile {
            key,
            sha256: row.try_get("held_out_sha256")?,
            bytes: to_unsigned(row.try_get("held_out_bytes")?),
            samples: to_unsigned(row.try_get("held_out_samples")?),
        })
    });
    Ok(Dataset {
        id: row.try_get("id")?,
        job_id: row.try_get("job_id")?,
        attempt: row.try_get("attempt")?,
        recipe: row.try_get::<_, Json<Recipe>>("recipe")?.0,
        sha256: row.try_get("sha256")?,
        training,
        held_out: held_out.transpose()?,
        tally: row.try_get::<_, Json<_>>("tally")?.0,
        deleted_sessions: row.try_get("deleted_sessions")?,
        created_at: row.try_get("created_at")?,
    })
}

#[track_caller]
fn not_found(id: DatasetId) -> Error {
    Error::new(Code::DatasetNotFound, format!("There is no dataset {id}."))
}

pub async fn find_dataset(db: &Db, tenant_id: TenantId, id: DatasetId) -> Result<Dataset> {
    let sql = format!("select {COLUMNS} from datasets d where d.tenant_id = $1 and d.id = $2");
    let rows = db.read(tenant_id, &sql, &[&tenant_id, &id]).await?;
    rows.first().map(read).transpose()?.ok_or_else(|| not_found(id))
}

/// The dataset of one attempt of a job, if it exists.
pub async fn of_job(db: &Db, tenant_id: TenantId, job_id: TrainingJobId, attempt: i32) -> Result<Option<Dataset>> {
    let sql = format!("select {COLUMNS} from datasets d where d.tenant_id = $1 and d.job_id = $2 and d.attempt = $3");
    db.read(tenant_id, &sql, &[&tenant_id, &job_id, &attempt]).await?.first().map(read).transpose()
}

/// A page of datasets, newest first, created before `before`.
pub async fn list(
    db: &Db,
    tenant_id: TenantId,
    job_id: Option<TrainingJobId>,
    before: Option<DatasetId>,
    most: i64,
) -> Result<Vec<Dataset>> {
    let sql = format!(
        "select {COLUMNS} from datasets d
         where d.tenant_id = $1 and ($2::uuid is null or d.job_id = $2) and ($3::uuid is null or d.id < $3)
         order by d.id desc limit $4"
    );
    db.read(tenant_id, &sql, &[&tenant_id, &job_id, &before, &most]).await?.iter().map(read).collect()
}

/// A filter of the lineage of a dataset.
#[derive(Clone, Copy, Debug, Default)]
pub struct OriginFilter {
    pub split: Option<Split>,
    pub deleted: Option<bool>,
    pub before: Option<SessionId>,
}

/// A page of the sessions of a dataset, newest first.
pub async fn list_origins(
    db: &Db,
    tenant_id: TenantId,
    id: DatasetId,
    filter: OriginFilter,
    most: i64,
) -> Result<Vec<DatasetSession>> {
    let sql = "select session_id, split, deleted_at from dataset_sessions
               where tenant_id = $1 and dataset_id = $2 and ($3::uuid is null or session_id < $3)
                 and ($4::text is null or split = $4) and ($5::boolean is null or (deleted_at is not null) = $5)
               order by session_id desc limit $6";
    let split = filter.split.map(Split::name);
    let rows = db.read(tenant_id, sql, &[&tenant_id, &id, &filter.before, &split, &filter.deleted, &most]).await?;
    rows.iter()
        .map(|row| {
            let split: &str = row.try_get("split")?;
            Ok(DatasetSession {
                session_id: row.try_get("session_id")?,
                split: Split::parse(split).ok_or_else(|| Error::internal(format!("split {split}")))?,
                deleted_at: row.try_get("deleted_at")?,
            })
        })
        .collect()
}

/// Whether the tenant consents to training on its sessions.
pub async fn has_consent(tx: &mut Tx, tenant_id: TenantId) -> Result<bool> {
    let row = tx.query_opt("select training_consent from tenants where id = $1", &[&tenant_id]).await?;
    Ok(row.map(|row| row.try_get("training_consent")).transpose()?.unwrap_or(false))
}

/// Completed sessions, newest first, before `before`, with the facts that recipes select by.
pub async fn list_candidates(
    db: &Db,
    tenant_id: TenantId,
    before: Option<SessionId>,
    most: i64,
) -> Result<Vec<SampleCandidate>> {
    let sql = "select id, root_id, session_type, tags, model_identifier, ended_at,
                      case when jsonb_typeof(outcome->'success_rate') = 'number'
                           then (outcome->>'success_rate')::float8 end as success_rate
               from sessions
               where status = 'completed' and tenant_id = $1 and ($2::uuid is null or id < $2)
               order by id desc limit $3";
    let rows = db.read(tenant_id, sql, &[&tenant_id, &before, &most]).await?;
    rows.iter().map(candidate_of_row).collect()
}

fn candidate_of_row(row: &Row) -> Result<SampleCandidate> {
    let kind: &str = row.try_get("session_type")?;
    Ok(SampleCandidate {
        id: row.try_get("id")?,
        root_id: row.try_get("root_id")?,
        session_type: SessionType::parse(kind).ok_or_else(|| Error::internal(format!("session_type {kind}")))?,
        tags: row.try_get("tags")?,
        model: row.try_get("model_identifier")?,
        ended_at: row.try_get("ended_at")?,
        success_rate: row.try_get("success_rate")?,
    })
}

/// The prompts and results of completed sessions.
const PROMPTS: &str = "select id, initial_prompt, outcome->'result' as result,
                          coalesce(octet_length((outcome->'result')::text), 0) > $3::bigint as too_long
                   from sessions where tenant_id = $1 and id = any($2) and status = 'completed'";

/// The events of transcripts. The sum counts the size of the text, which determines the memory use.
const EVENTS: &str = "
        select wanted.id, e.type, case when e.bytes <= $3::bigint then e.payload end as payload, e.size
        from unnest($2::uuid[]) as wanted(id)
        cross join lateral (
            select y.*, sum(y.size) over (order by y.seq) as bytes
            from (select x.seq, x.type, x.payload, octet_length(x.payload::text) as size
                  from session_events x
                  where x.tenant_id = $1 and x.session_id = wanted.id
                    and x.type in ('session.message', 'session.tool', 'session.question')
                    and (x.type <> 'session.message' or x.payload->>'role' in ('user', 'assistant'))
                    and (x.type <> 'session.tool' or x.payload->>'state' in ('completed', 'error'))
                  offset 0) y
        ) e
        where e.bytes - e.size <= $3::bigint
        order by wanted.id, e.seq";

/// The transcripts of these sessions, as far as they exist, with the number of bytes read. A transcript of more than
/// `longest` bytes of events is truncated.
pub async fn read_transcripts(
    db: &Db,
    tenant_id: TenantId,
    ids: &[SessionId],
    longest: usize,
) -> Result<HashMap<SessionId, (Transcript, u64)>> {
    let longest = i64::try_from(longest).unwrap_or(i64::MAX);
    let mut tx = db.tenant(tenant_id).await?;
    let mut answers =
        tx.query_all(&[(PROMPTS, &[&tenant_id, &ids, &longest]), (EVENTS, &[&tenant_id, &ids, &longest])]).await?;
    tx.commit().await?;
    let (events, prompts) = (answers.pop().unwrap_or_default(), answers.pop().unwrap_or_default());
    let mut found = HashMap::with_capacity(prompts.len());
    for row in prompts {
        let too_long: bool = row.try_get("too_long")?;
        let result = if too_long { None } else { row.try_get("result")? };
        let prompt: String = row.try_get("initial_prompt")?;
        let bytes = prompt.len() as u64;
        found.insert(row.try_get("id")?, (Transcript { prompt, events: Vec::new(), result, too_long }, bytes));
    }
    for row in events {
        let Some((transcript, bytes)) = found.get_mut(&row.try_get("id")?) else { continue };
        *bytes += u64::from(row.try_get::<_, i32>("size")?.unsigned_abs());
        match row.try_get("payload")? {
            Some(payload) => transcript.events.push((row.try_get("type")?, payload)),
            None => transcript.too_long = true,
        }
    }
    Ok(found)
}

/// Inserts a dataset whose files are complete, unless this attempt of its job has one.
pub async fn insert(tx: &mut Tx, tenant_id: TenantId, dataset: &Dataset) -> Result<bool> {
    let held_out = dataset.held_out.as_ref();
    let rows = tx
        .query(
            "insert into datasets (tenant_id, id, job_id, attempt, recipe, sha256, training_key, training_sha256,
                                   training_bytes, training_samples, held_out_key, held_out_sha256, held_out_bytes,
                                   held_out_samples, tally, created_at)
             values ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13, $14, $15, $16)
             on conflict on constraint datasets_of_job do nothing
             returning id",
            &[
                &tenant_id,
                &dataset.id,
                &dataset.job_id,
                &dataset.attempt,
                &Json(&dataset.recipe),
                &dataset.sha256,
                &dataset.training.key,
                &dataset.training.sha256,
                &to_signed(dataset.training.bytes),
                &to_signed(dataset.training.samples),
                &held_out.map(|file| file.key.as_str()),
                &held_out.map(|file| file.sha256.as_str()),
                &held_out.map(|file| to_signed(file.bytes)),
                &held_out.map(|file| to_signed(file.samples)),
                &Json(&dataset.tally),
                &dataset.created_at,
            ],
        )
        .await?;
    Ok(!rows.is_empty())
}

/// Inserts the lineage of a dataset, in batches. Returns the sessions that no longer exist; the others are locked until
/// the transaction ends.
pub async fn insert_origins(
    tx: &mut Tx,
    tenant_id: TenantId,
    id: DatasetId,
    origins: &[(SessionId, Split)],
    now: Time,
) -> Result<u64> {
    let sql = "
        with wanted as (select * from unnest($3::uuid[], $4::text[]) as w(session_id, split)),
             there as (select s.id from sessions s where s.tenant_id = $1 and s.id = any($3) for key share),
             written as (insert into dataset_sessions (tenant_id, dataset_id, session_id, split, deleted_at)
                         select $1, $2, w.session_id, w.split, case when t.id is null then $5::timestamptz end
                         from wanted w left join there t on t.id = w.session_id
                         returning deleted_at)
        select count(deleted_at) as gone from written";
    let mut gone = 0;
    for batch in origins.chunks(5_000) {
        let ids: Vec<SessionId> = batch.iter().map(|(id, _)| *id).collect();
        let splits: Vec<&str> = batch.iter().map(|(_, split)| split.name()).collect();
        let row = tx.query_opt(sql, &[&tenant_id, &id, &ids, &splits, &now]).await?;
        gone += to_unsigned(row.map(|row| row.try_get("gone")).transpose()?.unwrap_or(0));
    }
    Ok(gone)
}
